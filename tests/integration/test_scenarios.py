"""The shipped scenarios compute what they say, and their graphs grow as they should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

from profiler import Training
from profiler.frameworks.tensorflow.trained import WRITES
from profiler.scenario import registered
from scenarios import builds, shapes

tf1 = tf.compat.v1

Array = npt.NDArray[Any]
Build = Callable[..., Training]

pytestmark = pytest.mark.filterwarnings(
    r"ignore:`tf.nn.rnn_cell.\w+` is deprecated:UserWarning",
)

# The scenarios of these modules only, and before any test empties the registry.
CATALOGUE = {
    name: scenario
    for name, scenario in registered().items()
    if scenario.build.__module__ in {builds.__name__, shapes.__name__}
}
BUILDS = ["handmade_rnn", "static_rnn_placeholders", "static_rnn", "dynamic_rnn"]
SHAPES = ["seq_to_vec", "vec_to_seq", "delayed_seq_to_seq"]
CELLS = ["basic", "lstm", "gru"]
UNROLLED = [*BUILDS[:3], *(f"{shape}_static" for shape in SHAPES)]
LOOPED = [*BUILDS[3:], *(f"{shape}_dynamic" for shape in SHAPES)]

# The lesson's mini-batch: four samples of two steps of three inputs, for five neurons.
MINI_BATCH = np.array(
    [
        [[0, 1, 2], [9, 8, 7]],
        [[3, 4, 5], [3, 4, 5]],
        [[6, 7, 8], [6, 5, 4]],
        [[9, 0, 1], [3, 2, 1]],
    ],
    np.float64,
)
SIZES = {"batch": 4, "inputs": 3, "units": 5}


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One layer's weights, or the gradients of the loss by them."""

    wx: Array
    wy: Array
    b: Array

    @classmethod
    def draw(cls, seed: int = 0) -> Weights:
        """Return random weights, small enough that tanh does not saturate."""
        inputs, units = SIZES["inputs"], SIZES["units"]
        wx, wy, b = np.split(
            np.random.default_rng(seed).normal(scale=0.2, size=(inputs + units + 1, units)),
            [inputs, inputs + units],
        )
        return cls(wx=wx, wy=wy, b=b[0])

    @classmethod
    def from_variables(cls, values: Sequence[Array]) -> Weights:
        """Return what [Wx, Wy, b], or the library's [kernel, bias], hold."""
        *kernels, b = values
        wx, wy = np.split(np.vstack(kernels), [SIZES["inputs"]])
        return cls(wx=wx, wy=wy, b=b)

    def to_variables(self, count: int = 2) -> list[Array]:
        """Return the values of [Wx, Wy, b] for three variables, else of [kernel, bias]."""
        kernels = [self.wx, self.wy] if count == 3 else [np.vstack([self.wx, self.wy])]
        return [*kernels, self.b]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one training step computed."""

    outputs: Array
    loss: float
    gradients: list[Array]


def random_values(shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Return reproducible values for variables of these shapes."""
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.2, size=shape) for shape in shapes]


def run_step(
    training: Training,
    values: Callable[[list[tuple[int, ...]]], Sequence[Array]] = random_values,
    feeds: dict[Any, Array] | None = None,
) -> Step:
    """Run one training step of the current graph, its variables set to ``values(shapes)``."""
    variables = tf1.trainable_variables()
    start = values([tuple(variable.shape) for variable in variables])
    (squares, *_) = training.loss.op.inputs
    fetches = {
        "outputs": squares.op.inputs[0],
        "loss": training.loss,
        "gradients": tf1.gradients(training.loss, variables),
    }
    assignments = [tf1.assign(*pair) for pair in zip(variables, start, strict=True)]
    with tf1.Session() as session:
        session.run(assignments)
        return Step(**session.run(fetches, feeds or training.feeds))


