"""TensorFlow: graphs in a ``tf.compat.v1.Session``, on the BFC allocator on CPU and GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from profiler.facts import Advice, Caveat, CaveatEffect, Explanation, Schedule, SizeLimit
from profiler.frameworks import Runtime, StepKind, visible_cards
from profiler.frameworks.tensorflow import advice, phases
from profiler.units import MIB

_FOLDING = (
    "TensorFlow computes constants in advance only up to 10 MiB: longer graphs hold less of them, "
    "which moves their memory"
)
_FIRST_STEP = (
    "TensorFlow's graph optimizer takes more time per node in longer graphs: no law of shorter "
    "ones holds"
)
_BUILDING = (
    "TensorFlow takes more time to build a node in larger graphs: no law of smaller ones holds"
)

_KINDS = "profiler.frameworks.tensorflow.kinds"


def _graph(returns: str) -> StepKind:
    return StepKind(
        returns=returns,
        implementation="profiler.frameworks.tensorflow.training:GraphSteps",
        phases=list(phases.GRAPH_PHASES),
        stages=list(phases.STAGES),
    )


def _function(returns: str) -> StepKind:
    return StepKind(
        returns=returns,
        implementation="profiler.frameworks.tensorflow.functions:FunctionSteps",
        phases=list(phases.FUNCTION_PHASES),
        stages=list(phases.STAGES),
    )


@dataclass(frozen=True, kw_only=True)
class TensorFlow:
    """What is known of TensorFlow without importing it; see ``frameworks.Framework``."""

    name: str = "tensorflow"
    title: str = "TensorFlow"
    kinds: tuple[StepKind, ...] = (
        _graph("profiler.Training"),
        _graph(f"{_KINDS}.Inference"),
        _function(f"{_KINDS}.TrainStep"),
        _function(f"{_KINDS}.InferenceStep"),
        _function(f"{_KINDS}.KerasTraining"),
    )
    preload: tuple[str, ...] = (
        "profiler.frameworks.tensorflow.training",
        "profiler.frameworks.tensorflow.functions",
        "tf_keras",
    )
    packages: tuple[str, ...] = ("tensorflow", "keras", "tf_keras", "numpy")
    # It keeps graph nodes in sets ordered by address: with random addresses equal points may run
    # their nodes in another order, and peak elsewhere.
    fixed_addresses: bool = True
    repeatable: Mapping[Schedule, bool] = field(
        default_factory=lambda: {Schedule.SERIAL: True, Schedule.PARALLEL: False}
    )
    limit_unit_bytes: int = MIB
    allocators: Mapping[str, str] = field(
        default_factory=lambda: {"cpu": "BFC allocator", "gpu": "BFC allocator"}
    )
    caveats: tuple[Caveat, ...] = (
        Caveat(metric="first_step_time", effect=CaveatEffect.NO_EXTRAPOLATION, text=_FIRST_STEP),
        Caveat(metric="build_time", effect=CaveatEffect.NO_EXTRAPOLATION, text=_BUILDING),
        *(
            Caveat(metric=metric, effect=CaveatEffect.SHORT_RUNS_DIFFER, text=_FOLDING)
            for metric in ("backprop", "peak", "host")
        ),
    )

    limits: tuple[SizeLimit, ...] = phases.LIMITS

    @property
    def environment(self) -> Mapping[str, str]:
        """What must stand in the environment before TensorFlow is imported."""
        return {
            "TF_USE_LEGACY_KERAS": "1",
            # The allocator's report on its chunks, after a failure, is of the lowest level.
            "TF_CPP_MIN_LOG_LEVEL": "0",
            # On some CPUs TensorFlow takes other kernels, with other buffers, which no GPU has:
            # the same graph then needs up to a quarter more.
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "PYTHONHASHSEED": "0",
            **visible_cards.hidden(),
        }

    def advice(self, explanation: Explanation) -> list[Advice]:
        """Return what removed much of what an explanation shows, where it was measured."""
        return advice.of(explanation)

    def variants(self, explanation: Explanation) -> list[str]:
        """Return the other ways to add up gradients, where many wait to be added up."""
        return advice.variants(explanation)

    def runtime(self) -> Runtime:
        """Import TensorFlow, and return what runs it in this process."""
        from profiler.frameworks.tensorflow.runtime import TensorFlowRuntime

        return TensorFlowRuntime()


FRAMEWORK = TensorFlow()
