"""Counting what a step dispatches, in a run of its own: watching it so changes what it holds."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.errors import PointError
from profiler.frameworks.torch import messages, phases
from profiler.frameworks.torch.step import CHECK, INPUTS, Step

# PyTorch's own marks for its profiler.
_OWN = "profiler"
# A view that runs no kernel: while it is watched, autograd makes some that it makes otherwise not.
_LEFT_OUT = "detach"


class Counted:
    """What one training step dispatched.

    Attributes:
        operations: part, scope and operation of each, in order.
        autograd: how often each kind of node stood in the graphs that backward walked.
    """

    def __init__(self) -> None:
        """Count nothing yet."""
        self.operations: list[tuple[str, str, str]] = []
        self.autograd: Counter[str] = Counter()

    @property
    def parts(self) -> dict[str, int]:
        """How many operations each part dispatched."""
        counts = Counter(part for part, _, _ in self.operations)
        return {part: counts[part] for part in (phases.FORWARD, phases.BACKWARD, phases.UPDATE)}

    def of(self, *parts: str) -> list[tuple[str, str]]:
        """Return name and type of each operation of these parts."""
        return [
            (f"{scope}/{op}" if scope else op, op)
            for part, scope, op in self.operations
            if part in parts
        ]


class UncountedError(Exception):
    """A step cannot be watched; the message says why."""


class _Count(TorchDispatchMode):
    """Counts every operation that reaches the dispatcher's end."""

    # Each of those that take functions counts as one: under a mode these are not told apart.
    supports_higher_order_operators = True

    def __init__(self, counted: Counted) -> None:
        super().__init__()
        self._counted = counted
        self.scopes: list[str] = []
        self.is_backward = self.is_after_backward = self.is_update = self.is_left_out = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        name = str(getattr(func, "overloadpacket", func)).rpartition(".")[2]
        if not self.is_left_out and func.namespace != _OWN and name != _LEFT_OUT:
            part, scope = self._place(func, args)
            self._counted.operations.append((part, scope, name))
        return func(*args, **(kwargs or {}))

    def _place(self, func: Any, args: Any) -> tuple[str, str]:
        if torch._C._current_graph_task_id() >= 0:  # noqa: SLF001 (there is no public way)
            node = torch._C._current_autograd_node()  # noqa: SLF001
            return phases.BACKWARD, node.name().rpartition("::")[2] if node else ""
        if self.is_backward:  # the gradient that it begins with
            return phases.BACKWARD, ""
        if (self.is_update or self.is_after_backward) and self._is_update(func, args):
            return phases.UPDATE, "optimizer"
        return phases.FORWARD, "/".join(self.scopes)

    def _is_update(self, func: Any, args: Any) -> bool:
        """Whether it is none of a forward part, which an update by L-BFGS runs, too.

        An update by hand runs under no_grad, or writes to what is reached by way of ``.data``.
        """
        if not torch.is_grad_enabled():
            return True
        if any(getattr(one, "requires_grad", False) for one in args):
            return False
        schema = getattr(func, "_schema", None)  # operations that take functions have none
        return self.is_update or (schema is not None and schema.is_mutable)


def counted(step: Step) -> Counted:
    """Run a training step and return what it dispatched; the copies of its inputs left out.

    Of a step whose first updates are left out, the next one is counted.

    Raises:
        UncountedError: if the step fails while it is watched, though it does not otherwise.
    """
    try:
        first, calls = _counted(step), step.calls
        later = _counted(step) if calls > 1 else first
    except (RuntimeError, TypeError, PointError) as error:
        if messages.shortage(str(error)) is not None:
            raise
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise UncountedError(f"the step fails while its operations are counted: {why}") from error
    return later if step.calls < calls else first


def _counted(step: Step) -> Counted:
    found = Counted()
    count = _Count(found)

    @contextlib.contextmanager
    def mark(name: str) -> Iterator[None]:
        count.is_left_out = name in {INPUTS, CHECK}
        try:
            yield
        finally:
            count.is_left_out = False
            # What follows a check is another call, which begins with a forward part.
            count.is_after_backward = count.is_after_backward and name != CHECK

    with contextlib.ExitStack() as stack:
        for undo in _hooks(count):
            stack.callback(undo.remove)
        stack.enter_context(_walked(count, found.autograd))
        stack.enter_context(count)
        step.run(mark)
    return found


def _hooks(count: _Count) -> Iterator[Any]:
    """Let PyTorch say which module and which update runs; yield what ends that."""

    def enter(module: Any, _: Any) -> None:
        count.scopes.append(type(module).__name__)

    def leave(*_: Any) -> None:
        if count.scopes:
            count.scopes.pop()

    def update(*_: Any) -> None:
        count.is_update = True

    def updated(*_: Any) -> None:
        count.is_update = False

    yield modules.register_module_forward_pre_hook(enter)
    yield modules.register_module_forward_hook(leave, always_call=True)
    yield optimizers.register_optimizer_step_pre_hook(update)
    yield optimizers.register_optimizer_step_post_hook(updated)


@contextlib.contextmanager
def _walked(count: _Count, found: Counter[str]) -> Iterator[None]:
    """While it is open, count the nodes of each graph that backward is asked to walk."""
    backward, grad = torch.autograd.backward, torch.autograd.grad

    def walking(run: Callable[..., Any]) -> Callable[..., Any]:
        def walk(*args: Any, **kwargs: Any) -> Any:
            found.update(nodes([*args, *kwargs.values()][0]))
            outer, count.is_backward = count.is_backward, True
            try:
                return run(*args, **kwargs)
            finally:
                count.is_backward, count.is_after_backward = outer, True

        return walk

    with (
        mock.patch.object(torch.autograd, "backward", walking(backward)),
        mock.patch.object(torch.autograd, "grad", walking(grad)),
    ):
        yield


def nodes(roots: Any) -> Iterator[str]:
    """Yield the name of every node of autograd's graph behind these tensors."""
    several = roots if isinstance(roots, list | tuple) else [roots]
    waiting = [one.grad_fn for one in several if getattr(one, "grad_fn", None) is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        yield node.name().rpartition("::")[2]
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
