"""Training steps of PyTorch: built, run, recorded and counted."""

from __future__ import annotations

import functools
import gc
import statistics
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import torch._dynamo  # noqa: F401 (an optimizer's first step imports it: not within a phase)

from profiler.explain.account import Recorded
from profiler.explain.roles import Part
from profiler.facts import Caveat, GraphStage, Point, Shortage, StepTime
from profiler.forecast.recordings import TraceSource
from profiler.forecast.trace import Trace
from profiler.frameworks import Mode, PointError
from profiler.frameworks.allocators import caching
from profiler.frameworks.allocators.runs import DoesNotFitError
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.torch import compiling, counting, events, phases, recording, tensors
from profiler.frameworks.torch.card import Card as CardModel
from profiler.frameworks.torch.card import in_use, kept_on_card, left_out
from profiler.frameworks.torch.counting import Counted, UncountedError
from profiler.frameworks.torch.device import Card, settings
from profiler.frameworks.torch.history import HistoryError
from profiler.frameworks.torch.recording import RECORDED_STEPS, Recording
from profiler.frameworks.torch.runtime import ReplayedShortageError, TorchRuntime
from profiler.frameworks.torch.step import Step, made
from profiler.lengths import Lengths

STEADY_STEPS = 5
_DEVICE_FIELDS = (
    "weights_bytes",
    "resident_bytes",
    "forward_peak_bytes",
    "first_step_peak_bytes",
    "steady_peak_bytes",
    "peak_bytes",
    "largest_allocation_bytes",
)
# On a card they take runs of their own.
_INNER_FIELDS = ("forward_peak_bytes", "largest_allocation_bytes")
# What so many steps keep is worth a note if it is as much as the peak.
_MANY_STEPS = 1000
# Nothing is predicted from steps of which more than this share of the peak was not seen.
_MOST_UNSEEN = 0.002
_NO_BACKWARD = "the step runs no backward operation: no backprop was measured"


