"""The shipped families: each remedy computes what its plain twin does, or differs as it says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from profiler.scenario import registered
from scenarios import (
    approximations,
    attention,
    builds,
    convolutions,
    loops,
    loops_v1,
    remedies,
    state_space,
    vocabulary,
)

tf1 = tf.compat.v1
# loops_v1 turned it off for the whole process.
tf1.enable_control_flow_v2()

Array = npt.NDArray[Any]

pytestmark = pytest.mark.filterwarnings(
    r"ignore:`tf.nn.rnn_cell.\w+` is deprecated:UserWarning",
)

MODULES = (
    approximations,
    builds,
    remedies,
    loops,
    loops_v1,
    vocabulary,
    attention,
    convolutions,
    state_space,
)
# Before any test empties the registry.
CATALOGUE = {
    name: one
    for name, one in registered().items()
    if one.build.__module__ in {module.__name__ for module in MODULES}
}
NEW = [name for name, one in CATALOGUE.items() if one.family != "builds"]
SMALL = {
    "batch": 3,
    "inputs": 5,
    "units": 4,
    "heads": 2,
    "vocabulary": 50,
    "sampled": 20,
    "block": 2,
}
SINGLE = 1e-5  # of the largest gradient, where only the order of sums differs


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one training step computed, and the nodes of its graph."""

    loss: float
    gradients: list[Array]
    nodes: int


@contextlib.contextmanager
def control_flow_of(family: str) -> Iterator[None]:
    """Build in the control flow that the family's file chooses."""
    if not family.endswith("_v1"):
        yield
        return
    tf1.disable_control_flow_v2()
    try:
        yield
    finally:
        tf1.enable_control_flow_v2()


def run(name: str, steps: int, *, fed: Array | None = None, **settings: Any) -> Step:
    """Run one training step of a scenario, its variables at reproducible values.

    Args:
        name: the scenario.
        steps: its length.
        fed: ``[batch, steps, inputs]`` in place of its own data.
        settings: parameters, beside small sizes.
    """
    one = CATALOGUE[name]
    sizes = SMALL | settings
    known = {
        parameter.name: sizes.get(parameter.name, parameter.default) for parameter in one.parameters
    }
    with control_flow_of(one.family), tf.Graph().as_default() as graph:
        training = one.build(steps, **known)
        variables = tf1.trainable_variables()
        gradients = (training.gradients or tf1.gradients)(training.loss, variables)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        rng = np.random.default_rng(0)
        start = [tf1.assign(v, rng.normal(scale=0.2, size=v.shape)) for v in variables]
        feeds = dict(training.feeds)
        if fed is not None:
            x = next(iter(feeds))
            feeds[x] = fed if x.shape[0] == len(fed) else np.swapaxes(fed, 0, 1)
        nodes = len(graph.get_operations())
        with tf1.Session() as session:
            session.run(start)
            loss, found = session.run([training.loss, gradients], feeds)
    return Step(loss=float(loss), gradients=found, nodes=nodes)


def differences(one: Step, other: Step) -> list[float]:
    """Return how far each gradient is off, over the largest value of the other's."""
    return [
        float(np.abs(a - b).max() / np.abs(b).max())
        for a, b in zip(one.gradients, other.gradients, strict=True)
    ]


TWINS = [
    *(
        ("plain_loop", name, {"cell": "lstm", "layers": 2, "segment": 5})
        for name in (
            *("last_output", "one_in_flight", "block_unrolled", "recomputed_steps"),
            *("sqrt_segments", "fixed_segments", "unrolled", "unrolled_accumulated"),
        )
    ),
    ("plain_loop", "sqrt_segments", {"cell": "gru"}),
    ("plain_loop", "unrolled_accumulated", {"cell": "basic"}),
    ("exact_loop", "truncated", {"window": 16}),
    ("plain_loop", "exact_loop", {}),
    ("while_loop", "scan", {"cell": "lstm", "layers": 2}),
    ("while_loop", "while_loop_v1", {"cell": "gru"}),
    ("while_loop_v1", "swapped_v1", {}),
    ("while_loop_v1", "one_in_flight_v1", {}),
    ("transformer_block", "transformer_block_chunked", {"chunk": 5, "layers": 2}),
    ("transformer_block", "transformer_block_chunked", {"chunk": 64}),
    ("state_space_loop", "state_space_doubling", {}),
    ("stacked_dynamic", "stacked_static", {}),
    ("bidirectional_dynamic", "bidirectional_static", {}),
    ("dynamic_with_lengths", "static_with_lengths_v1", {}),
]


