"""Makes TensorFlow's CPU look like two cards, in every process that has this folder on its path.

Replaced are TensorFlow's list of GPUs, the limit of one, and where its allocator's numbers come
from: the CPU's allocator, of the size that the card is said to have. All else is real. In the
folder FAKE_CARD_LOG each process that asks for cards leaves a file: ``PID`` with its parent and
the cards that it may see; and ``overlap`` is there if two held one card at one time.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

CARD_MIB, CARDS = 64, 2
WANTED = "profiler.frameworks.tensorflow.runtime"


class _After(MetaPathFinder):
    """Lets the fake begin once the module is there that is to see it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != WANTED:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def loaded(module: ModuleType) -> None:
            load(module)
            _pretend()

        spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


def _visible() -> list[str]:
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [str(at) for at in range(CARDS)] if given is None else given.split(",")
    return [name for name in names if name and name != "-1"]


def _note(name: str, text: str) -> None:
    (Path(os.environ["FAKE_CARD_LOG"]) / name).write_text(text)


def _pretend() -> None:  # noqa: C901 (one thing replaced after another)
    import tensorflow as tf

    from profiler.frameworks.tensorflow import allocations
    from profiler.frameworks.tensorflow.step import keep_host_tensors_apart

    config, real = (
        tf.config,
        SimpleNamespace(
            devices=tf.config.list_physical_devices,
            configure=tf.config.set_logical_device_configuration,
            info=tf.config.experimental.get_memory_info,
            reset=tf.config.experimental.reset_memory_stats,
            device=tf.device,
        ),
    )
    held: list[int] = []

    def devices(kind: str | None = None) -> list[Any]:
        if kind != "GPU":
            return list(real.devices(kind))
        names = _visible()
        _note(str(os.getpid()), f"{os.getppid()} {os.environ.get('CUDA_VISIBLE_DEVICES')}")
        if len(names) == 1:
            keep_host_tensors_apart()
            take(CARD_MIB)
        return [SimpleNamespace(name=f"/physical_device:GPU:{at}") for at in range(len(names))]

    def take(mib: int) -> None:
        os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "1"
        os.environ["TF_CPU_BFC_MEM_LIMIT_IN_MB"] = str(mib)

    def configure(device: Any, logical: Sequence[Any]) -> None:
        if not hasattr(device, "device_type"):
            take(min(CARD_MIB, int(logical[0].memory_limit)))

    def hold() -> None:
        if held:
            return
        (name,) = _visible()
        file = Path(os.environ["FAKE_CARD_LOG"]) / f"card-{name}"
        held.append(os.open(file, os.O_RDWR | os.O_CREAT))
        try:  # until this process ends
            fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _note("overlap", f"{os.getpid()} on {name}")

    def on_cpu(name: str) -> str:
        if not name.startswith("GPU"):
            return name
        hold()
        return "CPU:0"

    config.list_physical_devices = devices
    config.set_logical_device_configuration = configure
    config.experimental.get_device_details = lambda _: {"device_name": "Fake Card"}
    config.experimental.get_memory_info = lambda name: real.info(on_cpu(name))
    config.experimental.reset_memory_stats = lambda name: real.reset(on_cpu(name))
    tf.device = lambda name: contextlib.nullcontext() if name == "GPU:0" else real.device(name)
    allocations._ALLOCATORS["GPU:0"] = allocations._ALLOCATORS["CPU:0"]


sys.meta_path.insert(0, _After())
