"""Write the gradients that TensorFlow computes for scenarios that have twins in PyTorch.

The two frameworks are never loaded in one process, and often not installed together: PyTorch's
tests read what is written here. Run it with TensorFlow, from the root of the repository:

    PYTHONPATH=. python tests/integration/torch/resources/make_twins.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from scenarios import attention, builds, shapes

tf1 = tf.compat.v1

WRITTEN = Path(__file__).with_name("twins.npz")
STEPS = 5
SIZES = {"batch": 3, "inputs": 4, "units": 6}
_CELLS = ("basic", "lstm")

Arrays = dict[str, Any]
Case = tuple[str, list[tuple[Callable[..., Any], dict[str, Any]]]]


def cases() -> Iterator[Case]:
    """Yield what each case is called, and the scenarios that must agree on it."""
    yield "handmade", [(builds.handmade_rnn, SIZES)]
    for cell in _CELLS:
        sizes = {**SIZES, "cell": cell}
        yield f"builds {cell}", [(builds.dynamic_rnn, sizes), (builds.static_rnn, sizes)]
        for shape in ("seq_to_vec", "vec_to_seq", "delayed_seq_to_seq"):
            ways = [getattr(shapes, f"{shape}_{way}") for way in ("dynamic", "static")]
            yield f"{shape} {cell}", [(way, sizes) for way in ways]
    yield "attention", [(attention.transformer_block, {"batch": 3, "units": 8, "heads": 2})]


def gradients(build: Callable[..., Any], settings: dict[str, Any]) -> Arrays:
    """Return what is fed, the weights, the loss and its gradients, by name."""
    with tf.Graph().as_default(), tf1.Session() as session:
        training = build(STEPS, **settings)
        variables = {one.op.name: one for one in tf1.trainable_variables()}
        numbers = np.random.default_rng(0)
        weights = {
            name: 0.5 * numbers.standard_normal(variables[name].shape, np.float32)
            for name in sorted(variables)
        }
        names = list(variables)
        wanted = [training.loss, *tf.gradients(training.loss, [variables[n] for n in names])]
        for name, value in weights.items():
            variables[name].load(value.astype(np.float32), session)
        loss, *found = session.run(wanted, training.feeds)
    return {
        "fed": np.stack([*training.feeds.values()]),
        "loss": loss,
        **{f"weight {name}": weights[name] for name in names},
        **{f"gradient {name}": value for name, value in zip(names, found, strict=True)},
    }


def all_of_them() -> Iterator[tuple[str, str, Arrays]]:
    """Yield each case with each scenario's name and what it computes."""
    for case, scenarios in cases():
        for build, settings in scenarios:
            yield case, build.__name__, gradients(build, settings)


def main() -> None:
    """Write the first scenario's arrays of each case."""
    written: Arrays = {}
    for case, _, arrays in all_of_them():
        for name, value in arrays.items():
            written.setdefault(f"{case}/{name}", value)
    np.savez_compressed(WRITTEN, **written)
    sys.stdout.write(f"Wrote {WRITTEN}: {len(written)} arrays\n")


if __name__ == "__main__":
    main()
