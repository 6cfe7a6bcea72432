"""An install without any framework says which extra a scenario needs, and does all else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples as samples

from profiler.frameworks import lacking
from profiler.frameworks.tensorflow import FRAMEWORK
from profiler.planning.files import scenario_names
from profiler.store.runs import Store

ROOT = Path(__file__).resolve().parents[2]
# What Python runs when it starts: it finds none of these modules, in the children either.
HIDING = """
import sys

COUNTED = False  # see counted.py

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""
EVERY = ("tensorflow", "tf_keras", "keras", "torch")
NEEDS = "needs TensorFlow, and 'tensorflow' is not installed: pip install 'stepwall[tensorflow]'"
MINE = """
from profiler import Training, scenario

@scenario
def mine(steps: int) -> Training:
    \"\"\"Of the user.\"\"\"
"""
BUDGETS = """
[[budget]]
scenario = "static_rnn"
steps = "8"
peak = "1MiB"
"""
OK, USAGE = 0, 2
Bare = Callable[..., subprocess.CompletedProcess[str]]


def hide(folder: Path, *hidden: str) -> str:
    """Write what hides modules, and return the PYTHONPATH that brings it."""
    (folder / "hiding").mkdir()
    (folder / "hiding" / "sitecustomize.py").write_text(HIDING.format(hidden=set(hidden)))
    return os.pathsep.join([str(folder / "hiding"), str(ROOT)])


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    """Return ``bare(*arguments)``: the command where no framework is installed."""
    path = hide(tmp_path, *EVERY)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "budgets.toml").write_text(BUDGETS)

    def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "profiler", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return bare


@pytest.mark.parametrize("command", ["", "list", "profile", "wall", "new", "doctor"])
def test_help_needs_no_framework(bare: Bare, command: str) -> None:
    """Of any command."""
    done = bare(*command.split(), "--help")

    assert (done.returncode, done.stderr) == (OK, "")
    assert "Usage" in done.stdout or "stepwall" in done.stdout


def test_list_says_what_it_leaves_out(bare: Bare, tmp_path: Path) -> None:
    """In one line, with the command that brings it; the names stand in the JSON."""
    done = bare("list", "--json", "list.json")
    found = json.loads((tmp_path / "list.json").read_text())

    assert (done.returncode, done.stderr) == (OK, "")
    (line,) = [one for one in done.stdout.splitlines() if one.endswith(f": each {NEEDS}")]
    assert "static_rnn" in line.removesuffix(f": each {NEEDS}").split(", ")
    assert (found["scenarios"], found["broken"]) == ([], [])
    assert found["absent"]["static_rnn"] == found["absent"]["dynamic_rnn"] == NEEDS


def test_doctor_says_what_is_missing(bare: Bare, tmp_path: Path) -> None:
    """Beside what this machine can do all the same."""
    done = bare("doctor", "--json", "doctor.json")
    checks = json.loads((tmp_path / "doctor.json").read_text())["checks"]

    assert (done.returncode, done.stderr) == (OK, "")
    assert {"what": "framework", "works": False, "detail": f"a scenario {NEEDS}"} in checks
    assert "memory without --limit" in [check["what"] for check in checks]


@pytest.mark.parametrize(
    ("arguments", "who"),
    [
        ("profile static_rnn --steps 4", "scenario 'static_rnn'"),
        ("profile static_rnn dynamic_rnn --steps 4", "scenario 'static_rnn'"),
        ("profile --suite seed --steps 4", r"\d+ scenarios: each"),
        ("profile --steps 4", r"\d+ scenarios: each"),
        ("profile mine --scenarios mine.py --steps 4", r".*/mine.py: it"),
        ("profile --scenarios mine.py --steps 4", r".*/mine.py: it"),
        ("wall dynamic_rnn --limit 64MiB", "scenario 'dynamic_rnn'"),
        ("explain static_rnn --steps 8", "scenario 'static_rnn'"),
        ("predict static_rnn --limit 16GiB", "scenario 'static_rnn'"),
        ("versus static_rnn dynamic_rnn", "scenario 'static_rnn'"),
        ("check budgets.toml", "scenario 'static_rnn'"),
        ("new model", "--kind graph"),
    ],
)
def test_what_needs_a_framework_says_which_extra_brings_it(
    bare: Bare, arguments: str, who: str
) -> None:
    """In one line for each framework on stderr, as bad input; nothing else is done."""
    done = bare(*arguments.split())

    assert done.returncode == USAGE
    others = r"(\d+ scenarios: each needs .*\n)*"
    assert re.fullmatch(rf"stepwall: {who} {re.escape(NEEDS)}\n{others}", done.stderr), done.stderr
    assert done.stdout == ""


def test_try_says_it_of_a_file_of_the_user(bare: Bare) -> None:
    """As it says what is wrong with one."""
    done = bare("try", "mine.py")

    assert done.returncode == USAGE
    assert f"mine.py: it {NEEDS}" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_scenario_that_does_not_exist_is_told_as_such(bare: Bare) -> None:
    """It needs no extra; what is left out may hold it, for all that is known."""
    done = bare("profile", "no_such_model", "--steps", "4")

    assert done.returncode == USAGE
    assert NEEDS in done.stderr


def test_stored_runs_are_reported(bare: Bare, tmp_path: Path) -> None:
    """Whoever has the results needs no framework."""
    with Store(tmp_path / "results", create=True) as store:
        run = store.start_run("kept", "stepwall profile", samples.ENVIRONMENT)
        store.finish_run(run)
    listed, reported = bare("runs"), bare("report", "kept")

    assert (listed.returncode, reported.returncode) == (OK, OK), reported.stderr
    assert "kept" in listed.stdout
    assert (tmp_path / "results" / "kept" / "report.html").is_file()


@pytest.mark.parametrize(
    ("packages", "gone"),
    [
        ((), None),
        (("json", "email.mime"), None),
        (("json", "no_such_module"), "no_such_module"),
        (("no_such_module", "json", "no_more"), "no_such_module"),
    ],
)
def test_what_is_missing_is_named(packages: tuple[str, ...], gone: str | None) -> None:
    """An install may have lost one package of two."""
    found = lacking(replace(FRAMEWORK, packages=packages))

    assert found == (gone and NEEDS.replace("tensorflow' is", f"{gone}' is"))


def test_a_folder_of_that_name_is_no_framework(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would take it for a package of that name."""
    (tmp_path / "sample_tensors").mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    assert "'sample_tensors' is not installed" in (
        lacking(replace(FRAMEWORK, packages=("sample_tensors",))) or ""
    )


def test_scenarios_of_a_file_are_read_without_running_it(tmp_path: Path) -> None:
    """However the decorator is written."""
    (tmp_path / "several.py").write_text("""
import profiler
from profiler import scenario, Training as T

@scenario
def one(steps): ...

@scenario(tags=("a",))
def two(steps): ...

@profiler.scenario(family="x")
def four(steps): ...

@staticmethod
def not_one(steps): ...

def helper(): ...
""")
    (tmp_path / "broken.py").write_text("def (")

    assert scenario_names(tmp_path / "several.py") == ["one", "two", "four"]
    assert scenario_names(tmp_path / "broken.py") == []
    assert scenario_names(tmp_path / "gone.py") == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("scenarios/*.py")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_read(path: Path) -> None:
    """Else it would not be known what it needs."""
    decorated = re.findall(r"^@scenario\b", path.read_text(), re.MULTILINE)

    assert len(scenario_names(path)) == len(decorated)
