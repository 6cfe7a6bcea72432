"""A certificate reads as it does in the design, and claims no more than it proves."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.facts import (
    Certificate,
    Confirmation,
    Outcome,
    Probe,
    ScheduleCheck,
    Shortage,
    Status,
    WallStatus,
    replace,
)
from reports.texts.certificate import (
    certificate_lines,
    error_text,
    miss_text,
    peaks_text,
    predicted_text,
    probes_text,
    room_text,
)

TIMES = "\N{MULTIPLICATION SIGN}"


def _line(wall: Certificate, name: str) -> str:
    found = [
        line for line in certificate_lines(wall, samples.FRAMEWORK) if line.startswith(f"  {name} ")
    ]
    assert len(found) == 1, (name, found)
    return found[0].removeprefix(f"  {name} ").strip()


def _names(wall: Certificate) -> list[str]:
    return [line[2:14].strip() for line in certificate_lines(wall, samples.FRAMEWORK)[1:]]


def test_a_failed_prediction_has_a_line_of_its_own() -> None:
    """The scenario may raise at lengths that the search never runs."""
    wall = replace(samples.wall(), unpredicted="error in build: ValueError: bad shape")

    assert (
        "  prediction  its short runs failed: error in build: ValueError: bad shape"
        in certificate_lines(wall, samples.FRAMEWORK)
    )


def test_an_exact_wall_has_the_lines_of_the_design() -> None:
    """Conditions, prediction, both ends and the price, in columns."""
    lines = certificate_lines(samples.foreseen(samples.wall(last_ok=650)), samples.FRAMEWORK)

    assert lines == [
        "static_rnn   batch 32 · units 128 · CPU:0 (sample allocator) · serial · limit 64 MiB",
        (
            "  predicted   647 ± 4 steps   replayed from 2 points of at most 80 steps: "
            "3 steps too few (0.5 %)"
        ),
        "  survives    650 steps       peak 64.0 MiB",
        f"  runs out    651 steps       in first step: {samples.RAN_OUT}",
        (
            f"  price       {15 / (2 + 11):.1f} {TIMES} the two runs that any exact answer needs: "
            "4 probes (1 failed), 15.0 s"
        ),
    ]


def test_an_old_certificate_claims_neither_margin_nor_method() -> None:
    """What was not stored is left out."""
    wall = samples.wall(last_ok=650)

    assert _line(wall, "predicted") == (
        "647 steps   from 2 points of at most 80 steps: 3 steps too few (0.5 %)"
    )
    assert _names(wall) == ["predicted", "survives", "runs out", "price"]


def test_a_line_is_called_a_line() -> None:
    """It is a weaker prediction than a replay."""
    wall = samples.foreseen(samples.wall(), by="line")

    assert "by a line through the peaks of 2 points of at most 80 steps" in _line(wall, "predicted")


def test_a_wall_without_a_prediction_has_no_line_for_it() -> None:
    """Nothing was said beforehand, so nothing is said now."""
    assert "predicted" not in _names(replace(samples.wall(), predicted=None))


def test_a_band_has_both_ends_and_the_steps_between() -> None:
    """And that both ends held every time; the repeats' cost stands apart."""
    wall = samples.band(640, 660)

    assert _line(wall, "survives") == "640 steps          peak 61.0 MiB to 64.0 MiB"
    assert _line(wall, "band") == "641 to 659 steps   outcomes varied from run to run"
    assert _line(wall, "runs out").startswith("660 steps ")
    assert _line(wall, "confirmed") == (
        "run again: 640 steps survived 3 of 3, 660 steps ran out 3 of 3"
    )
    assert _line(wall, "price").endswith(
        "5 probes (2 failed, 1 of them cut short), 15.0 s; 6 repeats in addition, 18.0 s"
    )


