"""PyTorch's training steps in real children: counts and bytes in closed form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import (
    Explanation,
    Measurement,
    Point,
    Schedule,
    Status,
    WallPredictions,
    replace,
)
from profiler.frameworks import PredictionRequest
from profiler.frameworks.allocators.caching import SMALL_SEGMENT
from profiler.limits.host_limit import Means
from profiler.measure.client import Client
from profiler.measure.launcher import Launchers
from profiler.measure.supervision import Supervisor

RESOURCES = Path(__file__).parent / "resources"
FLOAT, B, N, U = 4, 32, 64, 128
SHIPPED = (
    "torch_handmade",
    "torch_loop",
    "torch_layer",
    "torch_checkpointed",
    "torch_truncated",
    "torch_attention",
    "torch_flash_attention",
    "torch_selective_scan",
    "torch_compiled_loop",
    "torch_scan",
    *(
        f"torch_{shape}_{way}"
        for shape in ("seq_to_vec", "vec_to_seq", "delayed_seq_to_seq")
        for way in ("loop", "layer")
    ),
)
MINE = ("adam", "own", "by_hand", "function")

ClientOf = Callable[..., Client]
Measure = Callable[..., Measurement]
Explain = Callable[..., Explanation]


@pytest.fixture(scope="session")
def mine(client_of: ClientOf) -> Client:
    """Return a client of the shipped scenarios and of the models beside this file."""
    return client_of(RESOURCES / "models.py")


@pytest.fixture(scope="session")
def step(mine: Client) -> Measure:
    """Return ``step(scenario, steps=..., ...)``: a measured point, once for all tests."""

    @functools.cache
    def step(scenario: str, *, steps: int, **settings: Any) -> Measurement:
        return mine.measure(point_of(mine, scenario, steps=steps, **settings))

    return step


@pytest.fixture(scope="session")
def explained(mine: Client) -> Explain:
    """Return ``explained(scenario, steps=..., ...)``: what holds its peak, once for all tests."""

    @functools.cache
    def explained(scenario: str, *, steps: int, **settings: Any) -> Explanation:
        found = mine.explain(point_of(mine, scenario, steps=steps, **settings), alone=True)
        assert isinstance(found, Explanation), found
        return found

    return explained


def nodes(measured: Measurement) -> tuple[int, int, int]:
    """Return the nodes dispatched forward and backward, and those of autograd's graph."""
    assert measured.outcome.status is Status.OK, measured.outcome
    assert measured.graph is not None
    built, autograd = measured.graph.built, measured.graph.stage("autograd")
    assert built is not None
    assert autograd is not None
    return built.parts["forward"], built.parts["backward"], autograd.nodes


def peak(measured: Measurement) -> int:
    """Return the device's peak."""
    assert measured.outcome.status is Status.OK, measured.outcome
    assert measured.device is not None
    assert measured.device.peak_bytes is not None
    return measured.device.peak_bytes


@pytest.mark.parametrize("steps", [1, 8, 17])
def test_a_loop_over_a_cell_dispatches_its_equations(step: Measure, steps: int) -> None:
    """Each step is a slice, two products with transposed weights, a sum and a tanh.

    That are seven operations; zeros, a stack and the loss's two are four. Autograd has no node
    for the slice of an input, and seven beside the steps: the loss's two, the stack and one for
    each of the four weights, of which nothing but the transposes is done anew for each step.
    """
    forward, _, autograd = nodes(step("torch_loop", steps=steps))

    assert forward == 7 * steps + 4
    assert autograd == 6 * steps + 7


