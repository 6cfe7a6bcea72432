"""Running the toy's networks: what the core asks of a framework in a child."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from profiler.explain.account import Recorded
from profiler.explain.ledger import Events
from profiler.explain.roles import Op, Part
from profiler.facts import Caveat, GraphStage, Point, Shortage, StepTime
from profiler.forecast.recordings import TraceSource
from profiler.forecast.trace import Trace
from profiler.frameworks import Description, Mode, PointError
from profiler.frameworks.recorder import Recorder
from profiler.lengths import Lengths
from stepwall_toy import CONSTRUCT, FIRST, PLAN, RECORD, STEADY, Recurrence
from stepwall_toy.shelf import Array, Shelf, ShelfIsFullError, ShelfModel, rounded

STEADY_STEPS = 3
_RATE = 1e-3


class ToyRuntime:
    """See ``profiler.frameworks.Runtime``."""

    def __init__(self) -> None:
        """Make a runtime whose shelf has no limit."""
        self.limit_bytes: int | None = None

    def prepare(self, point: Point) -> None:
        """Take the point's limit."""
        self.limit_bytes = point.limit_bytes

    def cause(self, error: BaseException) -> BaseException:
        """Return the error itself: nothing wraps it."""
        return error

    def out_of_memory(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what the shelf had no rows for."""
        del log
        if not isinstance(error, ShelfIsFullError):
            return None
        return Shortage(
            op=error.op,
            op_type=error.op.partition("[")[0],
            shape=list(error.shape),
            dtype="float64",
            device="cpu",
            allocator="shelf",
            requested_bytes=error.size,
            lines=[str(error)],
        )

    def describe(self) -> Description:
        """Return NumPy's version; the only device is the CPU."""
        return Description(versions={"numpy": np.__version__}, devices=["cpu"])


class _Network:
    """One network with its weights on a shelf."""

    def __init__(self, what: Recurrence, shelf: Shelf) -> None:
        self.what = what
        self.shelf = shelf
        self.weights = shelf.array("weights", (what.units, what.units))
        self.weights += np.eye(what.units)
        self.inputs = np.random.default_rng(0).standard_normal((what.batch, what.units))

    def step(self) -> None:
        """Run forward, backward and the update once."""
        shelf, what = self.shelf, self.what
        shelf.run += 1
        if what.gathered:
            self._gathered()
            return
        states = [shelf.array("fed", (what.batch, what.units))]
        states[0] += self.inputs
        for at in range(what.steps):
            states.append(shelf.array(f"cell[{at}]", (what.batch, what.units)))
            np.tanh(self.inputs + states[-2] @ self.weights, out=states[-1])
        gradient = shelf.array("loss_grad", (what.batch, what.units))
        gradient += states[-1]
        kept: list[Array] = []
        for at in reversed(range(what.steps)):
            inner = gradient * (1 - states[at + 1] ** 2)
            part = shelf.array(f"weight_grad[{at}]", (what.units, what.units))
            part += states[at].T @ inner
            if what.accumulate and kept:
                kept[0] += part
                shelf.release(part)
            else:
                kept.append(part)
            gradient[:] = inner @ self.weights.T
            shelf.release(states.pop())
        self.weights -= _RATE * sum(kept)
        shelf.release(gradient, *states, *kept)

    def _gathered(self) -> None:
        """Do the same with all states in one array."""
        shelf, what = self.shelf, self.what
        states = shelf.array("cell_loop", (what.steps + 1, what.batch, what.units))
        states[0] += self.inputs
        for at in range(what.steps):
            np.tanh(self.inputs + states[at] @ self.weights, out=states[at + 1])
        gradient = shelf.array("loss_grad", (what.batch, what.units))
        gradient += states[-1]
        total = shelf.array("weight_grad", (what.units, what.units))
        for at in reversed(range(what.steps)):
            inner = gradient * (1 - states[at + 1] ** 2)
            total += states[at].T @ inner
            gradient[:] = inner @ self.weights.T
        self.weights -= _RATE * total
        shelf.release(gradient, states, total)


class RecurrenceSteps:
    """See ``profiler.frameworks.Steps``."""

    def __init__(
        self,
        runtime: ToyRuntime,
        point: Point,
        build: Callable[[int], object],
        recorder: Recorder,
    ) -> None:
        """Take the runtime, prepared for the point, and what builds its scenario."""
        self._runtime = runtime
        self._point = point
        self._build = build
        self._recorder = recorder

    def measure(self, mode: Mode) -> None:
        """Build, run a first and further steps, and record all of it."""
        del mode
        recorder, point = self._recorder, self._point
        shelf = Shelf(limit_bytes=self._runtime.limit_bytes)
        what = self._described(point.steps)
        recorder.device(limit_bytes=point.limit_bytes, fed_bytes=8 * what.batch * what.units)
        recorder.device(replayed=what.modelled)
        with recorder.phase(PLAN):
            network = _Network(what, shelf)
            planned = Counter(name.partition("[")[0] for name, _ in _operations(what))
            recorder.stage(GraphStage(name="planned", nodes=planned.total(), by_op=dict(planned)))
        recorder.device(weights_bytes=shelf.in_use)
        with recorder.phase(FIRST):
            network.step()
        first, shelf.peak = shelf.peak, 0
        seconds = []
        with recorder.phase(STEADY):
            for _ in range(STEADY_STEPS):
                start = time.perf_counter()
                network.step()
                seconds.append(time.perf_counter() - start)
        recorder.step(StepTime(median_s=statistics.median(seconds), steps=len(seconds)))
        recorder.device(
            resident_bytes=shelf.in_use,
            first_step_peak_bytes=first,
            steady_peak_bytes=shelf.peak,
            peak_bytes=max(first, shelf.peak),
        )

    def record(self, steps: int) -> Recorded:
        """Run two steps, and return every array that they took."""
        shelf = Shelf(limit_bytes=self._runtime.limit_bytes)
        what = self._described(steps)
        with self._recorder.phase(RECORD):
            network = _Network(what, shelf)
            residents, peaks = [], []
            for _ in range(2):
                residents.append(shelf.in_use)
                shelf.peak = 0
                network.step()
                peaks.append(shelf.peak)
        names = {name: at for at, name in enumerate(dict.fromkeys(e.op for e in shelf.events))}
        operations = _operations(what)
        return Recorded(
            steps=steps,
            ops=[_op(name) for name in names],
            events=Events(
                is_allocation=np.array([e.is_allocation for e in shelf.events]),
                address=np.array([e.address for e in shelf.events]),
                op=np.array([names[e.op] for e in shelf.events]),
                requested=np.array([e.size for e in shelf.events]),
                chunk=np.array([rounded(e.size) for e in shelf.events]),
                run=np.array([e.run for e in shelf.events]),
                is_float=np.ones(len(shelf.events), bool),
            ),
            residents=list(residents),
            peaks=list(peaks),
            forward=[(name, "cell") for name, part in operations if part == "forward"],
            backward=[(name, "grad") for name, part in operations if part == "backward"],
            library=[],
            theory=None,
            custom_gradients=False,
        )

    def traces(self) -> TraceSource:
        """Return where traces come from: nothing is computed in advance here."""

        def record(steps: int, folded_bytes: int | None) -> Trace:
            del folded_bytes
            shelf = Shelf(limit_bytes=self._runtime.limit_bytes)
            network = _Network(self._described(steps), shelf)
            network.step()
            network.step()
            return shelf.trace()

        return TraceSource(
            record=record, allocator=ShelfModel(), folded_label="folded", most_folded_bytes=0
        )

    def caveats(self, lengths: Lengths) -> list[Caveat]:
        """Return none: predictions hold at any length."""
        del lengths
        return []

    def _described(self, steps: int) -> Recurrence:
        with self._recorder.phase(CONSTRUCT):
            what = self._build(steps)
        if not isinstance(what, Recurrence):
            raise PointError(f"the scenario returned {type(what).__name__}, not Recurrence")
        listed = Counter(part for _, part in _operations(what))
        self._recorder.stage(
            GraphStage(name="listed", nodes=listed.total(), parts=dict(sorted(listed.items())))
        )
        return what


def _operations(what: Recurrence) -> list[tuple[str, str]]:
    """Return name and part of each operation: one per step each way, or one loop each way."""
    cells = (
        ["cell_loop"]
        if what.accumulate or what.gathered
        else [f"cell[{at}]" for at in range(what.steps)]
    )
    backward = [name.replace("cell", "cell_grad") for name in cells]
    return [
        *((name, "forward") for name in ("fed", *cells, "loss")),
        *((name, "backward") for name in ("loss_grad", *backward, "update")),
    ]


def _op(name: str) -> Op:
    kind = name.partition("[")[0]
    backward = kind in {"loss_grad", "weight_grad"}
    return Op(
        name=name.replace("[", "_").replace("]", ""),
        type=kind,
        part=Part.UNKNOWN if not kind else Part.BACKWARD if backward else Part.FORWARD,
        variable="W" if kind == "weights" else None,
        is_input=kind == "fed",
        gradient_of="W" if kind == "weight_grad" else None,
    )
