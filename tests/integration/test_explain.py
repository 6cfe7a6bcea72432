"""The explanation of a real step's peak: to the byte, and as equations and graphs say it must be.

The sizes of the tensors: B samples, I inputs, U units, T steps. The library's basic cell has a
kernel W of (I+U) x U and a bias of U numbers; in a step it makes [x, h] of B x (I+U), and h of
B x U in the place of what tanh is taken of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Explanation, Holding, Measurement
from profiler.measure.client import Client
from profiler.units import MIB

COUNTED = True  # see counted.py

Explain = Callable[..., Explanation]

FLOAT = INT = 4
CHUNK = 256  # the allocator's smallest
PARALLEL_ITERATIONS = 32  # of a loop, where it is not asked for another number

BUILDS = ["handmade_rnn", "static_rnn_placeholders", "static_rnn", "dynamic_rnn"]
SHAPES = ["seq_to_vec", "vec_to_seq", "delayed_seq_to_seq"]
SCENARIOS = [*BUILDS, *(f"{shape}_{form}" for shape in SHAPES for form in ("static", "dynamic"))]
TWO_CELLS = SCENARIOS[-2:]

WEIGHTS, CONSTANTS, INPUTS = "weights", "constants", "fed inputs"
FORWARD, TEMPORARY = "forward tensors kept for backward", "temporaries"
WEIGHT_GRADIENTS, ACTIVATION_GRADIENTS = "weight gradients", "activation gradients"
BOOKKEEPING, ROUNDING = "loop bookkeeping", "allocator rounding"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a scenario, and the bytes of its tensors with the library's basic cell."""

    batch: int = 32
    inputs: int = 64
    units: int = 128

    @property
    def kernel(self) -> int:
        """Bytes of W."""
        return FLOAT * (self.inputs + self.units) * self.units

    @property
    def bias(self) -> int:
        """Bytes of the bias."""
        return FLOAT * self.units

    @property
    def x(self) -> int:
        """Bytes of the input of one step."""
        return FLOAT * self.batch * self.inputs

    @property
    def h(self) -> int:
        """Bytes of the hidden state, or the output, of one step."""
        return FLOAT * self.batch * self.units

    @property
    def xh(self) -> int:
        """Bytes of [x, h] of one step."""
        return self.x + self.h

    @property
    def parameters(self) -> dict[str, int]:
        """As the scenarios take them."""
        return {"batch": self.batch, "inputs": self.inputs, "units": self.units}


@pytest.fixture(scope="session")
def explain(client_of: Callable[..., Client], resources: Path) -> Explain:
    """Return ``explain(scenario, steps=..., alone=True, ...)``, with the scenario's parameters.

    What was asked for once is not run again.
    """
    client = client_of(resources / "chains.py")

    @functools.cache
    def explain(scenario: str, *, steps: int, alone: bool = True, **parameters: Any) -> Explanation:
        point = point_of(client, scenario, steps=steps, **parameters)
        explained = client.explain(point, alone=alone)
        assert isinstance(explained, Explanation), explained
        return explained

    return explain


def of_role(holdings: list[Holding], role: str) -> list[Holding]:
    """Return the holdings of the role."""
    return [holding for holding in holdings if holding.role == role]


def kernel_gradients(explained: Explanation) -> list[tuple[int, int]]:
    """Return number and bytes of the summands of gradients of kernels."""
    return [
        (holding.tensors, holding.bytes)
        for holding in of_role(explained.holdings, WEIGHT_GRADIENTS)
        if holding.variable is not None and holding.variable.endswith("/kernel")
    ]


def units_per_sample_and_step(kind: str, inputs: int, units: int) -> tuple[int, int]:
    """Return how many numbers a cell's equations keep of a step: of its state, and of all."""
    joined = inputs + units
    if kind == "basic":
        return units, joined + units + units  # [x, h]; before tanh, and h
    if kind == "lstm":
        gates, squashed = 4 * units, 4 * units  # i, j, f, o
        return 2 * units, joined + gates + squashed + 3 * units  # and c, tanh(c), h
    gates, squashed = 3 * units, 3 * units  # r, u, candidate
    return units, 2 * joined + gates + squashed + 2 * units  # [x, h], [x, r*h]; and r*h, h


