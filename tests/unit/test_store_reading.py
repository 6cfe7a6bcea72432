"""Commands read what they need: chosen scenarios, a header, keys; the file stays as it was."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import StepwallError, UsageError
from profiler.facts import Environment, Measurement, Point, Run, decode, replace
from profiler.store import runs
from profiler.store.runs import FILE_NAME, LATEST, Store

# A name that is not what SQL, JSON or a pattern take for text only.
NAMES = ("rnn", "rnn_2", "it's", 'a"b', "ünroll%", "$.x")
KEPT: tuple[list[tuple[str, int]], ...] = (
    [("rnn", 8), ("it's", 8), ("rnn", 16), ("$.x", 4)],
    [],
    [('a"b', 2), ("ünroll%", 2), ("rnn_2", 2), ("rnn", 2)],
    [("it's", 2)],
)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[type]:
    """Return how many records of each kind were decoded from the database."""
    count: Counter[type] = Counter()

    def counting(kind: type[Any], text: str) -> Any:
        count[kind] += 1
        return decode(kind, text)

    monkeypatch.setattr(runs, "decode", counting)
    return count


def _fill(store: Store, name: str, kept: Sequence[tuple[str, int]]) -> Run:
    run = store.start_run(name, "stepwall profile", samples.ENVIRONMENT)
    for scenario, steps in kept:
        store.add_measurement(run, samples.measured(scenario, steps))
        wall = replace(samples.wall(last_ok=steps), scenario=scenario)
        store.add_wall(run, samples.measured(scenario, steps).point.key, wall)
    return run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store of some runs: two scenarios or more in some, none in one."""
    with Store(tmp_path_factory.mktemp("results"), create=True) as store:
        for index, kept in enumerate(KEPT):
            _fill(store, f"run {index}", kept)
        yield store


@given(st.sets(st.sampled_from([*NAMES, "no such"])))
def test_a_part_of_a_run_is_what_the_whole_holds_of_it(stored: Store, wanted: set[str]) -> None:
    """In its order: the measurements and walls of some scenarios; a header has none of them."""
    names = [f"run {index}" for index in range(len(KEPT))]
    whole = [stored.load(name) for name in names]
    part = [stored.load(name, scenarios=wanted) for name in names]
    headers = [stored.header(name) for name in names]

    assert [len(run.measurements) for run in whole] == [len(kept) for kept in KEPT]
    assert part == [
        replace(
            run,
            measurements=[m for m in run.measurements if m.point.scenario in wanted],
            walls=[wall for wall in run.walls if wall.scenario in wanted],
        )
        for run in whole
    ]
    assert headers == [replace(run, measurements=[], walls=[]) for run in whole]
    assert [stored.header(), stored.header(LATEST)] == [headers[-1]] * 2
    assert list(stored.holding(wanted)) == [
        (run.id, [m.point for m in run.measurements]) for run in reversed(part) if run.measurements
    ]


def test_a_header_decodes_no_measurement(tmp_path: Path, decoded: Counter[type]) -> None:
    """Of five runs one environment is read, by name, by id, or as the newest; or none."""
    with Store(tmp_path, create=True) as store:
        made = [_fill(store, f"run {index}", [("rnn", 8), ("rnn", 16)]) for index in range(5)]
        for name in ("run 2", made[1].id, None):
            decoded.clear()
            store.header(name)

            assert decoded == {Environment: 1}
        decoded.clear()
        with pytest.raises(UsageError, match="no run 'rum 2'"):
            store.header("rum 2")
        store.summaries()

    assert decoded == {}


def test_a_part_decodes_no_other_scenario(tmp_path: Path, decoded: Counter[type]) -> None:
    """Two of three points are of others, whatever the other runs hold."""
    with Store(tmp_path, create=True) as store:
        for index in range(5):
            _fill(store, f"run {index}", [("rnn", 8), ("it's", 8), ("$.x", 8)])
        store.load("run 2", scenarios=["it's"])

    assert (decoded[Environment], decoded[Measurement]) == (1, 1)


def test_runs_that_hold_a_scenario_are_found_by_their_keys(
    tmp_path: Path, decoded: Counter[type]
) -> None:
    """No further than the caller asks, and only that scenario's points."""
    with Store(tmp_path, create=True) as store:
        for index in range(5):
            _fill(store, f"run {index}", [("rnn", 8), ("$.x" if index < 3 else "other", 8)])
        run_id, points = next(store.holding(["$.x"]))
        found = store.header(run_id).name

    assert (found, len(points)) == ("run 2", 1)
    assert decoded == {Point: 1, Environment: 1}


def _snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return each file with its time and bytes; SQLite's lock table is no data."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


def _left_by(end: Callable[[], None], folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the files that a process leaves which stores a run and ends that way."""
    child = os.fork()
    if child == 0:
        store = Store(folder, create=True)
        store.__enter__()
        _fill(store, "first", [("rnn", 8)])
        end()
        store.close()
        os._exit(0)
    os.waitpid(child, 0)
    for lock in folder.glob(".*.lock"):
        lock.unlink()
    return _snapshot(folder)


@pytest.fixture(params=["closed", "killed"])
def left(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """Return what a writer left: that closed its database, and that was killed."""
    is_killed = request.param == "killed"
    found = _left_by((lambda: os._exit(9)) if is_killed else (lambda: None), tmp_path)

    assert (f"{FILE_NAME}-wal" in found) == is_killed
    return found


def test_reading_changes_nothing(tmp_path: Path, left: dict[str, tuple[int, bytes]]) -> None:
    """Neither the file nor what stands beside it, also where a killed writer left its log."""
    with Store(tmp_path) as store:
        (measured,) = store.load("first").measurements
        found = [run.name for run in store.summaries()]

    assert (measured, found) == (samples.measured("rnn", 8), ["first"])
    assert _snapshot(tmp_path) == left


def test_a_store_that_reads_cannot_write(
    tmp_path: Path, left: dict[str, tuple[int, bytes]]
) -> None:
    """By mistake, too: the file stays as it was."""
    with Store(tmp_path) as store, pytest.raises(StepwallError, match="readonly"):
        store.add_measurement(store.header(), samples.measured("rnn", 16))

    assert _snapshot(tmp_path) == left


def test_an_empty_file_is_left_empty(tmp_path: Path) -> None:
    """A disk that was full may leave one: it holds no results, and gets no tables by reading."""
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(UsageError, match="no results in"):
        Store(tmp_path)

    assert _snapshot(tmp_path)[FILE_NAME][1] == b""


def test_a_reader_sees_what_a_writer_adds(tmp_path: Path) -> None:
    """Opened before or after the writer, which is not disturbed."""
    with Store(tmp_path, create=True) as writer:
        run = _fill(writer, "first", [("rnn", 8)])
        with Store(tmp_path) as reader:
            writer.add_measurement(run, samples.measured("rnn", 16))
            found = [m.point.steps for m in reader.load().measurements]
            writer.add_measurement(run, samples.measured("rnn", 32))
            again = [m.point.steps for m in reader.load().measurements]

    assert (found, again) == ([8, 16], [8, 16, 32])