class TorchSteps:
    """The steps of one scenario; see ``frameworks.Steps``."""

    def __init__(
        self,
        runtime: TorchRuntime,
        point: Point,
        build: Callable[[int], object],
        recorder: Recorder,
    ) -> None:
        """Take the runtime, prepared for the point, and what builds its scenario."""
        self._runtime = runtime
        self._point = point
        self._build = build
        self._recorder = recorder
        self._fault: str | None = None
        self._was_built = False

    def measure(self, mode: Mode) -> None:
        """Build, run, record and count; see ``frameworks.Steps``."""
        recorder = self._recorder
        recorder.device(limit_bytes=self._point.limit_bytes)
        recorder.missing("graph.serialized_bytes", phases.NO_GRAPH)
        recorder.missing("graph.graph_bytes", phases.NO_GRAPH)
        self._start()
        card = self._card
        before = card.allocated if card else None
        with recorder.phase(phases.CONSTRUCT):
            step = self._built(self._point.steps)
        if card is not None:
            self._note_settings()
            self._say(weights_bytes=_difference(card.allocated, before))
        recorder.device(fed_bytes=sum(one.nbytes for one in step.fed))
        recorder.fed(one.shape for one in step.fed)
        is_compiled = self._train(step)
        del step
        if self._runtime.is_host_limited:
            recorder.lift_host_limit()
        if card is not None:
            card.lift()
            if not mode.inspect:
                self._miss(*_INNER_FIELDS, reason=phases.NOT_INSIDE)
        elif self._runtime.is_host_limited:
            self._miss(*_DEVICE_FIELDS, reason=phases.HOST_LIMITED)
        else:
            self._measure_device(self._point.steps)
        if mode.inspect:
            with recorder.phase(phases.COUNT):
                self._look_inside(is_compiled=is_compiled)

    def record(self, steps: int) -> Recorded:
        """Record two training steps; see ``frameworks.Steps``."""
        self._start()
        with self._recorder.phase(phases.RECORD):
            with compiling.watched() as graphs:
                found = self._recorded(steps, inputs=True)
            ops, columns = tensors.described(found.stream, found.names)
        with self._recorder.phase(phases.COUNT):
            if self._card is not None:
                self._card.lift()  # counting changes what a step holds
            counted = graphs if graphs.captured else self._counted(steps)
        return Recorded(
            steps=steps,
            ops=ops,
            events=columns,
            residents=[account.resident for account in found.accounts],
            peaks=[account.peak for account in found.accounts],
            forward=counted.of(phases.FORWARD),
            backward=counted.of(phases.BACKWARD, phases.UPDATE),
            library=graphs.library,
            theory=None,
            custom_gradients=False,
        )

    def _counted(self, steps: int) -> Counted:
        try:
            return counting.counted(self._built(steps))
        except UncountedError:
            return Counted()

    def traces(self) -> TraceSource:
        """Return where the allocations of short runs come from; see ``frameworks.Steps``."""
        self._start()

        def record(steps: int, folded_bytes: int | None) -> Trace:
            del folded_bytes  # nothing is computed in advance
            with self._recorder.phase(phases.RECORD):
                found = self._recorded(steps)
                if found.unseen_bytes > _MOST_UNSEEN * max(one.peak for one in found.accounts):
                    raise PointError(phases.OTHER_THREADS.format(f"{found.unseen_bytes:,}"))
                return self._trace(found)

        # On a card peaks are of blocks, and traces have what libraries keep.
        on_cpu = self._card is None
        return TraceSource(
            record=record,
            allocator=CardModel() if on_cpu else caching.CachingAllocator(),
            folded_label="folded",
            most_folded_bytes=0,
            kept_on_card=kept_on_card if on_cpu else None,
        )

    def caveats(self, lengths: Lengths) -> list[Caveat]:
        """Return none: nothing optimizes a graph, so that nothing changes with its length."""
        del lengths
        return []

    def _start(self) -> None:
        with self._recorder.phase(phases.RUNTIME):
            self._runtime.start()
            if self._card is None and not self._runtime.is_host_limited:
                self._fault = recording.complete()
        self._recorder.raise_baseline()

    @property
    def _card(self) -> Card | None:
        return self._runtime.card

    def _built(self, steps: int) -> Step:
        self._runtime.seed()
        if self._was_built:
            # What was compiled would serve this build, too, or make its lengths symbols.
            torch.compiler.reset()
        self._was_built = True
        if self._card is None:
            return made(self._build(steps))
        with self._card.building():
            built = self._build(steps)
        return made(built, self._card.device)

    def _train(self, step: Step) -> bool:
        """Run a first step and steady ones; return whether any part of the step was compiled."""
        recorder = self._recorder
        card = self._card
        if card is not None:
            card.reset_peak()
        with compiling.watched() as graphs:
            if step.is_compiled:
                with recorder.phase(phases.COMPILE):
                    self._run(step)
            with recorder.phase(phases.FIRST_STEP):
                calls = self._run(step)
        for stage in graphs.stages():
            recorder.stage(stage)
        if graphs.has_wrong_scan:
            recorder.note(phases.WRONG_SCAN)
        first = self._peaks()
        resident = card.allocated if card else None
        if card is not None:
            card.reset_peak()
        seconds = []
        with recorder.phase(phases.STEADY):
            for _ in range(STEADY_STEPS):
                start = time.perf_counter()
                self._run(step)
                seconds.append(time.perf_counter() - start)
        recorder.step(StepTime(median_s=statistics.median(seconds), steps=len(seconds)))
        if step.calls > 1:
            recorder.note(phases.SEVERAL_CALLS.format(step.calls))
        elif calls > 1:
            recorder.note(phases.LATE_UPDATE.format(calls))
        if card is not None:
            steady = self._peaks()
            self._say(
                resident_bytes=resident,
                first_step_peak_bytes=first.allocated,
                steady_peak_bytes=steady.allocated,
                peak_bytes=_larger(first.allocated, steady.allocated),
                reserved_peak_bytes=_larger(first.reserved, steady.reserved),
            )
        return bool(graphs.captured)

    def _run(self, step: Step) -> int:
        """Run a step to its end, and return how many calls it took.

        On a card it has only been asked for when it returns.
        """
        step.run()
        if self._card is not None:
            self._card.synchronize()
        return step.calls

    def _peaks(self) -> _Peaks:
        card = self._card
        return _Peaks(card.peak, card.reserved_peak) if card else _Peaks(None, None)

    def _say(self, **fields: int | None) -> None:
        """Record fields of the card's memory; what its allocator does not say has a reason."""
        self._recorder.device(**fields)
        silent = [name for name, value in fields.items() if value is None]
        self._miss(*silent, reason=phases.NO_STATISTICS)

    def _note_settings(self) -> None:
        for name, value in settings().items():
            self._recorder.note(f"{name}={value}: {phases.SET_BY_USER}")

    def _measure_device(self, steps: int) -> None:
        recorder = self._recorder
        if self._fault is not None:
            self._miss(*_DEVICE_FIELDS, reason=self._fault)
            return
        with recorder.phase(phases.RECORD):
            found = self._recorded(steps)
        first, *steady = found.accounts
        _check_backward(found)
        highest = max(steady, key=lambda account: account.peak)
        recorder.device(
            weights_bytes=found.weights_bytes,
            resident_bytes=highest.resident,
            first_step_peak_bytes=first.peak,
            steady_peak_bytes=highest.peak,
            peak_bytes=max(first.peak, highest.peak),
            largest_allocation_bytes=_largest(found),
        )
        if _kept(found) * _MANY_STEPS >= highest.peak:
            recorder.note(phases.KEEPS)
        if self._runtime.limit_bytes is not None:
            with recorder.phase(phases.REPLAY):
                self._replay(found, self._runtime.limit_bytes)

    def _replay(self, found: Recording, limit: int) -> None:
        """Replay what was recorded on a card of that size: the CPU's allocator takes no limit.

        Raises:
            ReplayedShortageError: if it does not fit.
        """
        self._recorder.note(phases.REPLAYED)
        trace = self._trace(found)
        self._recorder.device(replayed=True, left_out=left_out(trace))
        try:
            card = caching.replay(trace, limit)
        except DoesNotFitError:
            shortage = _shortage(found.stream.changes, trace, limit)
            raise ReplayedShortageError(shortage) from None
        self._recorder.device(reserved_peak_bytes=card.reserved_peak)

    def _look_inside(self, *, is_compiled: bool) -> None:
        recorder = self._recorder
        step = self._built(self._point.steps)
        if is_compiled:
            recorder.note(phases.COMPILED)
        else:
            self._count(step)
        on_cpu = self._card is None
        if on_cpu and (self._runtime.is_host_limited or self._fault is not None):
            return
        alone = _no_forward(step, is_compiled=is_compiled)
        if alone is not None:
            self._miss("forward_peak_bytes", reason=alone)
        elif on_cpu:
            recorder.device(forward_peak_bytes=recording.forward_peak(self._builder()))
        elif self._card is not None:
            self._card.reset_peak()
            step.run_forward()
            self._say(forward_peak_bytes=self._card.peak)
        if not on_cpu:
            del step
            self._record_largest()

    def _count(self, step: Step) -> None:
        recorder = self._recorder
        try:
            counted = counting.counted(step)
        except UncountedError as error:
            recorder.note(str(error))
            recorder.missing("graph.nodes", str(error))
            return
        by_op = Counter(op for _, _, op in counted.operations)
        recorder.stage(
            GraphStage(
                name=phases.BUILT,
                nodes=by_op.total(),
                parts=counted.parts,
                by_op=dict(by_op.most_common()),
            )
        )
        recorder.stage(
            GraphStage(
                name=phases.AUTOGRAD,
                nodes=counted.autograd.total(),
                by_op=dict(counted.autograd.most_common()),
            )
        )

    def _record_largest(self) -> None:
        """Record the largest block of a step on a card, or why that is not known."""
        try:
            found = self._recorded(self._point.steps)
        except PointError as error:
            self._miss("largest_allocation_bytes", reason=str(error))
            return
        _check_backward(found)
        self._recorder.device(largest_allocation_bytes=_largest(found))

    def _builder(self, steps: int | None = None) -> Callable[[], Step]:
        return functools.partial(self._built, steps or self._point.steps)

    def _recorded(self, steps: int, *, inputs: bool = False) -> Recording:
        if self._fault is not None:
            raise PointError(self._fault)
        gc.collect()
        try:
            found = recording.recorded(self._builder(steps), inputs=inputs, card=self._card)
        except (recording.NoEventsError, HistoryError) as error:
            raise PointError(str(error)) from error
        if found.unseen_bytes:
            self._recorder.note(phases.OTHER_THREADS.format(f"{found.unseen_bytes:,}"))
        return found

    def _trace(self, found: Recording) -> Trace:
        return events.trace(found.stream.changes, more_runs=1 + STEADY_STEPS - RECORDED_STEPS)

    def _miss(self, *names: str, reason: str) -> None:
        for name in names:
            self._recorder.missing(f"device.{name}", reason)


