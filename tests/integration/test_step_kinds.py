"""Every kind of step is the one that its author trains with, measured like any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from real_points import point_of

from profiler.facts import Explanation, Measurement, Outcome, PhaseRole, Status, WallPredictions
from profiler.frameworks import PredictionRequest
from profiler.measure.client import Client

COUNTED = True  # see counted.py

B, IN, U, FLOAT, CHUNK = 32, 48, 64, 4, 256
WEIGHTS = FLOAT * ((IN + U) * U + U)
STEPS = 12

Measure = Callable[..., Measurement]


@pytest.fixture(scope="module")
def kinds(measure: Measure, resources: Path) -> Measure:
    """Return ``kinds(scenario, steps=..., ...)``: one point of the small scenarios."""

    def kinds(scenario: str, *, steps: int = STEPS, **settings: object) -> Measurement:
        return measure(scenario, steps=steps, source=resources / "step_kinds.py", **settings)

    return kinds


@pytest.fixture(scope="module")
def explain(client_of: Callable[..., Client], resources: Path) -> Callable[..., Explanation]:
    """Return ``explain(scenario, steps=..., ...)``: its roles at the peak."""
    client = client_of(resources / "step_kinds.py")

    def explain(scenario: str, *, steps: int = STEPS, **parameters: object) -> Explanation:
        found = client.explain(point_of(client, scenario, steps=steps, **parameters), alone=True)
        assert isinstance(found, Explanation), found
        assert found.unexplained_bytes == 0
        return found

    return explain


class TestOptimizer:
    """``Training(optimizer=...)`` and ``update=``: the slots are resident, with their own role."""

    @pytest.mark.parametrize(("optimizer", "slots"), [("adam", 2), ("momentum", 1)])
    def test_its_slots_are_resident(self, kinds: Measure, optimizer: str, slots: int) -> None:
        """As many times the weights; zeros that are their first values may stay, too."""
        plain, own = (kinds("graph", optimizer=name).device for name in ("none", optimizer))

        assert plain and own  # noqa: PT018
        more = (own.resident_bytes or 0) - (plain.resident_bytes or 0)
        assert slots * WEIGHTS <= more <= (slots + 1) * WEIGHTS + 64 * CHUNK

    @pytest.mark.parametrize("update", [False, True])
    def test_they_are_a_role(self, explain: Callable[..., Explanation], *, update: bool) -> None:
        """Adam's two moments, its two powers; with ``update=`` the counter too, 8 bytes."""
        roles = explain("graph", optimizer="adam", update=update).by_role

        assert roles["weights"] == WEIGHTS
        # Of two powers, one number each: a constant that equals it may stand for it.
        moments, numbers = 2 * WEIGHTS, (0, 2 * FLOAT + (8 if update else 0))
        assert moments + numbers[0] <= roles["optimizer state"] <= moments + numbers[1]

    def test_a_weight_that_stays_in_its_buffer_is_one(
        self, explain: Callable[..., Explanation]
    ) -> None:
        """Adam makes new buffers of its moments alone."""
        width = 48
        roles = explain("read_in_place", width=width).by_role

        assert roles["weights"] == FLOAT * width**2
        assert 2 * FLOAT * width**2 <= roles["optimizer state"] <= 2 * FLOAT * (width**2 + 1)

    def test_one_that_does_not_fit_the_graph_is_named(self, kinds: Measure) -> None:
        """With what to use instead."""
        reason = kinds("keras_in_graph").outcome.reason or ""

        assert "Adam: its apply_gradients returns no operation" in reason
        assert reason.endswith("Use one of tf.compat.v1.train, or return a TrainStep")

    def test_feeds_of_all_sorts_and_what_runs_first(self, kinds: Measure) -> None:
        """Strings count by their letters, sparse and ragged values by their parts."""
        found = kinds("fed")

        assert found.outcome.status is Status.OK, found.outcome.reason
        words = B * STEPS * len("word")
        sparse = STEPS * (2 * 8 + FLOAT) + 2 * 8
        ragged = 3 * FLOAT + 3 * 8
        assert found.device
        assert found.device.fed_bytes == words + sparse + ragged


class TestCalls:
    """What a step leaves behind is told as growth per call."""

    @staticmethod
    def added(found: Measurement, what: str) -> float:
        """Return how much of it each call was told to add."""
        (text,) = (note for note in found.notes if f" {what}:" in note)
        return float(text.removeprefix("each call adds ").partition(" ")[0].replace(",", ""))

    def test_nodes(self, kinds: Measure) -> None:
        """Two constants and their sum, which the session keeps on the device and on the host."""
        found = kinds("growing", way="nodes")

        assert self.added(found, "nodes to the graph") == 3
        assert self.added(found, "bytes of device memory") >= CHUNK
        assert self.added(found, "bytes of host memory") > 0

    def test_device_memory(self, kinds: Measure) -> None:
        """A tensor in a queue, in a chunk of less than twice its size."""
        tensor = 1024 * FLOAT

        assert tensor <= self.added(kinds("growing", way="device"), "bytes of device memory")
        assert self.added(kinds("growing", way="device"), "bytes of device memory") < 2 * tensor

    def test_host_memory(self, kinds: Measure) -> None:
        """An array of 256 KiB that a list keeps; the first ones lie in pages that were free."""
        array = 8 << 15
        each = self.added(kinds("growing", way="host"), "bytes of host memory")

        assert array / 2 < each < array * 1.1

    def test_nothing_is_said_of_a_sound_one(self, kinds: Measure) -> None:
        """Nor of a function."""
        assert kinds("growing").notes == []
        assert kinds("function").notes == []


