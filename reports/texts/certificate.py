"""One wall certificate in words: its prediction, its two ends, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from profiler.facts import (
    Certificate,
    FrameworkFacts,
    Phase,
    PhaseRole,
    Probe,
    Status,
    WallStatus,
)
from profiler.lengths import counted, is_plural, one_of
from profiler.parameters import describe_parameters
from reports.texts.numbers import (
    bytes_text,
    count_text,
    phase_text,
    seconds_text,
    shortage_text,
    size_text,
    steps_text,
    times_text,
)
from reports.texts.schedules import schedules_text
from reports.texts.story import biggest_text, story

__all__ = [
    "REPLAYED",
    "certificate_lines",
    "confirmation_text",
    "ending_text",
    "error_text",
    "fewest_text",
    "held_text",
    "islands_text",
    "learned_text",
    "limit_text",
    "miss_text",
    "peaks",
    "peaks_text",
    "phases_text",
    "predicted_text",
    "price_text",
    "probes_text",
    "room_text",
    "wall_schedules_text",
    "zone_text",
]

Row = tuple[str, str | None, str | None]
REPLAYED = "no device ran under the limit: a model of its allocator applied it"
_NAME_WIDTH = 12
_SMALL_SHARE = 0.0005
# Of the limit: what is left unused beyond this asks for a reason.
_UNUSED = 0.05
_LEARNED = {"replay": "replayed from", "line": "by a line through the peaks of"}


def certificate_lines(wall: Certificate, framework: FrameworkFacts) -> list[str]:
    """Return a certificate as lines for a terminal: its conditions, then what was found."""
    conditions = [
        describe_parameters(wall.parameters),
        _device_text(wall, framework),
        wall.schedule.value,
        ("limit " if wall.kind == "device" else f"{wall.kind} limit ") + limit_text(wall),
        _lattice_text(wall),
    ]
    rows = _rows(wall, framework)
    width = max((len(figure) for _, figure, text in rows if figure and text), default=0)
    return [
        f"{wall.scenario}   {' · '.join(filter(None, conditions))}",
        *(_line(row, width) for row in rows),
    ]


def miss_text(wall: Certificate) -> str | None:
    """Return ``1 step too few (0.1 %)``, or ``right to the step``."""
    steps = wall.prediction_error_steps
    if steps is None or wall.last_ok is None:
        return None
    if steps == 0:
        exactly = f"right to the {one_of(wall.axis)}" if is_plural(wall.axis) else "exactly right"
        return "inside the band" if wall.status is WallStatus.BAND else exactly
    return (
        f"{_distance(abs(steps), wall)} too {'many' if steps > 0 else 'few'} "
        f"({_percent(wall, steps)})"
    )


def _lattice_text(wall: Certificate) -> str:
    if wall.multiple_of == 1:
        return ""
    return f"only multiples of {steps_text(wall.multiple_of, wall.axis)}"


def fewest_text(wall: Certificate) -> str:
    """Return ``the fewest steps run out``: of a wall that lies before all that may be run."""
    return (
        f"the fewest {wall.axis} run out"
        if is_plural(wall.axis)
        else f"the smallest {wall.axis} runs out"
    )


def error_text(wall: Certificate) -> str | None:
    """Return the error of the prediction as ``-1 (0.1 %)``: what it says minus what was found."""
    steps = wall.prediction_error_steps
    if not steps:
        return None if steps is None else "0"
    return f"{steps:+,d} ({_percent(wall, steps)})"


def predicted_text(wall: Certificate) -> str | None:
    """Return ``826 ± 2``, in steps; without the margin where it is not known."""
    if wall.predicted is None:
        return None
    text = count_text(int(wall.predicted))
    if wall.predicted_low is None or wall.predicted_high is None:
        return text
    margin = max(wall.predicted - wall.predicted_low, wall.predicted_high - wall.predicted)
    return f"{text} ± {count_text(math.ceil(margin))}"


def learned_text(wall: Certificate) -> str | None:
    """Return how the prediction was made, and from what: ``from 4 points of at most 80 steps``."""
    if not wall.predicted_from:
        return None
    count = len(wall.predicted_from)
    how = _LEARNED.get(wall.predicted_by or "", "from")
    points = f"{count} point{'' if count == 1 else 's'}"
    return f"{how} {points} of at most {steps_text(max(wall.predicted_from), wall.axis)}"


def limit_text(wall: Certificate) -> str:
    """Return ``1 GiB (cgroup v1)``: the limit and, where it is known, what enforced it."""
    return size_text(wall.limit_bytes) + (f" ({wall.limit_by})" if wall.limit_by else "")


def peaks(wall: Certificate) -> list[int]:
    """Return the known peaks of all runs that survived ``last_ok``, ascending."""
    return sorted(
        probe.peak_bytes
        for probe in wall.probes
        if probe.steps == wall.last_ok
        and probe.outcome.status is Status.OK
        and probe.peak_bytes is not None
    )


def peaks_text(wall: Certificate) -> str | None:
    """Return the peak of the survivor, from the least to the most where repeats differ."""
    ends = list(dict.fromkeys(bytes_text(peak) for peak in peaks(wall)))
    if not ends:
        return None
    return ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"


def held_text(wall: Certificate, framework: FrameworkFacts) -> str | None:
    """Return what holds the memory of the last steps that fit, or why that is not known."""
    if wall.explanation is not None:
        return next(iter(story(wall.explanation)), None)
    if wall.survivor is not None and (text := phases_text(wall.survivor.phases, framework)):
        return text
    return f"not explained: {wall.unexplained}" if wall.unexplained else None


def phases_text(phases: Iterable[Phase], framework: FrameworkFacts) -> str | None:
    """Return the host memory's peak over its baseline by phase of training."""
    known = [
        f"{framework.phase_title(phase.name)} {bytes_text(phase.host_peak_bytes)}"
        for phase in phases
        if phase.role is not PhaseRole.OVERHEAD and phase.host_peak_bytes is not None
    ]
    return f"peaks over the baseline: {', '.join(known)}" if known else None


