"""What the page shows, as data: each number once, and a reason where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import report_samples as samples

from profiler.analysis.results import RunResults
from profiler.facts import CardWall, SizeLimit, WallPrediction, WallStatus, decode, encode, replace
from reports.pages.columns import Table
from reports.pages.data import PageData, page_data

KIB, MIB = samples.KIB, samples.MIB


def rows(table: Table) -> list[dict[str, Any]]:
    """Return a table as one dict for each row."""
    names = [one.name for one in table.columns]
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(c.values for c in table.columns), strict=True)
    ]


def test_every_point_is_a_row_of_raw_numbers() -> None:
    """By closed form: nodes, bytes and seconds of each length."""
    data = page_data(samples.contrast())
    static = [row for row in rows(data.points) if data.builds[row["build"]].label == "static_rnn"]

    assert [row["steps"] for row in static] == list(samples.DOUBLED)
    assert [row["nodes"] for row in static] == [40 + 17 * n for n in samples.DOUBLED]
    assert [row["backprop"] for row in static] == [96 * KIB * n for n in samples.DOUBLED]
    assert {row["status"] for row in static} == {"ok"}


def test_a_law_is_sampled_where_it_was_measured_and_between() -> None:
    """Its samples lie on it; an exact one has no band, a noisy one has one around it."""
    data = page_data(samples.contrast())
    line = next(one for one in data.lines if one.metric == "nodes" and one.build == 0)
    assert line.grid is not None
    steps = data.grids[line.grid]

    assert line.law == "40 + 17·T"
    assert (line.low, line.high) == ([], [])
    assert set(samples.DOUBLED) <= set(steps)
    assert line.value == [pytest.approx(40 + 17 * n, rel=1e-4) for n in steps]


def test_equal_lengths_share_a_grid() -> None:
    """So the lengths at which laws are sampled stand in the page once."""
    data = page_data(samples.contrast())

    assert len(data.grids) == 1
    assert len(data.lines) == 2 * len(data.metrics)


def test_a_series_without_a_law_says_why() -> None:
    """Two lengths prove none."""
    data = page_data(samples.loaded([samples.measured(steps=n) for n in (8, 16)]))

    assert {line.reason for line in data.lines} == {"2 of 3 lengths: profile it with more --steps"}


def test_series_that_coincide_are_one_group() -> None:
    """The same numbers at the same lengths; half a percent more is another line."""
    points = [
        *(samples.measured("a", n) for n in samples.DOUBLED),
        *(samples.measured("b", n) for n in samples.DOUBLED),
        *(samples.measured("c", n, kib_per_step=97) for n in samples.DOUBLED),
        *(samples.measured("d", n) for n in samples.DOUBLED[1:]),
    ]
    together = page_data(samples.loaded(points)).together

    assert together["nodes"] == [[0, 1, 2], [3]]
    assert together["backprop"] == [[0, 1], [2], [3]]


def test_families_do_not_coincide() -> None:
    """They are never in one picture."""
    points = [samples.measured("a", family="one"), samples.measured("b", family="other")]

    assert page_data(samples.loaded(points)).together["nodes"] == [[0], [1]]


def test_a_wall_is_a_row_with_its_proof_and_every_run() -> None:
    """Both ends, the prediction, its miss, the price, and the probes in their order."""
    data = page_data(samples.contrast())
    wall = rows(data.walls)[0]
    probes = [row for row in rows(data.probes) if row["wall"] == 0]

    assert (wall["last_ok"], wall["first_oom"], wall["status"]) == (650, 651, "exact")
    assert (wall["limit"], wall["predicted"]) == (64 * MIB, 647)
    assert wall["miss"] == "3 steps too few (0.5 %)"
    assert wall["price"] == 15 / (11 + 2)
    assert wall["proof"] == "both ends were really run"
    assert [row["steps"] for row in probes] == [40, 80, 651, 650]


def test_runs_say_if_they_were_cut_short_or_repeated() -> None:
    """Evidence and confirmation are told apart from proof."""
    probes = rows(page_data(samples.loaded([], [samples.band()])).probes)

    assert probes[4]["ending"] == "waited for memory, and was cut short"
    assert [row["repeat"] for row in probes[5:8]] == [1, 2, 3]


def test_what_fits_on_a_card_is_marked_as_predicted() -> None:
    """A bound gives its lower end alone; without a prediction there is the reason."""
    far = WallPrediction(steps=900.5, low=890, high=911, learned_from=[8])
    cards = [
        CardWall(limit_bytes=1 << 30, prediction=far, kept_bytes=20 << 20),
        CardWall(limit_bytes=1 << 31, prediction=far, is_least=True),
        CardWall(limit_bytes=1 << 32, reason="it varies"),
    ]
    found = rows(page_data(samples.loaded([], [replace(samples.wall(), cards=cards)])).fits)

    assert [(row["steps"], row["low"], row["high"]) for row in found] == [
        (900, 890, 911),
        (890, 890, None),
        (None, None, None),
    ]
    assert [row["how"] for row in found] == ["replayed", "replayed; or more", None]
    assert found[2]["reason"] == "it varies"
    assert [row["kept"] for row in found] == [20 << 20, None, None]


def test_a_wall_that_proves_nothing_says_so() -> None:
    """In its row, and among what could not be told."""
    data = page_data(samples.loaded([], [samples.wall(status=WallStatus.UNPROVEN)]))

    assert rows(data.walls)[0]["proof"] == "SIGSEGV under the limit"
    assert ("wall", "SIGSEGV under the limit") in [
        (row["what"], row["reason"]) for row in rows(data.unknown)
    ]


def test_an_explained_step_keeps_its_peak_to_the_byte() -> None:
    """Differences add up again to what was recorded; the peak is the sum of the roles there."""
    point = replace(samples.measured(steps=200), trace=samples.EXPLANATION)
    (step,) = page_data(samples.loaded([point])).steps
    over = samples.EXPLANATION.over_step

    assert _summed(step.event) == over.event
    assert {role: _summed(sizes) for role, sizes in step.bytes.items()} == over.bytes
    at = _summed(step.event).index(step.peak)
    assert sum(_summed(sizes)[at] for sizes in step.bytes.values()) == (
        MIB + 200 * 96 * KIB + 512 * KIB - 256 * KIB + 256 * KIB
    )


def _summed(differences: list[int]) -> list[int]:
    found, total = [], 0
    for one in differences:
        total += one
        found.append(total)
    return found


def test_a_page_of_very_many_explained_steps_keeps_less_of_each() -> None:
    """The peak stays to the byte; walls and the longest points stay."""
    count = 900
    sizes = list(range(count))
    over = replace(
        samples.EXPLANATION.over_step, event=sizes, bytes={"weights": sizes}, peak=777, holders=None
    )
    trace = replace(samples.EXPLANATION, over_step=over)
    points = [replace(samples.measured(steps=n), trace=trace) for n in range(8, 408)]
    wall = replace(samples.wall(last_ok=200), explanation=trace)
    steps = page_data(samples.loaded(points, [wall])).steps

    assert len(steps) == 300
    assert [step.wall for step in steps].count(0) == 1
    assert len(steps[0].event) <= 62
    assert 777 in _summed(steps[0].event)
    assert _summed(steps[0].event)[-1] == count - 1
    assert _summed(steps[0].event) == _summed(steps[0].bytes["weights"])


def test_a_point_s_step_has_its_phases() -> None:
    """In the framework's words, without what ordinary training does not have."""
    point = replace(samples.measured(steps=200), trace=samples.EXPLANATION)
    (step,) = page_data(samples.loaded([point])).steps
    assert step.phases is not None

    assert step.phases.column("phase") == [
        *("forward graph", "gradients", "first step", "steady steps"),
    ]
    assert step.phases.column("peak")[0] == 200 * 50 * KIB


