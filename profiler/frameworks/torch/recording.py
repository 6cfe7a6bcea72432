"""Recording training steps: every block that the allocator hands out, by PyTorch's profiler.

It rests on the profiler's tree of events, which PyTorch keeps for its own tools, and on the flag of
the CPU's allocator; ``complete`` says whether they agree here. On a card the allocator's
own history is recorded, too.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch.autograd import profiler
from torch.nn.parameter import is_lazy
from torch.optim import optimizer as optimizers

from profiler.frameworks.torch import history, native
from profiler.frameworks.torch.device import Card
from profiler.frameworks.torch.events import MARK, RUN, Change, Reader, Stream
from profiler.frameworks.torch.step import Step
from profiler.frameworks.torch.tensors import Names

RECORDED_STEPS = 2  # the first one and a steady one: the others repeat that
_NO_TREE = "PyTorch's profiler has no tree of events here"


class NoEventsError(Exception):
    """The profiler does not show what the allocator does; the message says in what respect."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the allocator's own sum says of one run: bytes beyond those before the recording.

    Attributes:
        resident: in use when the run first takes a block.
        peak: the most in use.
    """

    resident: int
    peak: int


@dataclass(frozen=True)
class Recording:
    """What was recorded of a step that was built and run some times.

    Attributes:
        stream: the changes of the allocator.
        names: where known tensors lay.
        accounts: of each run, by the allocator's own sum.
        weights_bytes: in use by that sum when the step was built.
        unseen_bytes: by how much that sum is off, at most; see ``Stream``.
    """

    stream: Stream
    names: Names
    accounts: list[Account] = field(default_factory=list)
    weights_bytes: int = 0
    unseen_bytes: int = 0

    def run(self, number: int) -> list[Change]:
        """Return the changes of one run, from 1 on."""
        return [change for change in self.stream.changes if change.run == number]


def recorded(
    build: Callable[[], Step],
    *,
    inputs: bool = False,
    runs: int = RECORDED_STEPS,
    card: Card | None = None,
) -> Recording:
    """Build a step, run it, and return what the allocator did.

    On a card it begins with what libraries keep once such a step has run.

    Args:
        build: builds it.
        inputs: also record what each operation was given.
        runs: how many training steps.
        card: where its tensors lie; None: on the CPU.

    Raises:
        NoEventsError: if the profiler does not show them.
        HistoryError: if the card's allocator does not.
    """
    if card is not None:
        build().run()
    gc.collect()  # what an earlier step left would be given back within this one
    watch = _Watch()
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(card.recording()) if card else None
        session = stack.enter_context(profiler.profile(profile_memory=True, record_shapes=inputs))
        step = build()
        with watch.watching(step):
            with watch.mark("built"):
                pass
            for number in range(1, runs + 1):
                with profiler.record_function(f"{RUN}{number}"):
                    step.run(watch.mark)
                    watch.gradients()
        names = watch.names()
    stream = _read(session) if card is None else _read(session, card.kind, kept)
    base = 0 if kept else _base(stream)
    return Recording(
        stream=stream,
        names=names,
        accounts=[_account(stream, number, base) for number in range(1, runs + 1)],
        weights_bytes=_total_at(stream, stream.marks["built"]) - base,
        unseen_bytes=0 if card else stream.unseen_bytes,
    )


def forward_peak(build: Callable[[], Step]) -> int:
    """Return the most bytes in use while the forward part runs alone, with the weights."""
    gc.collect()
    with profiler.profile(profile_memory=True) as session:
        step = build()
        with _Watch().mark("built"):
            pass
        with profiler.record_function(f"{RUN}1"):
            step.run_forward()
    stream = _read(session)
    return _account(stream, 1, _base(stream)).peak


def _read(session: Any, kind: str = "cpu", kept: history.History | None = None) -> Stream:
    begun = history.before(kept.held) if kept else []
    stream = _stream(session, kind, begun)
    if kept:
        stream = history.merged(stream, len(begun), kept.entries)
    if not stream.changes or "built" not in stream.marks:
        raise NoEventsError("PyTorch's profiler recorded no allocation")
    return stream


def _stream(session: Any, device: str = "cpu", begun: Iterable[Change] = ()) -> Stream:
    kinds = torch._C._profiler._EventType  # noqa: SLF001 (there is no public way)
    tree = session.kineto_results.experimental_event_tree()
    return Reader(kinds.TorchOp, kinds.Allocation, device, begun).read(tree)


def _base(stream: Stream) -> int:
    """Return what was in use, by the allocator's sum, before the first change."""
    first = stream.changes[0]
    return first.total - first.chunk if first.taken else first.total + first.chunk


def _total_at(stream: Stream, position: int) -> int:
    return stream.changes[position - 1].total if position else _base(stream)