def ending_text(failure: Probe) -> str:
    """Return in which phase a run failed and what ran out, or its reason."""
    outcome = failure.outcome
    where = f"in {phase_text(outcome.phase)}" if outcome.phase else None
    what = shortage_text(outcome.shortage) if outcome.shortage else outcome.reason
    return ": ".join(filter(None, (where, what))) or outcome.status.value


def room_text(wall: Certificate) -> str | None:
    """Return what was asked for beside what would have fitted, where much of the limit was unused.

    None where the allocator gave no account of itself, or was nearly full of what it was asked for.
    """
    shortage = wall.failure.outcome.shortage if wall.failure else None
    if shortage is None or shortage.requested_bytes is None:
        return None
    free, fitting = shortage.free_bytes, shortage.largest_free_bytes
    if free is None or fitting is None:
        return None
    chunks, held = shortage.in_use_bytes, shortage.held_bytes
    wasted = max(0, chunks - held) if chunks is not None and held is not None else 0
    if max(free, wasted) < _UNUSED * wall.limit_bytes:
        return None
    asked = shortage.requested_bytes
    text = (
        f"asked for {bytes_text(asked)}; at most {bytes_text(fitting)} would have fitted, "
        f"{bytes_text(asked - fitting)} less"
    )
    if free > fitting:
        text += f", though {bytes_text(free)} were free, in pieces"
    if wasted >= _UNUSED * wall.limit_bytes:
        text += f"; chunks in use are {bytes_text(wasted)} larger than what they were asked for"
    return text


def wall_schedules_text(wall: Certificate, framework: FrameworkFacts) -> str | None:
    """Return what the wall means for the parallel schedule; None where both need about the same."""
    return schedules_text(wall.schedules, framework, axis=wall.axis, has_wall=wall.kind == "device")


