"""Who needs less is told only where the parallel schedule does not contradict it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from profiler.analysis.crossover.costs import BuildCost
from profiler.analysis.crossover.crossovers import Crossover
from profiler.analysis.crossover.schedules import (
    ParallelRuns,
    lengths_to_check,
    with_parallel,
    without_contradicted,
)
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import BY_NAME
from profiler.facts import DeviceMemory, Measurement, Outcome, Point, Status
from reports.tables.versus import crossover_text, schedule_lines, versus_document

POINT = Point(framework="sampleflow", scenario="a", family="builds", parameters={}, steps=64)
A, B, BOTH = ("a",), ("b",), ("a", "b")
Ends = Sequence[int | None]


def _measured(least: Mapping[int, tuple[str, ...]], metric: str = "peak") -> Crossover:
    """Return a crossover as measured at these lengths, without laws."""
    return Crossover(
        metric=BY_NAME[metric],
        labels=BOTH,
        measured=(min(least), max(least)),
        zones=(),
        lengths=tuple(Zone(first=at, last=at, least=who) for at, who in least.items()),
        missing_laws=(),
        is_noisy=False,
    )


def _runs(steps: int, **peaks: Ends) -> ParallelRuns:
    """Return runs in the parallel schedule with these peaks; None: it ran out of memory."""
    return ParallelRuns(
        steps=steps, runs={label: [_run(peak) for peak in ends] for label, ends in peaks.items()}
    )


def _run(peak: int | None) -> Measurement:
    status = Status.OOM_DEVICE if peak is None else Status.OK
    return Measurement(
        point=POINT,
        outcome=Outcome(status=status),
        seconds=1,
        device=DeviceMemory(peak_bytes=peak),
    )


def _checked(one: Crossover, *checks: ParallelRuns) -> Crossover:
    (found,) = with_parallel([one], checks)
    return found


@pytest.mark.parametrize(
    ("least", "lengths"),
    [
        ({8: A, 32: A, 64: A, 128: A}, [64]),
        ({100: A, 200: A}, [100]),
        ({8: A, 32: B, 64: B}, [8, 64]),
        ({32: A, 64: A, 128: B, 256: B}, [64, 128]),
        ({8: BOTH, 64: A}, [8, 64]),
        ({8: (), 64: A}, [64]),
    ],
)
def test_each_order_that_is_told_is_checked_at_one_length(
    least: dict[int, tuple[str, ...]], lengths: list[int]
) -> None:
    """The longest of 64 steps or less at which it was measured, else the shortest."""
    assert lengths_to_check([_measured(least)]) == lengths


def test_only_what_repeats_in_the_serial_schedule_alone_is_checked() -> None:
    """Counts are the same in both, times vary in both."""
    found = [_measured({64: A}, metric) for metric in ("nodes", "step_time", "host")]

    assert lengths_to_check(found) == []
    assert with_parallel(found, [_runs(64, a=[1], b=[2])]) == found


@pytest.mark.parametrize(
    ("least", "a", "b", "agrees"),
    [
        (A, [10, 11, 12], [13, 14, 15], True),
        (A, [10, 11, 13], [13, 14, 15], False),
        (A, [10, 11, 16], [13, 14, 15], False),
        (A, [20, 21, 22], [13, 14, 15], False),
        (B, [20, 21, 22], [13, 14, 15], True),
        (BOTH, [10, 10, 10], [10, 10, 10], True),
        (BOTH, [10, 12, 11], [11, 12, 13], True),
        (BOTH, [10, 10, 10], [11, 12, 13], False),
    ],
)
def test_every_repeat_must_show_the_serial_order(
    least: tuple[str, ...], a: Ends, b: Ends, *, agrees: bool
) -> None:
    """One run that does not is enough to tell no winner; equal ones must not lie apart."""
    found = _checked(_measured({64: least}), _runs(64, a=a, b=b))

    assert [order.agrees for order in found.parallel] == [agrees]
    assert found.is_contradicted is not agrees


def test_a_contradicted_order_is_told_of_both_schedules() -> None:
    """No winner without its schedule."""
    one = _measured({64: A})
    unclear = _checked(one, _runs(64, a=[10, 20, 15], b=[12, 13, 14]))
    other = _checked(one, _runs(64, a=[20, 20, 20], b=[12, 13, 14]))

    assert crossover_text(unclear) == (
        "not the same in both schedules; parallel (three runs each): at 64 steps no order is "
        f"clear; serial: {crossover_text(one)}"
    )
    assert "a needs less" in crossover_text(one)
    assert "parallel (three runs each): at 64 steps b needs less; serial:" in crossover_text(other)


def test_where_both_agree_the_text_is_as_before_and_a_line_says_so() -> None:
    """With the lengths that were run."""
    one = _measured({8: A, 64: B})
    found = _checked(one, _runs(8, a=[1, 1, 1], b=[2, 2, 2]), _runs(64, a=[3, 3, 3], b=[2, 2, 2]))

    assert crossover_text(found) == crossover_text(one)
    assert schedule_lines([found], unchecked=None) == [
        "the same in the parallel schedule (three runs each at 8 and 64 steps): device peak"
    ]


def test_what_was_not_checked_is_named_with_the_reason() -> None:
    """A switch, or a run that failed; a failed run contradicts nothing."""
    one = _measured({64: A})
    failed = _checked(one, _runs(64, a=[1, 1, None], b=[2, 2, 2]))

    assert schedule_lines([one], unchecked="--no-check") == [
        "not checked in the parallel schedule (--no-check): device peak"
    ]
    assert schedule_lines([failed], unchecked=None) == [
        "not checked in the parallel schedule (a: oom_device): device peak"
    ]
    assert not failed.is_contradicted
    assert [order.agrees for order in failed.parallel] == [None]


def test_no_build_is_called_optimal_by_a_peak_that_is_contradicted() -> None:
    """It is not known."""
    build = BuildCost(label="a", conditions=POINT, costs={}, walls=(), is_optimal=True)
    found = _checked(_measured({64: A}), _runs(64, a=[3, 3, 3], b=[2, 2, 2]))
    (kept,) = without_contradicted([build], [found], ["step_time"])
    (unknown,) = without_contradicted([build], [found], ["peak"])

    assert (kept.is_optimal, unknown.is_optimal) == (True, None)


def test_the_document_holds_every_repeat() -> None:
    """And null where nothing was run."""
    one = _measured({64: A})
    found = _checked(one, _runs(64, a=[3, 4, 3], b=[2, 2, 2]))
    documents = versus_document([one, found], [], run="mine", steps=64)["metrics"]

    assert [document["is_contradicted"] for document in documents] == [None, True]
    (order,) = documents[1]["parallel"]
    assert (order["steps"], order["serial_least"]) == (64, ["a"])
    assert order["values"] == {"a": [3, 3, 4], "b": [2, 2, 2]}
    assert (order["least"], order["agrees"]) == ("b", False)