def _account(stream: Stream, number: int, base: int) -> Account:
    at = [at for at, change in enumerate(stream.changes) if change.run == number]
    if not at:
        raise NoEventsError(f"PyTorch's profiler recorded no allocation of step {number}")
    # What the last step left may be given back first: gradients, where a step begins with that.
    first = next((one for one in at if stream.changes[one].taken), at[-1])
    peak = max(stream.changes[one].total for one in at)
    return Account(resident=_total_at(stream, first) - base, peak=peak - base)


class _Watch:
    """Makes marks in the stream of events, and keeps where the tensors of each lie."""

    def __init__(self) -> None:
        self._step: Step | None = None
        self._names: dict[int, str] = {}
        self._optimizers: dict[int, Any] = {}
        self._gradients: dict[str, dict[int, str]] = {}

    @contextlib.contextmanager
    def watching(self, step: Step) -> Iterator[None]:
        """While it is open, see where gradients lie: when they are made, and when they are used."""
        self._step = step
        self._names = {id(one): name for name, one in step.parameters.items()}
        self._optimizers = {id(one): one for one in step.optimizers}
        hooks = [optimizers.register_optimizer_step_pre_hook(self._before_update)]
        hooks += [
            one.register_post_accumulate_grad_hook(self._accumulated)
            for one in step.parameters.values()
            if not is_lazy(one) and one.is_leaf and one.requires_grad
        ]
        try:
            with mock.patch.object(torch.autograd, "grad", self._computed(torch.autograd.grad)):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def mark(self, name: str) -> profiler.record_function:
        return profiler.record_function(f"{MARK}{name}")

    def _before_update(self, optimizer: Any, *_: Any) -> None:
        self._optimizers[id(optimizer)] = optimizer
        self.gradients()

    def _accumulated(self, parameter: Any) -> None:
        """See a gradient that may be given back before any update of an optimizer."""
        self._at([(self._names.get(id(parameter)), parameter.grad)])

    def _computed(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``torch.autograd.grad``, which leaves no gradient where others are found."""

        @functools.wraps(grad)
        def watched(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            found = grad(outputs, inputs, *args, **kwargs)
            several = [inputs] if isinstance(inputs, torch.Tensor) else inputs
            self._at([(self._names.get(id(a)), b) for a, b in zip(several, found, strict=True)])
            return found

        return watched

    def gradients(self) -> None:
        """Mark where the gradients of the parameters lie now."""
        parameters = self._step.parameters if self._step else {}
        self._at((name, one.grad) for name, one in parameters.items())

    def _at(self, gradients: Iterable[tuple[str | None, Any]]) -> None:
        found = {
            _address(one): name
            for name, one in gradients
            if name is not None and one is not None and one.layout is torch.strided
        }
        if found:
            mark = f"gradients {len(self._gradients)}"
            self._gradients[mark] = found
            with self.mark(mark):
                pass

    def names(self) -> Names:
        parameters = self._step.parameters if self._step else {}
        weights = {_address(one): name for name, one in parameters.items()}
        state = {
            _address(value): f"{self._names.get(id(one), 'parameter')}/{key}"
            for optimizer in self._optimizers.values()
            for one, kept in getattr(optimizer, "state", {}).items()
            for key, values in kept.items()
            for value in (values if isinstance(values, list) else [values])  # a history
            if isinstance(value, torch.Tensor)
        }
        return Names(weights=weights, state=state, gradients=self._gradients)


def _address(tensor: Any) -> int:
    return int(tensor.untyped_storage().data_ptr())


def complete() -> str | None:
    """Return what does not hold together of what recording rests on; None where all does.

    A few tensors are taken and given back, one from before the recording: every change must be
    there, with the sum that the allocator itself keeps.
    """
    if not native.account_for_all():
        return "PyTorch's CPU allocator cannot be made to account for all of its blocks"
    native.bytes_in_use()  # the first time it takes a block of its own, to see whether it counts
    try:
        seen, total, in_use = _tried()
    except Exception as error:  # noqa: BLE001 (whatever another version raises is the reason)
        return f"{_NO_TREE}: {error}"
    if seen != _TRIED:
        return f"PyTorch's profiler recorded {seen} where {_TRIED} were asked for"
    if in_use is not None and total != in_use:
        return "the profiler's totals are not those of PyTorch's CPU allocator"
    return None


# Bytes taken and, below 0, given back.
_TRIED = [3000, -1000, -3000, 5000]


def _tried() -> tuple[list[int], int, int | None]:
    """Return the changes that were seen of ``_TRIED``, and the sum in use by both accounts."""
    old = torch.empty(1000, dtype=torch.uint8)
    with profiler.profile(profile_memory=True) as session:
        new = torch.empty(3000, dtype=torch.uint8)
        del old
        del new
        last = torch.empty(5000, dtype=torch.uint8)
        in_use = native.bytes_in_use()
    del last
    changes = _stream(session).changes
    seen = [change.size if change.taken else -change.size for change in changes]
    return seen, changes[-1].total, in_use