def run_lesson(name: str, weights: Weights) -> Step:
    """Run one of the four builds on the lesson's mini-batch."""
    batch, steps, inputs = MINI_BATCH.shape
    with tf.Graph().as_default():
        training = CATALOGUE[name].build(steps, batch=batch, inputs=inputs, units=SIZES["units"])
        single = len(training.feeds) == 1
        arrays = [MINI_BATCH] if single else list(np.moveaxis(MINI_BATCH, 1, 0))
        return run_step(
            training,
            lambda shapes: weights.to_variables(len(shapes)),
            dict(zip(training.feeds, arrays, strict=True)),
        )


def run_scenario(name: str, *, steps: int, **settings: Any) -> Step:
    """Run one training step of a scenario on its own data."""
    with tf.Graph().as_default():
        return run_step(CATALOGUE[name].build(steps, **SIZES, **settings))


def unroll(x: Array, weights: Weights, y: Array | None = None) -> Array:
    """Return Y[t] = tanh(X[t] Wx + Y[t-1] Wy + b) for every step t, from Y[-1] = ``y`` or 0."""
    y = np.zeros((len(x), len(weights.b))) if y is None else y
    outputs = []
    for step in range(x.shape[1]):
        y = np.tanh(x[:, step] @ weights.wx + y @ weights.wy + weights.b)
        outputs.append(y)
    return np.stack(outputs, axis=1)


def backprop(x: Array, weights: Weights) -> Weights:
    """Return the gradients of mean(Y²), by backpropagation through time."""
    outputs = unroll(x, weights)
    previous = np.pad(outputs, [(0, 0), (1, 0), (0, 0)])[:, :-1]
    deltas = np.zeros_like(outputs)
    from_next_step = np.zeros_like(outputs[:, 0])
    for step in reversed(range(x.shape[1])):
        y = outputs[:, step]
        deltas[:, step] = (2 * y / outputs.size + from_next_step) * (1 - y**2)
        from_next_step = deltas[:, step] @ weights.wy.T
    return Weights(
        wx=np.einsum("bti,btu->iu", x, deltas),
        wy=np.einsum("bti,btu->iu", previous, deltas),
        b=deltas.sum(axis=(0, 1)),
    )


def count_nodes(name: str, *, steps: int, **settings: Any) -> Array:
    """Return the numbers of forward and backward nodes."""
    with tf.Graph().as_default() as graph:
        training = CATALOGUE[name].build(steps, **settings)
        forward = len(graph.get_operations())
        tf1.gradients(training.loss, tf1.trainable_variables())
        return np.array([forward, len(graph.get_operations()) - forward])


def settings_of(names: Sequence[str]) -> list[Any]:
    """Return every scenario of ``names`` with every cell it takes."""
    return [
        pytest.param(name, settings, id="-".join([name, *settings.values()]))
        for name in names
        for settings in ([{}] if name == "handmade_rnn" else [{"cell": cell} for cell in CELLS])
    ]


class TestCatalogue:
    """What `stepwall list` shows of the shipped scenarios."""

    def test_holds_the_builds_and_the_shapes(self) -> None:
        """Four builds and two forms of three more shapes are the seed's suite."""
        families = {name: scenario.family for name, scenario in CATALOGUE.items()}
        assert {scenario.tags for scenario in CATALOGUE.values()} == {("seed",)}

        assert families == dict.fromkeys(BUILDS, "builds") | {
            f"{shape}_{form}": shape for shape in SHAPES for form in ("static", "dynamic")
        }

    @pytest.mark.parametrize("name", UNROLLED + LOOPED)
    def test_lists_every_scenario_with_a_sentence_of_its_own(self, name: str) -> None:
        """The listing text is one sentence that no other scenario has."""
        summaries = [scenario.summary for scenario in CATALOGUE.values()]

        assert CATALOGUE[name].summary.endswith(".")
        assert summaries.count(CATALOGUE[name].summary) == 1

    @pytest.mark.parametrize("name", UNROLLED + LOOPED)
    def test_offers_the_sizes_and_the_cell(self, name: str) -> None:
        """Batch, inputs and units can be set, and the cell where the library makes it."""
        parameters = {
            parameter.name: (parameter.default, parameter.choices)
            for parameter in CATALOGUE[name].parameters
        }

        sizes = {"batch": (32, ()), "inputs": (64, ()), "units": (128, ())}
        cell = {} if name == "handmade_rnn" else {"cell": ("basic", tuple(CELLS))}
        assert parameters == sizes | cell


