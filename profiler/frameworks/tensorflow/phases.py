"""The phases and the stages of graph size that a TensorFlow graph goes through."""

from __future__ import annotations

from profiler.facts import PhaseFacts, PhaseRole, SizeLimit, StageFacts

BUILD = PhaseFacts(
    name="build_forward",
    role=PhaseRole.BUILD,
    title="forward graph",
    detail="the scenario's Python objects and TensorFlow's graph",
)
GRADIENTS = PhaseFacts(
    name="build_gradients",
    role=PhaseRole.BUILD,
    title="gradients and update",
    detail="the same for what backprop adds",
)
RUNTIME = PhaseFacts(
    name="runtime",
    role=PhaseRole.OVERHEAD,
    title="starting the runtime",
    detail="TensorFlow's devices and thread pools",
)
INITIALIZE = PhaseFacts(
    name="initialize",
    role=PhaseRole.PREPARE,
    title="session and variables",
    detail="the session's copy of the graph, the weights",
)
COMPILE = PhaseFacts(
    name="compile",
    role=PhaseRole.FIRST_STEP,
    title="compiling",
    detail="XLA's work, and a first run of the compiled step",
)
FIRST_STEP = PhaseFacts(
    name="first_step",
    role=PhaseRole.FIRST_STEP,
    title="first step",
    detail="the graph optimizer's work, the executor, the step's tensors",
)
STEADY = PhaseFacts(
    name="steady",
    role=PhaseRole.STEADY,
    title="steady steps",
    detail="the step's tensors",
)
INSPECT = PhaseFacts(
    name="inspect",
    role=PhaseRole.OVERHEAD,
    title="looking inside",
    detail="the forward part alone, one traced step, and more steps to see what grows with them",
)
RECORD = PhaseFacts(
    name="record",
    role=PhaseRole.OVERHEAD,
    title="recording",
    detail="a first and a steady step, with every allocation",
)
_RUNS = (FIRST_STEP, STEADY, INSPECT, RECORD)
GRAPH_PHASES = (BUILD, GRADIENTS, RUNTIME, INITIALIZE, *_RUNS)
FUNCTION_PHASES = (RUNTIME, BUILD, GRADIENTS, INITIALIZE, COMPILE, *_RUNS)

BUILT, LIBRARY, EXECUTED = "built", "library", "executed"
STAGES = (
    StageFacts(
        name=BUILT,
        title="as built",
        detail="operations of the graph as it was built",
        counts="graph nodes",
    ),
    StageFacts(
        name=LIBRARY,
        title="in functions",
        detail="nodes of the function library: bodies and conditions of loops",
    ),
    StageFacts(
        name=EXECUTED,
        title="executed",
        detail="nodes left by TensorFlow's graph optimizer, in the graphs that really run",
    ),
)

TOO_LARGE = (
    "beyond 2 GiB TensorFlow cannot serialize a graph: saving it with a checkpoint, exporting it "
    "or sending it to another process fails; a session in the same process may still run it"
)
UNREADABLE = (
    "the graph that ran is beyond 2 GiB, so TensorFlow cannot show it: its executed nodes and the "
    "roles of what it holds are not known"
)
COMPILED = (
    "XLA compiles the step as one operation and plans its memory as one block: its parts cannot be "
    "told apart"
)
SEVERAL_LOSSES = (
    "one loss may wait for the update of another: there is no forward part to run alone"
)
LIMITS = (SizeLimit(metric="graph_bytes", most=(1 << 31) - 1, text=TOO_LARGE),)