def test_a_wall_s_step_names_its_row() -> None:
    """So a click on a wall finds who holds the memory there."""
    wall = replace(samples.wall(last_ok=200), explanation=samples.EXPLANATION)
    data = page_data(samples.loaded([samples.measured()], [samples.wall("b"), wall]))

    row = data.steps[0].wall

    assert row is not None
    assert rows(data.walls)[row]["last_ok"] == data.steps[0].steps == 200


def test_who_holds_it_is_kept_for_each_moment() -> None:
    """By name and role; steps that were stored without it have none."""
    over = replace(samples.EXPLANATION.over_step, holders=None)
    traces = [samples.EXPLANATION, replace(samples.EXPLANATION, over_step=over)]
    points = [
        replace(samples.measured(steps=n), trace=t) for n, t in zip((8, 16), traces, strict=True)
    ]
    kept, without = page_data(samples.loaded(points)).steps

    assert kept.holders is not None
    assert kept.holders.largest[2] == [1, 200 * 96 * KIB, 0, MIB]
    assert without.holders is None


def test_who_needs_least_is_told_by_length() -> None:
    """Fewer nodes: 40 + 17 T against 135 meet at 5.6 steps; noise is told as nobody."""
    contests = {one.metric: one for one in page_data(samples.contrast()).contests}
    nodes = contests["nodes"]

    assert [(span.first, span.last, span.least) for span in nodes.spans if not span.predicted] == [
        (8, 256, [1])
    ]
    assert (1, 5, [0]) in [(span.first, span.last, span.least) for span in nodes.spans]