class TestEveryByte:
    """The account adds up, and is the allocator's own."""

    def test_the_whole_seed_suite_is_looked_at(self, client: Client) -> None:
        """What joins it later must be explained here, too."""
        catalog = client.catalog()
        seed = [name for name, one in catalog.scenarios.items() if "seed" in one.tags]

        assert sorted(seed) == sorted(SCENARIOS)

    @pytest.mark.parametrize(
        ("scenario", "parameters"),
        [
            *(pytest.param(name, {}, id=name) for name in SCENARIOS),
            *(
                pytest.param(name, {"cell": cell}, id=f"{name}-{cell}")
                for name in ("static_rnn", "dynamic_rnn", "delayed_seq_to_seq_dynamic")
                for cell in ("lstm", "gru")
            ),
            # Its first step needs more than the steady ones.
            pytest.param("vec_to_seq_static", {"cell": "gru"}, id="vec_to_seq_static-gru-first"),
        ],
    )
    def test_the_replay_is_the_allocators_own_account(
        self, scenario: str, parameters: dict[str, str], explain: Explain
    ) -> None:
        """The peak and what is resident agree to the byte, and every byte has a known role."""
        explained = explain(scenario, steps=30, **parameters)

        rounding = explained.by_role.get(ROUNDING, 0)
        asked = sum(holding.bytes for holding in explained.holdings)
        assert explained.peak_bytes == explained.allocator_peak_bytes
        assert explained.unexplained_bytes == 0
        assert sum(explained.by_role.values()) == explained.peak_bytes
        assert asked + rounding == explained.peak_bytes
        assert "unclassified" not in explained.by_role
        known = explained.resident_bytes if explained.step == "steady" else None
        assert explained.allocator_resident_bytes == known

    @pytest.mark.parametrize("scenario", ["static_rnn", "dynamic_rnn"])
    def test_before_the_step_there_are_weights_and_constants_alone(
        self, scenario: str, explain: Explain
    ) -> None:
        """Of weights as much as the variables have, and no more rounding than chunks can have."""
        sizes = Sizes()

        explained = explain(scenario, steps=30)

        resident = explained.resident
        asked = sum(holding.bytes for holding in resident)
        tensors = sum(holding.tensors for holding in resident)
        weights = sum(holding.bytes for holding in of_role(resident, WEIGHTS))
        assert {holding.role for holding in resident} == {WEIGHTS, CONSTANTS}
        assert weights == explained.by_role[WEIGHTS] == sizes.kernel + sizes.bias
        assert 0 <= explained.resident_bytes - asked < CHUNK * tensors

    @pytest.mark.parametrize(
        ("scenario", "cell"),
        [
            ("static_rnn_placeholders", "basic"),
            ("static_rnn", "lstm"),
            ("dynamic_rnn", "gru"),
            ("seq_to_vec_dynamic", "basic"),
        ],
    )
    def test_the_peak_is_the_measured_one(
        self, scenario: str, cell: str, measure: Callable[..., Measurement], explain: Explain
    ) -> None:
        """A recorded step needs what the step of a measurement does: two ways to one number."""
        explained = explain(scenario, steps=30, cell=cell)

        device = measure(scenario, steps=30, cell=cell).device
        assert device is not None
        assert explained.peak_bytes == device.peak_bytes
        assert explained.resident_bytes == device.resident_bytes


