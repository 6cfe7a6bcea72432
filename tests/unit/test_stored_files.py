"""Results in a bad place, of others, or at a bad moment: told in a line, left as they are."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
from fault_counts import fault, none_lost
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from profiler.analysis.budgets.tables import read_budgets, scenario_paths
from profiler.cli import check_, exit_code
from profiler.errors import StepwallError, UsageError
from profiler.store import database
from profiler.store.baseline import baseline_text, read_baseline
from profiler.store.database import VERSION
from profiler.store.runs import FILE_NAME, Store

_SETTINGS = settings(
    max_examples=int(os.environ.get("STEPWALL_EXAMPLES", "0")) or 200,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
READING = (("runs",), ("report", "--markdown"), ("compare", "first", "first"), ("pin", "-f"))


def _say(*arguments: object) -> tuple[int, str]:
    """Run a command in this process, and return its exit code and what it said on stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code([*map(str, arguments)])
    return code, err.getvalue()


def _files(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def _changed(folder: Path, before: dict[str, bytes | None]) -> list[str]:
    after = _files(folder)
    return [name for name in after | before if after.get(name, "") != before.get(name, "")]


def _fill(folder: Path, *names: str) -> None:
    with Store(folder, create=True) as store:
        for name in names or ("first",):
            run = store.start_run(name, "stepwall profile", samples.ENVIRONMENT)
            for steps in (8, 16, 32):
                store.add_measurement(run, samples.measured(steps=steps))
            store.finish_run(run)


def _write(folder: Path) -> None:
    """Do what every command does that stores something."""
    with Store(folder, create=True) as store:
        store.start_run("new", "stepwall profile", samples.ENVIRONMENT)


def _foreign(folder: Path, *statements: str) -> None:
    folder.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME)) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()


def _ours(folder: Path, statement: str) -> None:
    _fill(folder)
    _foreign(folder, statement)


OTHERS: dict[str, Callable[[Path], object]] = {
    "another program": lambda at: _foreign(at, "CREATE TABLE bookmarks (url TEXT)"),
    "another program in WAL mode": lambda at: _foreign(
        at, "PRAGMA journal_mode=WAL", "CREATE TABLE bookmarks (url TEXT)"
    ),
    "another program, our version": lambda at: _foreign(
        at, "CREATE TABLE bookmarks (url TEXT)", f"PRAGMA user_version={VERSION}"
    ),
    "another program, newer": lambda at: _foreign(
        at, "CREATE TABLE bookmarks (url TEXT)", "PRAGMA user_version=99"
    ),
    "another table of runs": lambda at: _foreign(
        at, "CREATE TABLE runs (a INTEGER)", f"PRAGMA user_version={VERSION}"
    ),
    "a view": lambda at: _foreign(at, "CREATE VIEW runs AS SELECT 1", "PRAGMA user_version=4"),
    "newer": lambda at: _ours(at, "PRAGMA user_version=5"),
    "a table less": lambda at: _ours(at, "DROP TABLE walls"),
    "text": lambda at: (at / FILE_NAME).write_text("no database\n" * 500),
    "one byte": lambda at: (at / FILE_NAME).write_bytes(b"S"),
    "short": lambda at: (at / FILE_NAME).write_bytes(b"SQLite format 3\0"),
    "zeros": lambda at: (at / FILE_NAME).write_bytes(bytes(8192)),
    "a folder": lambda at: (at / FILE_NAME).mkdir(),
    "a dead link": lambda at: (at / FILE_NAME).symlink_to(at / "nowhere" / "file"),
    "a link to itself": lambda at: (at / FILE_NAME).symlink_to(at / FILE_NAME),
}


@pytest.mark.parametrize("what", OTHERS)
@fault(4, "a database of another application, of a newer version, or none")
def test_a_file_that_is_not_ours_is_told_and_left_alone(tmp_path: Path, what: str) -> None:
    """By commands that read and by those that write; beside it nothing is left either."""
    folder = tmp_path / "results"
    folder.mkdir()
    OTHERS[what](folder)
    before = _files(folder)
    for command in READING:
        code, err = _say(*command, "--results", folder)

        assert code in {1, 2}
        assert err.count("\n") == 1
        assert str(folder) in err
        assert "bug" not in err
        none_lost(_changed(folder, before))
    with pytest.raises(StepwallError) as caught:
        _write(folder)

    assert "\n" not in str(caught.value)
    none_lost(_changed(folder, before))