def test_axes_are_not_compared() -> None:
    """Two scenarios of one family over different axes are two contests of nobody."""
    points = [
        *(samples.measured("a", n) for n in samples.DOUBLED),
        *(
            replace(one, point=replace(one.point, axis="units"))
            for one in (samples.measured("b", n) for n in samples.DOUBLED)
        ),
    ]

    assert page_data(samples.loaded(points)).contests == []


def test_failed_points_show_their_words_and_log() -> None:
    """Silence is said, too."""
    silent = replace(samples.failed(samples.measured(steps=16)), log_tail=None)
    data = page_data(samples.loaded([samples.failed(samples.measured()), silent]))
    first, second = rows(data.failures)

    assert first["ending"] == f"ran out of device memory during first step: {samples.RAN_OUT}"
    assert "[[node]]" in str(first["said"])
    assert "OOM!" in str(first["log"])
    assert second["log"] == "The child wrote nothing."


def test_what_is_not_told_is_counted_once_for_each_reason() -> None:
    """Five points that lack a field for the same reason are one line."""
    points = [samples.failed(samples.measured(steps=n)) for n in (8, 16, 32, 64, 128)]
    found = {row["what"]: row for row in rows(page_data(samples.loaded(points)).unknown)}

    assert found["device.peak_bytes"]["reason"] == "the step never ended"
    assert found["device.peak_bytes"]["count"] == 5


def test_where_a_graph_cannot_be_serialized_is_noted() -> None:
    """Runs of graphs that reach a limit of their framework say at how many steps."""
    limits = [SizeLimit(metric="graph_bytes", most=(1 << 31) - 1, text="it cannot be saved")]
    machine = samples.ENVIRONMENT
    framework = replace(samples.FRAMEWORK, limits=limits)
    run = samples.run([samples.measured(steps=n) for n in (*samples.DOUBLED, 512, 1024)])
    run = replace(run, environment=replace(machine, frameworks={"sampleflow": framework}))

    (note,) = page_data(RunResults(run)).notes
    assert note.startswith("The serialized graph of static_rnn reaches 2 GiB at about ")


def test_the_page_is_read_back_as_it_was_written() -> None:
    """It is a record like every other, and holds no number that JSON has not."""
    data = page_data(samples.large())

    assert decode(PageData, encode(data)) == data


def test_the_page_grows_with_its_points_only() -> None:
    """Twice as many builds take twice as much at most, beside what every page has."""

    def size(count: int) -> int:
        points = [
            samples.measured(f"build_{one}", n) for one in range(count) for n in samples.DOUBLED
        ]
        return len(encode(page_data(RunResults(samples.run(points)))))

    assert size(8) - size(4) <= 2.2 * (size(4) - size(2))
