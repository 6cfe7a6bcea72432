"""The command as a user runs it: what it prints and leaves, how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

Done = subprocess.CompletedProcess[str]
Stepwall = Callable[..., Done]

COMMAND = Path(sys.executable).with_name("stepwall")
COMMANDS = ["list", "profile", "wall", "report", "runs", "doctor"]
MIB = 1 << 20
OK, TOOL_FAILED, BAD_INPUT, POINT_FAILED, INTERRUPTED = 0, 1, 2, 4, 130
DATABASE = Path("results") / "stepwall.sqlite"
SMALL = ["--set", "units=8", "--set", "inputs=4", "--set", "batch=2"]
TINY_PARAMETERS = {"batch": 2, "inputs": 4, "units": 8, "cell": "basic"}
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
MANY = ["profile", "dynamic_rnn", "--steps", "4:9:1", *SMALL, "--name", "many"]
LONG = ["profile", "static_rnn", "--steps", "4,5000", *SMALL, "--name", "long"]
WAIT_S = 60
MOST_PROBES = 4
COUNTED = True  # see counted.py


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A command that ended, and the folder that it ran in."""

    done: Done
    folder: Path

    @property
    def document(self) -> dict[str, Any]:
        """Return its stdout as JSON."""
        document: dict[str, Any] = json.loads(self.done.stdout)
        return document


@dataclass(frozen=True, kw_only=True)
class Explained:
    """An explanation that was printed, and its document."""

    done: Done
    folder: Path
    document: dict[str, Any]


