"""One training step: what a scenario returned, as something to be run again and again."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any, Protocol

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import is_lazy

from profiler.frameworks import PointError
from profiler.frameworks.torch.kinds import TorchStep, TorchTraining

# Small enough never to make a sound loss diverge within the few measured steps.
LEARNING_RATE = 1e-4

Mark = Callable[[str], contextlib.AbstractContextManager[object]]
"""Names what runs within it."""

INPUTS, CHECK = "inputs", "check"
# Gradients of so many calls are gathered at most, or so many updates left out, before one is made.
MOST_CALLS = 64
_CPU = "cpu"
_NO_UPDATE = (
    f"the step writes to no parameter in {MOST_CALLS} calls: nothing is trained. Parameters that "
    "a step replaces by other tensors are not tracked: update them in place"
)


def unmarked(name: str) -> contextlib.AbstractContextManager[object]:
    """Name nothing."""
    del name
    return contextlib.nullcontext()


class Step(Protocol):
    """A training step of either kind.

    Attributes:
        fed: the tensors that each step gets a copy of.
        parameters: what is trained, and the module's buffers, by name.
        optimizers: what trains it, as far as PyTorch's own classes do.
        has_forward: whether the forward part can be run alone.
        is_compiled: whether ``torch.compile`` works on it.
        calls: how many calls of the scenario's own the last run took.
    """

    fed: list[Any]
    parameters: dict[str, Any]
    optimizers: list[Any]
    has_forward: bool
    is_compiled: bool
    calls: int

    def run(self, mark: Mark = unmarked) -> None:
        """Run forward and backward until an update has been made.

        Raises:
            PointError: if the loss is no finite number, or no update is made.
        """

    def run_forward(self) -> None:
        """Run the forward part alone, which keeps nothing for backward."""


def made(built: object, device: str = _CPU) -> Step:
    """Return the step of what the scenario returned, on a device.

    A step of the user's own is where its tensors were made.

    Raises:
        PointError: if that is none.
    """
    if isinstance(built, TorchTraining):
        return _Training(built, device)
    if isinstance(built, TorchStep):
        return _Own(built)
    raise PointError(f"the scenario returned {type(built).__name__}, not TorchTraining")


class _UntilUpdated:
    """Calls what it is until parameters are written to: gradients may be gathered over calls."""

    parameters: dict[str, Any]
    calls = 0
    _updates: _Updates | None = None

    def run(self, mark: Mark = unmarked) -> None:
        with mark(CHECK):
            updates = self._updates = self._updates or _Updates(self.parameters.values())
        for self.calls in range(1, MOST_CALLS + 1):
            loss = self._call(mark)
            with mark(CHECK):
                _check(loss)
                if updates.made():
                    return
            del loss  # it may hold its graph
        raise PointError(_NO_UPDATE)

    def _call(self, mark: Mark) -> Any:
        raise NotImplementedError


class _Training(_UntilUpdated):
    """The usual loop's body around a module."""

    has_forward = True

    def __init__(self, given: TorchTraining, device: str) -> None:
        self._module, self._loss = given.module, given.loss
        self._copied = _copied if device == _CPU else functools.partial(_sent, device)
        if device != _CPU:
            _move(given, device)
        self.parameters = dict(_parameters_of(given))
        trained = [one for one in self.parameters.values() if one.requires_grad]
        if not trained:
            raise PointError("the scenario has no parameter that requires a gradient")
        optimizer = given.optimizer or torch.optim.SGD(trained, lr=LEARNING_RATE)
        if not hasattr(optimizer, "step") or not hasattr(optimizer, "zero_grad"):
            raise PointError(f"optimizer={type(optimizer).__name__}: it lacks step or zero_grad")
        self._optimizer = optimizer
        self._takes_closure = _takes_closure(optimizer)
        self.optimizers = [optimizer]
        self.is_compiled = _is_compiled(self._module) or _is_compiled(self._loss)
        self.fed: list[Any] = []
        self._inputs = _mapped(given.inputs, self._kept)
        self._targets = _mapped(given.targets, self._kept)

    def _kept(self, tensor: Any) -> Any:
        """Return the tensor where no allocator of PyTorch's counts it, as a loader's batch lies."""
        kept = outside(tensor)
        self.fed.append(kept)
        return kept

    def _call(self, mark: Mark) -> Any:
        with mark(INPUTS):
            inputs, targets = self._batch()
        if self._takes_closure:

            def again() -> Any:
                self._optimizer.zero_grad()
                loss = self._forward(inputs, targets)
                loss.backward()
                return loss

            loss = self._optimizer.step(again)
        else:
            loss = self._forward(inputs, targets)
            loss.backward()
            self._optimizer.step()
        self._optimizer.zero_grad()
        return loss

    def run_forward(self) -> None:
        with torch.no_grad():
            self._forward(*self._batch())

    def _batch(self) -> tuple[Any, Any]:
        return _mapped(self._inputs, self._copied), _mapped(self._targets, self._copied)

    def _forward(self, inputs: Any, targets: Any) -> Any:
        if isinstance(inputs, Mapping):
            outputs = self._module(**inputs)
        else:
            outputs = self._module(*(inputs if isinstance(inputs, list | tuple) else (inputs,)))
        if self._loss is None:
            loss = outputs
        elif targets is None:
            loss = self._loss(outputs)
        else:
            several = targets if isinstance(targets, list | tuple) else (targets,)
            loss = self._loss(outputs, *several)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            shape = list(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise PointError(f"the loss must be a scalar tensor, it is {shape}")
        if torch.is_grad_enabled() and not loss.requires_grad:
            raise PointError("the loss depends on no parameter: there is nothing to train")
        return loss


class _Own(_UntilUpdated):
    """A step of the user's own; what it trains is looked for among the living objects."""

    has_forward = False

    def __init__(self, given: TorchStep) -> None:
        if not callable(given.step):
            raise PointError(f"TorchStep(step={type(given.step).__name__}): it cannot be called")
        self._step = given.step
        self.fed: list[Any] = []
        # What the fork server holds is frozen, and not among them.
        living = gc.get_objects()
        self.optimizers = [one for one in living if _is(one, torch.optim.Optimizer)]
        self.parameters = dict(_living_parameters(living))
        self.is_compiled = any(map(_is_compiled, living))

    def _call(self, mark: Mark) -> Any:
        del mark
        return self._step()

    def run_forward(self) -> None:
        raise NotImplementedError


def outside(tensor: Any) -> Any:
    """Return an equal tensor in memory that NumPy took, not an allocator of PyTorch's."""
    here = tensor.detach().cpu()  # from a card it may come with other strides
    same = torch.from_numpy(np.array(_raw(here), copy=True)).view(here.dtype)
    return same.as_strided(here.shape, here.stride()).requires_grad_(tensor.requires_grad)


def _raw(here: Any) -> Any:
    """Return the bytes that a tensor on the CPU lies in, of whatever kind and strides."""
    span = 1 + sum(
        (size - 1) * stride for size, stride in zip(here.shape, here.stride(), strict=True)
    )
    flat = here.as_strided((span if here.numel() else 0,), (1,))
    return flat.view(torch.uint8).numpy()


def _copied(tensor: Any) -> Any:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _sent(device: str, tensor: Any) -> Any:
    return tensor.detach().to(device).requires_grad_(tensor.requires_grad)


def _move(given: TorchTraining, device: str) -> None:
    """Move what is trained, and what trains it, where it was made elsewhere.

    Parameters stay the same objects: optimizers know them by that.
    """
    for module in (given.module, given.loss):
        if isinstance(module, torch.nn.Module):
            module.to(device)
    for one in given.parameters:
        one.data = one.data.to(device)
    for kept in getattr(given.optimizer, "state", {}).values():
        # The count of steps stays where the optimizer wants it, which is mostly the CPU.
        kept.update({k: v.to(device) for k, v in kept.items() if _is_state(v)})


def _is_state(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0


def _mapped(given: Any, change: Callable[[Any], Any]) -> Any:
    """Return the same nesting with each tensor changed; arrays of NumPy are taken for tensors."""
    if isinstance(given, torch.Tensor):
        return change(given)
    if isinstance(given, np.ndarray):
        return change(torch.from_numpy(given))
    if isinstance(given, Mapping):
        return {name: _mapped(one, change) for name, one in given.items()}
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return type(given)(*(_mapped(one, change) for one in given))
    if isinstance(given, list | tuple):
        return type(given)(_mapped(one, change) for one in given)
    return given


def _parameters_of(given: TorchTraining) -> Iterator[tuple[str, Any]]:
    if isinstance(given.module, torch.nn.Module):
        yield from _named(given.module)
    elif not callable(given.module):
        raise PointError(f"module={type(given.module).__name__}: it cannot be called")
    modules = [one for one in (given.loss,) if isinstance(one, torch.nn.Module)]
    for module in modules:
        yield from ((f"loss.{name}", one) for name, one in _named(module))
    for number, one in enumerate(given.parameters):
        yield f"parameter_{number}", one


def _named(module: Any) -> Iterator[tuple[str, Any]]:
    plain = getattr(module, "_orig_mod", module)
    yield from plain.named_parameters()
    yield from plain.named_buffers()


def _living_parameters(living: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of all modules, by the outermost module's names, and other leaves."""
    modules = [one for one in living if _is(one, torch.nn.Module)]
    inner = {id(child) for module in modules for child in module.children()}
    outermost = [one for one in modules if id(one) not in inner]
    seen: set[int] = set()
    for number, module in enumerate(outermost):
        scope = f"{type(module).__name__}_{number}." if len(outermost) > 1 else ""
        for name, one in _named(module):
            seen.add(id(one))
            yield scope + name, one
    tensors = (one for one in living if _is(one, torch.Tensor) and not _is(one, FakeTensor))
    leaves = [one for one in tensors if id(one) not in seen]
    trained = (one for one in leaves if one.is_leaf and one.requires_grad)
    yield from ((f"parameter_{number}", one) for number, one in enumerate(trained))


def _is(one: Any, kind: type) -> bool:
    # Not isinstance: objects that stand for others answer it with code of their own.
    return issubclass(type(one), kind)


def _is_compiled(one: Any) -> bool:
    if _is(one, torch.nn.Module):
        return "_orig_mod" in vars(one)["_modules"] or bool(vars(one).get("_compiled_call_impl"))
    if not _is(one, FunctionType):
        return False
    # What Dynamo is told to leave alone is wrapped, too.
    wrapped = "_torchdynamo_orig_callable" in vars(one)
    return wrapped and not vars(one).get("_torchdynamo_disable")


def _check(loss: Any) -> None:
    if isinstance(loss, torch.Tensor):
        loss = loss.item() if loss.numel() == 1 else None
    if isinstance(loss, float) and not math.isfinite(loss):
        raise PointError(f"the loss is {loss}: a step that diverges measures nothing")


class _Updates:
    """Whether parameters have been written to since it was asked last.

    Without any that requires a gradient it takes each call for an update. What is written by way
    of ``.data`` leaves PyTorch's count of writes as it is: then the bytes are compared.
    """

    def __init__(self, parameters: Iterable[Any]) -> None:
        self._trained = [one for one in parameters if one.requires_grad]
        self._counted = self._count()
        self._sums: list[int] | None = self._sum()

    def made(self) -> bool:
        counted, self._counted = self._counted, self._count()
        if counted != self._counted or not self._trained:
            self._sums = None  # the count is enough here
            return True
        sums, self._sums = self._sums, self._sum()
        return sums is not None and sums != self._sums

    @property
    def _made(self) -> list[Any]:
        return [one for one in self._trained if not is_lazy(one)]

    def _count(self) -> list[tuple[int, int]]:
        # There is no public way.
        return [(one._version, one.data_ptr()) for one in self._made]  # noqa: SLF001

    def _sum(self) -> list[int]:
        plain = (one.detach() for one in self._made if one.layout is torch.strided)
        return [zlib.crc32(_raw(one.cpu())) for one in plain]


def _takes_closure(optimizer: Any) -> bool:
    """Whether its step wants a function that computes the loss, as L-BFGS does."""
    try:
        given = inspect.signature(optimizer.step).parameters.get("closure")
    except ValueError:
        return False
    return given is not None and given.default is inspect.Parameter.empty