@fault(4, "a database of another application, of a newer version, or none")
def test_a_rollback_that_another_program_has_to_do_is_left_to_it(tmp_path: Path) -> None:
    """A hot journal beside a foreign file is not played back."""
    _foreign(tmp_path, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    script = f"""
import os, sqlite3
c = sqlite3.connect({str(tmp_path / FILE_NAME)!r}, isolation_level=None)
c.execute("PRAGMA cache_size=1"); c.execute("PRAGMA synchronous=OFF"); c.execute("BEGIN")
for n in range(2000): c.execute("INSERT INTO t VALUES (?)", ("x" * 500,))
os._exit(9)
"""  # noqa: S608
    subprocess.run([sys.executable, "-c", script], check=False)
    before = _files(tmp_path)
    assert f"{FILE_NAME}-journal" in before
    for command in READING:
        _say(*command, "--results", tmp_path)
    with pytest.raises(StepwallError):
        _write(tmp_path)

    none_lost(_changed(tmp_path, before))


# Writing -----------------------------------------------------------------------------------------


def _without_schema(folder: Path) -> None:
    data = (folder / FILE_NAME).read_bytes()
    (folder / FILE_NAME).write_bytes(data[:-4096] + b"\xff" * 4096)


@fault(4, "a damaged database, and a command that writes")
def test_nothing_is_written_into_a_damaged_file(tmp_path: Path) -> None:
    """What is sound in it must not be lost: the line says how to save it."""
    _fill(tmp_path, "first", "second")
    _without_schema(tmp_path)
    before = _files(tmp_path)
    with pytest.raises(StepwallError, match=r"damaged.*\.recover"):
        _write(tmp_path)

    none_lost(_changed(tmp_path, before))


@pytest.mark.parametrize("is_there", [True, False])
@fault(4, "a log without its database")
def test_a_log_without_its_file_is_not_removed(tmp_path: Path, *, is_there: bool) -> None:
    """SQLite takes it for a leftover, but all results may lie in it."""
    _fill(tmp_path)
    (tmp_path / FILE_NAME).rename(tmp_path / f"{FILE_NAME}-wal")
    if is_there:
        (tmp_path / FILE_NAME).touch()
    before = _files(tmp_path)
    for command in READING:
        code, err = _say(*command, "--results", tmp_path)

        assert code == 1
        assert f"{FILE_NAME}-wal" in err
        assert err.count("\n") == 1
    with pytest.raises(StepwallError, match=f"{FILE_NAME}-wal"):
        _write(tmp_path)

    none_lost(_changed(tmp_path, before))


@fault(4, "a command that only reads")
def test_who_only_reads_through_a_store_that_may_write_changes_nothing(tmp_path: Path) -> None:
    """As predict and versus do where a stored run answers."""
    _fill(tmp_path)
    before = _files(tmp_path)
    with Store(tmp_path, create=True) as store:
        store.check_free("another")
        found = [run_id for run_id, _ in store.holding(["static_rnn"])]
        run = store.load(found[0])

        none_lost(_changed(tmp_path, before))
    assert len(run.measurements) == 3
    none_lost(_changed(tmp_path, before))


# Place and moment --------------------------------------------------------------------------------


@contextlib.contextmanager
def _mounted(place: Path, options: str = "size=1m") -> Iterator[Callable[[str], None]]:
    """Mount a small disk; skip where that is not allowed. Yields what mounts it otherwise."""
    place.mkdir()
    mount, umount = (shutil.which(name) or name for name in ("mount", "umount"))
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"mount: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    def again(how: str) -> None:
        subprocess.run([mount, "-o", f"remount,{how}", str(place)], check=True)

    try:
        yield again
    finally:
        subprocess.run([umount, "-l", str(place)], check=True)


@fault(4, "a read-only or full disk, a locked database")
def test_a_read_only_disk_is_read_and_what_writes_says_so(tmp_path: Path) -> None:
    """Closed or left by a killed writer: what is stored is told; nothing can be added."""
    place = tmp_path / "disk"
    with _mounted(place) as remount:
        _fill(place)
        remount("ro")
        for command in READING:
            code, err = _say(
                *command, "--results", place, *(["-o", tmp_path / "x"] * (command[0] == "pin"))
            )

            assert (code, err) == (0, "")
        code, err = _say("report", "--results", place)
        with pytest.raises(StepwallError) as caught:
            _write(place)

    assert code == 2
    assert "Read-only file system" in err
    assert err.count("\n") == 1
    assert "use a --results folder that can be written" in str(caught.value)


@fault(4, "a read-only or full disk, a locked database")
def test_a_full_disk_is_read_and_what_writes_says_so(tmp_path: Path) -> None:
    """What is stored is told, and stays."""
    place = tmp_path / "disk"
    with _mounted(place):
        _fill(place)
        with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        before = _files(place)
        for command in READING:
            code, err = _say(
                *command, "--results", place, *(["-o", tmp_path / "x"] * (command[0] == "pin"))
            )

            assert (code, err) == (0, "")
        with pytest.raises(StepwallError) as caught:
            _write(place)
        after = _files(place)

    assert "\n" not in str(caught.value)
    assert "full" in str(caught.value) or "No space left" in str(caught.value)
    none_lost([FILE_NAME] * (after[FILE_NAME] != before[FILE_NAME]))


_HOLD = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "EXCLUSIVE": c.execute("PRAGMA locking_mode=EXCLUSIVE")
c.execute("BEGIN IMMEDIATE" if sys.argv[2] == "IMMEDIATE" else "BEGIN EXCLUSIVE")
c.execute("UPDATE runs SET finished = 0")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
@fault(4, "a read-only or full disk, a locked database")
def test_a_locked_file_is_read_and_what_writes_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever holds the lock is waited for a while; readers need not wait."""
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.2)
    _fill(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / FILE_NAME), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        before = _files(tmp_path)
        ends = [_say(*command, "--results", tmp_path) for command in READING[:3]]
        after = _files(tmp_path)
        with pytest.raises(StepwallError, match="another process has it locked: try again"):
            _write(tmp_path)
        holder.communicate()

    assert ends == [(0, "")] * 3
    none_lost([name for name in after | before if after.get(name) != before.get(name)])


_WRITE = """
import sys
sys.path[:0] = sys.argv[2:]
import report_samples as samples
from pathlib import Path
from profiler.store.runs import Store
with Store(Path(sys.argv[1]), create=True) as store:
    run = store.start_run("other", "stepwall profile", samples.ENVIRONMENT)
    for steps in range(1, 41):
        store.add_measurement(run, samples.measured(steps=steps))
        print(steps, flush=True)
"""


@fault(5, "a reader beside a writer, at each point")
def test_a_reader_sees_what_another_process_writes(tmp_path: Path) -> None:
    """At any moment: before its log, with it, and after it was merged."""
    _fill(tmp_path)
    tests = Path(__file__).resolve().parent
    paths = [str(tests), str(tests.parents[1])]
    seen = []
    with (
        Store(tmp_path) as reader,
        subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(tmp_path), *paths], stdout=subprocess.PIPE, text=True
        ) as writer,
    ):
        assert len(reader.summaries()) == 1
        assert writer.stdout is not None
        for line in writer.stdout:
            found = len(reader.load("other").measurements)
            seen.append(found - int(line))
        last = len(reader.load("other").measurements)

    none_lost([number for number in seen if number < 0])
    assert last == 40


@pytest.mark.parametrize(
    "command",
    [
        ("runs", "--json", "/dev/full"),
        ("report", "--markdown", "-f", "-o", "/dev/full"),
        ("report", "--markdown", "--json", "/dev/full"),
        ("pin", "-f", "-o", "/dev/full"),
        ("compare", "first", "first", "--html", "/dev/full"),
        ("compare", "first", "first", "--json", "/dev/full"),
    ],
)
@fault(4, "a read-only or full disk, a locked database")
def test_an_export_to_a_full_disk_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    """With the option and the reason."""
    _fill(tmp_path)
    before = _files(tmp_path)
    code, err = _say(*command, "--results", tmp_path)

    assert code == 2
    assert err.count("\n") == 1
    assert "'/dev/full': No space left on device" in err
    none_lost(_changed(tmp_path, before))


# Baselines ---------------------------------------------------------------------------------------

PINNED = baseline_text(
    samples.run([samples.measured(steps=n) for n in (8, 16, 32)], [samples.wall()])
).encode()
damages = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(0, 7)),
    st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.just(0)),
    st.tuples(st.just("put"), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=9)),
    st.tuples(
        st.just("put"),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(
            [b"NaN", b"1e999", b"-1", b"Infinity", b"\\ud800", b'"', b"[", b"{" * 3000]
        ),
    ),
)


def _damaged(data: bytes, damage: tuple[str, float, Any]) -> bytes:
    how, part, what = damage
    at = int(part * len(data))
    if how == "flip":
        return data[:at] + bytes([data[at] ^ 1 << what]) + data[at + 1 :]
    return data[:at] if how == "cut" else data[:at] + what + data[at + len(what) :]


def _refusal(read: Callable[[], object]) -> str:
    """Return the line that something is refused with; nothing if it is taken."""
    try:
        read()
    except UsageError as error:
        line = str(error)
        assert "\n" not in line
        assert len(line) < 1000
        return line
    return ""


@_SETTINGS
@given(damage=damages)
def test_a_damaged_baseline_is_refused_or_read(
    *, tmp_path: Path, damage: tuple[str, float, Any]
) -> None:
    """Any byte changed: one line names the file."""
    path = tmp_path / "base.json"
    path.write_bytes(_damaged(PINNED, damage))
    with fault(4, "a baseline or budgets, damaged"):
        line = _refusal(lambda: read_baseline(path))

        assert not line or repr(str(path)) in line


BAD_FILES: dict[str, bytes] = {
    "empty": b"",
    "no UTF-8": b"\xff\xfe\x00",
    "NUL": b"\0" * 100,
    "brackets": b"[" * 1_000_000,
    "braces": b'{"a":' * 200_000,
    "digits": b"[" + b"1" * 1_000_000 + b"]",
    "a number": b"7",
    "a text": b'"x"',
    "garbage": os.urandom(1 << 20),
}


@pytest.mark.parametrize("what", BAD_FILES)
@fault(4, "a file that is no baseline and no budgets, or too large")
def test_what_is_no_file_of_ours_is_refused_in_a_line(tmp_path: Path, what: str) -> None:
    """As a baseline and as budgets."""
    path = tmp_path / "base.json"
    path.write_bytes(BAD_FILES[what])
    for command in (("compare", path, path), ("check", path)):
        code, err = _say(*command, "--results", tmp_path / "none")

        assert code == 2
        assert err.count("\n") == 1
        assert str(path) in err
        assert "bug" not in err


@fault(4, "a file that is no baseline and no budgets, or too large")
def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """100 MB are no budgets, and no end of zeros is no baseline."""
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    for command in (("check", large), ("check", "/dev/zero"), ("check", tmp_path)):
        code, err = _say(*command, "--results", tmp_path)

        assert code == 2
        assert err.count("\n") == 1
    assert _refusal(lambda: read_baseline(large))
    assert _refusal(lambda: read_baseline(tmp_path))
    assert _refusal(lambda: read_baseline(Path("/dev/zero")))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "1e18", '"8"'])
@fault(4, "a baseline or budgets, damaged")
def test_a_number_that_is_none_is_refused_with_its_field(tmp_path: Path, number: str) -> None:
    """Of a baseline, as of a stored run."""
    document = json.loads(PINNED)
    document["measurements"][1]["step"]["median_s"] = 12345.5
    path = tmp_path / "base.json"
    path.write_text(json.dumps(document).replace("12345.5", number))
    line = _refusal(lambda: read_baseline(path))

    assert str(path) in line
    assert "damaged" in line or "not JSON" in line


# Budgets -----------------------------------------------------------------------------------------

BUDGETS = b"""scenarios = ["mine.py"]
[defaults]
steps = "8:32:x2"
device = "cpu"
schedule = "serial"
[[budget]]
scenario = "static_rnn"
peak = "20MiB"
slope = "1.2MiB/step"
nodes_per_step = 17
limit = "64MiB"
repeats = 2
steps = [8, 16]
parameters = { units = 128, cell = "lstm", layers = [1, 2] }
step_time = "20ms"
"""
toml_values = st.sampled_from(
    [
        *(b"nan", b"inf", b"-inf", b"-1", b"0", b"1e400", b"99999999999999999999999", b"true"),
        *(
            b'""',
            b'"x"',
            b'"\\u0000"',
            b"[]",
            b"[[]]",
            b"{}",
            b"{ a = 1 }",
            b"1979-05-27",
            b"07:32:00",
        ),
        *(b"[1, 'x', {}]", b'"-5MiB"', b'"1e9MiB"', b'"9999999999999999999TiB"', b"'''\n\n'''"),
        *(b'"../\\u0000"', b'"\\uD7FF"', b"[nan]", b"[8, 8.5]", b"1979-05-27T00:32:00-07:00"),
    ]
)


def _read_budgets(path: Path) -> None:
    document = check_._document(path)
    read_budgets(document, str(path))
    scenario_paths(document.get("scenarios", []), path.parent, str(path))


@_SETTINGS
@given(damage=damages)
def test_damaged_budgets_are_refused_or_read(
    *, tmp_path: Path, damage: tuple[str, float, Any]
) -> None:
    """Any byte changed: one line names the file."""
    path = tmp_path / "budgets.toml"
    path.write_bytes(_damaged(BUDGETS, damage))
    with fault(4, "a baseline or budgets, damaged"):
        line = _refusal(lambda: _read_budgets(path))

        assert not line or str(path) in line


@_SETTINGS
@given(at=st.integers(0, BUDGETS.count(b" = ") - 1), value=toml_values)
def test_a_budget_of_another_type_is_refused_with_its_key(
    *, tmp_path: Path, at: int, value: bytes
) -> None:
    """Out of range, of another type, or a text that is none."""
    lines = BUDGETS.splitlines()
    chosen = [number for number, line in enumerate(lines) if b" = " in line][
        at % sum(b" = " in line for line in lines)
    ]
    key = lines[chosen].split(b" = ")[0]
    lines[chosen] = key + b" = " + value
    path = tmp_path / "budgets.toml"
    path.write_bytes(b"\n".join(lines))
    with fault(4, "a baseline or budgets, damaged"):
        line = _refusal(lambda: _read_budgets(path))

        assert not line or str(path) in line
