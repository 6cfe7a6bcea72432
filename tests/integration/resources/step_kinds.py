# ruff: noqa: ANN001, ANN002, ANN202, B905 (as users write them)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Small steps of every kind: sizes that a test can add up."""

from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Inference, InferenceStep, KerasTraining, Training, TrainStep, scenario

tf1 = tf.compat.v1

B, IN, U = 32, 48, 64


def _batch(*shape):
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def _recurrent(steps, cell):
    x = tf1.placeholder(tf.float32, [B, steps, IN])
    outputs, state = tf1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    return x, outputs, state, tf.reduce_mean(tf.square(outputs))


@scenario
def graph(steps: int, *, optimizer: str = "none", update: bool = False) -> Training:
    """A loop in a graph, with an optimizer of its own or without."""
    x, _, state, loss = _recurrent(steps, tf1.nn.rnn_cell.BasicRNNCell(U))
    made = {
        "adam": tf1.train.AdamOptimizer,
        "momentum": lambda rate: tf1.train.MomentumOptimizer(rate, 0.9),
    }
    own: Any = made[optimizer](1e-3) if optimizer in made else None
    feeds = {x: _batch(B, steps, IN)}
    if not update:
        return Training(feeds=feeds, loss=loss, optimizer=own, fetches=[state])
    variables = tf1.trainable_variables()
    gradients, _ = tf.clip_by_global_norm(tf1.gradients(loss, variables), 1.0)
    counter = tf1.train.get_or_create_global_step()
    train = own.apply_gradients(zip(gradients, variables), global_step=counter)
    return Training(feeds=feeds, loss=loss, update=train)


@scenario
def growing(steps: int, *, way: str = "none") -> Training:
    """A loop that leaves something behind at every step."""
    x, _, _, loss = _recurrent(steps, tf1.nn.rnn_cell.BasicRNNCell(U))
    queue = tf1.FIFOQueue(1000, [tf.float32], [[1024]])
    # Made on the device at every step: a constant would be one buffer for all of them.
    put = queue.enqueue([tf.zeros([1024]) + loss])
    kept = []
    ways = {
        "nodes": lambda session: session.run(tf.add(1.0, 2.0)),
        "device": lambda session: session.run(put, {x: _batch(B, steps, IN)}),
        "host": lambda _: kept.append(np.ones(1 << 15)),
    }
    return Training(feeds={x: _batch(B, steps, IN)}, loss=loss, each_step=ways.get(way))


@scenario
def keras_in_graph(steps: int) -> Training:
    """An optimizer that knows no variables of a graph."""
    import keras

    x, _, _, loss = _recurrent(steps, tf1.nn.rnn_cell.BasicRNNCell(U))
    return Training(feeds={x: _batch(B, steps, IN)}, loss=loss, optimizer=keras.optimizers.Adam())


@scenario
def fed(steps: int) -> Training:
    """Words, sparse and ragged values, an iterator and a local variable."""
    words = tf1.placeholder(tf.string, [B, steps])
    sparse = tf1.sparse_placeholder(tf.float32, [B, steps])
    ragged = tf1.ragged.placeholder(tf.float32, 1, [])
    data = tf1.data.make_initializable_iterator(
        tf1.data.Dataset.from_tensors(np.ones([B, U], np.float32)).repeat()
    )
    calls = tf1.get_local_variable("calls", [], initializer=tf1.zeros_initializer())
    table = tf1.get_variable("table", [100, U])
    embedded = tf.nn.embedding_lookup(table, tf.strings.to_hash_bucket_fast(words, 100))
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.BasicRNNCell(U), embedded, dtype=tf.float32)
    loss = tf.reduce_mean(tf.square(outputs + data.get_next()[:, None])) + calls
    loss += tf.sparse.reduce_sum(sparse) + tf.reduce_mean(ragged.to_tensor())
    loss += tf.reduce_mean(tf.scatter_nd([[0], [2]], outputs[:2, 0], [B, U]))  # no assignment
    rows = np.stack([np.zeros(steps, np.int64), np.arange(steps)], 1)
    return Training(
        feeds={
            words: np.full((B, steps), "word"),
            sparse: tf1.SparseTensorValue(rows, np.ones(steps, np.float32), [B, steps]),
            ragged: tf1.ragged.constant_value([[1.0], [2.0, 3.0]], dtype=np.float32),
        },
        loss=loss,
        initialize=[data.initializer, tf1.local_variables_initializer()],
    )