class TestFunctions:
    """``TrainStep``: a ``tf.function`` as it stands."""

    @pytest.mark.parametrize(
        ("scenario", "parameters"),
        [("function", {"adam": True}), ("function", {"unrolled": True}), ("model", {})],
    )
    def test_what_runs_trains_as_its_author_does(
        self, resources: Path, scenario: str, parameters: dict[str, bool]
    ) -> None:
        """After three steps the weights are those of three calls."""
        environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
        arguments = [str(resources / "step_kinds.py"), scenario, json.dumps(parameters), str(STEPS)]
        done = subprocess.run(
            [sys.executable, resources / "as_called.py", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["variables"] == (5 if scenario == "model" else 2)
        assert found["apart"] <= 1e-5 < found["went"]

    def test_an_unrolled_function_grows_and_a_loop_does_not(self, kinds: Measure) -> None:
        """By the same number of nodes for each step."""
        nodes = [
            found.graph.stages[0].nodes + found.graph.stages[1].nodes
            for unrolled in (True, False)
            for steps in (8, 12, 16)
            if (found := kinds("function", steps=steps, unrolled=unrolled)).graph
        ]

        assert nodes[1] - nodes[0] == nodes[2] - nodes[1] > 0
        assert nodes[3] == nodes[4] == nodes[5]

    def test_a_loop_keeps_what_backward_reads(self, explain: Callable[..., Explanation]) -> None:
        """Of each step the joined input and the state at least."""
        short, long = (
            explain("function", steps=steps).by_role["forward tensors kept for backward"]
            for steps in (64, 96)
        )

        assert (long - short) >= 32 * FLOAT * B * (IN + U + U)

    def test_adams_moments_are_its_own(self, explain: Callable[..., Explanation]) -> None:
        """Keras's Adam also keeps a learning rate and a counter of 8 bytes."""
        roles = explain("function", adam=True).by_role

        assert roles["weights"] == WEIGHTS
        assert 2 * WEIGHTS <= roles["optimizer state"] <= 2 * WEIGHTS + FLOAT + 8

    def test_a_function_that_returns_nothing(self, kinds: Measure) -> None:
        """The tape tells the loss."""
        found = kinds("silent")

        assert found.outcome.status is Status.OK, found.outcome.reason
        assert found.graph
        assert found.graph.stages[0].parts["backward"] > 0

    def test_several_losses_have_a_forward_part_each(
        self, kinds: Measure, explain: Callable[..., Explanation]
    ) -> None:
        """Whichever of them peaks keeps its states, and nothing of it is a gradient."""
        found = kinds("in_turn")
        explained = explain("in_turn")

        assert found.device
        assert found.device.forward_peak_bytes is None
        assert "update of another" in found.missing["device.forward_peak_bytes"]
        kept = explained.by_role["forward tensors kept for backward"]
        assert kept >= (STEPS - 1) * FLOAT * B * IN
        gradients = [one for one in explained.holdings if one.role == "activation gradients"]
        assert all(one.op.startswith("gradient_tape") for one in gradients)

    def test_each_loss_adds_as_many_forward_nodes(self, kinds: Measure) -> None:
        """As two such losses: at least a slice, a product, a sum and a tanh for each step."""
        parts = [
            found.graph.stages[0].parts["forward"]
            for steps in (STEPS, STEPS + 1)
            if (found := kinds("in_turn", steps=steps)).graph
        ]

        # Without its constants a slice, a product with what reads the weight, a sum, a tanh.
        assert parts[1] - parts[0] >= 2 * 4

    @pytest.mark.parametrize(
        ("scenario", "words"),
        [
            ("untrained", "updates none of its variables"),
            ("undecorated", "decorate the function with @tf.function"),
            ("looked_up", "neither a tensor nor a variable"),
            ("uncompiled", "give KerasTraining a loss and an optimizer"),
        ],
    )
    def test_what_cannot_be_measured_says_why(
        self, kinds: Measure, scenario: str, words: str
    ) -> None:
        """In one line."""
        outcome = kinds(scenario).outcome

        assert outcome.status is Status.ERROR
        assert words in (outcome.reason or "")

    def test_new_traces_are_told(self, kinds: Measure) -> None:
        """Each call has another number."""
        assert any("retraced the function in 2 of 2" in note for note in kinds("retraced").notes)

    def test_under_xla_the_step_is_one_block(self, kinds: Measure) -> None:
        """Compiling is a phase of the first step; what cannot be told says so."""
        found = kinds("function", jit=True)

        assert found.outcome.status is Status.OK, found.outcome.reason
        first = [phase.name for phase in found.phases if phase.role is PhaseRole.FIRST_STEP]
        assert first == ["compile", "first_step"]
        assert found.device
        assert found.device.forward_peak_bytes is None
        assert "XLA" in found.missing["device.forward_peak_bytes"]
        # The inputs' copy, the states and joined inputs that backward reads.
        assert (found.device.peak_bytes or 0) > STEPS * FLOAT * B * (IN + U)

    def test_under_xla_nothing_is_said_of_what_holds_the_peak(
        self, client_of: Callable[..., Client], resources: Path
    ) -> None:
        """The roles would leave out the block, which is nearly all of it."""
        client = client_of(resources / "step_kinds.py")
        found = client.explain(point_of(client, "function", steps=STEPS, jit=True), alone=True)

        assert isinstance(found, Outcome), found
        assert "XLA" in (found.reason or "")


class TestKeras:
    """``KerasTraining``: what ``train_on_batch`` runs."""

    def test_one_that_is_compiled_equals_one_that_is_not(self, kinds: Measure) -> None:
        """Beside the metric that only one of them has."""
        plain, compiled = (kinds("model", compiled=compiled) for compiled in (False, True))

        assert [one.outcome.status for one in (plain, compiled)] == [Status.OK] * 2
        assert plain.device and compiled.device  # noqa: PT018
        lstm = FLOAT * ((IN + U) * 4 * U + 4 * U)
        dense = FLOAT * (U + 1)
        assert (plain.device.resident_bytes or 0) >= 3 * (lstm + dense)
        more = (compiled.device.resident_bytes or 0) - (plain.device.resident_bytes or 0)
        # Constants of the metric; what the graph optimizer keeps of others may move with it.
        assert abs(more) <= lstm

    def test_unrolled_it_grows(self, kinds: Measure) -> None:
        """By the same number of nodes for each step."""
        nodes = [
            found.graph.stages[0].nodes
            for steps in (4, 6, 8)
            if (found := kinds("model", steps=steps, unroll=True)).graph
        ]

        assert nodes[1] - nodes[0] == nodes[2] - nodes[1] > 0

    def test_several_inputs_and_a_loss_of_its_own(self, kinds: Measure) -> None:
        """Without targets."""
        found = kinds("without_targets")

        assert found.outcome.status is Status.OK, found.outcome.reason
        assert found.fed_shapes == [[B, STEPS, IN]] * 2

    def test_half_precision_with_a_scaled_loss(self, kinds: Measure) -> None:
        """Its optimizer updates in a branch: only where every gradient is finite."""
        found = kinds("model", policy="mixed_float16")

        assert found.outcome.status is Status.OK, found.outcome.reason
        assert found.graph
        assert found.graph.stages[0].parts["backward"] > 0


class TestInference:
    """Nothing is trained."""

    @pytest.mark.parametrize("scenario", ["scored", "generated"])
    def test_it_has_no_backward_part(self, kinds: Measure, scenario: str) -> None:
        """And needs what it returns at least."""
        found = kinds(scenario)

        assert found.outcome.status is Status.OK, found.outcome.reason
        assert found.graph and found.device  # noqa: PT018
        assert found.graph.stages[0].parts["backward"] == 0
        assert (found.device.peak_bytes or 0) >= STEPS * B * U * FLOAT

    def test_its_roles(self, explain: Callable[..., Explanation]) -> None:
        """No gradient, and nothing is kept for one."""
        roles = explain("generated").by_role

        assert roles.keys() <= {
            *("weights", "constants", "fed inputs", "temporaries"),
            *("loop bookkeeping", "kernel scratch", "allocator rounding"),
        }


@pytest.mark.parametrize("scenario", ["model", "generated", "from_iterator"])
def test_peaks_repeat_to_the_byte(kinds: Measure, scenario: str) -> None:
    """Whatever order a function keeps its variables in, and however fast data comes."""
    peaks = {found.device.peak_bytes for _ in range(3) if (found := kinds(scenario)).device}

    assert len(peaks) == 1


@pytest.mark.parametrize("scenario", ["function", "generated"])
def test_the_wall_lies_where_it_was_foretold(
    client_of: Callable[..., Client], kinds: Measure, resources: Path, scenario: str
) -> None:
    """As for a graph: the step at the lower end survives, the one beyond the upper end does not."""
    client = client_of(resources / "step_kinds.py")
    limit = 4 << 20
    point = point_of(client, scenario, limit_bytes=limit)
    found = client.predict_walls(point, PredictionRequest(limits_bytes=[limit], max_steps=4096))
    assert isinstance(found, WallPredictions), found
    (wall,) = found.walls

    assert wall is not None, found.reasons
    ends = [
        kinds(scenario, steps=steps, limit_bytes=limit).outcome.status
        for steps in (int(wall.low), int(wall.high) + 1)
    ]
    assert ends == [Status.OK, Status.OOM_DEVICE]
