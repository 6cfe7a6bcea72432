"""Whatever stands on a command line: a documented exit code, one clear line, and no other file.

Command lines are generated from click's own lists of commands and parameters, so that a new one is
tried by itself. Paths, names and numbers are handled for real; only what would start a child to
measure is stopped there. ``STEPWALL_COMMAND_LINES`` is how many are tried, 300 if it is not set.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

import click
import pytest
import report_samples as samples
import stub_framework
from fault_counts import fault, none_lost
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from profiler import cli
from profiler.cli import arguments, opening
from profiler.errors import StepwallError
from profiler.facts import Outcome, Status, decode, encode
from profiler.frameworks import framework
from profiler.frameworks.recorder import ChildReport
from profiler.measure import loading
from profiler.measure.job import Job, Task
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.scenario import forget_all
from profiler.store.baseline import baseline_text
from profiler.store.runs import Store
from reports.pages import folder

EXAMPLES = int(os.environ.get("STEPWALL_COMMAND_LINES", "300"))
STOPPED = "nothing is measured in this test"
DAMAGED = "file is not a database: it is damaged"
HUNG_AFTER_S = 600
COMMANDS = {
    name: importlib.import_module(f"profiler.cli.{name}_").command for name in cli._COMMANDS
}
SCENARIOS = """
from typing import Literal
from stub_framework import Practice
from profiler.scenario import scenario

COUNTED = False  # see counted.py

@scenario(tags=("mine",))
def one(steps: int, *, units: int = 8, rate: float = 0.5, deep: bool = False) -> Practice:
    \"\"\"One.\"\"\"
    return Practice(size=steps)

@scenario(tags=("mine",), multiple_of=4)
def two(
    steps: int,
    *,
    cell: Literal["gru", "lstm"] = "gru",
    layers: tuple[int, ...] = (8,),
    name: str = "a",
    clip: float | None = None,
) -> Practice:
    \"\"\"Two.\"\"\"
    return Practice(size=steps)
