"""Four ways to build the same recurrent network: by hand, unrolled twice, and as a loop."""

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, make_cell, normal

tf1 = tf.compat.v1
SEED = ("seed",)


@scenario(tags=SEED)
def handmade_rnn(steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128) -> Training:
    """Cells unrolled by hand: Y[t] = tanh(X[t] Wx + Y[t-1] Wy + b), one placeholder per step."""
    xs = [tf1.placeholder(tf.float32, [batch, inputs]) for _ in range(steps)]
    wx = tf1.get_variable("wx", [inputs, units])
    wy = tf1.get_variable("wy", [units, units])
    b = tf1.get_variable("b", [units], initializer=tf1.zeros_initializer())
    y = tf.zeros([batch, units])
    outputs = []
    for x in xs:
        y = tf.tanh(tf.matmul(x, wx) + tf.matmul(y, wy) + b)
        outputs.append(y)
    data = normal(batch, steps, inputs)
    return Training(
        feeds={x: data[:, step] for step, x in enumerate(xs)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, axis=1))),
    )


@scenario(tags=SEED)
def static_rnn_placeholders(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """One cell copy and one placeholder per step (tf.compat.v1.nn.static_rnn)."""
    xs = [tf1.placeholder(tf.float32, [batch, inputs]) for _ in range(steps)]
    outputs, _ = tf1.nn.static_rnn(make_cell(cell, units), xs, dtype=tf.float32)
    data = normal(batch, steps, inputs)
    return Training(
        feeds={x: data[:, step] for step, x in enumerate(xs)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, axis=1))),
    )


@scenario(tags=SEED)
def static_rnn(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """One cell copy per step, one placeholder for all (tf.compat.v1.nn.static_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    xs = tf.unstack(x, axis=1)
    outputs, _ = tf1.nn.static_rnn(make_cell(cell, units), xs, dtype=tf.float32)
    return Training(
        feeds={x: normal(batch, steps, inputs)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, axis=1))),
    )


@scenario(tags=SEED)
def dynamic_rnn(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """One cell in a while loop (tf.compat.v1.nn.dynamic_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _ = tf1.nn.dynamic_rnn(make_cell(cell, units), x, dtype=tf.float32)
    return Training(
        feeds={x: normal(batch, steps, inputs)}, loss=tf.reduce_mean(tf.square(outputs))
    )