@pytest.mark.parametrize(
    ("plain", "other", "settings"), [pytest.param(*twin, id=twin[1]) for twin in TWINS]
)
def test_computes_the_gradients_of_its_plain_twin(
    plain: str, other: str, settings: dict[str, Any]
) -> None:
    """With the same weights and inputs; 16 steps, of which neither 5 nor √16 + 1 is a divisor."""
    found, expected = run(other, 16, **settings), run(plain, 16, **settings)

    assert found.loss == pytest.approx(expected.loss, rel=SINGLE)
    assert max(differences(found, expected)) < SINGLE
    assert min(np.abs(gradient).max() for gradient in expected.gradients) > 1e-4


@pytest.mark.parametrize("cell", ["basic", "lstm", "gru"])
def test_the_cells_by_hand_are_those_of_the_library(cell: str) -> None:
    """The same weights, in the same order, give the same gradients as dynamic_rnn's."""
    fed = np.random.default_rng(1).standard_normal((3, 7, 5)).astype(np.float32)

    found, expected = (run(name, 7, fed=fed, cell=cell) for name in ("while_loop", "dynamic_rnn"))

    assert found.loss == pytest.approx(expected.loss, rel=SINGLE)
    assert max(differences(found, expected)) < SINGLE


def test_truncated_backprop_has_other_gradients_of_the_same_loss() -> None:
    """What reaches back further than the window is missing: here 5 to 50 %."""
    found, expected = run("truncated", 16, window=4), run("exact_loop", 16)

    assert found.loss == pytest.approx(expected.loss, rel=SINGLE)
    assert 0.05 < max(differences(found, expected)) < 0.5


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat16", 8), ("float16", 11)])
def test_mixed_precision_is_off_by_a_few_roundings(dtype: str, bits: int) -> None:
    """Not by one, and by less than 8, of the 16 bits' own; gradients of weights have 32."""
    found, expected = run("mixed_precision", 16, dtype=dtype), run("exact_loop", 16)

    assert {gradient.dtype for gradient in found.gradients} == {np.dtype(np.float32)}
    assert 2.0**-bits / 4 < max(differences(found, expected)) < 8 * 2.0**-bits


def test_sampled_softmax_estimates_the_full_one() -> None:
    """Only words of the sample and of the text are moved; in the full one, all are."""
    steps = 4
    sizes: dict[str, Any] = {"batch": 2, "vocabulary": 500, "sampled": 20}
    found, expected = (run(name, steps, **sizes) for name in ("sampled_softmax", "full_softmax"))
    words = [_rows_moved(one.gradients[1]) for one in (found, expected)]

    assert words[0] <= sizes["sampled"] + steps * sizes["batch"]
    assert words[1] == sizes["vocabulary"]
    assert found.loss != pytest.approx(expected.loss, rel=0.01)
    assert max(differences(found, expected)) > 0.1


def _rows_moved(gradient: Array) -> int:
    return int(np.count_nonzero(np.abs(gradient).max(axis=1)))


@pytest.mark.parametrize("name", NEW)
def test_trains_every_weight_at_its_shortest_length(name: str) -> None:
    """So that the first point of a wall search can run."""
    found = run(name, CATALOGUE[name].lengths.first)

    assert all(np.isfinite(gradient).all() for gradient in found.gradients)


@pytest.mark.parametrize("name", [one for one in NEW if "loop" in CATALOGUE[one].tags])
def test_a_loop_has_the_same_nodes_at_any_length(name: str) -> None:
    """Also where its body is run again, or is a block of steps."""
    # Of fewer than 1,000 values tf.ones is one node.
    assert run(name, 24).nodes == run(name, 48).nodes


@pytest.mark.parametrize("name", [one for one in NEW if "unrolled" in CATALOGUE[one].tags])
def test_an_unrolled_graph_grows_by_the_same_nodes_per_step(name: str) -> None:
    """As those of the seed do."""
    two, four, six = (run(name, steps).nodes for steps in (2, 4, 6))

    assert six - four == four - two > 0


def test_every_scenario_is_in_a_suite_and_says_what_it_is() -> None:
    """In a sentence of its own, which is what the list shows."""
    assert {CATALOGUE[name].tags[0] for name in NEW} == {"loops", "remedies", "contrast"}
    summaries = [one.summary for one in CATALOGUE.values()]
    assert all(text.endswith(".") for text in summaries)
    assert len({*summaries}) == len(summaries)
