"""Models of Keras 3, as `fit` trains them."""

import keras
import numpy as np

from profiler import KerasTraining, scenario


def _frames(*shape):
    return np.random.default_rng(2).standard_normal(shape, np.float32)


@scenario
def sentiment(
    steps: int, *, batch: int = 16, units: int = 32, vocabulary: int = 500
) -> KerasTraining:
    """Words read in both directions."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((steps,), dtype="int32"),
            keras.layers.Embedding(vocabulary, 24),
            keras.layers.Bidirectional(keras.layers.GRU(units)),
            keras.layers.Dense(1),
        ]
    )
    numbers = np.random.default_rng(4)
    return KerasTraining(
        model=model,
        inputs=numbers.integers(0, vocabulary, (batch, steps)),
        targets=numbers.integers(0, 2, (batch, 1)),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        optimizer=keras.optimizers.RMSprop(),
    )


@scenario
def forecaster_unrolled(steps: int, *, batch: int = 16, units: int = 32) -> KerasTraining:
    """An unrolled LSTM in mixed precision."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((steps, 8)),
            keras.layers.LSTM(units, unroll=True, return_sequences=True),
            keras.layers.Dense(8, dtype="float32"),
        ]
    )
    data = _frames(batch, steps + 1, 8)
    return KerasTraining(
        model=model, inputs=data[:, :-1], targets=data[:, 1:], loss="mse", optimizer="adam"
    )


@scenario
def causal_convolutions(
    steps: int, *, batch: int = 8, channels: int = 24, layers: int = 3
) -> KerasTraining:
    """Densely connected convolutions, with momentum and clipping by Keras."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((steps, 8))
    for layer in range(layers):
        y = keras.layers.Conv1D(channels, 3, padding="causal", dilation_rate=2**layer)(x)
        x = keras.layers.Concatenate()([x, keras.layers.Activation("relu")(y)])
    model = keras.Model(inputs, keras.layers.Dense(8)(x))
    data = _frames(batch, steps + 1, 8)
    return KerasTraining(
        model=model,
        inputs=data[:, :-1],
        targets=data[:, 1:],
        loss="mse",
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0),
    )