"""
BUDGETS = 'scenarios = "mine.py"\n[[budget]]\nscenario = "one"\npeak = "1MiB"\n'

# What a parameter may well be given; one that has another name may be given any of these.
FINE: dict[str, Sequence[str]] = {
    "scenario": ("one", "two"),
    "run": ("first", "second", "latest"),
    "stored": ("first",),
    "before": ("first", "base.json"),
    "after": ("second", "base.json"),
    "budgets": ("budgets.toml",),
    "path": ("mine.py", "folder"),
    "name": ("fresh", "my-run", "my_model"),
    "scenarios": ("mine.py",),
    "results": ("results", "new", "new/deeper"),
    "json_path": ("-", "out.json", "folder/out.json"),
    "output": ("fig.pdf", "fig.svg", "fig.png", "out.md", "made", "folder"),
    "html": ("page.html",),
    "settings": (
        "units=3",
        "cell=gru,lstm",
        "layers=(8,8),(4)",
        "rate=1e-3",
        "name=x",
        "clip=none",
    ),
    "steps": ("8", "16", "8,16", "8:64:x2", "10:100:10"),
    "limit": ("64MiB",),
    "wall_limit": ("1GiB",),
    "suite": ("all",),
    "tags": ("mine",),
    "names": ("static_rnn", "dynamic_rnn"),
    "families": ("builds",),
    "metrics": ("nodes", "peak"),
    "rules": ("peak:5%", "all:0%"),
    "device": ("cpu",),
    "width": ("single", "89mm", "3.3in"),
    "height": ("4in", "9cm"),
    "style": ("classic", "a.mplstyle"),
}
ANY = sorted({text for texts in FINE.values() for text in texts})
LONG = "x" * 300
# Root may read and write nearly everything: not these.
BAD_PATHS = (
    *("", "\0", "a\0b", LONG, f"nowhere/{LONG}", "d/" * 3000, "a\nb", "\x1b[31m", "é", "~"),
    *("loop", "loop/x", "dangling", "a_file", "a_file/x", "folder", "full", "pipe", "pipe/x", ".."),
    *(".", "../x", "../beside", "nowhere/x", "nowhere/x.pdf", "pipe.pdf", "loop.svg", "pipe.json"),
    *("/dev/full", "/dev/null", "/dev/null/x", "/dev/zero", "/proc/self/mem", "/proc/nope/x"),
    *("/sys/x.png", "/proc/self/x.json", "\udcff", "\udcff.pdf", "\ud800", "binary", "binary.json"),
    *("results/stepwall.sqlite", "bad_database", "pipe_database", "no_database", "loop_database"),
    *("folder.json", "full.json", f"{LONG}.json", f"{LONG}.png", "loop.json", "\0.json", "piped"),
    *("-x", "--"),
)
BAD_TEXTS = (
    *("", " ", "\0", "\udcff", "\ud800", "a\nb", "\x1b[31m", "é", "-", "--", "-x", "--nope", LONG),
    *("../x", ".", "..", "stepwall.sqlite", "stepwall.sqlite-wal", "stepwall.sqlite-shm"),
    *("latest", "a/b", "%s", "{}", "'", '"', "one'; DROP TABLE runs; --", "=", "a=", "=b"),
    *("units=", "units=1e300", "rate=nan", "rate=inf", f"units={'9' * 5000}", 'name="\\ud800"'),
    *("layers=" + "(" * 2000, "layers=()", "name=\udcff", "\udcff=1", f"name={LONG}", "é=1"),
    *("units=" + ",".join(map(str, range(3000))), "rate=" + ",".join(map(str, range(3000)))),
    *("peak:1e300%", "peak:nan%", f"peak:{'9' * 400}%", "all:-1%", "x" * 20000),
)
BAD_NUMBERS = (
    *("", "0", "-1", "-0", "1.5", "1e300", "-1e300", "1e-300", "inf", "-inf", "nan", "NaN", "0x10"),
    *("9" * 30, "9" * 400, "9" * 5000, "1_000", "٣", "½", "1e999999999", "\0", "\udcff", "true"),
    *(f"{'9' * 30}MiB", f"{'9' * 400}GiB", "0B", "-1MiB", "1e300MiB", "nanMiB", "64 MiB", "0.1B"),
    *("gpu", "gpu:0", "gpu:-1", f"gpu:{'9' * 30}", f"gpu:{'9' * 5000}", "cpu:1", "GPU:1"),
    *("1:1000000:1", "1:1000000:1," * 300 + "1", "8:64:x1", "8:64:x0", "0:1:1", "64:8:x2", "8,,16"),
    *(f"{'9' * 400}in", "1e9in", "-1in", "nanin", "0.0001in", "1in", "40in", ".in"),
)
BAD = (*BAD_PATHS, *BAD_TEXTS, *BAD_NUMBERS)
# Tests may run as root: nothing is generated that root could write elsewhere.
TEXTS = st.text(max_size=20).filter(lambda text: "/" not in text)


LISTING = threading.Lock()


class HungError(BaseException):
    """Raised where a command seems to wait for ever."""


def _is_path(parameter: click.Parameter) -> bool:
    shown = f"{parameter.type.name} {parameter.metavar or ''} {parameter.name}".upper()
    return any(word in shown for word in ("PATH", "FILE", "DIR", "FOLDER"))


@st.composite
def _value(draw: st.DrawFn, parameter: click.Parameter, *, is_fine: bool) -> str:
    is_number = isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType)
    if not is_fine:
        likely: Sequence[str] = BAD_PATHS if _is_path(parameter) else (*BAD_TEXTS, *BAD_NUMBERS)
        if is_number:
            likely = BAD_NUMBERS
        return draw(st.sampled_from(likely) | st.sampled_from(BAD) | TEXTS)
    if isinstance(parameter.type, click.Choice):
        return draw(st.sampled_from([str(choice) for choice in parameter.type.choices]))
    if is_number:
        return draw(st.sampled_from(["1", "4", "8"]))
    return draw(st.sampled_from(FINE.get(parameter.name or "", ANY)))


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command with arguments and options, of which a few cannot be used."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    line, rest = [name], list[str]()
    bad = draw(st.integers(0, 2))
    for parameter in draw(st.permutations(COMMANDS[name].params)):
        is_option = isinstance(parameter, click.Option)
        usual = parameter.name in {"scenarios", "force"} or parameter.required
        if not draw(st.integers(0, 9)) < (8 if usual else 2 if is_option else 5):
            continue
        times = draw(st.integers(1, 2)) if parameter.multiple or parameter.nargs == -1 else 1
        for _ in range(times):
            is_fine = bad == 0 or draw(st.booleans())
            bad -= not is_fine
            if is_option:
                flags = [*parameter.opts, *parameter.secondary_opts]
                line.append(draw(st.sampled_from(flags)))
            if not getattr(parameter, "is_flag", False):
                (line if is_option else rest).append(draw(_value(parameter, is_fine=is_fine)))
    junk = draw(st.lists(st.sampled_from(BAD), max_size=1)) if draw(st.integers(0, 9)) == 0 else []
    guard = ["--"] * draw(st.booleans())
    return [*line, *junk, *guard, *rest]


class _Launcher:
    """Lists scenarios and describes the framework as children do, in this process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getitem__(self, name: str) -> _Launcher:
        return self

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        job = decode(Job, encode(job))
        threading.Lock().acquire(timeout=timeout_s)  # as its child is waited for
        if job.task not in {Task.LIST, Task.DESCRIBE}:
            raise StepwallError(STOPPED)
        with LISTING:  # a child has a registry of its own
            return self._listed(job)

    def _listed(self, job: Job) -> JobResult:
        ended, answer = samples.OK, ""
        forget_all()
        finders, modules = [*sys.meta_path], {*sys.modules}
        try:
            if job.file is None:
                answer = encode(framework(job.framework).runtime().describe())
            else:
                answer = encode(loading.listed(job.file, framework(job.framework)))
        except Exception as error:  # noqa: BLE001 (as a child does)
            ended = Outcome(status=Status.ERROR, reason=str(error))
        sys.meta_path[:] = finders
        for name in {*sys.modules} - modules:
            if "stepwall_user" in name:
                del sys.modules[name]
        report = encode(ChildReport(outcome=ended, answer=answer)).encode()
        return JobResult(report=report, exit=ProcessEnd(wait_status=0), seconds=0.1, log_tail="")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a database of two runs and one of them as a baseline."""
    folder = tmp_path_factory.mktemp("stored")
    run = samples.contrast().run
    with Store(folder, create=True) as store:
        for name in ("first", "second"):
            started = store.start_run(name, "stepwall profile", samples.ENVIRONMENT)
            for measurement in run.measurements[::2]:
                store.add_measurement(started, measurement)
            for at, wall in enumerate(run.walls):
                store.add_wall(started, f"{at}", wall)
            store.finish_run(started)
        loaded = store.load("first")
    (folder / "base.json").write_text(baseline_text(loaded))
    return folder


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no child, and know no framework but the stub."""
    stub_framework.install(monkeypatch)
    monkeypatch.setattr(opening, "Launchers", _Launcher)
    monkeypatch.setattr(folder, "_files", _short_files)


