"""PyTorch: modules that Python runs step by step, on the CPU or on a CUDA card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from profiler.facts import Advice, Caveat, Explanation, Schedule, SizeLimit
from profiler.frameworks import Runtime, StepKind, visible_cards
from profiler.frameworks.torch import advice, phases

_KINDS = "profiler.frameworks.torch.kinds"


def _kind(name: str) -> StepKind:
    return StepKind(
        returns=f"{_KINDS}.{name}",
        implementation="profiler.frameworks.torch.steps:TorchSteps",
        phases=list(phases.PHASES),
        stages=list(phases.STAGES),
    )


@dataclass(frozen=True, kw_only=True)
class PyTorch:
    """What is known of PyTorch without importing it; see ``frameworks.Framework``."""

    name: str = "torch"
    title: str = "PyTorch"
    kinds: tuple[StepKind, ...] = (_kind("TorchTraining"), _kind("TorchStep"))
    # Dynamo is imported by an optimizer's first step: two seconds, in every child.
    preload: tuple[str, ...] = ("profiler.frameworks.torch.steps", "torch._dynamo")
    packages: tuple[str, ...] = ("torch", "numpy")
    fixed_addresses: bool = False
    # Threads share the work within an operation, and operations still run one by one: scratch of
    # flash attention may differ by 256 bytes.
    repeatable: Mapping[Schedule, bool] = field(
        default_factory=lambda: dict.fromkeys(Schedule, True)
    )
    limit_unit_bytes: int = 1
    allocators: Mapping[str, str] = field(
        default_factory=lambda: {
            "cpu": "CPU allocator; limits as on a CUDA card, replayed",
            "gpu": "caching allocator",
        }
    )
    caveats: tuple[Caveat, ...] = ()
    limits: tuple[SizeLimit, ...] = ()

    @property
    def environment(self) -> Mapping[str, str]:
        """What must stand in the environment before PyTorch is imported."""
        return {
            "PYTHONHASHSEED": "0",
            **visible_cards.hidden(),
            # Otherwise a mere question for cards touches CUDA, which cannot be forked then.
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
            # Threads that wait for each other by spinning take each other's core on a busy machine:
            # steps of seconds then take minutes.
            "OMP_WAIT_POLICY": "PASSIVE",
            # What an earlier point compiled would make this one look cheap; the compiler's
            # helpers would be processes beside the measured one.
            "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
        }

    def advice(self, explanation: Explanation) -> list[Advice]:
        """Return what removed much of what an explanation shows, where it was measured."""
        return advice.of(explanation)

    def variants(self, explanation: Explanation) -> list[str]:
        """Return none: a step is run in one way only."""
        del explanation
        return []

    def runtime(self) -> Runtime:
        """Import PyTorch, and return what runs it in this process."""
        from profiler.frameworks.torch.runtime import TorchRuntime

        return TorchRuntime()


FRAMEWORK = PyTorch()
