"""Whatever becomes of stored results: one clear line, a documented exit code, no file changed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
from fault_counts import fault, none_lost
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from profiler.cli import exit_code
from profiler.errors import StepwallError
from profiler.facts import Timeline, replace
from profiler.store.runs import FILE_NAME, Store

COUNTED = False  # see counted.py

# More of them by hand: STEPWALL_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("STEPWALL_EXAMPLES", "0"))
PAGE = 4096
RUNS = ("first", "second", "third")
STEPS = (8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


def _say(*arguments: object) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code([*map(str, arguments)])
    return Said(code=code, out=out.getvalue(), err=err.getvalue())


def _files(folder: Path) -> dict[str, bytes]:
    """Return what a folder holds, byte by byte."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _fill(folder: Path) -> None:
    """Store three runs: measured with all that a point can hold, and walls."""
    with Store(folder, create=True) as store:
        for number, name in enumerate(RUNS):
            run = store.start_run(name, "stepwall profile", samples.ENVIRONMENT)
            points = [samples.measured(steps=n, kib_per_step=90 + number) for n in STEPS]
            timeline = Timeline(interval_s=0.1, time_s=[0.0, 0.1], rss_bytes=[100, 200])
            points[1] = replace(points[1], trace=samples.EXPLANATION, timeline=timeline)
            points[-1] = samples.failed(points[-1])
            for point in points:
                store.add_measurement(run, point)
            wall = replace(samples.wall(), explanation=samples.EXPLANATION)
            store.add_wall(run, points[0].point.key, wall)
            store.finish_run(run)


def _killed(folder: Path) -> None:
    """Leave what a writer leaves that is killed: its log."""
    child = os.fork()
    if child == 0:
        store = Store(folder, create=True)
        store.__enter__()
        _fill(folder)
        os._exit(9)
    os.waitpid(child, 0)
    for lock in folder.glob(".*.lock"):
        lock.unlink()


class Sound(dict[str, dict[str, bytes]]):
    """The files of a closed database, and of one whose writer was killed."""

    def __repr__(self) -> str:
        """Return few words: examples that fail are printed with it."""
        return "sound"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """Return the files of a closed database and of one whose writer was killed."""
    closed, killed = (tmp_path_factory.mktemp(name) for name in ("closed", "killed"))
    _fill(closed)
    _killed(killed)
    return Sound(closed=_files(closed), killed=_files(killed))


@contextlib.contextmanager
def _folder(base: Path, files: dict[str, bytes]) -> Iterator[Path]:
    """Yield a folder of these files."""
    folder = base / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _commands(folder: Path, place: Path) -> list[tuple[object, ...]]:
    """Return commands that only read: the quick ones."""
    at = ("--results", folder)
    return [
        ("runs", *at),
        ("report", "--markdown", *at),
        ("report", "second", "--markdown", *at),
        ("compare", "first", "third", *at),
        ("pin", "first", "-f", "-o", place / "base.json", *at),
    ]


def _dear_commands(folder: Path, place: Path) -> list[tuple[object, ...]]:
    """Return commands that only read, and take longer."""
    at = ("--results", folder)
    return [
        ("report", "first", "-f", "-o", place / "page", *at),
        ("report", "first", "--terminal", "--json", place / "run.json", *at),
        ("compare", "first", "second", "--html", place / "page.html", *at),
        ("plot", "growth", "first", "-f", "-o", place / "growth.svg", *at),
        ("plot", "roles", "first", "-f", "-o", place / "roles.svg", *at),
        ("plot", "wall", "first", "-f", "-o", place / "wall.svg", *at),
    ]


def _check(said: Said, command: object) -> None:
    """Check what is promised of every command, whatever it reads."""
    told = f"{command}\n{said.err}"
    assert 0 <= said.code <= 4, told
    assert "this is a bug" not in said.err, told
    assert "Traceback" not in said.err, told
    lines = said.err.splitlines()
    assert all(line.startswith("stepwall: ") for line in lines), told
    assert len(lines) <= 1 + len(RUNS), told
    assert said.code in {0, 3} or lines, told
    assert max(map(len, lines), default=0) < 1000, told


def _unchanged(
    base: Path,
    files: dict[str, bytes],
    commands: Callable[[Path, Path], list[tuple[object, ...]]] = _commands,
) -> list[Said]:
    """Run the commands, check each of them and that it left the folder as it was."""
    place = base / "written"
    place.mkdir(exist_ok=True)
    found = []
    with _folder(base, files) as folder:
        for command in commands(folder, place):
            said = _say(*command)
            _check(said, command)
            none_lost(_changed_files(folder, files))
            found.append(said)
    return found


def _changed_files(folder: Path, before: dict[str, bytes]) -> list[str]:
    after = _files(folder)
    return [name for name in after | before if after.get(name) != before.get(name)]


# Damage to bytes -------------------------------------------------------------------------------