def _short_files(*_: object, with_plots: bool) -> Iterator[tuple[str, bytes]]:
    """Yield a report's files, of which the content takes seconds."""
    yield from [("report.html", b"page"), *[("peak.png", b"plot")] * with_plots]


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def _place(root: Path, stored: Path) -> Path:
    """Make a folder with what a path may lead to, and go there."""
    os.chdir(root.parent)
    shutil.rmtree(root, ignore_errors=True)
    here = root / "here"
    for name in ("folder", "full", "folder.json", "results", "bad_database", "piped"):
        (here / name).mkdir(parents=True)
    for name in ("pipe_database", "no_database", "loop_database"):
        (here / name).mkdir()
    for name, text in {
        "a_file": "something\n",
        "full/x": "something\n",
        "full.json": "{",
        "mine.py": SCENARIOS,
        "folder/more.py": SCENARIOS.replace("one(", "three(").replace("two(", "four("),
        "budgets.toml": BUDGETS,
        "a.mplstyle": "lines.linewidth: 3\n",
        "no_database/stepwall.sqlite": "no database" * 1000,
        "../beside": "not to be touched\n",
    }.items():
        (here / name).write_text(text)
    for name in ("binary", "binary.json"):
        (here / name).write_bytes(bytes(range(256)) * 16)
    for name in ("pipe", "pipe.pdf", "pipe.json", "pipe_database/stepwall.sqlite", "piped/a.py"):
        os.mkfifo(here / name)
    for name in ("loop", "loop.svg", "loop.json", "loop_database/stepwall.sqlite"):
        (here / name).symlink_to(Path(name).name)
    (here / "dangling").symlink_to("nowhere/x")
    (here / "bad_database" / "stepwall.sqlite").mkdir()
    shutil.copy(stored / "stepwall.sqlite", here / "results")
    shutil.copy(stored / "base.json", here)
    os.chdir(here)
    return here