@pytest.mark.parametrize(
    ("first_oom", "zone"), [(642, "641 steps"), (None, "from 641 steps on"), (643, "641 to 642")]
)
def test_a_band_of_any_width_has_its_steps(first_oom: int | None, zone: str) -> None:
    """One step wide, two, or without an end."""
    wall = replace(samples.band(640), first_oom=first_oom)

    assert _line(wall, "band").startswith(zone)


def test_a_band_that_begins_at_the_first_step_has_no_survivor() -> None:
    """No number of steps survived every time."""
    wall = replace(samples.band(), last_ok=None)

    assert "survives" not in _names(wall)
    assert _line(wall, "band").startswith("1 to 659 steps")


def test_an_end_that_did_not_hold_is_unsteady() -> None:
    """Two of three is no confirmation."""
    again = Confirmation(repeats=3, survived=2, ran_out=3)
    wall = replace(samples.wall(last_ok=650), confirmation=again)

    assert _line(wall, "unsteady") == (
        "run again: 650 steps survived 2 of 3, 651 steps ran out 3 of 3"
    )
    assert "confirmed" not in _names(wall)


def test_a_wall_that_was_not_reached_says_so() -> None:
    """Nothing ran out: no end, no error, no price in multiples."""
    wall = samples.wall("loop", 5000, status=WallStatus.AT_LEAST)

    assert _names(wall) == ["predicted", "survives", "at least", "price"]
    assert _line(wall, "price") == "3 probes, 15.0 s"
    assert miss_text(wall) is None


def test_a_wall_before_the_first_step_says_so() -> None:
    """Even one step ran out."""
    wall = samples.wall("big", None, status=WallStatus.AT_MOST)

    assert _names(wall) == ["runs out", "at most", "price"]
    assert _line(wall, "runs out").startswith("1 step ")


def test_what_was_not_proven_gives_its_reason() -> None:
    """The failing run was no memory failure."""
    wall = samples.wall("odd", 40, status=WallStatus.UNPROVEN)

    assert _line(wall, "unproven") == "SIGSEGV under the limit"


def test_a_host_wall_names_the_cap_and_no_device_allocator() -> None:
    """The process runs on the framework's default allocator there."""
    wall = replace(samples.wall(kind="host"), limit_by="cgroup v1", limit_bytes=2**30)

    assert certificate_lines(wall, samples.FRAMEWORK)[0] == (
        "static_rnn   batch 32 · units 128 · CPU:0 · serial · host limit 1 GiB (cgroup v1)"
    )


@pytest.mark.parametrize(("device", "name"), [("gpu", "GPU:0"), ("gpu:1", "GPU:1")])
def test_a_gpu_has_its_number(device: str, name: str) -> None:
    """Devices are named as the framework names them."""
    wall = replace(samples.wall(), device=device)

    assert f"· {name} · serial" in certificate_lines(wall, samples.FRAMEWORK)[0]


def test_a_host_wall_has_its_peaks_by_phase_of_training() -> None:
    """By the framework's titles; overhead is not the point's."""
    exact = samples.wall(kind="host", last_ok=650)
    phases = samples.phases(copies=8, host_bytes=3 * samples.MIB)
    probes = [replace(probe, phases=phases) for probe in exact.probes]

    assert _line(replace(exact, probes=probes), "held by") == (
        "peaks over the baseline: forward graph 400.0 KiB, steady steps 3.0 MiB"
    )


def test_a_failure_without_a_shortage_gives_its_reason() -> None:
    """The kernel's kill names no tensor."""
    killed = Outcome(status=Status.OOM_HOST, phase="steady", reason="the kernel killed it")
    wall = replace(
        samples.wall(last_ok=9),
        probes=[Probe(steps=10, outcome=killed, seconds=1.0)],
    )

    assert _line(wall, "runs out") == "10 steps   in steady: the kernel killed it"


