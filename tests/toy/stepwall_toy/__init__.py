"""A tiny second framework: recurrent networks in NumPy, on an allocator of their own.

It reaches stepwall through its entry point alone, and shares nothing with any other framework:
its scenario type, phases, stages, allocator and out-of-memory error are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from profiler.facts import (
    Advice,
    Caveat,
    Explanation,
    PhaseFacts,
    PhaseRole,
    Schedule,
    SizeLimit,
    StageFacts,
)
from profiler.frameworks import Runtime, StepKind

CONSTRUCT = PhaseFacts(
    name="construct", role=PhaseRole.BUILD, title="construction", detail="the list of operations"
)
PLAN = PhaseFacts(
    name="plan", role=PhaseRole.PREPARE, title="planning", detail="the order of operations"
)
FIRST = PhaseFacts(
    name="first_step", role=PhaseRole.FIRST_STEP, title="first step", detail="arrays of the step"
)
STEADY = PhaseFacts(
    name="repeat", role=PhaseRole.STEADY, title="further steps", detail="arrays of the step"
)
RECORD = PhaseFacts(
    name="record", role=PhaseRole.OVERHEAD, title="recording", detail="two recorded steps"
)


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """What a scenario returns: h[t] = tanh(x[t] + h[t-1] W), trained towards zero.

    Args:
        steps: number of time steps.
        batch: rows of every state.
        units: columns of every state; W is ``units`` by ``units``, of 8-byte floats.
        accumulate: add each step's weight gradient to a running sum, instead of keeping all of
            them until the end.
        gathered: keep all states in one array.
        modelled: say that a model holds the limit, as where no device runs.
    """

    steps: int
    batch: int
    units: int
    accumulate: bool = False
    gathered: bool = False
    modelled: bool = False


@dataclass(frozen=True, kw_only=True)
class Toy:
    """See ``profiler.frameworks.Framework``."""

    name: str = "toy"
    title: str = "Toy"
    kinds: tuple[StepKind, ...] = (
        StepKind(
            returns="stepwall_toy.Recurrence",
            implementation="stepwall_toy.steps:RecurrenceSteps",
            phases=[CONSTRUCT, PLAN, FIRST, STEADY, RECORD],
            stages=[
                StageFacts(name="listed", title="listed", detail="operations in the list"),
                StageFacts(name="planned", title="planned", detail="operations that are run"),
            ],
        ),
    )
    preload: tuple[str, ...] = ("stepwall_toy.steps",)
    packages: tuple[str, ...] = ("stepwall_toy", "numpy")
    environment: Mapping[str, str] = field(default_factory=dict)
    fixed_addresses: bool = False
    repeatable: Mapping[Schedule, bool] = field(
        default_factory=lambda: {Schedule.SERIAL: True, Schedule.PARALLEL: True}
    )
    limit_unit_bytes: int = 1
    allocators: Mapping[str, str] = field(default_factory=lambda: {"cpu": "shelf allocator"})
    caveats: tuple[Caveat, ...] = ()
    limits: tuple[SizeLimit, ...] = ()

    def advice(self, explanation: Explanation) -> list[Advice]:
        """Return one piece of advice on weight gradients that are all kept."""
        kept = [one for one in explanation.holdings if one.role == "weight gradients"]
        if not kept or kept[0].tensors < explanation.steps:
            return []
        return [
            Advice(
                role="weight gradients",
                text="accumulate=True keeps one of them.",
                measured="tests/integration/test_second_framework.py",
            )
        ]

    def variants(self, explanation: Explanation) -> list[str]:
        """Return none: it builds a step in one way only."""
        del explanation
        return []

    def runtime(self) -> Runtime:
        """Import what runs the networks."""
        from stepwall_toy.steps import ToyRuntime

        return ToyRuntime()


FRAMEWORK = Toy()