@pytest.fixture(scope="module")
def profiled(stepwall: Stepwall, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return a small profile of two scenarios with traces, printed as JSON."""
    folder = tmp_path_factory.mktemp("profiled")
    options = ["--steps", "4,8", *SMALL, "--trace", "--plots", "--name", "first", "--json", "-"]
    done = stepwall("profile", "static_rnn", "dynamic_rnn", *options, cwd=folder)
    return Finished(done=done, folder=folder)


@pytest.fixture(scope="module")
def walled(stepwall: Stepwall, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return a wall under a small limit, printed as JSON."""
    folder = tmp_path_factory.mktemp("walled")
    done = stepwall("wall", "dynamic_rnn", "--limit", "16MiB", "--json", "-", cwd=folder)
    return Finished(done=done, folder=folder)


@pytest.fixture(scope="module")
def explained(stepwall: Stepwall, tmp_path_factory: pytest.TempPathFactory) -> Explained:
    """Return the explanation of a short unrolled step."""
    folder = tmp_path_factory.mktemp("explained")
    settings = ["--set", "units=256", "--set", "batch=4"]
    options = ["--steps", "12", *settings, "--no-remedies", "--name", "why"]
    done = stepwall("explain", "static_rnn", *options, "--json", "why.json", cwd=folder)
    document = json.loads((folder / "why.json").read_text())
    return Explained(done=done, folder=folder, document=document)


@contextmanager
def running(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and see to it that nothing of it is left."""
    with subprocess.Popen(
        [COMMAND, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Without a session of its own it would ignore SIGINT under a test run in background.
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def rows(folder: Path) -> list[str]:
    """Return the measurements in a folder's database, as they are stored."""
    if not (folder / DATABASE).exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT data FROM measurements ORDER BY rowid").fetchall()
    except sqlite3.OperationalError:  # the tables are just being made
        return []
    return [data for (data,) in found]


def state(folder: Path, name: str, stepwall: Stepwall) -> dict[str, Any]:
    """Return what ``stepwall runs`` says of a run."""
    listed = json.loads(stepwall("runs", "--json", "-", cwd=folder).stdout)
    (run,) = [run for run in listed["runs"] if run["name"] == name]
    return dict(run)


def error_line(done: Done) -> str:
    """Return the one line that a refused command prints."""
    (line,) = done.stderr.splitlines()
    assert line.startswith("stepwall: ")
    return line


class TestHelp:
    """``stepwall --help``."""

    def test_lists_commands_and_exit_codes(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """Every command has its line, and every exit code its meaning."""
        done = stepwall("--help", cwd=tmp_path)

        assert done.returncode == OK
        for command in COMMANDS:
            assert re.search(rf"^  {command} +[A-Z]", done.stdout, re.MULTILINE)
        for code in (OK, TOOL_FAILED, BAD_INPUT, POINT_FAILED, INTERRUPTED):
            assert re.search(rf"^ +{code} +\w", done.stdout, re.MULTILINE)

    def test_is_what_no_argument_gets(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """The bare command shows the help as ``--help`` prints it."""
        done = stepwall(cwd=tmp_path)

        assert (done.stdout + done.stderr).startswith("Usage: stepwall")

    @pytest.mark.parametrize("arguments", [["--help"], ["profile", "--help"], ["runs"]])
    def test_imports_no_framework(
        self, stepwall: Stepwall, tmp_path: Path, arguments: list[str]
    ) -> None:
        """What measures nothing starts without TensorFlow, NumPy and pandas."""
        done = stepwall(*arguments, cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")

        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "click" in imported
        assert imported.isdisjoint({"tensorflow", "numpy", "pandas", "matplotlib"})


class TestProfile:
    """``stepwall profile``."""

    def test_prints_json_only(self, profiled: Finished) -> None:
        """With ``--json -`` stdout is one document of schema 1, and stderr is silent."""
        document = profiled.document

        assert (profiled.done.returncode, profiled.done.stderr) == (OK, "")
        assert document.keys() >= {"schema", "run", "environment", "measurements"}
        assert document["schema"] == 1

    def test_document_has_the_documented_keys(self, profiled: Finished) -> None:
        """Every measurement has the groups and fields that the design names."""
        points = profiled.document["measurements"]

        fields = {
            "outcome": {"status", "phase", "reason", "signal"},
            "graph": {
                *("forward_nodes", "backward_nodes", "total_nodes", "library_nodes"),
                *("executed_nodes", "graph_bytes", "by_op", "stages"),
            },
            "time": {"build_forward_s", "build_gradients_s", "first_step_s", "step_s"},
            "device": {"resident_bytes", "forward_peak_bytes", "peak_bytes", "limit_bytes"},
            "host": {"baseline_bytes"},
        }
        for point in points:
            assert point.keys() >= {"framework", "scenario", "parameters", "steps", *fields}
            assert point["parameters"] == TINY_PARAMETERS
            for group, names in fields.items():
                assert point[group].keys() >= names
            for stage in point["graph"]["stages"]:
                assert stage.keys() == {"name", "nodes", "parts", "by_op", "beside"}
            for phase in point["phases"]:
                assert phase.keys() >= {"name", "role", "seconds", "host_peak_bytes"}

    def test_measures_every_scenario_at_all_steps(self, profiled: Finished) -> None:
        """Series after series, by ascending steps."""
        points = profiled.document["measurements"]

        assert [(point["scenario"], point["steps"]) for point in points] == [
            ("static_rnn", 4),
            ("static_rnn", 8),
            ("dynamic_rnn", 4),
            ("dynamic_rnn", 8),
        ]
        assert {point["outcome"]["status"] for point in points} == {"ok"}

    def test_leaves_a_report_folder(self, profiled: Finished) -> None:
        """The page, its plots in two formats and the data in two, and ``latest`` points there."""
        results = profiled.folder / "results"
        files = [path.name for path in (results / "first").iterdir()]

        assert {"report.html", "measurements.csv", "measurements.json"} <= set(files)
        plots = {suffix: sum(name.endswith(suffix) for name in files) for suffix in ("png", "svg")}
        assert plots["png"] == plots["svg"] >= 4
        assert (results / "latest").resolve() == (results / "first").resolve()

    def test_files_say_what_stdout_says(self, profiled: Finished) -> None:
        """The stored document is the printed one, and the CSV has a row per point."""
        folder = profiled.folder / "results" / "first"
        stored = json.loads((folder / "measurements.json").read_text())

        assert stored == profiled.document
        header, *lines = (folder / "measurements.csv").read_text().splitlines()
        assert len(lines) == len(profiled.document["measurements"])
        assert "," in header

    def test_quiet_prints_nothing(self, toy: Stepwall, tmp_path: Path) -> None:
        """With ``-q`` the results are in the files only, the one of ``--json`` too."""
        arguments = ["--steps", "4", "-q", "--json", "out.json", "--timeline"]
        done = toy("profile", "toy_loop", *arguments, cwd=tmp_path)

        assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")
        (point,) = json.loads((tmp_path / "out.json").read_text())["measurements"]
        assert point["steps"] == 4

    def test_failed_point_has_its_exit_code(
        self, stepwall: Stepwall, resources: Path, tmp_path: Path
    ) -> None:
        """A point that is an error is named on stderr, the others are measured."""
        source = resources / "mistakes.py"
        arguments = ["--scenarios", source, "--steps", "4,5", "--verbose"]
        done = stepwall("profile", "raises", "tree_gradients", *arguments, cwd=tmp_path)

        assert done.returncode == POINT_FAILED
        failure = "raises at 4 steps: error in build_forward: ValueError: no data for 4 steps"
        lines = (line.rpartition(" (mistakes.py:") for line in done.stderr.splitlines())
        assert failure in [reason for reason, _, _ in lines]
        statuses = [json.loads(row)["outcome"]["status"] for row in rows(tmp_path)]
        assert statuses == ["error", "error", "ok", "ok"]
        assert "next: stepwall report " in done.stdout.splitlines()[-1]
        printed = (done.stdout + done.stderr).lower()
        assert not any(noise in printed for noise in ("tensorflow", "warning", "cuda", "traceback"))


class TestWall:
    """``stepwall wall``."""

    def test_certificate_has_the_documented_keys(self, walled: Finished) -> None:
        """Stdout is one document of schema 1 with what was asked for."""
        document = walled.document

        assert (walled.done.returncode, walled.done.stderr) == (OK, "")
        assert document["schema"] == 1
        assert document["scenario"] == "dynamic_rnn"
        assert document["parameters"] == {"batch": 32, "inputs": 64, "units": 128, "cell": "basic"}
        assert (document["kind"], document["limit_bytes"]) == ("device", 16 * MIB)
        assert document["seconds"] >= sum(probe["seconds"] for probe in document["probes"])

    def test_both_ends_were_run(self, walled: Finished) -> None:
        """The wall is exact: one probe survived within the limit, the next one did not.

        The failing one waited out TensorFlow's own 10 s, and says what ran out.
        """
        document = walled.document

        assert document["status"] == "exact"
        assert document["first_oom"] == document["last_ok"] + 1
        probes = {probe["steps"]: probe for probe in document["probes"]}
        survived, failed = probes[document["last_ok"]], probes[document["first_oom"]]
        assert (survived["outcome"], failed["outcome"]) == ("ok", "oom_device")
        assert survived["peak_bytes"] <= document["limit_bytes"]
        assert failed["seconds"] >= 10
        assert failed["shortage"] is not None
        assert len(document["probes"]) <= MOST_PROBES

    def test_prediction_came_from_smaller_points(self, walled: Finished) -> None:
        """Within two hundredths, and made before any probe near the wall."""
        document = walled.document

        assert document["predicted_by"] == "replay"
        assert document["predicted"] == pytest.approx(document["last_ok"], rel=0.02)
        assert document["predicted_low"] < document["predicted"] < document["predicted_high"]
        assert max(document["predicted_from"]) <= 0.7 * document["last_ok"]

    def test_parallel_schedule_and_repeats_are_said(
        self, stepwall: Stepwall, resources: Path, tmp_path: Path
    ) -> None:
        """Both ends held in every repeat, and what lies between is no proof of either."""
        arguments = ["--limit", "4MiB", "--schedule", "parallel", "--confirm", "1", "--json", "-"]
        # A chain has one order only: few of its runs fail, and each that does waits for 10 s.
        source = ["--scenarios", resources / "before.py"]
        done = stepwall("wall", "chain", *source, *arguments, cwd=tmp_path)
        document = json.loads(done.stdout)

        assert done.returncode == OK
        assert document["schedule"] == "parallel"
        assert document["status"] in {"exact", "band"}
        assert document["confirmation"] == {"repeats": 1, "survived": 1, "ran_out": 1}
        assert document["last_ok"] < document["first_oom"]

    def test_host_wall_names_what_capped_the_process(
        self, stepwall: Stepwall, tmp_path: Path
    ) -> None:
        """The limit is one on the whole process; nothing ran out of so few steps."""
        arguments = ["--kind", "host", "--limit", "2GiB", "--max-steps", "12", "--json", "-"]
        done = stepwall("wall", "dynamic_rnn", *SMALL, *arguments, cwd=tmp_path)
        document = json.loads(done.stdout)

        assert done.returncode == OK
        assert (document["kind"], document["limit_bytes"]) == ("host", 2 << 30)
        assert document["limit_by"] in {"cgroup v1", "cgroup v2", "RLIMIT_DATA"}
        assert (document["status"], document["last_ok"]) == ("at_least", 12)
        assert all(probe["peak_bytes"] for probe in document["probes"])

    def test_without_a_limit_the_machine_is_the_limit(
        self, stepwall: Stepwall, tmp_path: Path
    ) -> None:
        """The cap is what is available, in whole MiB; nothing is predicted past --max-steps."""
        arguments = ["--max-steps", "12", "--json", "-"]
        done = stepwall("wall", "dynamic_rnn", *SMALL, *arguments, cwd=tmp_path)
        document = json.loads(done.stdout)

        assert done.returncode == OK
        assert 0 < document["limit_bytes"] < psutil.virtual_memory().total
        assert document["limit_bytes"] % MIB == 0
        assert (document["status"], document["predicted"]) == ("at_least", None)


class TestReading:
    """Commands that read, or look around."""

    def test_runs_and_report_know_the_stored_run(
        self, stepwall: Stepwall, profiled: Finished, tmp_path: Path
    ) -> None:
        """A run is listed as complete, and its report can be written elsewhere again."""
        run = state(profiled.folder, "first", stepwall)
        output = tmp_path / "again"
        done = stepwall("report", "first", "--plots", "-o", output, cwd=profiled.folder)

        assert (run["finished"], run["measurements"], run["walls"]) == (True, 4, 0)
        assert (done.returncode, done.stderr) == (OK, "")
        names = {path.name for path in output.iterdir()}
        assert names == {path.name for path in (profiled.folder / "results" / "first").iterdir()}

    def test_report_overwrites_no_strange_folder(
        self, stepwall: Stepwall, profiled: Finished, tmp_path: Path
    ) -> None:
        """A folder that holds something is left alone unless ``--force`` is given."""
        (tmp_path / "mine.txt").write_text("mine")
        done = stepwall("report", "-o", tmp_path, cwd=profiled.folder)

        assert done.returncode == BAD_INPUT
        assert "--force" in error_line(done)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_list_shows_where_scenarios_come_from(
        self, stepwall: Stepwall, resources: Path, tmp_path: Path
    ) -> None:
        """Shipped and own scenarios stand in one document."""
        source = resources / "module_constant.py"
        done = stepwall("list", "--scenarios", source, "--json", "-", cwd=tmp_path)

        assert (done.returncode, done.stderr) == (OK, "")
        document = json.loads(done.stdout)
        listed = {item["name"]: item for item in document["scenarios"]}
        assert document["schema"] == 1
        assert listed["scaled"]["source"].startswith(f"{source}:")
        assert listed["scaled"]["summary"] == "A loss that is scaled by a constant of the module."
        assert [item["name"] for item in listed["static_rnn"]["parameters"]] == [
            *("batch", "inputs", "units", "cell")
        ]

    def test_list_narrows_to_a_suite_by_family(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """One heading for each family; scenarios of the user's belong to no suite."""
        mine = tmp_path / "mine.py"
        mine.write_text(
            "from profiler import Training, scenario\n"
            "@scenario(tags=('seed', 'own'))\n"
            "def my_rnn(steps: int) -> Training:\n"
            "    return None\n"
        )
        seed = stepwall("list", "--scenarios", mine, "--suite", "seed", cwd=tmp_path)
        own = stepwall("list", "--scenarios", mine, "--tag", "own", cwd=tmp_path)

        assert (seed.returncode, own.returncode) == (OK, OK)
        headings = [line for line in seed.stdout.splitlines() if line.endswith(".py)")]
        shapes = ("seq_to_vec", "vec_to_seq", "delayed_seq_to_seq")
        assert headings == ["builds  (builds.py)", *(f"{shape}  (shapes.py)" for shape in shapes)]
        assert "my_rnn" not in seed.stdout
        assert f"mine  ({mine})" in own.stdout.splitlines()
        assert "(builds.py)" not in own.stdout

    def test_doctor_says_what_can_be_measured(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """Each check has a name, a verdict and a detail; here all but the GPU and PyTorch work."""
        done = stepwall("doctor", "--json", "-", cwd=tmp_path, **NO_GPU)

        assert (done.returncode, done.stderr) == (OK, "")
        document = json.loads(done.stdout)
        assert document["schema"] == 1
        failing = {check["what"] for check in document["checks"] if not check["works"]}
        assert failing == {"gpu", "framework"}
        assert all(check["detail"] for check in document["checks"])
        (gpu,) = [check for check in document["checks"] if check["what"] == "gpu"]
        assert "have not run the GPU path on a real card" in gpu["detail"]


class TestExplain:
    """``stepwall explain``, and ``stepwall profile --trace``."""

    def test_document_is_a_measurement_with_its_trace(self, explained: Explained) -> None:
        """Peak, roles, op types and scopes, each of which adds up."""
        document = explained.document
        trace = document["trace"]
        asked = trace["peak_bytes"] - trace["by_role"].get("allocator rounding", 0)

        assert (explained.done.returncode, explained.done.stderr) == (OK, "")
        assert (document["schema"], document["scenario"], document["steps"]) == (
            1,
            "static_rnn",
            12,
        )
        assert document["device"]["peak_bytes"] == trace["allocator_peak_bytes"]
        assert trace["peak_bytes"] == trace["allocator_peak_bytes"]
        assert sum(trace["by_role"].values()) == trace["peak_bytes"]
        assert sum(item["bytes"] for item in trace["by_op"]) == asked
        assert sum(item["bytes"] for item in trace["by_scope"]) == asked
        assert trace["growth"]["between"] == [9, 12]

    def test_leaves_a_report(self, explained: Explained) -> None:
        """The page holds the story, the account and the step over time."""
        folder = explained.folder / "results" / "why"
        page = (folder / "report.html").read_text()

        assert not list(folder.glob("*.png"))  # ``report --plots`` makes them
        assert "What holds the memory" in page
        assert "equal to the byte" in page
        assert '"largest":[[' in page

    def test_prints_words_and_tables(self, explained: Explained) -> None:
        """The story first, the next command last."""
        size = (64 + 256) * 256 * 4
        printed = explained.done.stdout

        assert printed.startswith("static_rnn at 12 steps   batch 4")
        story = " ".join(printed.partition("  peak ")[0].split())
        assert f"12 steps \N{MULTIPLICATION SIGN} {size:,} B" in story
        assert "by role" in printed
        assert printed.splitlines()[-1].startswith("next: open ")

    def test_what_ran_out_is_not_explained(self, toy: Stepwall, tmp_path: Path) -> None:
        """It has no peak; how it ended is said, and the point is kept."""
        options = ["--steps", "400", "--set", "units=32", "--limit", "64KiB", "--json", "-"]
        done = toy("explain", "toy_unrolled", *options, cwd=tmp_path)
        document = json.loads(done.stdout)

        assert done.returncode == POINT_FAILED
        assert document["trace"] is None
        assert document["outcome"]["status"] == "oom_device"
        assert "toy_unrolled at 400 steps: oom_device" in done.stderr

    def test_a_profile_explains_every_point_on_request(self, profiled: Finished) -> None:
        """And draws what holds the peak over the steps."""
        points = profiled.document["measurements"]

        assert [point["trace"]["steps"] for point in points] == [4, 8] * 2
        assert all(p["trace"]["peak_bytes"] == p["device"]["peak_bytes"] for p in points)
        assert (profiled.folder / "results" / "first" / "peak_dynamic_rnn.png").exists()

    def test_a_wall_explains_its_last_steps(self, walled: Finished) -> None:
        """To the byte of the run that survived, under the limit."""
        document = walled.document
        (survived,) = [p for p in document["probes"] if p["steps"] == document["last_ok"]]

        assert document["explanation"]["steps"] == document["last_ok"]
        assert document["explanation"]["peak_bytes"] == survived["peak_bytes"]
        assert document["unexplained"] is None


class TestBadInput:
    """Each mistake is one clear line on stderr, and exit code 2."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["profile", "statik_rnn"], "did you mean 'static_rnn'?"),
            (["profile", "static_rnn", "--device", "gpu"], "TensorFlow sees only cpu"),
        ],
    )
    def test_of_scenarios(
        self, stepwall: Stepwall, tmp_path: Path, arguments: list[str], words: str
    ) -> None:
        """Names and values that only the catalog or the framework knows."""
        done = stepwall(*arguments, cwd=tmp_path, **NO_GPU)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert words in error_line(done)
        assert rows(tmp_path) == []

    @pytest.mark.parametrize("steps", ["", "8:4:x2"])
    def test_of_steps(self, stepwall: Stepwall, tmp_path: Path, steps: str) -> None:
        """Steps that are empty or run downwards; all that can be wrong is in tests/unit."""
        done = stepwall("profile", "static_rnn", "--steps", steps, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert f"--steps {steps!r}" in error_line(done)
        assert not (tmp_path / "results").exists()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["profile", "--limit", "64"], "size '64': write a number with a unit, such as 64MiB"),
            (["profile", "--limit", "0MiB"], "size '0MiB': must be"),
            (["profile", "--wall-limit", "many"], "size 'many'"),
            (
                ["wall", "static_rnn", "--device", "gpu"],
                "give --limit SIZE for a GPU, such as 16GiB",
            ),
            (["wall", "static_rnn", "--kind", "disk"], "'disk' is not one of"),
            (["wall", "static_rnn", "--confirm", "-1"], "-1 is not in the range"),
            (["profile", "--device", "tpu"], "device 'tpu': use cpu, gpu or gpu:N"),
            (["profile", "--set", "units"], "--set 'units': write name=value"),
            (["profile", "--set", "a=1", "--set", "a=2"], "'a' is set twice"),
            (["profile", "--scenarios", "nowhere.py"], "'nowhere.py': no such file or folder"),
            (["runs"], "no results in 'results': run 'stepwall profile' first"),
            (["report"], "no results in 'results': run 'stepwall profile' first"),
        ],
    )
    def test_of_options(
        self, stepwall: Stepwall, tmp_path: Path, arguments: list[str], words: str
    ) -> None:
        """Values that are wrong by themselves are refused before anything is started."""
        done = stepwall(*arguments, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert words in error_line(done)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["profile", "--stepz", "4"], "'--steps'"),
            (["profile", "--repeats", "0"], "'--repeats'"),
            (["profile", "--schedule", "random"], "'--schedule'"),
            (["profle"], "did you mean 'profile'?"),
            (["wall"], "Missing argument 'SCENARIO'"),
            (["explain", "static_rnn"], "Missing option '--steps'"),
            (["explain", "static_rnn", "--steps", "0"], "0 is not in the range"),
        ],
    )
    def test_of_usage(
        self, stepwall: Stepwall, tmp_path: Path, arguments: list[str], words: str
    ) -> None:
        """An option or command that does not exist, or lacks its value, is one line as well."""
        done = stepwall(*arguments, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert words in error_line(done)

    def test_of_several_scenario_files(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """Each broken file that was given is named, with its reason, a line for each."""
        (tmp_path / "one.py").write_text("x = 1 / 0\n")
        (tmp_path / "two.py").write_text("y = = 2\n")
        files = ["--scenarios", "one.py", "--scenarios", "two.py"]
        done = stepwall("profile", "static_rnn", *files, cwd=tmp_path)
        one, two = done.stderr.splitlines()

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert one == f"stepwall: {tmp_path}/one.py:1: ZeroDivisionError: division by zero"
        assert two.startswith(f"{tmp_path}/two.py:1: SyntaxError: invalid syntax")
        assert rows(tmp_path) == []

    @pytest.mark.parametrize("folder", ["in_the_way", "in_the_way/results", "/proc"])
    def test_of_results_folders(self, stepwall: Stepwall, tmp_path: Path, folder: str) -> None:
        """A results folder that is a file, lies under one, or takes no files."""
        (tmp_path / "in_the_way").write_text("not a folder")
        done = stepwall("profile", "--results", folder, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert f"'{folder}'" in error_line(done)

    @pytest.mark.parametrize("name", ["../outside", "a/b", "latest", "stepwall.sqlite"])
    def test_of_run_names(
        self, stepwall: Stepwall, profiled: Finished, tmp_path: Path, name: str
    ) -> None:
        """A name that cannot be a folder of its own is refused before anything is measured."""
        shutil.copytree(profiled.folder / "results", tmp_path / "results", symlinks=True)
        options = ["--steps", "4", *SMALL, "--name", name]
        done = stepwall("profile", "dynamic_rnn", *options, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert name in error_line(done)
        assert [path.name for path in tmp_path.iterdir()] == ["results"]

    def test_of_json_paths(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """A file that cannot be written is refused before anything is measured."""
        options = ["--steps", "4", *SMALL, "--json", "nowhere/out.json"]
        done = stepwall("profile", "dynamic_rnn", *options, cwd=tmp_path)

        assert done.returncode == BAD_INPUT
        assert "--json 'nowhere/out.json': No such file or directory" in error_line(done)
        assert rows(tmp_path) == []

    def test_of_a_run_that_is_unknown(self, stepwall: Stepwall, profiled: Finished) -> None:
        """The nearest name is proposed."""
        done = stepwall("report", "frist", cwd=profiled.folder)

        assert done.returncode == BAD_INPUT
        assert error_line(done) == "stepwall: no run 'frist' (did you mean 'first'?)"

    def test_of_a_name_that_is_taken(self, stepwall: Stepwall, profiled: Finished) -> None:
        """A stored run is not written over."""
        before = rows(profiled.folder)
        done = stepwall("profile", "dynamic_rnn", "--name", "first", cwd=profiled.folder)

        assert done.returncode == BAD_INPUT
        assert "a run named 'first' exists" in error_line(done)
        assert rows(profiled.folder) == before

    @pytest.mark.parametrize("command", ["runs", "report", "profile"])
    def test_of_a_database_from_a_newer_version(
        self, stepwall: Stepwall, profiled: Finished, tmp_path: Path, command: str
    ) -> None:
        """It is refused by name and version, and not touched."""
        shutil.copytree(profiled.folder / "results", tmp_path / "results", symlinks=True)
        with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
            database.execute("PRAGMA user_version = 99")
        before = (tmp_path / DATABASE).read_bytes()
        done = stepwall(command, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert "was written by a newer stepwall (schema 99" in error_line(done)
        assert (tmp_path / DATABASE).read_bytes() == before

    def test_of_a_database_that_is_none(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """A file that is no database is named and left alone."""
        (tmp_path / "results").mkdir()
        (tmp_path / DATABASE).write_text("something else\n" * 100)
        done = stepwall("runs", cwd=tmp_path)

        assert done.returncode == TOOL_FAILED
        said = f"stepwall: {DATABASE}: file is not a database: it is damaged. Move it away"
        assert error_line(done).startswith(said)
        assert (tmp_path / DATABASE).read_text() == "something else\n" * 100


class TestInterrupts:
    """Ending the command in the middle."""

    def test_ctrl_c_keeps_what_has_finished(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """It ends with 130 and one line; ``--resume`` measures only what is missing."""
        with running(*MANY, cwd=tmp_path) as process:
            wait_until(lambda: bool(rows(tmp_path)))
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=WAIT_S)
        kept = rows(tmp_path)
        interrupted = state(tmp_path, "many", stepwall)
        resumed = stepwall(*MANY, "--resume", cwd=tmp_path)

        assert process.returncode == INTERRUPTED
        assert stderr.strip() == "stepwall: interrupted; what had finished is kept"
        assert (interrupted["finished"], interrupted["measurements"]) == (False, len(kept))
        assert 1 <= len(kept) < 6
        assert {json.loads(row)["outcome"]["status"] for row in kept} == {"ok"}
        assert resumed.returncode == OK
        assert rows(tmp_path)[: len(kept)] == kept
        assert [json.loads(row)["point"]["steps"] for row in rows(tmp_path)] == list(range(4, 10))
        assert state(tmp_path, "many", stepwall)["finished"]

    def test_ctrl_c_before_the_first_point(self, tmp_path: Path) -> None:
        """While TensorFlow starts it ends in the same way, and leaves no process."""
        with running(*MANY, cwd=tmp_path) as process:
            wait_until((tmp_path / DATABASE).exists)
            wait_until(lambda: bool(psutil.Process(process.pid).children()))
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=WAIT_S)

        assert process.returncode == INTERRUPTED
        assert stderr.strip() == "stepwall: interrupted; what had finished is kept"
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []

    def test_kill_leaves_no_orphans(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """After SIGKILL its server and children are gone, and what had finished is stored."""
        with running(*LONG, cwd=tmp_path) as process:
            wait_until(lambda: bool(rows(tmp_path)))
            # The server, and its child that builds thousands of steps.
            wait_until(lambda: len(psutil.Process(process.pid).children(recursive=True)) > 1)
            children = psutil.Process(process.pid).children(recursive=True)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(WAIT_S)
        wait_until(lambda: not any(map(is_at_work, children)))

        with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        run = state(tmp_path, "long", stepwall)
        assert (run["finished"], run["measurements"]) == (False, 1)


def is_at_work(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
