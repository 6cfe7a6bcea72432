"""The path of ``--device gpu`` without a GPU: on a fake card, and on a fake of CUDA's driver.

What TensorFlow says of its GPUs is replaced (``resources/fake_card``), and what it would call
of CUDA; processes, allocator, walls and the commands are real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import report_samples as samples
from fault_counts import fault
from real_points import point_of

from profiler.facts import Measurement, Status, WallStatus, replace
from profiler.frameworks import Mode
from profiler.measure.client import Client
from profiler.measure.launcher import Launchers
from profiler.measure.runner import Runner
from profiler.store.runs import Store

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

LIMIT, CARD = 2 << 20, 64 << 20
PROBE = Mode(inspect=False, whole=False)
DRIVER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Says who asked, and that there is no device. */
int cuInit(unsigned flags) {
  const char *visible = getenv("CUDA_VISIBLE_DEVICES");
  FILE *log = fopen(getenv("FAKE_DRIVER_LOG"), "a");
  fprintf(log, "%d %d %s\n", getpid(), getppid(), visible ? visible : "every");
  fclose(log);
  return 100;
}
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the fake card keeps who asked for it."""
    return tmp_path_factory.mktemp("card")


@pytest.fixture(scope="module")
def card(log: Path, resources: Path) -> Iterator[Client]:
    """Return a client whose children see two fake cards, which the user calls 3 and 5."""
    with Launchers() as launchers:
        client = Client(launchers=launchers, sources=(str(resources / "on_card.py"),))
        with pytest.MonkeyPatch.context() as patch:
            path = [str(resources / "fake_card"), *filter(None, [os.environ.get("PYTHONPATH")])]
            patch.setenv("PYTHONPATH", os.pathsep.join(path))
            patch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
            patch.setenv("FAKE_CARD_LOG", str(log))
            client.describe(["tensorflow"])  # the fork server keeps its environment
        yield client


def _measured(card: Client, name: str, mode: Mode = PROBE, **conditions: object) -> Measurement:
    return card.measure(point_of(card, name, steps=8, **conditions), mode=mode)


def _askers(log: Path) -> dict[str, tuple[str, str]]:
    """Return of each process that asked for cards its parent, and what it might see."""
    found = {}
    for path in log.iterdir():
        if path.name.isdecimal():
            parent, _, visible = path.read_text().partition(" ")
            found[path.name] = (parent, visible)
    return found


@fault(8, "the GPU path, on a fake card")
def test_the_cards_are_those_that_the_user_lets_it_see(card: Client) -> None:
    """By TensorFlow's own list."""
    devices = card.describe(["tensorflow"])["tensorflow"].devices

    assert devices == ["cpu", "gpu:0 Fake Card", "gpu:1 Fake Card"]


@pytest.mark.parametrize(("device", "name"), [("gpu:0", "3"), ("gpu:1", "5")])
@fault(8, "the GPU path, on a fake card")
def test_a_child_sees_its_own_card_alone(card: Client, log: Path, device: str, name: str) -> None:
    """And it asks in a process that was forked, never the server that forks."""
    before = set(_askers(log))
    end = _measured(card, "growing", device=device).outcome
    new = {pid: found for pid, found in _askers(log).items() if pid not in before}

    assert end.status is Status.OK, end
    assert {visible for _, visible in new.values()} == {name}
    assert not {parent for parent, _ in _askers(log).values()} & set(_askers(log))


@fault(8, "the GPU path, on a fake card")
def test_waiting_for_a_kernel_is_no_memory_stall(card: Client) -> None:
    """On the CPU the same step looks as if it waited for memory."""
    on_card = _measured(card, "waiting", device="gpu:0").outcome
    on_cpu = _measured(card, "waiting").outcome

    assert on_card.status is Status.OK, on_card
    assert (on_cpu.status, on_cpu.cut_short) == (Status.OOM_DEVICE, True)


@fault(8, "the GPU path, on a fake card")
def test_a_limit_that_the_card_does_not_give_is_no_wall(card: Client) -> None:
    """The host has more than enough; the card has not."""
    end = _measured(card, "growing", device="gpu:0", limit_bytes=2 * CARD).outcome

    assert end.status is Status.ERROR
    assert "cannot take its limit of 128 MiB" in (end.reason or "")


@fault(8, "the GPU path, on a fake card")
def test_walls_on_one_card_are_proven_one_at_a_time(
    card: Client, log: Path, tmp_path: Path
) -> None:
    """Under a limit on the card's allocator, with more walls than one."""
    conditions = [
        replace(point_of(card, "growing", batch=batch), device="gpu:0", limit_bytes=LIMIT)
        for batch in (4, 64)
    ]
    with Store(tmp_path, create=True) as store:
        run = store.start_run(None, "stepwall wall", samples.ENVIRONMENT)
        walls = Runner(client=card, store=store, run=run).find_walls(conditions, max_steps=10_000)

    assert [wall.status for wall in walls] == [WallStatus.EXACT] * 2, walls
    assert not (log / "overlap").exists()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@fault(8, "the GPU path, on a fake card")
def test_cuda_is_touched_in_children_alone(
    stepwall: Stepwall, resources: Path, tmp_path: Path
) -> None:
    """By its driver: a file that is listed sees no card, whatever it does when it is imported."""
    log = tmp_path / "log"
    (tmp_path / "driver.c").write_text(DRIVER)
    library = ["-shared", "-fPIC", "-o", "libcuda.so.1", "driver.c"]
    subprocess.run(["cc", *library], cwd=tmp_path, check=True)  # noqa: S607
    mine = tmp_path / "mine.py"
    text = (resources / "on_card.py").read_text()
    mine.write_text(f'{text}\ntf.config.list_physical_devices("GPU")\n')
    done = stepwall(
        *("profile", "growing", "--device", "gpu", "--scenarios", mine),
        cwd=tmp_path,
        LD_LIBRARY_PATH=str(tmp_path),
        FAKE_DRIVER_LOG=str(log),
        CUDA_VISIBLE_DEVICES="3,5",
    )
    calls = [line.split() for line in log.read_text().splitlines()]

    assert (done.returncode, "TensorFlow sees only cpu" in done.stderr) == (2, True)
    assert {visible for *_, visible in calls} == {"-1", "3,5"}
    assert not {pid for pid, *_ in calls} & {parent for _, parent, _ in calls}
