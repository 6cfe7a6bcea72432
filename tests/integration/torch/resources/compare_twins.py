"""Print how far gradients of PyTorch's scenarios are from those of their twins in TensorFlow.

As JSON: case -> scenario -> parameter -> largest difference, as a share of the largest gradient.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scenarios import torch_attention, torch_compiled, torch_recurrent, torch_shapes

Arrays = dict[str, Any]
STEPS = 5
SIZES = {"batch": 3, "inputs": 4, "units": 6}
N, U = SIZES["inputs"], SIZES["units"]
_CELLS = {"basic": "rnn", "lstm": "lstm"}
# TensorFlow's gates are i, j, f, o and PyTorch's i, f, g, o.
_GATES = {"basic": [0], "lstm": [0, 2, 1, 3]}
_BUILDS = (
    torch_recurrent.torch_loop,
    torch_recurrent.torch_layer,
    torch_recurrent.torch_checkpointed,
    torch_compiled.torch_compiled_loop,
    torch_compiled.torch_scan,
)
_ATTENTION = {
    "attention/gain": "first.weight",
    "attention/offset": "first.bias",
    "dense/gain": "second.weight",
    "dense/offset": "second.bias",
    **{
        f"{name}/{tf_part}": f"{name}.{part}"
        for name in ("joint", "mixed", "wide", "narrow")
        for tf_part, part in (("kernel", "weight"), ("bias", "bias"))
    },
}


def of(case: str, arrays: Mapping[str, Any]) -> Arrays:
    """Return the arrays of a case."""
    return {
        name.removeprefix(f"{case}/"): value
        for name, value in arrays.items()
        if name.startswith(f"{case}/")
    }


def cell_of(case: Arrays, cell: str, scope: str, kind: str) -> Iterator[tuple[str, Any]]:
    """Yield the weights, or gradients, of a cell as PyTorch's cells and layers call them."""
    of_cell = {"basic": "basic_rnn_cell", "lstm": "lstm_cell"}[cell]
    kernel = case[f"{kind} {scope}/{of_cell}/kernel"]
    bias = case[f"{kind} {scope}/{of_cell}/bias"]
    order = [n for gate in _GATES[cell] for n in range(gate * U, (gate + 1) * U)]
    kernel, bias = kernel[:, order].T, bias[order]
    yield "weight_ih", kernel[:, :N]
    yield "weight_hh", kernel[:, N:]
    if kind == "gradient":
        yield "bias_ih", bias
        yield "bias_hh", bias
        return
    # PyTorch adds two biases, and none of them to the forget gate; TensorFlow's cell adds 1.
    forget = np.repeat([0, 1, 0, 0], U) if cell == "lstm" else 0
    yield "bias_ih", bias + forget
    yield "bias_hh", np.zeros_like(bias)


def named(cells: Mapping[str, Iterator[tuple[str, Any]]], owned: Mapping[str, Any]) -> Arrays:
    """Return the arrays under the names of a module's parameters.

    Args:
        cells: the arrays of each cell, by the module that it is in.
        owned: the module's parameters.
    """
    found = {}
    for owner, members in cells.items():
        for name, value in members:
            (full,) = [
                one
                for one in owned
                if one.startswith(owner) and one.removesuffix("_l0").endswith(name)
            ]
            found[full] = value
    return found


def compared(training: Any, inputs: list[Any], weights: Arrays, wanted: Arrays) -> Arrays:
    """Return the difference of each gradient, and of the loss."""
    parameters = owned(training)
    assert parameters.keys() == weights.keys() == wanted.keys() - {"loss"}, parameters.keys()
    with torch.no_grad():
        for name, value in weights.items():
            parameters[name].copy_(torch.from_numpy(np.array(value, np.float32)))
    loss = training.loss(training.module(*(torch.from_numpy(one) for one in inputs)))
    loss.backward()
    got = {name: one.grad.numpy() for name, one in parameters.items()} | {"loss": loss.item()}
    return {
        name: float(np.abs(got[name] - value).max() / (np.abs(value).max() or 1))
        for name, value in wanted.items()
    }


