"""A Keras 3 model, one batch, its loss and its optimizer, run as train_on_batch runs it."""

import keras
import numpy as np

from profiler import KerasTraining, scenario


@scenario
def my_model(steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128) -> KerasTraining:
    """One LSTM layer with Adam: put your own model here."""
    layers = [keras.Input((steps, inputs)), keras.layers.LSTM(units), keras.layers.Dense(1)]
    return KerasTraining(
        model=keras.Sequential(layers),
        inputs=np.ones((batch, steps, inputs), np.float32),
        targets=np.zeros((batch, 1), np.float32),
        loss="mse",
        optimizer="adam",
    )