@pytest.mark.parametrize(
    ("predicted", "long", "short"),
    [
        (1000.9, "right to the step", "0"),
        (999.0, "1 step too few (0.1 %)", "-1 (0.1 %)"),
        (1002.0, "2 steps too many (0.2 %)", "+2 (0.2 %)"),
        (2500.0, "1,500 steps too many (150.0 %)", "+1,500 (150.0 %)"),
    ],
)
def test_the_error_is_in_steps_and_percent(predicted: float, long: str, short: str) -> None:
    """A fraction of a step is none: what survives is a whole number."""
    wall = replace(samples.wall(last_ok=1000), predicted=predicted)

    assert (miss_text(wall), error_text(wall)) == (long, short)


def test_a_tiny_error_is_not_rounded_to_nothing() -> None:
    """One step of a hundred thousand is an error still."""
    wall = replace(samples.wall(last_ok=100_000), predicted=99_999.0)

    assert miss_text(wall) == "1 step too few (< 0.1 %)"


def test_a_prediction_inside_a_band_is_right() -> None:
    """Any step of a band may be where it ends."""
    wall = replace(samples.band(640, 660), predicted=650.0)

    assert (miss_text(wall), error_text(wall)) == ("inside the band", "0")


def test_the_margin_is_the_wider_side_rounded_up() -> None:
    """A margin never claims more than the forecast did."""
    wall = replace(samples.wall(), predicted=100.0, predicted_low=97.5, predicted_high=101.0)

    assert predicted_text(wall) == "100 ± 3"


def test_probes_are_counted_without_repeats() -> None:
    """One probe is no plural, and a search without failures has none to tell."""
    one = replace(samples.wall(), probes=samples.wall().probes[:1])

    assert probes_text(one) == "1 probe"
    assert probes_text(samples.band()) == "5 probes (2 failed, 1 of them cut short)"


def test_a_survivor_without_a_known_peak_has_none() -> None:
    """Unknown is left out, not zero."""
    wall = samples.wall()
    silent = [replace(probe, peak_bytes=None) for probe in wall.probes]

    assert peaks_text(replace(wall, probes=silent)) is None
    assert _line(replace(wall, probes=silent), "survives") == "650 steps"


MIB = 1 << 20


def _stopped(**known: int | None) -> Certificate:
    """Return a wall under 64 MiB whose failing run left such an account of the allocator."""
    wall = samples.wall()
    shortage = Shortage(op="mul", **known)  # type: ignore[arg-type]
    probes = [
        replace(probe, outcome=replace(probe.outcome, shortage=shortage))
        if probe.steps == wall.first_oom
        else probe
        for probe in wall.probes
    ]
    return replace(wall, probes=probes)


def _account(
    *, asked: int | None = 20, free: int | None = 24, largest: int | None = 18, held: int = 40
) -> Certificate:
    """Return the same of sizes in MiB, where all is in use or free."""

    def size(mib: int | None) -> int | None:
        return None if mib is None else mib * MIB

    return _stopped(
        requested_bytes=size(asked),
        free_bytes=size(free),
        largest_free_bytes=size(largest),
        in_use_bytes=size(64 - (free or 0)),
        held_bytes=size(held),
    )


def test_a_wall_far_below_its_limit_says_what_would_have_fitted() -> None:
    """Free memory in pieces, none of them large enough."""
    wall = _account(asked=20, free=24, largest=18)

    assert _line(wall, "unused") == (
        "asked for 20.0 MiB; at most 18.0 MiB would have fitted, 2.0 MiB less, "
        "though 24.0 MiB were free, in pieces"
    )


def test_chunks_larger_than_what_they_were_asked_for_are_named() -> None:
    """The allocator hands out a whole free chunk of less than twice the size."""
    wall = _account(asked=20, free=1, largest=1, held=43)

    assert room_text(wall) == (
        "asked for 20.0 MiB; at most 1.0 MiB would have fitted, 19.0 MiB less; "
        "chunks in use are 20.0 MiB larger than what they were asked for"
    )