class TestWeightGradients:
    """Unrolled, every step's summand waits for the sum; a loop adds as it goes."""

    @pytest.mark.parametrize("steps", [10, 30])
    @pytest.mark.parametrize(
        "sizes",
        [
            Sizes(),
            Sizes(batch=8, inputs=32, units=64),
            Sizes(batch=16, inputs=64, units=96),
        ],
        ids=str,
    )
    def test_unrolled_every_step_holds_one_kernel(
        self, steps: int, sizes: Sizes, explain: Explain
    ) -> None:
        """At the peak all T summands of W's gradient are there, where W outweighs a step.

        That is where backward needs more for a step, W, than it releases: [x, h] and h.
        """
        assert sizes.kernel > sizes.xh + sizes.h

        explained = explain("static_rnn", steps=steps, **sizes.parameters)

        assert explained.part == "backward"
        assert kernel_gradients(explained) == [(steps, steps * sizes.kernel)]

    @pytest.mark.parametrize("steps", [40, 200])
    def test_a_loop_holds_a_sum_and_a_summand(self, steps: int, explain: Explain) -> None:
        """However many steps there are."""
        explained = explain("seq_to_vec_dynamic", steps=steps)

        assert explained.part == "backward"
        assert kernel_gradients(explained) == [(2, 2 * Sizes().kernel)]

    def test_a_loop_may_hold_none_at_its_peak(self, explain: Explain) -> None:
        """The gradients of all outputs are there before the first summand is."""
        explained = explain("dynamic_rnn", steps=200)

        assert explained.part == "backward"
        assert WEIGHT_GRADIENTS not in explained.by_role

    @pytest.mark.parametrize("steps", [40, 80])
    def test_a_loop_holds_no_more_than_its_parallel_iterations(
        self, steps: int, explain: Explain
    ) -> None:
        """Iterations that run ahead of the sum hold a summand each: 32, whatever the steps."""
        sizes = Sizes()

        explained = explain("delayed_seq_to_seq_dynamic", steps=steps, cell="lstm")

        ahead = PARALLEL_ITERATIONS
        assert kernel_gradients(explained) == [(ahead, ahead * 4 * sizes.kernel)]


class TestActivations:
    """What forward leaves for backward, and the gradients that flow back."""

    def test_a_loop_keeps_all_but_what_tanh_was_taken_of(self, explain: Explain) -> None:
        """Of each step [x, h] and h, of which tanh took the place of its input.

        Beside them there is the gradient of all outputs, twice: by time and by sample. What is
        left of forward is the loss, which is fetched.
        """
        sizes, steps = Sizes(), 200

        explained = explain("dynamic_rnn", steps=steps, **sizes.parameters)

        assert explained.by_role[FORWARD] == steps * (sizes.xh + sizes.h) + FLOAT
        assert explained.by_role[ACTIVATION_GRADIENTS] == 2 * steps * sizes.h
        assert explained.theory is not None
        in_place = steps * sizes.h
        assert explained.by_role[FORWARD] - FLOAT == explained.theory.all_bytes - in_place

    @pytest.mark.parametrize(("scenario", "steps"), [("handmade_rnn", 40), ("dynamic_rnn", 200)])
    def test_twice_the_batch_is_twice_the_activations_and_the_same_weights(
        self, scenario: str, steps: int, explain: Explain
    ) -> None:
        """To the byte, but for the loss: a single number among the forward tensors."""
        single = explain(scenario, steps=steps, batch=16).by_role

        double = explain(scenario, steps=steps, batch=32).by_role
        twice = [ACTIVATION_GRADIENTS, *([INPUTS] if scenario == "handmade_rnn" else [])]
        same = [WEIGHTS, *([WEIGHT_GRADIENTS] if scenario == "handmade_rnn" else [BOOKKEEPING])]
        assert double.keys() == single.keys() == {*twice, *same, FORWARD, CONSTANTS, ROUNDING}
        assert {role: double[role] for role in twice} == {role: 2 * single[role] for role in twice}
        assert double[FORWARD] - FLOAT == 2 * (single[FORWARD] - FLOAT)
        assert {role: double[role] for role in same} == {role: single[role] for role in same}

    def test_unrolled_a_vector_needs_no_constant_for_every_output(self, explain: Explain) -> None:
        """The loss's gradient is a constant times the outputs, folded to their size.

        It is as large as T outputs for a sequence and as one for a vector, and the list of the
        axes that the mean is taken over is shorter by one. The weights' gradients, which are
        what grows the most, are the same.
        """
        sizes, steps = Sizes(), 30

        sequence = explain("static_rnn", steps=steps)

        vector = explain("seq_to_vec_static", steps=steps)
        assert vector.part == sequence.part == "backward"
        constants = sequence.by_role[CONSTANTS] - vector.by_role[CONSTANTS]
        assert constants == (steps - 1) * sizes.h + INT
        assert kernel_gradients(vector) == kernel_gradients(sequence)

    def test_in_a_loop_a_vector_has_no_tensor_of_all_outputs(self, explain: Explain) -> None:
        """A sequence has three: the loss's constant, and the outputs' gradient twice.

        For a vector the constant is of one output, and only zeros stand for the gradients of
        the others. At its peak, in the second iteration, the first has released its [x, h] and
        h, and both have taken their zeros.
        """
        sizes, steps = Sizes(), 200

        sequence = explain("dynamic_rnn", steps=steps)

        vector = explain("seq_to_vec_dynamic", steps=steps)
        assert vector.part == sequence.part == "backward"
        assert sequence.by_role[ACTIVATION_GRADIENTS] == 2 * steps * sizes.h
        assert vector.by_role[ACTIVATION_GRADIENTS] == (steps - 2) * sizes.h
        assert vector.by_role[FORWARD] == (steps - 1) * (sizes.xh + sizes.h) + FLOAT
        whole = [
            [one.role for one in explained.holdings if one.each_bytes == steps * sizes.h]
            for explained in (sequence, vector)
        ]
        assert whole == [[CONSTANTS, ACTIVATION_GRADIENTS], []]


