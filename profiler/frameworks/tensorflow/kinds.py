"""What a scenario returns besides ``Training``: a TensorFlow 2 step, a Keras model, inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A TensorFlow 1 graph that is only run forward: scoring, generation, beam search.

    Attributes:
        feeds: input tensor -> array to feed, for every input of the graph.
        outputs: what each call returns: a tensor, or several in any nesting.
        initialize: as of ``Training``.
    """

    feeds: Mapping[Any, Any]
    outputs: Any
    initialize: Sequence[Any] = ()


@dataclass(frozen=True)
class TrainStep:
    """A ``tf.function`` that does one training step, as it stands, and its arguments.

    Attributes:
        function: it computes a loss under a ``tf.GradientTape`` and updates its variables.
        arguments: what it is called with. Where that changes from call to call, a function of
            the call's number, from 0 on, that returns the arguments.
        keywords: keyword arguments of every call.
    """

    function: Any
    arguments: Sequence[Any] | Callable[[int], Sequence[Any]] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class InferenceStep(TrainStep):
    """A ``tf.function`` without a loss, as it stands, and its arguments: scoring, generation."""


@dataclass(frozen=True)
class KerasTraining:
    """A Keras 3 model that is trained by ``train_on_batch``, or by ``fit``.

    Attributes:
        model: with or without ``compile`` called.
        inputs: one batch, as ``train_on_batch`` takes it.
        targets: the same.
        loss: as ``compile`` takes it; None where the model is compiled.
        optimizer: the same.
        jit_compile: whether XLA compiles the step; of a compiled model, what that says.
    """

    model: Any
    inputs: Any
    targets: Any = None
    loss: Any = None
    optimizer: Any = None
    jit_compile: bool = False