def zone_text(wall: Certificate) -> str | None:
    """Return the steps of a band whose outcomes varied; None for another wall."""
    first = (wall.last_ok or 0) + wall.multiple_of
    is_open = wall.status is WallStatus.REPLAYED and None not in {wall.last_ok, wall.first_oom}
    if wall.status is not WallStatus.BAND and not (is_open and first != wall.first_oom):
        return None
    if wall.first_oom is None:
        return f"from {steps_text(first, wall.axis)} on"
    last = wall.first_oom - wall.multiple_of
    ends = dict.fromkeys(map(count_text, (first, last)))
    return counted(" to ".join(ends), wall.axis)


def islands_text(wall: Certificate) -> str | None:
    """Return the lengths beyond the first that runs out which survive again; None without any.

    As ``1,280 steps survive again, though 1,279 run out, and 1,281 do``.
    """
    texts = []
    for island in wall.islands:
        ends = dict.fromkeys((island.first, island.last))
        before, after = wall.beside(island)
        text = f"{counted(' to '.join(map(count_text, ends)), wall.axis)} {_again(wall)}"
        if before is not None:
            text += f", though {count_text(before)} {'run' if is_plural(wall.axis) else 'runs'} out"
        texts.append(text + (f", as {count_text(after)} do again" if after is not None else ""))
    return "; ".join(texts) or None


def _again(wall: Certificate) -> str:
    if wall.status is WallStatus.REPLAYED:
        return "would survive again"
    return f"{'survive' if is_plural(wall.axis) else 'survives'} again"


def confirmation_text(wall: Certificate) -> str | None:
    """Return how often each end held when it was run again; None where it was not."""
    again = wall.confirmation
    if again is None or not again.repeats:
        return None
    ends = [
        f"{steps_text(steps, wall.axis)} {verb} {held} of {again.repeats}"
        for steps, verb, held in (
            (wall.last_ok, "survived", again.survived),
            (wall.first_oom, "ran out", again.ran_out),
        )
        if steps is not None
    ]
    how = "replayed" if wall.status is WallStatus.REPLAYED else "run"
    return f"{how} again: " + ", ".join(ends)


def price_text(wall: Certificate) -> str:
    """Return the price of the search, against the two runs that any proof needs."""
    cost = f"{probes_text(wall)}, {seconds_text(wall.seconds)}"
    repeats = [probe.seconds for probe in wall.probes if probe.repeat]
    if repeats:
        cost += f"; {len(repeats)} repeats in addition, {seconds_text(sum(repeats))}"
    if wall.price is None:
        return cost
    return f"{times_text(wall.price)} the two runs that any exact answer needs: {cost}"


def probes_text(wall: Certificate) -> str:
    """Return ``5 probes (2 failed, 1 of them cut short)``, of the search without its repeats."""
    probes = [probe for probe in wall.probes if probe.repeat == 0]
    failed = [probe for probe in probes if probe.outcome.status is not Status.OK]
    cut = sum(probe.outcome.cut_short for probe in failed)
    text = f"{count_text(len(probes))} probe{'' if len(probes) == 1 else 's'}"
    if not failed:
        return text
    return f"{text} ({len(failed)} failed{f', {cut} of them cut short' if cut else ''})"


def _rows(wall: Certificate, framework: FrameworkFacts) -> list[Row]:
    """Return the lines as a name, a figure and a text; no figure: the text in its place."""
    rows: list[Row] = []
    if (predicted := predicted_text(wall)) is not None:
        words = ": ".join(filter(None, (learned_text(wall), miss_text(wall))))
        rows.append(("predicted", counted(predicted, wall.axis), words))
    if wall.unpredicted is not None:
        rows.append(("prediction", None, f"its short runs failed: {wall.unpredicted}"))
    rows += _ends(wall)
    if (room := room_text(wall)) is not None:
        rows.append(("unused", None, room))
    if (again := confirmation_text(wall)) is not None:
        rows.append((_verdict(wall), None, again))
    if (held := held_text(wall, framework)) is not None:
        rows.append(("held by", None, held))
    if (parallel := wall_schedules_text(wall, framework)) is not None:
        rows.append(("parallel", None, parallel))
    return [*rows, *_limits_of_proof(wall), ("price", None, price_text(wall))]