@pytest.mark.parametrize(
    "wall",
    [
        _account(asked=20, free=3, largest=3, held=61),
        _account(asked=None),
        _account(free=None),
        _account(largest=None),
        samples.wall(),
        samples.wall(status=WallStatus.AT_LEAST),
    ],
)
def test_a_full_allocator_needs_no_reason(wall: Certificate) -> None:
    """Nor does one that gave no account get a made-up one."""
    assert room_text(wall) is None
    assert "unused" not in _names(wall)


@pytest.mark.parametrize(("kind", "tells_wall"), [("device", True), ("host", False)])
def test_where_the_parallel_schedule_needs_more_the_wall_says_so(
    kind: str, *, tells_wall: bool
) -> None:
    """What it means for the wall is told of device memory alone, which was compared."""
    check = ScheduleCheck(steps=64, serial_peak_bytes=1000, parallel_peak_bytes=[1410, 1470, 1440])
    text = _line(replace(samples.wall(), kind=kind, schedules=check), "parallel")

    assert "needs 41 to 47 % more device memory at 64 steps" in text
    assert text.endswith("the wall likely comes earlier there") == tells_wall


def test_where_both_schedules_need_about_the_same_nothing_is_said() -> None:
    """No line to read for no news."""
    check = ScheduleCheck(steps=64, serial_peak_bytes=1000, parallel_peak_bytes=[1001] * 3)

    assert "parallel" not in _names(replace(samples.wall(), schedules=check))


def test_longer_lengths_that_survive_again_have_a_line() -> None:
    """With what is next to them, which ran out; one alone needs no range."""
    wall = samples.with_island(samples.wall(last_ok=853), 1280, 1280)
    wide = samples.with_island(samples.wall(last_ok=853), 1280, 1300)
    units = replace(wall, axis="units")
    batch = replace(wall, axis="batch")

    assert _line(wall, "islands") == (
        "1,280 steps survive again, though 1,279 run out, as 1,281 do again"
    )
    assert _line(wide, "islands").startswith("1,280 to 1,300 steps survive again, though 1,279 ")
    assert _line(units, "islands").startswith("1,280 units survive again")
    assert _line(batch, "islands").startswith("batch 1,280 survives again, though 1,279 runs out")
    assert "islands" not in _names(samples.wall())


def test_a_replayed_wall_is_told_in_other_words() -> None:
    """Nobody takes it for one that a device ran."""
    wall = samples.replayed(samples.with_island(samples.wall(), 700, 710))
    again = replace(wall, confirmation=Confirmation(repeats=2, survived=2, ran_out=2))

    assert _names(wall) == ["predicted", "would fit", "would not", "islands", "replayed", "price"]
    assert _line(wall, "replayed").startswith("no device ran under the limit")
    less = replace(wall, left_out="the context (some hundred MiB)")
    assert _line(less, "left out") == "the context (some hundred MiB)"
    assert "would survive again" in _line(wall, "islands")
    assert _line(again, "confirmed").startswith("replayed again: ")


@pytest.mark.parametrize(
    ("ends", "text"),
    [((650, None), "nothing ran out up to --max-steps"), ((None, 1), "even the fewest steps")],
)
def test_a_replayed_wall_with_one_end_says_which(
    ends: tuple[int | None, int | None], text: str
) -> None:
    """And still that no device ran."""
    wall = replace(samples.replayed(samples.wall()), last_ok=ends[0], first_oom=ends[1])

    assert text in _line(wall, "replayed")
    assert "no device ran" in _line(wall, "replayed")


def test_what_is_reserved_stands_beside_the_peak() -> None:
    """A limit caps what the allocator holds, which is more than what it handed out."""
    wall = samples.wall()
    probes = [replace(probe, reserved_bytes=66 << 20) for probe in wall.probes]

    assert _line(replace(wall, probes=probes), "survives").endswith(
        "peak 64.0 MiB, 66.0 MiB reserved"
    )