@pytest.mark.parametrize(
    ("scenario", "cell"),
    [
        *(("torch_loop", cell) for cell in ("rnn", "lstm", "gru")),
        *(("torch_layer", cell) for cell in ("rnn", "lstm", "gru")),
        ("torch_selective_scan", None),
    ],
)
def test_what_is_unrolled_grows_by_equal_steps(
    step: Measure, scenario: str, cell: str | None
) -> None:
    """Three lengths at equal distances lie on one line, in each count."""
    settings = {"cell": cell} if cell else {}
    first, second, third = (nodes(step(scenario, steps=steps, **settings)) for steps in (8, 12, 16))

    assert [b - a for a, b in zip(first, second, strict=True)] == [
        b - a for a, b in zip(second, third, strict=True)
    ]
    assert all(b > a for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("steps", [8, 30])
def test_a_loop_s_peak_is_its_tensors(step: Measure, steps: int) -> None:
    """To the byte, where the loss begins to flow back.

    Then are held: the weights; the inputs; each state, their stack and the zeros before them; the
    loss and the one that backward begins with; and four tensors as large as the stack, of the
    mean's and the square's gradients.
    """
    device = step("torch_loop", steps=steps).device
    weights = U * N + U * U + 2 * U

    assert device is not None
    assert device.weights_bytes == device.resident_bytes == FLOAT * weights
    assert device.fed_bytes == FLOAT * steps * B * N
    assert device.peak_bytes == FLOAT * (weights + steps * B * (N + 6 * U) + B * U + 2)
    assert device.first_step_peak_bytes == device.steady_peak_bytes == device.peak_bytes
    assert device.largest_allocation_bytes == FLOAT * steps * B * U


@pytest.mark.parametrize("scenario", [*SHIPPED, *MINE])
def test_two_accounts_agree_to_the_byte(step: Measure, explained: Explain, scenario: str) -> None:
    """Blocks replayed one by one, and the sum that the allocator keeps; the roles add up."""
    found = explained(scenario, steps=16)

    assert found.unexplained_bytes == 0
    assert found.peak_bytes == peak(step(scenario, steps=16))
    assert sum(found.by_role.values()) == found.peak_bytes
    assert "unclassified" not in found.by_role
    if found.allocator_resident_bytes is not None:
        assert found.allocator_resident_bytes == found.resident_bytes


@pytest.mark.parametrize("scenario", ["torch_checkpointed", "torch_flash_attention", "adam"])
def test_equal_points_repeat_to_the_byte(mine: Client, step: Measure, scenario: str) -> None:
    """In another child."""
    again = mine.measure(point_of(mine, scenario, steps=16))

    assert again.device == step(scenario, steps=16).device


class TestRoles:
    """What the bytes are held for follows the flow of values."""

    def test_an_optimizer_s_state_is_told_from_weights(self, explained: Explain) -> None:
        """Two averages of each weight, and a count for each of the four."""
        batch, inputs, units = 4, 8, 64
        weights = FLOAT * (units * inputs + units * units + 2 * units)
        roles = explained("adam", steps=16).by_role

        assert roles["weights"] == weights
        assert roles["optimizer state"] == 2 * weights + 4 * FLOAT
        assert roles["fed inputs"] == FLOAT * 16 * batch * (inputs + units)

    def test_partial_gradients_of_a_weight_name_it(self, explained: Explain) -> None:
        """A running sum, and what comes to it: a loop holds no partial gradient per step."""
        found = explained("function", steps=16)
        gradients = [one for one in found.holdings if one.role == "weight gradients"]

        assert {one.variable for one in gradients} == {"parameter_0"}
        assert sum(one.tensors for one in gradients) == 2

    def test_only_gradients_of_parameters_are_weight_gradients(self, explained: Explain) -> None:
        """Neither those of inputs, nor what is added up to them from layer to layer."""
        batch, units, steps = 4, 16, 64
        found = explained("residual", steps=steps)

        assert found.by_role.get("weight gradients", 0) <= 2 * FLOAT * units * units
        assert found.by_role["activation gradients"] >= FLOAT * steps * batch * units

    def test_a_step_by_hand_has_the_same_roles(self, explained: Explain) -> None:
        """Without an optimizer, and without gradients left at the weight."""
        roles = explained("by_hand", steps=16).by_role
        weight = FLOAT * 64 * 64

        assert roles["weights"] == weight
        assert roles["weight gradients"] == 2 * weight
        assert roles["constants"] == FLOAT * 4 * 64

    def test_gradients_that_wait_for_the_next_step_are_no_constants(
        self, explained: Explain
    ) -> None:
        """They are held while forward runs again, as in many a user's loop."""
        found = explained("own", steps=16)
        gradients = [one for one in found.resident if one.role == "weight gradients"]

        assert found.step == "steady"
        assert sum(one.bytes for one in gradients) == FLOAT * (64 * 8 + 64 * 64 + 2 * 64)

    def test_a_checkpoint_keeps_a_state_per_segment(self, explained: Explain) -> None:
        """And no longer one per step."""
        kept = explained("torch_checkpointed", steps=32, segment=8).holdings
        states = [one for one in kept if one.op == "tanh" and one.role.startswith("forward")]

        assert sum(one.tensors for one in states) < 32 / 8 + 8


def parts(measured: Measurement) -> dict[str, int]:
    """Return how many operations each part of a step dispatched."""
    assert measured.graph is not None
    assert measured.graph.built is not None
    return measured.graph.built.parts


@pytest.mark.parametrize("keeps", [True, False])
def test_a_step_that_keeps_its_tensors_is_told(step: Measure, *, keeps: bool) -> None:
    """Its memory grows without an end, and no wall says when it is full."""
    notes = step("hoarder", steps=8, keeps=keeps).notes

    assert any("keeps more than it frees" in note for note in notes) is keeps


def test_batches_of_worker_processes_are_no_device_memory(
    step: Measure, explained: Explain
) -> None:
    """They come through shared memory; without workers a batch is made by the allocator."""
    apart, here = (explained("loaded", steps=16, workers=workers) for workers in (1, 0))

    assert apart.unexplained_bytes == here.unexplained_bytes == 0
    assert not step("loaded", steps=16).notes
    assert here.peak_bytes - apart.peak_bytes == FLOAT * 16 * 4 * 8


def test_what_other_threads_take_is_told(mine: Client, step: Measure) -> None:
    """The profiler does not see it, the allocator's own sum does; it takes part in no forecast."""
    batch = FLOAT * 2048 * 4 * 8
    notes = step("threaded", steps=2048).notes
    request = PredictionRequest(limits_bytes=[1 << 30], max_steps=1 << 20)
    told = mine.predict_walls(point_of(mine, "threaded", steps=8), request)

    assert any(f"up to {batch:,} B are allocated" in note for note in notes), notes
    assert not isinstance(told, WallPredictions)
    assert "threads that PyTorch's profiler does not see" in str(told)


class TestUpdates:
    """A training step ends with an update, whoever makes it and after however many calls."""

    def test_one_by_way_of_data_is_seen(self, step: Measure) -> None:
        """PyTorch counts no write to the parameter then; these are the four of its cell."""
        measured = step("by_data", steps=8)

        assert measured.outcome.status is Status.OK, measured.outcome
        assert parts(measured)["update"] == 4

    def test_parameters_may_be_made_in_the_first_step(self, step: Measure) -> None:
        """Their sizes are known when the first batch comes."""
        assert parts(step("lazy", steps=8))["update"] > 0

    def test_gradients_may_be_gathered_over_calls(self, step: Measure) -> None:
        """All of them are one step, and their first gradients wait for the others."""
        one, four = (step("gathered", steps=8, calls=calls) for calls in (1, 4))

        assert parts(four)["forward"] == 4 * parts(one)["forward"]
        assert parts(four)["update"] == parts(one)["update"]
        assert not one.notes
        assert any("one training step is 4 calls" in note for note in four.notes)
        # The gradients of the calls before, as large as the weights.
        assert peak(four) - peak(one) == FLOAT * (8 * 64 + 64 * 64 + 2 * 64)

    def test_a_scaler_may_look_for_its_scale_first(self, step: Measure) -> None:
        """The calls whose update it leaves out are no steps, and are not counted."""
        sought, given = (step("scaled", steps=8, scale=2.0**exponent) for exponent in (100, 50))

        for part in ("backward", "update"):  # a scaler makes its own tensors in its first call
            assert parts(sought)[part] == parts(given)[part]
        assert peak(sought) == peak(given)
        assert any(
            "call 2 of the scenario's function is the first" in note for note in sought.notes
        )
        assert not given.notes

    def test_one_that_computes_the_loss_itself_gets_it(self, step: Measure) -> None:
        """L-BFGS runs forward and backward once for each of its inner steps."""
        once, thrice = (step("lbfgs", steps=8, inner=inner) for inner in (1, 3))

        assert once.outcome.status is thrice.outcome.status is Status.OK, thrice.outcome
        for part in ("forward", "backward"):
            assert parts(once)[part] > 0
            assert parts(thrice)[part] == 3 * parts(once)[part]

    def test_what_runs_within_an_update_has_its_own_roles(self, explained: Explain) -> None:
        """L-BFGS runs forward there, and keeps a history of lists of tensors."""
        found = explained("lbfgs", steps=64)
        kept = {one.op for one in found.holdings if one.role == "optimizer state"}

        assert found.by_role["forward tensors kept for backward"] >= FLOAT * 64 * 4 * 64
        assert any(name.endswith("/old_dirs") for name in kept), kept


class TestPredictions:
    """Recorded short runs are continued to any length."""

    @pytest.mark.parametrize(
        ("scenario", "settings"),
        [("torch_loop", {}), ("torch_loop", {"cell": "lstm"}), ("torch_selective_scan", {})],
        ids=str,
    )
    def test_a_peak_is_foretold_to_the_byte(
        self, mine: Client, step: Measure, scenario: str, settings: dict[str, Any]
    ) -> None:
        """At four times what was recorded, against a run of that length."""
        found = predicted(mine, point_of(mine, scenario, steps=4, **settings), peak_at=150)

        assert found.peak is not None, found.no_peak
        assert found.peak.bytes == peak(step(scenario, steps=150, **settings))

    @pytest.mark.parametrize("schedule", list(Schedule))
    def test_walls_are_replayed_in_each_schedule(self, mine: Client, schedule: Schedule) -> None:
        """Whole segments are taken, so no law of peaks tells where a card is full."""
        limit = 1 << 26
        short = point_of(mine, "torch_loop", steps=4, schedule=schedule)
        request = PredictionRequest(limits_bytes=[limit], max_steps=10_000)
        found = mine.predict_walls(short, request)
        assert isinstance(found, WallPredictions), found
        (wall,) = found.walls
        assert wall is not None, found.reasons
        ends = [
            mine.measure(replace(short, steps=n, limit_bytes=limit)).outcome.status
            for n in (int(wall.low), int(wall.high) + 1)
        ]

        assert not found.varies
        assert ends == [Status.OK, Status.OOM_DEVICE]

    def test_a_limit_is_that_of_a_card(self, mine: Client, step: Measure) -> None:
        """Of whole segments: what they take together fits, and half of the tensors do not."""
        needed = peak(step("torch_loop", steps=12))
        all_of_it = mine.measure(point_of(mine, "torch_loop", steps=12, limit_bytes=1 << 40))
        assert all_of_it.device is not None
        reserved = all_of_it.device.reserved_peak_bytes or 0
        fits = mine.measure(point_of(mine, "torch_loop", steps=12, limit_bytes=reserved))
        fails = mine.measure(point_of(mine, "torch_loop", steps=12, limit_bytes=needed // 2))

        assert reserved >= needed
        assert reserved % SMALL_SEGMENT == 0
        assert fits.outcome.status is Status.OK
        assert fits.device is not None
        assert (fits.device.replayed, fits.device.reserved_peak_bytes) == (True, reserved)
        assert fits.device.peak_bytes == needed
        assert fails.outcome.status is Status.OOM_DEVICE
        assert fails.outcome.phase == "replay"
        assert fails.outcome.shortage is not None
        assert fails.outcome.shortage.requested_bytes


def predicted(client: Client, point: Point, *, peak_at: int) -> WallPredictions:
    """Return what short runs foretell."""
    request = PredictionRequest(
        limits_bytes=[1 << 26], max_steps=10_000, peak=True, peak_at=peak_at
    )
    found = client.predict_walls(point, request)
    assert isinstance(found, WallPredictions), found
    return found


def test_a_host_limit_ends_in_a_want_of_host_memory(mine: Client) -> None:
    """The scores of all pairs of 8,192 steps alone have 4 GiB; nothing of the device is known."""
    point = point_of(mine, "torch_attention", steps=8192, host_limit_bytes=900 << 20)
    fits = mine.measure(point_of(mine, "torch_attention", steps=64, host_limit_bytes=900 << 20))

    assert mine.measure(point).outcome.status is Status.OOM_HOST
    assert fits.outcome.status is Status.OK
    assert fits.device is not None
    assert fits.device.peak_bytes is None
    assert "under a host limit" in fits.missing["device.peak_bytes"]


def test_a_refused_mapping_names_the_bytes_that_were_asked_for(client_of: ClientOf) -> None:
    """Where no cgroup may be used: the scores of all pairs, of 4 sequences with 4 heads."""
    steps = 4096
    with Launchers(Supervisor(means=Means.RLIMIT_DATA)) as launchers:
        client = client_of(launchers=launchers)
        point = point_of(client, "torch_attention", steps=steps, host_limit_bytes=1 << 30)
        measured = client.measure(point)

    assert measured.outcome.status is Status.OOM_HOST
    assert measured.outcome.shortage is not None
    assert measured.outcome.shortage.requested_bytes == 4 * 4 * steps * steps * FLOAT
    assert measured.host is not None
    assert measured.host.limit_by == Means.RLIMIT_DATA.value


def test_a_compiled_step_has_a_phase_and_stages_of_its_own(step: Measure) -> None:
    """Its operations are not dispatched one by one."""
    measured = step("compiled", steps=4)
    stages = [stage.name for stage in measured.graph.stages] if measured.graph else []

    assert measured.outcome.status is Status.OK, measured.outcome
    assert "compile" in [phase.name for phase in measured.phases]
    assert stages == ["traced", "captured"]
    assert peak(measured) > 0


@pytest.mark.parametrize(
    ("scenario", "phase", "reason"),
    [
        ("no_training", "construct", "the scenario returned int, not TorchTraining"),
        ("no_parameter", "construct", "has no parameter that requires a gradient"),
        ("no_update", "first_step", "the step writes to no parameter"),
        ("no_scalar", "first_step", "the loss must be a scalar tensor, it is [2, 3]"),
        ("no_dependence", "first_step", "the loss depends on no parameter"),
        ("no_number", "first_step", "the loss is inf"),
    ],
)
def test_what_is_no_training_step_is_told_in_a_line(
    step: Measure, scenario: str, phase: str, reason: str
) -> None:
    """What is wrong, with which value."""
    end = step(scenario, steps=4).outcome

    assert (end.status, end.phase) == (Status.ERROR, phase)
    assert reason in (end.reason or "")


def test_an_allocator_that_does_not_answer_leaves_fields_empty(client_of: ClientOf) -> None:
    """With the reason; all else is measured."""
    client = client_of(RESOURCES / "blind.py")
    measured = client.measure(point_of(client, "blind", steps=4))

    assert measured.outcome.status is Status.OK
    assert measured.step is not None
    assert measured.device is not None
    assert measured.device.peak_bytes is None
    assert "cannot be made to account" in measured.missing["device.peak_bytes"]
    assert nodes(measured)[0] > 0