def _ends(wall: Certificate) -> Iterator[Row]:
    """Yield where it survives, varies and runs out, and where it survives again."""
    is_replayed = wall.status is WallStatus.REPLAYED
    if wall.last_ok is not None:
        name = "would fit" if is_replayed else "survives"
        yield name, steps_text(wall.last_ok, wall.axis), _peak_sentence(wall)
    if (zone := zone_text(wall)) is not None:
        yield "band", zone, "outcomes varied from run to run"
    if wall.first_oom is not None:
        name = "would not" if is_replayed else "runs out"
        ending = ending_text(wall.failure) if wall.failure else None
        yield name, steps_text(wall.first_oom, wall.axis), ending
    if (islands := islands_text(wall)) is not None:
        yield "islands", None, islands


def _peak_sentence(wall: Certificate) -> str | None:
    peak = peaks_text(wall)
    if peak is None:
        return None
    biggest = biggest_text(wall.explanation) if wall.explanation else None
    reserved = wall.survivor.reserved_bytes if wall.survivor else None
    held = None if reserved is None else f"{bytes_text(reserved)} reserved"
    return ", ".join(filter(None, (f"peak {peak}", held, biggest)))


def _distance(steps: int, wall: Certificate) -> str:
    """Return how far apart two numbers on the axis are."""
    return steps_text(steps, wall.axis) if is_plural(wall.axis) else count_text(steps)


def _percent(wall: Certificate, steps: int) -> str:
    share = abs(steps) / (wall.last_ok or 1)
    return "< 0.1 %" if share < _SMALL_SHARE else f"{100 * share:,.1f} %"


def _verdict(wall: Certificate) -> str:
    again = wall.confirmation
    held = again and (wall.last_ok is None or again.survived == again.repeats)
    held = again and held and (wall.first_oom is None or again.ran_out == again.repeats)
    return "confirmed" if held else "unsteady"


def _limits_of_proof(wall: Certificate) -> list[Row]:
    if wall.status is WallStatus.AT_LEAST:
        return [("at least", None, "nothing ran out up to --max-steps: the wall lies beyond")]
    if wall.status is WallStatus.AT_MOST:
        return [("at most", None, f"even {fewest_text(wall)}")]
    if wall.status is WallStatus.REPLAYED:
        rows: list[Row] = [("replayed", None, f"{REPLAYED}{_replayed_end(wall)}")]
        return [*rows, *([("left out", None, wall.left_out)] if wall.left_out else [])]
    if wall.status is WallStatus.UNPROVEN:
        return [("unproven", None, wall.reason or "no reason given")]
    return []


def _replayed_end(wall: Certificate) -> str:
    if wall.first_oom is None:
        return "; nothing ran out up to --max-steps"
    return f"; even {fewest_text(wall)}" if wall.last_ok is None else ""


def _line(row: Row, width: int) -> str:
    name, figure, text = row
    columns = [text] if figure is None else [figure.ljust(width) if text else figure, text]
    return f"  {name:{_NAME_WIDTH}}{'   '.join(filter(None, columns))}"


def _device_text(wall: Certificate, framework: FrameworkFacts) -> str:
    name, _, index = wall.device.partition(":")
    device = f"{name.upper()}:{index or 0}"
    allocator = framework.allocators.get(name)
    # A host limit leaves the framework's default allocator in place.
    return f"{device} ({allocator})" if allocator and wall.kind == "device" else device
