"""Training and generation as TensorFlow 2 code writes them: tf.function and a tape."""

import keras
import numpy as np
import tensorflow as tf

from profiler import InferenceStep, TrainStep, scenario


def _frames(*shape):
    return np.random.default_rng(8).standard_normal(shape, np.float32)


@scenario
def teacher_forced(steps: int, *, batch: int = 8, units: int = 48) -> TrainStep:
    """An encoder and a decoder of Keras cells, both unrolled by Python loops."""
    encoder, decoder = keras.layers.GRUCell(units), keras.layers.GRUCell(units)
    head = keras.layers.Dense(12)
    for layer, width in ((encoder, 12), (decoder, 12), (head, units)):
        layer.build((batch, width))
    weights = [
        variable.value
        for layer in (encoder, decoder, head)
        for variable in layer.trainable_variables
    ]

    @tf.function
    def train_step(source, target):
        with tf.GradientTape() as tape:
            state, loss = [tf.zeros([batch, units])], 0.0
            for t in range(steps):
                _, state = encoder(source[:, t], state)
            for t in range(1, steps + 1):
                output, state = decoder(target[:, t - 1], state)
                loss += tf.reduce_mean(tf.square(head(output) - target[:, t]))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, weights), 1.0)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_sub(1e-2 * gradient)
        return loss

    return TrainStep(train_step, (_frames(batch, steps, 12), _frames(batch, steps + 1, 12)))


@scenario
def adam_over_while(steps: int, *, batch: int = 16, units: int = 56) -> TrainStep:
    """A Keras cell in a loop that AutoGraph makes, with an optimizer of Keras."""
    inner = keras.layers.LSTMCell(units)
    inner.build((batch, 24))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(inner.trainable_variables)

    @tf.function
    def train_step(x):
        with tf.GradientTape() as tape:
            h = c = tf.zeros([batch, units])
            loss = 0.0
            for now in x:
                _, (h, c) = inner(now, [h, c])
                loss += tf.reduce_mean(tf.square(h))
        gradients = tape.gradient(loss, [one.value for one in inner.trainable_variables])
        optimizer.apply_gradients(zip(gradients, inner.trainable_variables, strict=True))
        return loss

    return TrainStep(train_step, (_frames(steps, batch, 24),))


@scenario
def compiled_scan(steps: int, *, batch: int = 8, units: int = 64) -> TrainStep:
    """tf.scan, compiled by XLA."""
    kernel = tf.Variable(_frames(units, units) / units, name="kernel")

    @tf.function(jit_compile=True)
    def train_step(x):
        with tf.GradientTape() as tape:
            states = tf.scan(lambda state, now: tf.tanh(state @ kernel + now), x, x[0])
            loss = tf.reduce_mean(tf.square(states))
        kernel.assign_sub(1e-2 * tape.gradient(loss, kernel))
        return loss

    return TrainStep(train_step, (_frames(steps, batch, units),))


@scenario
def greedy_decoder(
    steps: int, *, batch: int = 64, units: int = 64, vocabulary: int = 300
) -> InferenceStep:
    """Each word is the input of the next step: no backward pass."""
    table = tf.Variable(_frames(vocabulary, units), name="table")
    kernel = tf.Variable(_frames(2 * units, units) / units, name="kernel")

    @tf.function
    def generate(first):
        state, token = tf.zeros([batch, units]), first
        said = tf.TensorArray(tf.int32, steps)
        for t in tf.range(steps):
            word = tf.gather(table, token)
            state = tf.tanh(tf.concat([word, state], 1) @ kernel)
            logits = tf.matmul(state, table, transpose_b=True)
            token = tf.argmax(logits, 1, tf.int32)
            said = said.write(t, token)
        return tf.transpose(said.stack())

    return InferenceStep(generate, (np.zeros(batch, np.int32),))
