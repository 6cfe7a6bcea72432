"""Real walls: predicted, found in a few runs, and confirmed without the search."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiler.facts import Certificate, Status, WallStatus, replace
from profiler.store.runs import Store
from reports.pages.exports import wall_document

Stepwall = Callable[..., subprocess.CompletedProcess[str]]
Probes = dict[int, tuple[int, str]]  # by steps: the row in the database, and what it holds

COMMAND = Path(sys.executable).with_name("stepwall")
CONFIRM = Path(__file__).parents[1] / "confirm_walls.py"
MOST_PROBES = 4
OK, DOES_NOT_HOLD, BAD_INPUT = 0, 1, 2
WAIT_S = 120


@dataclass(frozen=True, kw_only=True)
class Killed:
    """A search that was killed and resumed: its folder, and its probes before and after."""

    folder: Path
    done: subprocess.CompletedProcess[str]
    finished: Probes
    stored: Probes


@pytest.fixture(scope="module")
def killed(stepwall: Stepwall, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Return a search that was killed once it had finished a probe, and then resumed."""
    folder = tmp_path_factory.mktemp("killed")
    command = ["wall", "static_rnn", "--limit", "8MiB", "--name", "killed"]
    with subprocess.Popen(
        [COMMAND, *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _wait_until(lambda: _probes(folder) != {})
        os.kill(process.pid, signal.SIGKILL)
    finished = _probes(folder)
    done = stepwall(*command, "--resume", "--json", "wall.json", cwd=folder)
    return Killed(folder=folder, done=done, finished=finished, stored=_probes(folder))


@pytest.fixture(scope="module")
def wall(killed: Killed) -> Certificate:
    """Return the wall of an unrolled graph; a loop's is looked at in test_cli.py."""
    with Store(killed.folder / "results") as store:
        (summary,) = store.summaries()
        (wall,) = store.load(summary.id).walls
    return wall


class TestARealWall:
    """What a certificate of the real thing holds."""

    def test_is_exact_in_a_few_probes(self, wall: Certificate) -> None:
        """The two ends, and by how much the prediction was off."""
        assert (wall.status, wall.reason) == (WallStatus.EXACT, None)
        assert wall.last_ok is not None
        assert wall.first_oom == wall.last_ok + 1
        assert len(wall.probes) <= MOST_PROBES

    def test_has_ends_that_ran_to_their_own_end(self, wall: Certificate) -> None:
        """The failing one waited out TensorFlow's own 10 s, and says what ran out."""
        assert wall.survivor is not None
        assert wall.survivor.peak_bytes is not None
        assert wall.survivor.peak_bytes <= wall.limit_bytes
        assert wall.failure is not None
        assert wall.failure.outcome.status is Status.OOM_DEVICE
        assert wall.failure.outcome.shortage is not None
        assert wall.failure.seconds >= 10

    def test_was_predicted_where_it_is(self, wall: Certificate) -> None:
        """Within two hundredths, by steps that are well below the wall."""
        assert wall.last_ok is not None
        assert wall.predicted == pytest.approx(wall.last_ok, rel=0.02)
        assert wall.predicted_by == "replay"
        assert max(wall.predicted_from) <= 0.7 * wall.last_ok


def test_a_killed_search_goes_on_with_what_had_finished(killed: Killed) -> None:
    """No finished probe is run again, and the certificate holds them all."""
    wall = json.loads((killed.folder / "wall.json").read_text())

    assert killed.done.returncode == OK, killed.done.stderr
    assert wall["status"] == "exact"
    assert {steps: killed.stored[steps] for steps in killed.finished} == killed.finished
    assert len(killed.finished) < len(killed.stored)
    assert sorted(killed.stored) == sorted({probe["steps"] for probe in wall["probes"]})


class TestConfirmWalls:
    """``tests/confirm_walls.py``."""

    def test_says_that_a_true_wall_holds(self, killed: Killed) -> None:
        """Both ends of every wall in the folder were run again."""
        wall = json.loads((killed.folder / "wall.json").read_text())
        done = _confirm(killed.folder / "results")

        assert (done.returncode, done.stderr) == (OK, "")
        assert done.stdout.startswith("holds  static_rnn ")
        assert f"{wall['last_ok']} ok, {wall['first_oom']} oom_device" in done.stdout

    def test_says_that_a_false_wall_does_not(self, wall: Certificate, tmp_path: Path) -> None:
        """One whose failing end survives; a wall that claims no two ends is left alone."""
        assert wall.last_ok is not None
        false = replace(wall, last_ok=wall.last_ok - 1, first_oom=wall.last_ok)
        open_ended = replace(wall, status=WallStatus.AT_LEAST, first_oom=None)
        documents = [wall_document(one) for one in (false, open_ended)]
        (tmp_path / "run.json").write_text(json.dumps({"walls": documents}))
        done = _confirm(tmp_path / "run.json")

        assert (done.returncode, done.stderr) == (DOES_NOT_HOLD, "")
        assert done.stdout.startswith("FAILS  static_rnn ")
        assert f"{wall.last_ok - 1} ok, {wall.last_ok} ok" in done.stdout
        assert len(done.stdout.splitlines()) == 1

    @pytest.mark.parametrize("text", ['{"walls": []}', "not JSON", '{"status": 1}'])
    def test_refuses_what_holds_no_wall(self, tmp_path: Path, text: str) -> None:
        """In one line, before anything is run."""
        (tmp_path / "none.json").write_text(text)
        done = _confirm(tmp_path / "none.json")

        assert done.returncode == BAD_INPUT
        assert done.stderr.splitlines()[-1].startswith("Error: ")
        assert "Traceback" not in done.stderr


def _confirm(results: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, CONFIRM, results],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def _probes(folder: Path) -> Probes:
    path = folder / "results" / "stepwall.sqlite"
    if not path.exists():
        return {}
    # Those without a limit only compare the schedules.
    query = (
        "SELECT json_extract(data, '$.point.steps'), rowid, data FROM probes "
        "WHERE json_extract(data, '$.point.limit_bytes') IS NOT NULL"
    )
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return {steps: (rowid, data) for steps, rowid, data in database.execute(query)}
    except sqlite3.OperationalError:  # the tables are just being made
        return {}


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
