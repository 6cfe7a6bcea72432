"""TensorFlow: graphs in a ``tf.compat.v1.Session``, on the BFC allocator on CPU and GPU."""

from __future__ import annotations

from profiler.frameworks import Engine


def engine() -> Engine:
    """Return the engine; only this imports the framework, so that pure parts need none."""
    from profiler.frameworks.tensorflow.runtime import TensorFlowEngine

    return TensorFlowEngine()