@scenario
def from_iterator(steps: int) -> Training:
    """An unrolled loop over an iterator's data: its slices are ready as soon as the data is."""
    data = tf1.data.make_initializable_iterator(
        tf1.data.Dataset.from_tensors(_batch(B, steps, U)).repeat()
    )
    x = data.get_next()
    kernel = tf1.get_variable("kernel", [U, U])
    state = tf.zeros([B, U])
    for t in range(steps):
        state = tf.tanh(x[:, t] + state @ kernel)
    loss = tf.reduce_mean(state)
    return Training(feeds={}, loss=loss, initialize=[data.initializer])


@scenario
def scored(steps: int) -> Inference:
    """The graph's forward part alone."""
    x, outputs, state, _ = _recurrent(steps, tf1.nn.rnn_cell.BasicRNNCell(U))
    return Inference(feeds={x: _batch(B, steps, IN)}, outputs={"all": outputs, "last": state})


def _weights():
    kernel = tf.random.stateless_normal([IN + U, U], [1, 2], stddev=0.1)
    return tf.Variable(kernel, name="kernel"), tf.Variable(tf.zeros([U]), name="bias")


@scenario
def function(
    steps: int, *, adam: bool = False, unrolled: bool = False, jit: bool = False
) -> TrainStep:
    """A tf.function with a tape."""
    import keras

    kernel, bias = weights = _weights()
    optimizer = keras.optimizers.Adam(1e-2) if adam else None
    times = range(steps) if unrolled else tf.range(steps)

    @tf.function(jit_compile=jit)
    def train_step(x):
        with tf.GradientTape() as tape:
            state, loss = tf.zeros([B, U]), 0.0
            for t in times:
                state = tf.tanh(tf.concat([x[t], state], 1) @ kernel + bias)
                loss += tf.reduce_mean(tf.square(state))
        gradients = tape.gradient(loss, weights)
        if optimizer is not None:
            optimizer.apply_gradients(zip(gradients, weights))
        else:
            for weight, gradient in zip(weights, gradients):
                weight.assign_sub(1e-2 * gradient)
        return {"loss": loss}

    return TrainStep(train_step, (_batch(steps, B, IN),))


@scenario
def silent(steps: int) -> TrainStep:
    """A function that returns nothing: the tape alone knows the loss."""
    kernel, bias = _weights()

    @tf.function
    def train_step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.tanh(tf.reshape(x, [-1, IN]) @ kernel[:IN] + bias))
        kernel.assign_sub(1e-2 * tape.gradient(loss, kernel))

    return TrainStep(train_step, (_batch(steps, B, IN),))


@scenario
def in_turn(steps: int) -> TrainStep:
    """Two losses, each with its own variable and its own pass over the input."""
    first, second = (tf.Variable(tf.eye(IN), name=name) for name in ("first", "second"))

    def loss_of(x, weight):
        state = x[0]
        for t in range(steps):
            state = tf.tanh(x[t] + state @ weight)
        return tf.reduce_mean(tf.square(state))

    @tf.function
    def train_step(x):
        for weight in (first, second):
            with tf.GradientTape() as tape:
                loss = loss_of(x, weight)
            weight.assign_sub(1e-3 * tape.gradient(loss, weight))

    return TrainStep(train_step, (_batch(steps, B, IN),))


@scenario
def untrained(steps: int) -> TrainStep:
    """A function that forgets the update."""
    kernel, _ = _weights()

    @tf.function
    def train_step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(x @ kernel[:IN])
        return loss, tape.gradient(loss, kernel)

    return TrainStep(train_step, (_batch(steps, B, IN),))


