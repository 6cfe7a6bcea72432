"""The phases and the stages of graph size that a PyTorch step goes through."""

from __future__ import annotations

from profiler.facts import PhaseFacts, PhaseRole, StageFacts

RUNTIME = PhaseFacts(
    name="runtime",
    role=PhaseRole.OVERHEAD,
    title="starting the runtime",
    detail="the libraries behind matrix products, the autograd engine, a check of the profiler",
)
CONSTRUCT = PhaseFacts(
    name="construct",
    role=PhaseRole.BUILD,
    title="construction",
    detail="the module with its parameters, the optimizer, the batch",
)
COMPILE = PhaseFacts(
    name="compile",
    role=PhaseRole.FIRST_STEP,
    title="compiling",
    detail="torch.compile's work, and a first run of the compiled step",
)
FIRST_STEP = PhaseFacts(
    name="first_step",
    role=PhaseRole.FIRST_STEP,
    title="first step",
    detail="the optimizer's state, the step's tensors",
)
STEADY = PhaseFacts(
    name="steady", role=PhaseRole.STEADY, title="steady steps", detail="the step's tensors"
)
COUNT = PhaseFacts(
    name="count",
    role=PhaseRole.OVERHEAD,
    title="counting",
    detail="a step whose operations are counted, and the forward part alone",
)
RECORD = PhaseFacts(
    name="record",
    role=PhaseRole.OVERHEAD,
    title="recording",
    detail="the step built again, a first and a steady step, with every allocation",
)
REPLAY = PhaseFacts(
    name="replay",
    role=PhaseRole.OVERHEAD,
    title="replaying under the limit",
    detail="what the recorded steps asked for, by the rules of the CUDA allocator",
)
PHASES = (RUNTIME, CONSTRUCT, COMPILE, FIRST_STEP, STEADY, RECORD, REPLAY, COUNT)

BUILT, AUTOGRAD = "built", "autograd"
TRACED, BODIES, CAPTURED, KERNELS = "traced", "library", "captured", "kernels"
FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
STAGES = (
    StageFacts(
        name=BUILT,
        title="dispatched",
        detail="ATen operations that a step dispatches; PyTorch builds no graph before it runs",
        counts="ATen operations dispatched",
    ),
    StageFacts(
        name=AUTOGRAD,
        title="autograd",
        detail="nodes that the forward part leaves for backward: the graph that autograd walks",
    ),
    StageFacts(
        name=TRACED,
        title="traced",
        detail="nodes of the forward and the backward graphs that torch.compile's AOT autograd "
        "traced of the step",
        counts="nodes of traced graphs",
    ),
    StageFacts(
        name=BODIES,
        title="in bodies",
        detail="nodes in the bodies of scan and of other operations that take functions",
    ),
    StageFacts(
        name=CAPTURED,
        title="captured",
        detail="nodes of the graphs that torch.compile captured of the step's Python code",
        counts="nodes of captured graphs",
    ),
    StageFacts(
        name=KERNELS, title="kernels", detail="kernels that torch.compile's Inductor made of them"
    ),
)

NO_GRAPH = "PyTorch runs operations as Python calls them: there is no graph to serialize"
HOST_LIMITED = "under a host limit no allocation is recorded: the records would count against it"
NO_FORWARD = "the step is one function of the user's: there is no forward part to run alone"
REPLAYED = (
    "PyTorch's CPU allocator takes no limit: the steps ran without one, and what they asked for "
    "was replayed by the rules of the CUDA allocator"
)
COMPILED = (
    "torch.compile captures the step, or parts of it, as graphs: their nodes are counted instead "
    "of dispatched operations"
)
COMPILED_ANEW = (
    "torch.compile would make another graph of the forward part alone: nothing is left for backward"
)
KEEPS = (
    "each training step keeps more than it frees, so memory grows from step to step: is a tensor "
    "of each step kept, as in a list of losses, or a history, as L-BFGS keeps? Peaks and walls are "
    "those of the first steps"
)
OTHER_THREADS = (
    "up to {} B are allocated or freed by threads that PyTorch's profiler does not see: roles and "
    "what is replayed are off by up to that much"
)
SEVERAL_CALLS = (
    "one training step is {} calls of the scenario's function: it updates parameters only in the "
    "last of them"
)
LATE_UPDATE = (
    "call {} of the scenario's function is the first to update a parameter, as with a gradient "
    "scaler that looks for its scale: the calls before it are parts of the first training step"
)
WRONG_SCAN = (
    "before PyTorch 2.13 scan's gradients of parameters that its body takes from outside are wrong "
    "(pytorch issue 184528): the step is measured as it runs"
)
NOT_INSIDE = "the run did not look inside the step: this takes runs of its own"
NO_STATISTICS = "the card's allocator keeps no such statistic"
SET_BY_USER = (
    "a setting of the user's for the card's allocator, or for what libraries ask it for; "
    "predictions replay the default ones"
)