class TestBuilds:
    """The four builds are one network."""

    @pytest.mark.parametrize("name", BUILDS)
    def test_computes_the_outputs_of_the_equations(self, name: str) -> None:
        """On the lesson's mini-batch the outputs are those of NumPy in float64."""
        weights = Weights.draw()

        step = run_lesson(name, weights)

        expected = unroll(MINI_BATCH, weights)
        assert step.outputs.shape == (4, 2, 5)
        np.testing.assert_allclose(step.outputs, expected, rtol=0, atol=1e-6)
        assert step.loss == pytest.approx(np.mean(expected**2), abs=1e-6)

    @pytest.mark.parametrize("name", BUILDS)
    def test_computes_the_gradients_of_backprop_through_time(self, name: str) -> None:
        """The gradients by Wx, Wy and b are the analytic ones, and none is zero."""
        weights = Weights.draw()

        gradients = Weights.from_variables(run_lesson(name, weights).gradients)

        expected = backprop(MINI_BATCH, weights)
        for part in ("wx", "wy", "b"):
            np.testing.assert_allclose(
                getattr(gradients, part), getattr(expected, part), rtol=0, atol=1e-6
            )
            assert np.abs(getattr(expected, part)).max() > 1e-3

    @pytest.mark.parametrize("name", BUILDS[1:])
    def test_agrees_with_the_handmade_build(self, name: str) -> None:
        """The library's builds and the handmade one give the same outputs and gradients."""
        weights = Weights.draw()

        library, handmade = run_lesson(name, weights), run_lesson("handmade_rnn", weights)

        np.testing.assert_allclose(library.outputs, handmade.outputs, rtol=0, atol=1e-6)
        kernel, bias = library.gradients
        wx, wy, b = handmade.gradients
        np.testing.assert_allclose(kernel, np.vstack([wx, wy]), rtol=0, atol=1e-6)
        np.testing.assert_allclose(bias, b, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("name", BUILDS)
    def test_feeds_the_same_numbers(self, name: str) -> None:
        """With one placeholder or one per step, the data of a size are the same."""
        with tf.Graph().as_default():
            feeds = list(CATALOGUE[name].build(6, **SIZES).feeds.values())

        with tf.Graph().as_default():
            (whole,) = CATALOGUE["dynamic_rnn"].build(6, **SIZES).feeds.values()
        fed = feeds[0] if len(feeds) == 1 else np.stack(feeds, axis=1)
        np.testing.assert_array_equal(fed, whole)
        assert fed.dtype == np.float32
        assert np.std(fed) > 0.5


class TestShapes:
    """Each shape of sequences, unrolled and as a loop."""

    @pytest.mark.parametrize("cell", CELLS)
    @pytest.mark.parametrize("shape", SHAPES)
    def test_loop_computes_what_the_unrolled_form_does(self, shape: str, cell: str) -> None:
        """With the same weights, loss, outputs and gradients of both forms are the same."""
        static = run_scenario(f"{shape}_static", steps=6, cell=cell)
        dynamic = run_scenario(f"{shape}_dynamic", steps=6, cell=cell)

        assert dynamic.loss == pytest.approx(static.loss, abs=1e-6)
        np.testing.assert_allclose(dynamic.outputs, static.outputs, rtol=0, atol=1e-6)
        for of_loop, of_unrolled in zip(dynamic.gradients, static.gradients, strict=True):
            np.testing.assert_allclose(of_loop, of_unrolled, rtol=0, atol=1e-6)
            assert np.abs(of_unrolled).max() > 1e-5

    @pytest.mark.parametrize("form", ["static", "dynamic"])
    @pytest.mark.parametrize("cell", CELLS)
    def test_seq_to_vec_learns_from_the_last_output_alone(self, cell: str, form: str) -> None:
        """Its loss is the mean square of the last of all outputs, for every cell."""
        last_only = run_scenario(f"seq_to_vec_{form}", steps=6, cell=cell)

        every = run_scenario(f"{form}_rnn", steps=6, cell=cell)
        assert last_only.loss == pytest.approx(np.mean(every.outputs[:, -1] ** 2), abs=1e-6)

    @pytest.mark.parametrize("form", ["static", "dynamic"])
    def test_vec_to_seq_is_fed_one_vector(self, form: str) -> None:
        """Only the first step has an input; the later ones read zeros made in the graph."""
        with tf.Graph().as_default():
            training = CATALOGUE[f"vec_to_seq_{form}"].build(6, **SIZES)
            ((placeholder, vector),) = training.feeds.items()
            step = run_step(training)
            kernel, bias = random_values([(8, 5), (5,)])

        assert tuple(placeholder.shape) == vector.shape == (4, 3)
        x = np.pad(vector[:, np.newaxis], [(0, 0), (0, 5), (0, 0)])
        expected = unroll(x, Weights.from_variables([kernel, bias]))
        np.testing.assert_allclose(step.outputs, expected, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("form", ["static", "dynamic"])
    def test_delayed_seq_to_seq_decodes_from_the_encoders_last_state(self, form: str) -> None:
        """The decoder has weights of its own, reads zeros and goes on from that state."""
        encoder, decoder = Weights.draw(seed=1), Weights.draw(seed=2)

        with tf.Graph().as_default():
            training = CATALOGUE[f"delayed_seq_to_seq_{form}"].build(6, **SIZES)
            step = run_step(training, lambda _: [*encoder.to_variables(), *decoder.to_variables()])

        (x,) = training.feeds.values()
        encoded = unroll(x, encoder)[:, -1]
        expected = unroll(np.zeros_like(x), decoder, encoded)
        np.testing.assert_allclose(step.outputs, expected, rtol=0, atol=1e-6)


class TestGraphs:
    """How the number of nodes depends on the steps."""

    @pytest.mark.parametrize(("name", "settings"), settings_of(UNROLLED))
    def test_grows_by_the_same_nodes_per_step(self, name: str, settings: dict[str, str]) -> None:
        """Unrolled, every further step adds the same forward and backward nodes."""
        short, middle, long = (count_nodes(name, steps=n, **settings) for n in (2, 5, 8))

        np.testing.assert_array_equal(long - middle, middle - short)
        np.testing.assert_array_equal((long - short) % 6, 0)
        assert (long > short).all()

    @pytest.mark.parametrize(("name", "settings"), settings_of(LOOPED))
    def test_stays_the_same_as_a_loop(self, name: str, settings: dict[str, str]) -> None:
        """A loop has the same nodes at any length, however small or large its tensors are."""
        lengths = (1, 2, 8, 1000)

        counts = [count_nodes(name, steps=steps, **SIZES, **settings) for steps in lengths]

        np.testing.assert_array_equal(counts, [counts[0]] * len(lengths))

    @pytest.mark.parametrize(("name", "settings"), settings_of(UNROLLED + LOOPED))
    def test_trains_every_weight_at_a_single_step(
        self, name: str, settings: dict[str, str]
    ) -> None:
        """Even one step has a gradient for every variable, so the shortest point can run."""
        step = run_scenario(name, steps=1, **settings)

        assert all(np.isfinite(gradient).all() for gradient in step.gradients)


def test_what_counts_as_an_assignment_takes_a_variable() -> None:
    """Of every operation that TensorFlow knows; others only have such a name."""
    known = op_def_pb2.OpList()
    known.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    first = {op.name: op.input_arg[0] for op in known.op if WRITES.match(op.name)}
    resource = tf.resource.as_datatype_enum

    assert {"AssignSubVariableOp", "ResourceScatterNdUpdate", "ResourceApplyAdam"} <= first.keys()
    assert [name for name, one in first.items() if not (one.is_ref or one.type == resource)] == []