def _files(root: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for place, _, names in os.walk(root):
        for name in names:
            path = f"{place}/{name}"
            at = os.lstat(path)
            found[path] = (at.st_size, at.st_mtime_ns)
    return found


def _run(line: Sequence[str]) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr of a command line."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise HungError(line)

    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HUNG_AFTER_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.exit_code(list(line))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return code, out.getvalue(), err.getvalue()


def _may_be_written(line: Sequence[str], here: Path) -> list[str]:
    """Return where a command line may write: what its path options name, else the defaults."""
    command = COMMANDS[line[0]]
    try:
        given = command.make_context("stepwall", [*line[1:]], resilient_parsing=True).params
    except Exception:  # noqa: BLE001 (what cannot even be parsed names nothing)
        given = {}
    values = [given.get(one.name or "") for one in command.params if _is_path(one)]
    named = [str(value) for value in values if isinstance(value, str | Path)]
    defaults = {
        "pin": [f"{run}.baseline.json" for run in ("first", "second")],
        "plot": [f"{given.get('kind')}.pdf"],
        "new": [f"{given.get('name')}.py", f"test_{given.get('name')}.py"],
    }
    places = []
    for name in [*named, *defaults.get(line[0], [])]:
        for one in (name, name.rpartition(".")[0] + ".csv"):
            with contextlib.suppress(ValueError, OSError):
                places.append(os.path.realpath(here / one))
    return places


def _judge(line: Sequence[str], here: Path, before: dict[str, tuple[int, int]]) -> int:
    code, out, err = _run(line)
    assert "bug" not in err.lower().replace("debug", ""), err
    assert "Traceback" not in err or "--debug" in line, err
    assert code in {0, 1, 2, 3, 4}, (code, err)
    lines = err.splitlines()
    if code == 1 and line[0] != "doctor":  # whose answer it may be
        assert any(STOPPED in one or DAMAGED in one for one in lines), err
    if code == 2 and not (line[0] == "try" and out):  # which answers what cannot be used
        assert lines, "it does not say why"
        assert "--debug" in line or lines[0].startswith("stepwall: "), err
        assert "--debug" in line or all(map(_is_ours, lines)), err
    places = _may_be_written(line, here)
    outside = [
        path
        for path in _changed(here, before)
        if not any(f"{os.path.realpath(path)}/".startswith(f"{one}/") for one in places)
    ]
    none_lost(outside)
    return code


def _changed(here: Path, before: dict[str, tuple[int, int]]) -> set[str]:
    """Return the files that were made, changed or removed."""
    after = _files(here.parent)
    return {path for path in after | before if before.get(path) != after.get(path)}


def _is_ours(line: str) -> bool:
    """Whether a line of stderr is ours, or names one of several files that cannot be used."""
    return line.startswith(("stepwall: ", "/"))


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES <= 300,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(line=command_lines())
def test_any_command_line_ends_in_a_documented_way(
    tmp_path: Path, stored: Path, line: list[str]
) -> None:
    """Exit code 0 to 4, a line that says why, nothing of a bug, and no file that was not named."""
    here = _place(tmp_path / "root", stored)
    with fault(1, "any arguments, of any command"):
        code = _judge(line, here, _files(here.parent))
    event(f"{line[0]} {code}")


CLOSED = "a file or folder that the user has no right to"
# No file and no folder of any kind can be there.
NOWHERE = ("", "\0", LONG, f"folder/{LONG}", "loop", "loop/x", "a_file/x", "\ud800")
UNUSABLE: dict[type[arguments.PathType], Sequence[str]] = {
    arguments.PathType: NOWHERE,
    arguments.NewFile: (
        *("folder", "pipe", "nowhere/x", "dangling", "/dev/full", "/proc/nope/x", "/proc/self/x"),
        *("/dev/null/x", "results/stepwall.sqlite", "results/stepwall.sqlite-wal"),
    ),
    arguments.NewFolder: ("a_file", "pipe", "dangling", "/proc/nope/x", "/proc/self/x"),
    arguments.Results: ("a_file", "pipe", "/dev/null"),
    arguments.Source: ("nowhere", "dangling", "pipe", "/dev/null", "/proc/self/mem", "\udcff"),
}


def _is_of(parameter: click.Parameter) -> list[str]:
    kinds = type(parameter.type).__mro__
    return [path for kind, paths in UNUSABLE.items() if kind in kinds for path in paths]


def _least(name: str, without: click.Parameter | None = None) -> list[str]:
    """Return a command with what it needs, as far as it can be used."""
    line, rest = [name], list[str]()
    for parameter in COMMANDS[name].params:
        if parameter is without:
            continue
        texts = FINE.get(parameter.name or "", ANY)
        if isinstance(parameter.type, click.Choice):
            texts = [str(choice) for choice in parameter.type.choices]
        if isinstance(parameter, click.Option):
            line += [parameter.opts[0], texts[0]] if parameter.required else []
        elif parameter.required or parameter.nargs == -1:
            rest += texts if parameter.nargs == -1 else texts[:1]
    return [*line, "--scenarios", "mine.py", *rest]


@pytest.mark.parametrize(
    ("name", "parameter", "paths"),
    [
        pytest.param(name, parameter, _is_of(parameter), id=f"{name}-{parameter.name}")
        for name, command in COMMANDS.items()
        for parameter in command.params
        if _is_of(parameter)
    ],
)
def test_a_path_that_cannot_be_used_is_refused_with_its_reason(
    tmp_path: Path, stored: Path, name: str, parameter: click.Parameter, paths: list[str]
) -> None:
    """Whatever the command, and before anything is run or written."""
    here = _place(tmp_path / "root", stored)
    before = _files(here.parent)
    for path in paths:
        given = [parameter.opts[0], path] if isinstance(parameter, click.Option) else [path]
        with fault(1, "a path that cannot be used, for each option that takes one"):
            code, _, err = _run([*_least(name, parameter), *given])

            assert code == 2, (path, err)
            assert err.startswith("stepwall: "), (path, err)
            assert err.count("\n") == 1, (path, err)
            assert repr(path)[1:-1].replace("\\\\", "\\") in err, (path, err)
            none_lost(_changed(here, before))


@pytest.mark.parametrize("name", COMMANDS)
@fault(1, CLOSED)
def test_a_path_that_the_user_may_not_use_is_refused(
    tmp_path: Path, stored: Path, name: str
) -> None:
    """One line says so, and names it."""
    here = _place(tmp_path / "root", stored)
    (here / "closed").mkdir()
    shutil.copy(here / "mine.py", here / "closed")
    for parameter in COMMANDS[name].params:
        if not isinstance(parameter.type, arguments.PathType):
            continue
        given = [parameter.opts[0]] if isinstance(parameter, click.Option) else []
        line = [*_least(name, parameter), *given, "closed/mine.py"]
        _run(line)  # what is imported late is imported by root
        with _closed(here / "closed"):
            code, _, err = _run(line)

        assert (code, err.count("\n")) == (2, 1), err
        assert "'closed/mine.py': Permission denied" in err


@fault(1, CLOSED)
def test_results_that_the_user_may_only_read_are_refused(stored: Path) -> None:
    """As input that cannot be used, where a run would be written to them."""
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        here = _place(Path(open_to_all) / "root", stored)
        line = _least("profile")
        _run(line)  # what is imported late is imported by root
        (here / "results" / "stepwall.sqlite").chmod(0o444)
        with _closed(here / "folder"):
            code, _, err = _run(line)

    assert (code, err.count("\n")) == (2, 1), err
    assert "results/stepwall.sqlite: " in err


@pytest.mark.parametrize("name", COMMANDS)
@fault(1, "a current folder that is gone")
def test_a_current_folder_that_is_gone_is_told(tmp_path: Path, name: str) -> None:
    """Paths mean nothing there."""
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, _, err = _run(_least(name))

    assert (code, err) == (2, "stepwall: the current folder: No such file or directory\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("try", "mine.py", "--json", "./mine.py"), "--json 'mine.py': FILE names it too"),
        (("check", "budgets.toml", "--json", "budgets.toml"), "BUDGETS.toml names it too"),
        (("compare", "first", "base.json", "--html", "base.json"), "RUN_B names it too"),
        (("compare", "first", "second", "--html", "x", "--json", "x"), "names it too"),
        (("list", "--scenarios", "mine.py", "--json", "mine.py"), "--scenarios names it too"),
        (("plot", "growth", "--json", "growth.csv"), "the numbers go there"),
        (("plot", "growth", "--json", "growth.pdf"), "the figure goes there"),
        (("plot", "growth", "-o", "x.pdf", "-f", "--json", "a_link"), "names it too"),
        (("pin", "first", "--json", "first.baseline.json"), "the baseline goes there"),
        (("new", "fresh", "--json", "fresh.py"), "the new files go there"),
        (("new", "fresh", "--json", "./test_fresh.py"), "the new files go there"),
        (("report", "-f", "-o", "made", "--json", "made/report.html"), "the report keeps its own"),
        (("report", "-f", "-o", "made", "--json", "made/peak.svg"), "the report keeps its own"),
        (("report", "-f", "-o", "made", "--json", "to_report"), "the report keeps its own"),
        (("report", "--json", "results/first/measurements.json"), "the report keeps its own"),
        (("report", "--json", "results/latest/report.html"), "the report keeps its own"),
        (("compare", "first", "second", "--html", "x.pdf", "--json", "a_link"), "names it too"),
        (("compare", "first", "second", "--html", "x.pdf", "--json", "hard"), "names it too"),
        (("runs", "--json", "to_results"), "stored results use this name"),
        (("runs", "--json", "hard_results"), "stored results are there"),
        (("report", "--markdown", "-f", "-o", "to_results"), "stored results use this name"),
        (("report", "--markdown", "-f", "-o", "results/stepwall.sqlite"), "results use this name"),
        (("report", "--markdown", "-f", "-o", "x.pdf", "--json", "hard"), "names it too"),
        (("plot", "growth", "-f", "-o", "data.pdf"), "stored results use this name"),
        (("list", "--scenarios", "folder", "--json", "folder/more.py"), "names it too"),
        (("check", "budgets.toml", "--json", "to_mine"), "reads it"),
    ],
)
@fault(1, "one file for two uses")
def test_what_is_read_is_not_written_over(
    tmp_path: Path, stored: Path, line: tuple[str, ...], message: str
) -> None:
    """A file has one use in a command line."""
    here = _place(tmp_path / "root", stored)
    (here / "x.pdf").touch()
    (here / "results" / "first").mkdir()
    (here / "made").mkdir()
    for name, to in {
        "a_link": "x.pdf",
        "to_mine": "mine.py",
        "to_report": "made/report.html",
        "to_results": "results/stepwall.sqlite",
        "data.csv": "results/stepwall.sqlite",
        "results/latest": "first",
    }.items():
        (here / name).symlink_to(to)
    (here / "hard").hardlink_to(here / "x.pdf")
    (here / "hard_results").hardlink_to(here / "results" / "stepwall.sqlite")
    before = _files(here.parent)
    code, _, err = _run(line)

    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
    none_lost(_changed(here, before))


@pytest.mark.parametrize("options", [("-q",), ("--json", "-"), ("-q", "--json", "out.json")])
@pytest.mark.parametrize("command", [("try",), ("list", "--scenarios")])
def test_what_cannot_be_used_is_said_also_where_nothing_else_is(
    tmp_path: Path, stored: Path, command: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """On stderr, with the file and the line."""
    here = _place(tmp_path / "root", stored)
    (here / "broken.py").write_text("1 +\n")
    code, _, err = _run([*command, "broken.py", *options])

    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith("stepwall: ")
    assert "broken.py:1: SyntaxError" in err


@contextlib.contextmanager
def _closed(folder: Path) -> Iterator[None]:
    """Close a folder to this process, whose files root may use whatever their rights."""
    was, mode = os.geteuid(), folder.stat().st_mode
    folder.chmod(0)
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
        folder.chmod(mode)