@scenario
def undecorated(steps: int) -> TrainStep:
    """No tf.function."""
    return TrainStep(lambda x: x, (_batch(steps, B, IN),))


@scenario
def looked_up(steps: int) -> TrainStep:
    """A function that uses a table."""
    kernel, _ = _weights()
    keys = tf.range(4, dtype=tf.int64)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, keys), -1)

    @tf.function
    def train_step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(x @ kernel[:IN]) + tf.cast(
                table.lookup(tf.constant(1, tf.int64)), tf.float32
            )
        kernel.assign_sub(tape.gradient(loss, kernel))
        return loss

    return TrainStep(train_step, (_batch(steps, B, IN),))


@scenario
def retraced(steps: int) -> TrainStep:
    """A learning rate that is a Python number."""
    kernel, _ = _weights()

    @tf.function
    def train_step(x, rate):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(x @ kernel[:IN])
        kernel.assign_sub(rate * tape.gradient(loss, kernel))
        return loss

    return TrainStep(train_step, lambda call: (_batch(steps, B, IN), 1e-3 / (1 + call)))


@scenario
def generated(steps: int) -> InferenceStep:
    """Greedy generation: each output is the next input."""
    kernel, bias = _weights()

    @tf.function
    def generate(state):
        found = tf.TensorArray(tf.float32, steps)
        for t in tf.range(steps):
            state = tf.tanh(state @ kernel[IN:] + bias)
            found = found.write(t, state)
        return found.stack()

    return InferenceStep(generate, (_batch(B, U),))


@scenario
def model(
    steps: int,
    *,
    unroll: bool = False,
    policy: str = "float32",
    compiled: bool = False,
    jit: bool = False,
) -> KerasTraining:
    """An LSTM of Keras 3 with Adam."""
    import keras

    keras.mixed_precision.set_global_policy(policy)
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((steps, IN)),
        keras.layers.LSTM(U, unroll=unroll),
        keras.layers.Dense(1, dtype="float32"),
    ]
    built = keras.Sequential(layers)
    batch = {"inputs": _batch(B, steps, IN), "targets": _batch(B, 1)}
    if compiled:
        built.compile("adam", "mse", metrics=["mae"], jit_compile=jit)
        return KerasTraining(model=built, **batch)
    return KerasTraining(model=built, loss="mse", optimizer="adam", jit_compile=jit, **batch)


@scenario
def without_targets(steps: int) -> KerasTraining:
    """A model that adds its own loss, with two inputs by name."""
    import keras

    x, y = keras.Input((steps, IN), name="x"), keras.Input((steps, IN), name="y")
    both = keras.layers.Concatenate()([x, y])
    outputs = keras.layers.GRU(U, activity_regularizer="l2")(both)
    batch = {"x": _batch(B, steps, IN), "y": _batch(B, steps, IN)}
    built = keras.Model({"x": x, "y": y}, outputs)
    built.compile("sgd")
    return KerasTraining(model=built, inputs=batch)


@scenario
def uncompiled(steps: int) -> KerasTraining:
    """A model without a loss."""
    import keras

    built = keras.Sequential([keras.Input((steps, IN)), keras.layers.LSTM(U)])
    return KerasTraining(built, _batch(B, steps, IN))


@scenario
def read_in_place(steps: int, *, batch: int = 2, width: int = 48) -> Training:
    """A weight that nothing holds when it is updated: Adam needs no new buffer for it."""
    x = tf1.placeholder(tf.float32, [batch, steps, width])
    w = tf1.get_variable("w", [width, width])
    return Training(
        feeds={x: np.ones((batch, steps, width), np.float32)},
        loss=tf.reduce_mean(tf.square(tf.tanh(tf.einsum("btw,wv->btv", x, w)))),
        optimizer=tf1.train.AdamOptimizer(0.01),
    )