def owned(training: Any) -> dict[str, Any]:
    """Return what is trained, by name."""
    if training.parameters:
        return dict(zip(("wx", "wy", "b"), training.parameters, strict=True))
    pairs = training.module.named_parameters()
    return {name.removeprefix("_orig_mod."): one for name, one in pairs}


def recurrent(case: Arrays, cell: str, scopes: Mapping[str, str], build: Any) -> Arrays:
    """Return the differences of a scenario whose cells lie in these scopes."""
    training = build(STEPS, **SIZES, cell=_CELLS[cell])
    names = owned(training)
    weights, wanted = (
        named({owner: cell_of(case, cell, at, kind) for owner, at in scopes.items()}, names)
        for kind in ("weight", "gradient")
    )
    (fed,) = case["fed"]
    x = fed if fed.ndim == 2 else np.ascontiguousarray(fed.swapaxes(0, 1))
    return compared(training, [x], weights, {**wanted, "loss": case["loss"]})


def among_themselves(cell: str) -> dict[str, Arrays]:
    """Return the differences of each build from the loop, of a cell without a twin."""
    loop = torch_recurrent.torch_loop(STEPS, **SIZES, cell=cell)
    parameters = {name.removeprefix("cell."): one for name, one in owned(loop).items()}
    loss = loop.loss(loop.module(loop.inputs))
    loss.backward()
    numbers = [
        {name: one.detach().numpy().copy() for name, one in parameters.items()},
        {name: one.grad.numpy() for name, one in parameters.items()},
    ]
    found: dict[str, Arrays] = {}
    for build in _BUILDS[1:]:
        training = build(STEPS, **SIZES, cell=cell)
        weights, wanted = (named({"": iter(which.items())}, owned(training)) for which in numbers)
        found[build.__name__] = compared(
            training, [loop.inputs.numpy()], weights, {**wanted, "loss": loss.item()}
        )
    return found


def main(path: str) -> None:
    """Print the differences from the arrays of a file."""
    torch.set_num_threads(1)
    with np.load(Path(path)) as file:
        arrays = dict(file)
    found: dict[str, dict[str, Arrays]] = {}
    case = of("handmade", arrays)
    weights, wanted = (
        {name: case[f"{kind} {name}"] for name in ("wx", "wy", "b")}
        for kind in ("weight", "gradient")
    )
    training = torch_recurrent.torch_handmade(STEPS, **SIZES)
    found["handmade"] = {
        "torch_handmade": compared(
            training, list(case["fed"]), weights, {**wanted, "loss": case["loss"]}
        )
    }
    for cell in _CELLS:
        for name, scopes in (
            ("builds", {"": "rnn"}),
            ("seq_to_vec", {"": "rnn"}),
            ("vec_to_seq", {"": "rnn"}),
            ("delayed_seq_to_seq", {"encoder": "encoder", "decoder": "decoder"}),
        ):
            shapes = [
                getattr(torch_shapes, f"torch_{name}_{way}", None) for way in ("loop", "layer")
            ]
            case = of(f"{name} {cell}", arrays)
            found[f"{name} {cell}"] = {
                build.__name__: recurrent(case, cell, scopes, build)
                for build in (_BUILDS if name == "builds" else shapes)
            }
    found["gru"] = among_themselves("gru")
    case = of("attention", arrays)
    weights, wanted = (
        {
            name: case[f"{kind} layer_0/{theirs}"].T
            if theirs.endswith("kernel")
            else case[f"{kind} layer_0/{theirs}"]
            for theirs, name in _ATTENTION.items()
        }
        for kind in ("weight", "gradient")
    )
    found["attention"] = {
        build.__name__: compared(
            build(STEPS, batch=3, units=8, heads=2),
            list(case["fed"]),
            weights,
            {**wanted, "loss": case["loss"]},
        )
        for build in (torch_attention.torch_attention, torch_attention.torch_flash_attention)
    }
    sys.stdout.write(json.dumps(found))


main(*sys.argv[1:])
