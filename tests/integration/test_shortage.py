"""Real allocators run out of real memory, and the outcome says of what."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from profiler.facts import Measurement, Outcome, Shortage, Status

Measure = Callable[..., Measurement]
MIB = 1 << 20
LIMIT = 8 * MIB
STEPS, WIDE, DOUBLE = 1000, 4096, 8
# The optimizer folds constants of at most 10 MiB; here the gradient of the mean is one.
FOLDED = 9 * MIB // WIDE // DOUBLE
FLOAT = 4
# Three square tensors of these sides are a little less than the limit.
PAIRS = math.isqrt(LIMIT // 3 // FLOAT)
POINTS = {
    **{name: (name, STEPS) for name in ("plain", "looped", "wrapped", "weights", "python")},
    "folded": ("plain", FOLDED),
    "kept": ("kept", 2 * MIB // WIDE // DOUBLE),
    "thrice": ("thrice", LIMIT // 4 // WIDE // FLOAT),
    "pairs": ("pairs", PAIRS),
    "static_rnn": ("static_rnn", 200),
    "dynamic_rnn": ("dynamic_rnn", 200),
}


@pytest.fixture(scope="module")
def measured(measure: Measure, resources: Path) -> Iterator[dict[str, Future[Measurement]]]:
    """Return the points' measurements to come: all wait at once for memory that never comes."""
    source = resources / "shortages.py"
    with ThreadPoolExecutor(len(POINTS)) as pool:
        yield {
            name: pool.submit(measure, scenario, steps=steps, source=source, limit_bytes=LIMIT)
            for name, (scenario, steps) in POINTS.items()
        }


@pytest.fixture
def ended(measured: dict[str, Future[Measurement]]) -> Callable[[str], Outcome]:
    """Return ``ended(name)``: how its point ended."""
    return lambda name: measured[name].result().outcome


@pytest.fixture
def shortage(ended: Callable[[str], Outcome]) -> Callable[[str], Shortage]:
    """Return ``shortage(name)``: what its point had no device memory for."""

    def shortage(name: str) -> Shortage:
        end = ended(name)
        assert end.status is Status.OOM_DEVICE, end
        assert end.shortage is not None
        return end.shortage

    return shortage


@pytest.mark.parametrize(
    ("scenario", "op"),
    [
        ("plain", "wide"),
        ("looped", "while/body/_1/wide"),
        ("wrapped", "StatefulPartitionedCall/wide"),
    ],
)
def test_the_tensor_that_found_no_room_is_named(
    shortage: Callable[[str], Shortage], scenario: str, op: str
) -> None:
    """In the graph, in a loop and in a function: the one tensor that the limit cannot hold."""
    found = shortage(scenario)

    assert STEPS * WIDE * DOUBLE > LIMIT
    assert (found.shape, found.dtype) == ([STEPS, WIDE], "float64")
    assert found.requested_bytes == STEPS * WIDE * DOUBLE
    assert (found.op, found.op_type) == (op, "MatMul")
    assert found.device == "CPU:0"
    assert "bfc" in str(found.allocator)


def test_the_frameworks_own_words_are_kept(
    shortage: Callable[[str], Shortage], ended: Callable[[str], Outcome]
) -> None:
    """The error's lines, and the allocator's; the reason is the first, with the node."""
    said, where, logged = shortage("plain").lines

    assert said.startswith(f"OOM when allocating tensor with shape[{STEPS},{WIDE}] and type double")
    assert where == "[[{{node wide}}]]"
    assert f"(rounded to {STEPS * WIDE * DOUBLE})requested by op wide" in logged
    assert ended("plain").reason == f"{said} in wide"


def test_weights_that_do_not_fit_are_named(
    shortage: Callable[[str], Shortage], ended: Callable[[str], Outcome]
) -> None:
    """No step has run yet: the initialiser asks in vain."""
    found = shortage("weights")

    assert ended("weights").phase == "initialize"
    assert str(found.op).startswith("w/Initializer/")
    assert (found.shape, found.dtype) == ([STEPS, WIDE], "float64")
    assert found.requested_bytes == STEPS * WIDE * DOUBLE


def test_a_folded_constant_that_does_not_fit_is_named(
    shortage: Callable[[str], Shortage],
) -> None:
    """TensorFlow calls it an invalid argument; its allocator's log tells what it was."""
    found = shortage("folded")

    assert found.op_type == "Const"
    assert (found.shape, found.dtype) == ([FOLDED, WIDE], "float64")
    assert found.requested_bytes == FOLDED * WIDE * DOUBLE
    assert "ran out of memory" in found.lines[0]


def test_what_was_asked_for_stands_beside_what_would_have_fitted(
    shortage: Callable[[str], Shortage],
) -> None:
    """A quarter of the limit is fed; three quarters beside weights do not fit by a little."""
    fed, weights = LIMIT // 4, WIDE * FLOAT
    found = shortage("thrice")
    known = (found.in_use_bytes, found.free_bytes, found.largest_free_bytes, found.held_bytes)
    in_use, free, largest, held = (size or 0 for size in known)

    assert found.requested_bytes == 3 * fed
    assert in_use + free == LIMIT
    assert largest == free <= LIMIT - fed - weights
    assert free < 3 * fed
    # Beside what is known there are a few constants and a second copy of the weights.
    assert fed + weights <= in_use < fed + 4 * weights
    assert held == pytest.approx(in_use, rel=0.01)


def test_a_whole_chunk_handed_out_for_less_shows(shortage: Callable[[str], Shortage]) -> None:
    """What is free after one tensor is less than two, and is handed out for one as a whole."""
    size = PAIRS * PAIRS * FLOAT
    found = shortage("pairs")
    in_use, held = found.in_use_bytes or 0, found.held_bytes or 0

    assert found.requested_bytes == size
    assert in_use + (found.free_bytes or 0) == LIMIT
    assert 2 * size < held < 2.1 * size
    assert in_use - held > 0.9 * (LIMIT - held - size)
    assert in_use - held > size / 2


@pytest.mark.parametrize("name", ["static_rnn", "dynamic_rnn"])
def test_a_recurrent_network_runs_out_in_its_layer(
    shortage: Callable[[str], Shortage], name: str
) -> None:
    """Which tensor is the first is the framework's choice; its bytes are a closed form."""
    found = shortage(name)

    assert found.shape is not None
    assert found.requested_bytes == math.prod(found.shape) * np.dtype(found.dtype).itemsize
    assert "rnn/" in str(found.op)
    assert found.op_type is not None


def test_an_inspection_that_finds_no_room_does_not_fail_the_point(
    measured: dict[str, Future[Measurement]],
) -> None:
    """Each of its runs keeps one more copy of the constant; training needed only the first."""
    point = measured["kept"].result()

    assert point.outcome == Outcome(status=Status.OK)
    assert point.missing["device.largest_allocation_bytes"] == (
        "the extra run that measures it ran out of memory"
    )


def test_pythons_own_want_of_memory_names_no_tensor(ended: Callable[[str], Outcome]) -> None:
    """No allocator of the framework was asked."""
    assert ended("python") == Outcome(
        status=Status.OOM_HOST,
        phase="build_forward",
        reason=f"MemoryError: {STEPS} steps are too many",
    )
