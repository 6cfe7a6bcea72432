"""Run in an interpreter of its own: a function's calls beside what a session runs of it.

Arguments: the scenario's file, its name, its parameters as JSON, steps. The last line printed is
a JSON object: the variables after three training steps, as the greatest difference.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from profiler.facts import Point
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow.functions import FunctionSteps
from profiler.frameworks.tensorflow.kinds import KerasTraining
from profiler.frameworks.tensorflow.runtime import TensorFlowRuntime
from profiler.frameworks.tensorflow.step import initialize

tf1 = tf.compat.v1
CALLS = 3


def loaded(path: str, name: str) -> Any:
    """Return the file's function of that name."""
    spec = importlib.util.spec_from_file_location("as_called_scenarios", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def called(step: Any) -> list[np.ndarray[Any, Any]]:
    """Call the step as its author does, and return its trained variables."""
    if isinstance(step, KerasTraining):
        step.model.compile(optimizer=step.optimizer, loss=step.loss)
        for _ in range(CALLS):
            step.model.train_on_batch(step.inputs, step.targets)
        return [np.asarray(one) for one in step.model.trainable_variables]
    for _ in range(CALLS):
        step.function(*map(tf.constant, step.arguments))
    variables = step.function.get_concrete_function(*step.arguments).graph.variables
    return [one.numpy() for one in variables if one.name in {"kernel:0", "bias:0"}]


def main(path: str, name: str, parameters: str, steps: str) -> None:
    """Train both ways, and print how far the weights are apart, and how far they went."""
    build = loaded(path, name)
    keywords = json.loads(parameters)
    point = Point(
        framework="tensorflow", scenario=name, family="", parameters=keywords, steps=int(steps)
    )
    runtime = TensorFlowRuntime()
    runtime.prepare(point)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        recorder = Recorder(Path(folder))
        runtime.start(recorder)
        graph = stack.enter_context(tf.Graph().as_default())
        made = FunctionSteps(runtime, point, lambda length: build(length, **keywords), recorder)
        step = made.built(graph, int(steps))
        session = stack.enter_context(tf1.Session(config=runtime.config))
        initialize(session, step)
        before = session.run(step.variables)
        for _ in range(CALLS):
            session.run(step.fetches, step.feeds)
        after = session.run(step.variables)
    theirs = {one.shape: one for one in called(build(int(steps), **keywords))}
    pairs = zip(after, before, strict=True)
    found = {
        "apart": max(float(np.abs(one - theirs[one.shape]).max()) for one in after),
        "went": min(float(np.abs(one - old).max()) for one, old in pairs),
        "variables": len(after),
    }
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