def _no_forward(step: Step, *, is_compiled: bool) -> str | None:
    """Return why the forward part of a step cannot be run alone, or None."""
    return phases.COMPILED_ANEW if is_compiled else None if step.has_forward else phases.NO_FORWARD


def _check_backward(found: Recording) -> None:
    if not any(change.part is Part.BACKWARD for change in found.stream.changes):
        raise PointError(_NO_BACKWARD)


class _Peaks(NamedTuple):
    """The most bytes that a card's allocator handed out, and reserved."""

    allocated: int | None
    reserved: int | None


def _difference(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before


def _larger(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _kept(found: Recording) -> int:
    """Return by how much more is in use at the end of a steady step than at that of the first."""
    first, steady = found.run(1), found.run(RECORDED_STEPS)
    return steady[-1].total - first[-1].total


def _largest(found: Recording) -> int:
    steady = found.run(RECORDED_STEPS)
    return max((change.size for change in steady if change.taken), default=0)


def _shortage(changes: list[events.Change], trace: Trace, limit: int) -> Shortage:
    """Return the first thing of a trace that does not fit under a limit.

    Each part of a trace that fits, fits.
    """
    model = CardModel()

    def fails(length: int) -> bool:
        part = replace(trace, events=trace.events[:length], last_run=0, more_runs=0)
        return not model.fits(part, limit)

    at = bisect_left(range(len(trace.events) + 1), True, key=fails) - 1  # noqa: FBT003
    if at == len(trace.events):  # only where the step is run more often than it was recorded
        return Shortage(device="CPU", lines=[f"replayed under {limit:,} bytes: it does not fit"])
    allocation, size = trace.events[at]
    before = replace(trace, events=trace.events[:at], last_run=0, more_runs=0)
    change = [one for one in changes if one.taken][allocation]
    where = f"{change.op} in {change.node}" if change.node else change.op
    held = [0, *in_use(before)][-1]
    return Shortage(
        op=trace.labels[allocation],
        op_type=change.op,
        device="CPU",
        requested_bytes=size,
        held_bytes=held,
        lines=[
            f"replayed under {limit:,} bytes: {where} asks for {size:,} where {held:,} are held"
        ],
    )