def _flip(data: bytes, at: Sequence[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for part, bit in at:
        changed[int(part * len(data))] ^= 1 << bit
    return bytes(changed)


def _zero(data: bytes, part: float) -> bytes:
    page = int(part * len(data)) // PAGE * PAGE
    return data[:page] + bytes(len(data[page : page + PAGE])) + data[page + PAGE :]


def _swap(data: bytes, one: float, other: float) -> bytes:
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    a, b = int(one * len(pages)), int(other * len(pages))
    pages[a], pages[b] = pages[b], pages[a]
    return b"".join(pages)


def _cut(data: bytes, part: float) -> bytes:
    return data[: int(part * len(data))]


def _overwrite(data: bytes, part: float, rubbish: bytes) -> bytes:
    at = int(part * len(data))
    return data[:at] + rubbish + data[at + len(rubbish) :]


parts = st.floats(0, 1, exclude_max=True)
# The head of the file, too, which is small.
places = st.one_of(parts, st.integers(0, 200).map(lambda at: at / 200_000))
damages = st.one_of(
    st.builds(
        lambda at: lambda data: _flip(data, at),
        st.lists(st.tuples(places, st.integers(0, 7)), min_size=1, max_size=9),
    ),
    st.builds(lambda part: lambda data: _zero(data, part), places),
    st.builds(lambda one, other: lambda data: _swap(data, one, other), parts, parts),
    st.builds(lambda part: lambda data: _cut(data, part), places),
    st.builds(
        lambda part, rubbish: lambda data: _overwrite(data, part, rubbish),
        places,
        st.one_of(st.binary(min_size=1, max_size=64), st.just(b"\xff" * 3 * PAGE)),
    ),
    st.builds(lambda more: lambda data: data + more, st.binary(min_size=1, max_size=64)),
)
_SETTINGS = settings(
    max_examples=EXAMPLES or 50,
    # What fails is told at once, and the same at every run.
    phases=[Phase.generate],
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_SETTINGS
@given(state=st.sampled_from(["closed", "killed"]), damage=damages, where=parts)
def test_a_damaged_file_is_one_line_and_is_not_changed(
    *,
    sound: Sound,
    tmp_path: Path,
    state: str,
    damage: Callable[[bytes], bytes],
    where: float,
) -> None:
    """Bits flipped, pages zeroed or swapped, cut, overwritten: of the file or of its log."""
    files = dict(sound[state])
    names = [name for name in files if not name.endswith("-shm")]
    name = names[int(where * len(names))]
    files[name] = damage(files[name])
    with fault(4, "bits, bytes or pages of the database or its log changed, cut or swapped"):
        _unchanged(tmp_path, files)


# Changed values --------------------------------------------------------------------------------

VALUE = "a value of a stored record changed"
odd_values = st.sampled_from(
    [
        *(None, -1, 0, 1, 2, 3, 10**6, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**30),
        *(-(10**30), 0.5, -0.5, 1e18, 1e300, -1e300, float("nan"), float("inf"), True),
        *("", "x", "8", "static_rnn", "\0", "a\nb", "\x1b[31m", "../outside", "x" * 10_000),
        *([], [0], [-1], [1, 2, 3], ["x"], {}, {"x": 1}, {"x": "y"}, {"": None}),
    ]
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in a document."""
    if path:
        yield path
    items = enumerate(value) if isinstance(value, list) else ()
    for name, item in value.items() if isinstance(value, dict) else items:
        yield from _places(item, (*path, name))


def _changed(document: Any, part: float, value: Any) -> Any:
    """Return a document with one of its values, or a key, changed or gone."""
    paths = list(_places(document))
    *way, last = paths[int(part * len(paths))]
    inner = document
    for step in way:
        inner = inner[step]
    if value == {"": None}:
        del inner[last]
    elif isinstance(inner, dict) and value == {"x": "y"}:
        inner["unknown"] = inner.pop(last)
    else:
        inner[last] = value
    return document


def _with_value(
    files: dict[str, bytes], base: Path, change: Callable[[Any], None]
) -> dict[str, bytes]:
    """Return the files after a change by SQL."""
    with _folder(base, files) as folder:
        with contextlib.closing(sqlite3.connect(folder / FILE_NAME)) as database:
            change(database)
            database.commit()
        return _files(folder)


_COLUMNS = [
    ("runs", name) for name in ("id", "name", "created_at", "command", "environment", "finished")
]
_COLUMNS += [
    (table, name) for table in ("measurements", "walls") for name in ("run", "key", "data")
]


@_SETTINGS
@given(
    place=st.sampled_from(_COLUMNS),
    value=st.one_of(
        st.sampled_from(
            ["", "x", "\0", "{}", "[]", "7", "null", '{"scenario": 3}', "a/b", ".", ".."]
        ),
        st.sampled_from([-1, 0, 2, 2**62, 1.5, b"", b"\xff\xfe", b"{}", "first", "latest", "a\nb"]),
        st.text(max_size=20),
        st.binary(max_size=20),
    ),
    as_text=st.booleans(),
)
def test_a_changed_column_is_told_with_its_run(
    *,
    sound: Sound,
    tmp_path: Path,
    place: tuple[str, str],
    value: object,
    as_text: bool,
) -> None:
    """Text that is no text, names that are none, a flag that is none: others stay readable."""
    table, column = place
    shown = "CAST(? AS TEXT)" if as_text else "?"

    def change(database: sqlite3.Connection) -> None:
        database.execute(
            f"UPDATE OR REPLACE {table} SET {column} = {shown} "  # noqa: S608
            f"WHERE rowid = (SELECT min(rowid) FROM {table})",
            (value,),
        )

    files = _with_value(sound["closed"], tmp_path, change)
    with fault(4, "a column of a stored row changed"):
        listed, _, second, *_ = _unchanged(tmp_path, files)

        assert all(name in listed.out for name in RUNS[1:])
        assert second.code == 0


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value of one row, and what stands there instead."""

    table: str
    row: int
    part: float
    value: Any

    def __call__(self, database: sqlite3.Connection) -> None:
        """Change it."""
        column = "environment" if self.table == "runs" else "data"
        query = f"SELECT rowid, {column} FROM {self.table} ORDER BY rowid LIMIT 1 OFFSET ?"  # noqa: S608
        ((rowid, text),) = database.execute(query, (self.row % len(STEPS_OF[self.table]),))
        new = json.dumps(_changed(json.loads(text), self.part, self.value))
        query = f"UPDATE {self.table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
        database.execute(query, (new, rowid))


# Of the first run.
STEPS_OF = {"measurements": STEPS, "walls": (0,), "runs": (0,)}
changes = st.builds(
    Change,
    table=st.sampled_from(["measurements", "measurements", "walls", "runs"]),
    row=st.integers(0, 3),
    part=parts,
    value=odd_values,
)


@_SETTINGS
@given(change=changes)
def test_a_changed_value_is_read_or_told_with_its_run_and_field(
    *, sound: Sound, tmp_path: Path, change: Change
) -> None:
    """Negative, not a number, absurdly large, of another type: never a traceback."""
    files = _with_value(sound["closed"], tmp_path, change)
    with fault(4, VALUE):
        listed, _, second, _, pinned = _unchanged(tmp_path, files)

        assert all(name in listed.out for name in RUNS)
        assert second.code == 0
        if pinned.code:
            assert "'first'" in pinned.err
            assert "`" in pinned.err
            assert "'first'" in listed.err


@settings(_SETTINGS, max_examples=max(12, EXAMPLES // 10))
@given(change=changes)
def test_a_page_or_a_figure_of_a_changed_value_is_made_or_refused(
    *, sound: Sound, tmp_path: Path, change: Change
) -> None:
    """Pages and figures compute with what the codec lets through."""
    files = _with_value(sound["closed"], tmp_path, change)
    with fault(4, VALUE):
        _unchanged(tmp_path, files, _dear_commands)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("explanation", ("over_step", "event"), []),
        ("explanation", ("over_step", "event"), [9, 8]),
        ("explanation", ("over_step", "bytes", "weight gradients"), [1]),
        ("explanation", ("growth", "between"), [8]),
        ("explanation", ("growth", "between"), [8, 8]),
        ("wall", ("last_ok",), None),
        ("wall", ("first_oom",), None),
        ("wall", ("first_oom",), 3),
        ("wall", ("multiple_of",), 0),
    ],
)
@fault(4, VALUE)
def test_fields_that_do_not_fit_each_other_are_told(
    sound: Sound, tmp_path: Path, kind: str, path: tuple[str, ...], value: Any
) -> None:
    """Each alone would do; together nothing can be drawn of them."""
    way = ("explanation", *path) if kind == "explanation" else path

    def change(database: sqlite3.Connection) -> None:
        ((rowid, text),) = database.execute("SELECT rowid, data FROM walls ORDER BY rowid LIMIT 1")
        document = json.loads(text)
        inner = document
        for step in way[:-1]:
            inner = inner[step]
        inner[way[-1]] = value
        database.execute("UPDATE walls SET data = ? WHERE rowid = ?", (json.dumps(document), rowid))

    files = _with_value(sound["closed"], tmp_path, change)
    listed, _, second, compared, pinned = _unchanged(tmp_path, files)

    assert (listed.code, second.code, compared.code, pinned.code) == (0, 0, 1, 1)
    assert f"`$.{'.'.join(way)}`" in pinned.err
    assert listed.err == pinned.err


@fault(4, "a log that has lost transactions")
def test_transactions_that_a_damaged_log_has_lost_are_told(sound: Sound, tmp_path: Path) -> None:
    """SQLite takes the first broken frame for the end; nothing is written over the rest."""
    files = dict(sound["killed"])
    log = f"{FILE_NAME}-wal"
    files[log] = _flip(files[log], [(0.3, 0)])
    for said in _unchanged(tmp_path, files)[:2]:
        assert "-wal" in said.err or "cannot be read" in said.err
    with _folder(tmp_path, files) as folder:
        with Store(folder, create=True) as store, pytest.raises(StepwallError, match="damaged"):
            store.start_run("new", "stepwall profile", samples.ENVIRONMENT)

        assert _files(folder) == files
