"""Recurrent layers of Keras 3, as ``train_on_batch`` trains them: in a loop, or unrolled."""

from typing import Any, Literal

import numpy as np

from profiler import KerasTraining, scenario

Layer = Literal["SimpleRNN", "LSTM", "GRU"]


@scenario(tags=("keras", "loop"))
def keras_loop(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    layer: Layer = "LSTM",
    optimizer: str = "adam",
    policy: str = "float32",
    jit_compile: bool = False,
) -> KerasTraining:
    """Layers of Keras 3 that loop over the steps (unroll=False)."""
    model = _model(steps, inputs, [(layer, units)] * layers, policy, unroll=False)
    return _training(model, (batch, steps, inputs), optimizer, jit_compile=jit_compile)


@scenario(tags=("keras", "unrolled"))
def keras_unrolled(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    layer: Layer = "LSTM",
    optimizer: str = "adam",
    policy: str = "float32",
    jit_compile: bool = False,
) -> KerasTraining:
    """Layers of Keras 3, one copy of the cell per step (unroll=True)."""
    model = _model(steps, inputs, [(layer, units)] * layers, policy, unroll=True)
    return _training(model, (batch, steps, inputs), optimizer, jit_compile=jit_compile)


def _model(
    steps: int, inputs: int, layers: list[tuple[Layer, int]], policy: str, *, unroll: bool
) -> Any:
    import keras

    keras.mixed_precision.set_global_policy(policy)
    last = len(layers) - 1
    recurrent = [
        getattr(keras.layers, kind)(units, unroll=unroll, return_sequences=number < last)
        for number, (kind, units) in enumerate(layers)
    ]
    head = keras.layers.Dense(1, dtype="float32")
    return keras.Sequential([keras.Input((steps, inputs)), *recurrent, head])


def _training(
    model: Any, shape: tuple[int, int, int], optimizer: str, *, jit_compile: bool
) -> KerasTraining:
    numbers = np.random.default_rng(0)
    return KerasTraining(
        model=model,
        inputs=numbers.standard_normal(shape, np.float32),
        targets=numbers.standard_normal((shape[0], 1), np.float32),
        loss="mse",
        optimizer=optimizer,
        jit_compile=jit_compile,
    )