class TestChains:
    """The peaks that are known from the literature on recomputation, of chains of n tensors.

    Counted as in cybertronai/gradient-checkpointing: n+1 with plain backprop, the links and a
    gradient, and 3 with full recomputation, a link, the one computed from it and a gradient.
    The variable that the chain starts at is resident and not counted.
    """

    @pytest.mark.parametrize("parameters", [{}, {"mirrored": True}], ids=["tanh", "mirrored"])
    @pytest.mark.parametrize("links", [2, 12])
    def test_plain_backprop_holds_every_link_and_a_gradient(
        self, links: int, parameters: dict[str, bool], explain: Explain
    ) -> None:
        """n+1 tensors, and the loss.

        Backward begins with n links and a new gradient, since the last link is its own
        gradient, too, and cannot make room for it. Then each gradient takes a link's place.
        """
        explained = explain("plain_chain", steps=links, **parameters)

        assert explained.part == "backward"
        assert explained.step_bytes == (links + 1) * MIB + CHUNK
        assert explained.by_role[FORWARD] == links * MIB + FLOAT
        assert not explained.custom_gradients

    @pytest.mark.parametrize("links", [2, 12])
    def test_full_recomputation_holds_two_links_and_a_gradient(
        self, links: int, explain: Explain
    ) -> None:
        """3 tensors however long the chain is, and the loss."""
        explained = explain("recomputed_chain", steps=links, mirrored=True)

        assert explained.part == "backward"
        assert explained.step_bytes == 3 * MIB + CHUNK
        assert explained.custom_gradients

    @pytest.mark.parametrize("links", [2, 12])
    def test_in_place_full_recomputation_holds_a_link_and_a_gradient(
        self, links: int, explain: Explain
    ) -> None:
        """2 tensors: TensorFlow makes one op of several tanh, or takes tanh in place."""
        explained = explain("recomputed_chain", steps=links)

        assert explained.step_bytes == 2 * MIB + CHUNK
        assert explained.custom_gradients

    def test_a_loss_that_comes_last_does_not_hide_the_backward_part(self, explain: Explain) -> None:
        """The last link waits for the loss while backward holds a link and a gradient."""
        explained = explain("recomputed_chain", steps=8, loss_first=False)

        assert explained.part == "backward"
        assert explained.step_bytes == 3 * MIB
        assert explained.by_role[FORWARD] == MIB
        assert TEMPORARY not in explained.by_role


