"""What makes a training step hold less and what does not: each piece of advice, measured."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Explanation, Role
from profiler.measure.client import Client

Explain = Callable[..., Explanation]

FLOAT = 4
# Steps of a segment in resources.
EVERY = 10
# Of scenarios and resources, by default.
BATCH, INPUTS, UNITS = 32, 64, 128
# Units with which unrolled cells hold far more of weights' gradients than of anything else.
WIDE = 256
SAME = 0.01

two_lengths = pytest.mark.parametrize("steps", [20, 40])
two_long_lengths = pytest.mark.parametrize("steps", [100, 200])
# What is constant hides the effect at shorter ones.
from_forty = pytest.mark.parametrize("steps", [40, 80])


@pytest.fixture(scope="module")
def explain(client_of: Callable[..., Client], resources: Path) -> Explain:
    """Return ``explain(scenario, steps, **parameters)``: in a real child, once for all tests."""
    client = client_of(resources / "remedies.py")

    @functools.cache
    def explain(scenario: str, steps: int, **parameters: Any) -> Explanation:
        explanation = client.explain(
            point_of(client, scenario, steps=steps, **parameters), alone=True
        )
        assert isinstance(explanation, Explanation), explanation
        assert explanation.unexplained_bytes == 0
        return explanation

    return explain


def role(explanation: Explanation, role: Role) -> int:
    """Return the bytes that the role has at the peak."""
    return explanation.by_role.get(role.value, 0)


class TestWeightGradients:
    """Unrolled cells hold one partial gradient of each weight per step, up to their one sum."""

    @pytest.mark.parametrize(
        ("method", "steps"),
        [("EXPERIMENTAL_TREE", 20), ("EXPERIMENTAL_TREE", 40), ("EXPERIMENTAL_ACCUMULATE_N", 20)],
    )
    def test_are_held_whatever_the_aggregation_method(
        self, explain: Explain, method: str, steps: int
    ) -> None:
        """The graph optimizer makes one sum of the sums of two that TensorFlow builds."""
        remedied = explain("aggregated", steps, units=WIDE, method=method)

        plain = explain("static_rnn", steps, units=WIDE)
        assert remedied.graph.backward["AddN"] > plain.graph.backward["AddN"] + steps
        partials = steps * (INPUTS + WIDE) * WIDE * FLOAT
        assert role(plain, Role.WEIGHT_GRADIENTS) >= partials
        assert role(remedied, Role.WEIGHT_GRADIENTS) >= partials
        assert remedied.peak_bytes > (1 - SAME) * plain.peak_bytes

    @two_lengths
    def test_are_gone_where_the_state_waits_for_their_sum(
        self, explain: Explain, steps: int
    ) -> None:
        """With each one added up before the step before it, the peak is the forward part's."""
        remedied = explain("summed", steps, units=WIDE, in_turn=True)

        plain = explain("summed", steps, units=WIDE, in_turn=False)
        assert role(plain, Role.WEIGHT_GRADIENTS) == steps * (INPUTS + WIDE) * WIDE * FLOAT
        assert role(remedied, Role.WEIGHT_GRADIENTS) == 0
        assert remedied.peak_bytes < 0.6 * plain.peak_bytes

    @two_lengths
    def test_are_gone_in_a_loop(self, explain: Explain, steps: int) -> None:
        """dynamic_rnn's backward loop carries one sum."""
        remedied = explain("dynamic_rnn", steps, units=WIDE)

        plain = explain("static_rnn", steps, units=WIDE)
        assert role(remedied, Role.WEIGHT_GRADIENTS) == 0
        assert remedied.peak_bytes < 0.6 * plain.peak_bytes

    @two_lengths
    def test_are_as_many_with_half_the_batch(self, explain: Explain, steps: int) -> None:
        """They have the weights' shapes: where they are the peak, a smaller batch moves little."""
        remedied = explain("static_rnn", steps, units=WIDE, batch=BATCH // 2)

        plain = explain("static_rnn", steps, units=WIDE)
        weight_gradients = role(plain, Role.WEIGHT_GRADIENTS)
        assert role(remedied, Role.WEIGHT_GRADIENTS) == weight_gradients
        assert remedied.peak_bytes > 0.9 * plain.peak_bytes


class TestKeptTensors:
    """What the forward part keeps for backward, and the gradients of activations."""

    @two_long_lengths
    def test_halve_with_the_batch(self, explain: Explain, steps: int) -> None:
        """In a loop they are the peak, and it halves with them."""
        remedied = explain("looped", steps, batch=BATCH // 2)

        plain = explain("looped", steps)
        for kind in (Role.FORWARD, Role.ACTIVATION_GRADIENTS):
            assert 2 * role(remedied, kind) == pytest.approx(role(plain, kind), rel=1e-4)
        assert remedied.peak_bytes < 0.55 * plain.peak_bytes

    @from_forty
    def test_are_a_segment_where_segments_are_run_again(self, explain: Explain, steps: int) -> None:
        """Of what is kept, the inputs and the state before each segment remain."""
        remedied = explain("segmented", steps, how="recomputed")

        plain = explain("segmented", steps, how="kept")
        states = (steps // EVERY + EVERY) * BATCH * UNITS * FLOAT
        inputs = steps * BATCH * INPUTS * FLOAT
        # Of the step that is being run there are its concatenation and its output.
        one = BATCH * (INPUTS + 2 * UNITS) * FLOAT
        assert role(remedied, Role.FORWARD) <= inputs + states + one
        assert role(remedied, Role.FORWARD) < 0.3 * role(plain, Role.FORWARD)
        assert remedied.peak_bytes < 0.65 * plain.peak_bytes

    @two_lengths
    def test_stay_where_the_second_run_waits_for_nothing(
        self, explain: Explain, steps: int
    ) -> None:
        """Without control dependencies the graph optimizer merges it with the first run."""
        remedied = explain("segmented", steps, how="merged")

        plain = explain("segmented", steps, how="kept")
        assert remedied.peak_bytes == pytest.approx(plain.peak_bytes, rel=SAME)

    @from_forty
    def test_are_more_with_recompute_grad_than_need_be(self, explain: Explain, steps: int) -> None:
        """The graph optimizer folds away what its second run waits for: the copies come early."""
        sizes = {"batch": 256, "units": 64}
        remedied = explain("wrapped", steps, recompute=True, **sizes)

        plain = explain("wrapped", steps, recompute=False, **sizes)
        by_hand = explain("segmented", steps, how="recomputed", **sizes)
        assert role(plain, Role.FORWARD) > 0.9 * plain.peak_bytes
        # By hand the peak is but the inputs, as fed and one by one.
        assert by_hand.peak_bytes < 1.1 * 2 * steps * 256 * INPUTS * FLOAT
        assert 1.05 * by_hand.peak_bytes < remedied.peak_bytes < 0.9 * plain.peak_bytes

    @two_lengths
    def test_are_not_what_recompute_grad_has_to_lower_among_wide_weights(
        self, explain: Explain, steps: int
    ) -> None:
        """tf.recompute_grad leaves the weights' partial gradients, which are the peak here."""
        remedied = explain("wrapped", steps, recompute=True)

        plain = explain("wrapped", steps, recompute=False)
        assert role(plain, Role.WEIGHT_GRADIENTS) > 0.8 * plain.peak_bytes
        assert role(remedied, Role.WEIGHT_GRADIENTS) > 0.8 * remedied.peak_bytes
        assert remedied.peak_bytes > 0.9 * plain.peak_bytes


class TestLoopOptions:
    """dynamic_rnn's own options."""

    @pytest.mark.parametrize("steps", [200, 400])
    def test_time_major_moves_no_peak_of_a_loss_on_the_outputs(
        self, explain: Explain, steps: int
    ) -> None:
        """The gradients' transposed copy goes, and the outputs' buffer is held in its place."""
        remedied = explain("looped", steps, time_major=True)

        plain = explain("looped", steps)
        copy = steps * BATCH * UNITS * FLOAT
        less = role(plain, Role.ACTIVATION_GRADIENTS) - role(remedied, Role.ACTIVATION_GRADIENTS)
        more = role(remedied, Role.FORWARD) - role(plain, Role.FORWARD)
        assert less == more == copy
        assert remedied.peak_bytes == pytest.approx(plain.peak_bytes, rel=SAME)

    @two_long_lengths
    def test_time_major_helps_beside_a_fed_target(self, explain: Explain, steps: int) -> None:
        """There the peak comes while the outputs are transposed for the loss."""
        remedied = explain("looped", steps, loss="target", time_major=True)

        plain = explain("looped", steps, loss="target")
        assert plain.part == "forward"
        copy = steps * BATCH * UNITS * FLOAT
        assert remedied.peak_bytes <= plain.peak_bytes - copy

    @from_forty
    def test_time_major_moves_no_peak_of_wide_inputs(self, explain: Explain, steps: int) -> None:
        """In place of their transposed copy there is the loop's list of them."""
        remedied = explain("looped", steps, inputs=1024, units=32, time_major=True)

        plain = explain("looped", steps, inputs=1024, units=32)
        assert remedied.peak_bytes == pytest.approx(plain.peak_bytes, rel=SAME)
        assert role(remedied, Role.TEMPORARY) == steps * BATCH * 1024 * FLOAT

    @pytest.mark.parametrize(("cell", "steps"), [("basic", 100), ("basic", 200), ("lstm", 40)])
    def test_swap_memory_changes_nothing(self, explain: Explain, cell: str, steps: int) -> None:
        """TensorFlow 2's loop takes the option and does nothing with it."""
        remedied = explain("looped", steps, cell=cell, swap_memory=True)

        assert remedied.by_role == explain("looped", steps, cell=cell).by_role


class TestFoldedConstants:
    """The gradient of a mean is a constant of the outputs' size, which stays between steps."""

    @two_long_lengths
    @pytest.mark.parametrize("loss", ["l2", "fed"])
    def test_go_with_the_same_loss_put_differently(
        self, explain: Explain, loss: str, steps: int
    ) -> None:
        """With tf.nn.l2_loss, or a fed scale, there is none to fold: the peak falls by it."""
        remedied = explain("looped", steps, loss=loss)

        plain = explain("looped", steps)
        constant = steps * BATCH * UNITS * FLOAT
        assert role(plain, Role.CONSTANTS) >= constant
        assert role(remedied, Role.CONSTANTS) < constant / 4
        assert plain.peak_bytes - remedied.peak_bytes > 0.98 * constant
        assert remedied.peak_bytes < 0.85 * plain.peak_bytes

    def test_of_more_than_10_mib_are_not_there_to_go(self, explain: Explain) -> None:
        """TensorFlow folds none that large: then all ways to put the loss hold the same."""
        steps = (10 << 20) // (BATCH * UNITS * FLOAT) + 10
        remedied = explain("looped", steps, loss="l2")

        plain = explain("looped", steps)
        assert role(plain, Role.CONSTANTS) < steps * BATCH * UNITS * FLOAT / 4
        assert remedied.peak_bytes == pytest.approx(plain.peak_bytes, rel=SAME)