class TestGrowth:
    """What one more time step adds."""

    def test_unrolled_a_step_adds_the_gradient_of_its_weights(self, explain: Explain) -> None:
        """W and the bias in bytes; the loss's constant grows by the step's output."""
        sizes = Sizes()

        growth = explain("static_rnn", steps=40, alone=False).growth

        assert growth is not None
        assert growth.between == [30, 40]
        assert growth.by_role[WEIGHT_GRADIENTS] == sizes.kernel + sizes.bias
        assert growth.by_role[CONSTANTS] == sizes.h
        assert growth.by_role[FORWARD] == growth.by_role[WEIGHTS] == 0
        assert {WEIGHT_GRADIENTS, CONSTANTS} <= set(growth.linear)
        assert growth.bytes == pytest.approx(sum(growth.by_role.values()))

    def test_in_a_loop_a_step_adds_activations(self, explain: Explain) -> None:
        """[x, h] and h, the outputs' gradient twice and the loss's constant; no weights."""
        sizes = Sizes()

        growth = explain("dynamic_rnn", steps=300, alone=False).growth

        assert growth is not None
        assert growth.by_role[FORWARD] == sizes.xh + sizes.h
        assert growth.by_role[ACTIVATION_GRADIENTS] == 2 * sizes.h
        assert growth.by_role[CONSTANTS] == sizes.h
        assert growth.by_role.get(WEIGHT_GRADIENTS, 0) == growth.by_role[WEIGHTS] == 0

    def test_unrolled_a_step_adds_seventeen_nodes(self, explain: Explain) -> None:
        """Of the cell's equation five, and twelve for their gradients.

        Forward: [x, h] along an axis, times W, plus the bias, tanh. Backward: the gradients of
        tanh, of the sum, of the product by both factors, of [x, h] by both parts, whose place
        follows from the axis and two shapes, and the sum with what the output gets.
        """
        growth = explain("static_rnn", steps=12, alone=False).graph_growth

        assert growth is not None
        assert growth.forward == dict.fromkeys(
            ["BiasAdd", "ConcatV2", "Const", "MatMul", "Tanh"], 1
        )
        product = {"MatMul": 2, "BiasAddGrad": 1, "TanhGrad": 1, "AddN": 1}
        parts = {"Slice": 2, "ConcatOffset": 1, "FloorMod": 1, "Const": 3}
        assert growth.backward == product | parts
        assert sum([*growth.forward.values(), *growth.backward.values()]) == 17

    def test_a_python_loop_in_a_function_adds_nodes_to_its_functions(
        self, explain: Explain
    ) -> None:
        """Where a graph is built for them once alone and once with gradients; none in the graph."""
        explained = explain("looped_function", steps=16, alone=False)
        growth = explained.graph_growth

        assert growth is not None
        assert growth.forward == growth.backward == {}
        # The product forward, and for its gradient again, with the gradients of both factors.
        assert growth.library["MatMul"] == 2 + 2
        assert growth.library["Tanh"] == 2
        assert growth.library["TanhGrad"] == 1
        assert list(explained.graph_bytes) == ["1", "8", "12", "16"]

    def test_a_loop_adds_no_node(self, explain: Explain) -> None:
        """Its graph is the same at every length."""
        growth = explain("dynamic_rnn", steps=12, alone=False).graph_growth

        assert growth is not None
        assert growth.forward == growth.backward == {}

    def test_alone_nothing_is_said_of_growth(self, explain: Explain) -> None:
        """There is nothing to compare with."""
        explained = explain("static_rnn", steps=4)

        assert explained.growth is None
        assert explained.graph_growth is None


class TestTheory:
    """The cells that are found in the graph, and what their equations keep."""

    @pytest.mark.parametrize("cell", ["basic", "lstm", "gru"])
    @pytest.mark.parametrize(
        ("scenario", "count"),
        [("static_rnn", 1), ("dynamic_rnn", 1), *((name, 2) for name in TWO_CELLS)],
    )
    def test_finds_each_cell_and_its_sizes(
        self, scenario: str, count: int, cell: str, explain: Explain
    ) -> None:
        """One cell or two of the kind, unrolled or not, each run once per time step."""
        sizes, steps = Sizes(batch=3, inputs=5, units=7), 6

        theory = explain(scenario, steps=steps, cell=cell, **sizes.parameters).theory

        least, everything = units_per_sample_and_step(cell, sizes.inputs, sizes.units)
        samples = FLOAT * sizes.batch * steps * count
        assert theory is not None
        assert theory.cells == [cell] * count
        assert theory.least_bytes == samples * least
        assert theory.all_bytes == samples * everything

    @pytest.mark.parametrize("scenario", ["handmade_rnn", "plain_chain"])
    def test_knows_nothing_of_other_networks(self, scenario: str, explain: Explain) -> None:
        """Without a cell of the library there are no equations to go by."""
        explained = explain(scenario, steps=4)

        assert explained.theory is None
