"""A second framework, found through its entry point, goes through every command on its own terms.

The toy of ``tests/toy`` shares nothing with the first framework. Its memory is a closed form: W
is the weights' array, S one state's, in bytes of whole rows; T is the number of steps.

Unrolled, the last weight gradient is taken while weights, fed input, first state, the gradient
that flows back and all other weight gradients are held: W + 3 S + T W, if W is no less than S.
The loop, with a sum and a summand, peaks at the second of them, while one state is gone: weights,
fed input, T - 1 states, the gradient and two weight gradients are held: 3 W + (T + 1) S.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]

FLOAT, ROW = 8, 64
BATCH, UNITS = 4, 32
SIZES = ["--set", f"units={UNITS}"]
LIMIT = 1 << 20
SWEPT = [8, 16, 32, 64, 128]
OK, BROKEN_BUDGET, POINT_FAILED = 0, 3, 4
COUNTED = True  # see counted.py
PHASES = ["start", "construct", "plan", "first_step", "repeat"]


def rows(rows: int, columns: int) -> int:
    """Return the bytes that the shelf takes for an array."""
    return -(-rows * columns * FLOAT // ROW) * ROW


WEIGHTS, STATE = rows(UNITS, UNITS), rows(BATCH, UNITS)
assert WEIGHTS > STATE


def unrolled_peak(steps: int) -> int:
    """Return the peak of ``toy_unrolled``."""
    return WEIGHTS + 3 * STATE + steps * WEIGHTS


def loop_peak(steps: int) -> int:
    """Return the peak of ``toy_loop``, of two steps or more."""
    return 3 * WEIGHTS + (steps + 1) * STATE


GATHERED = rows(32, 32)  # a state of ``toy_gathered``, and its weights
PEAKS = {"toy_unrolled": unrolled_peak, "toy_loop": loop_peak}
WALLS = {
    "toy_unrolled": (LIMIT - WEIGHTS - 3 * STATE) // WEIGHTS,
    "toy_loop": (LIMIT - 3 * WEIGHTS - STATE) // STATE,
}
# Budgets are on the default of 8 units; the last one is broken.
NARROW = rows(8, 8)
BUDGETS = f"""
[[budget]]
scenario = "toy_unrolled"
steps = "8,16,32"
slope = "{NARROW}B/step"
nodes_per_step = 2

[[budget]]
scenario = "toy_loop"
steps = "8,16,32"
slope = "{rows(BATCH, 8)}B/step"
nodes = 6

[[budget]]
scenario = "toy_loop"
steps = "8,16,32"
peak = "{3 * NARROW + 33 * rows(BATCH, 8) - 1}B"
"""


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """A profile of both scenarios that went well: its folder, its JSON and its report."""

    folder: Path
    done: Done
    document: dict[str, Any]

    @property
    def points(self) -> dict[tuple[str, int], dict[str, Any]]:
        """The measurements by scenario and steps."""
        found = self.document["measurements"]
        return {(point["scenario"], point["steps"]): point for point in found}


@pytest.fixture(scope="module")
def profiled(toy: Command, tmp_path_factory: pytest.TempPathFactory) -> Profiled:
    """Return a profile of both builds with traces and walls."""
    folder = tmp_path_factory.mktemp("toy")
    options = ["--steps", "8:128:x2", "--trace", "--wall-limit", "1MiB", "--name", "both"]
    done = toy("profile", *PEAKS, *SIZES, *options, "--json", "both.json", cwd=folder)
    assert done.returncode == OK, done.stderr
    return Profiled(
        folder=folder, done=done, document=json.loads((folder / "both.json").read_text())
    )


@pytest.fixture(scope="module")
def page(profiled: Profiled) -> str:
    """Return the report's text without its pictures."""
    text = (profiled.folder / "results" / "both" / "report.html").read_text()
    return re.sub(r'data:[^"\']*', "", text)


def names_no_other(text: str) -> bool:
    """Whether a text speaks of no framework but the toy, and of no other allocator."""
    return re.search(r"tensorflow|keras|grappler|\bbfc\b", text, re.IGNORECASE) is None


class TestProfile:
    """Every number of a profile is the closed form's."""

    @pytest.mark.parametrize("steps", SWEPT)
    @pytest.mark.parametrize("scenario", PEAKS)
    def test_memory_is_exact(self, profiled: Profiled, scenario: str, steps: int) -> None:
        """The peak, what is resident, and what is fed."""
        device = profiled.points[scenario, steps]["device"]

        assert device["peak_bytes"] == device["steady_peak_bytes"] == PEAKS[scenario](steps)
        assert device["resident_bytes"] == device["weights_bytes"] == WEIGHTS
        assert device["fed_bytes"] == BATCH * UNITS * FLOAT

    @pytest.mark.parametrize("steps", SWEPT)
    def test_nodes_are_counted_stage_by_stage(self, profiled: Profiled, steps: int) -> None:
        """Two per step and four unrolled; six as a loop."""
        unrolled, loop = (
            {stage["name"]: stage for stage in profiled.points[name, steps]["graph"]["stages"]}
            for name in PEAKS
        )

        half = steps + 2
        assert list(unrolled) == ["listed", "planned"]
        assert unrolled["listed"]["parts"] == {"forward": half, "backward": half}
        assert [stage["nodes"] for stage in unrolled.values()] == [2 * steps + 4] * 2
        assert [stage["nodes"] for stage in loop.values()] == [6, 6]

    def test_phases_are_its_own(self, profiled: Profiled) -> None:
        """In their order, each with its seconds."""
        for point in profiled.points.values():
            assert [phase["name"] for phase in point["phases"]] == PHASES
            assert all(phase["seconds"] > 0 for phase in point["phases"])
            assert point["step"]["median_s"] > 0

    @pytest.mark.parametrize("scenario", PEAKS)
    def test_traces_agree_with_the_allocator(self, profiled: Profiled, scenario: str) -> None:
        """The replayed peak is the measured one, to the byte."""
        for steps in SWEPT:
            point = profiled.points[scenario, steps]
            trace = point["trace"]
            assert trace["peak_bytes"] == trace["allocator_peak_bytes"]
            assert trace["peak_bytes"] == point["device"]["peak_bytes"] == PEAKS[scenario](steps)

    @pytest.mark.parametrize("scenario", PEAKS)
    def test_walls_are_exact_and_predicted_to_the_step(
        self, profiled: Profiled, scenario: str
    ) -> None:
        """Two probes, the two ends."""
        (wall,) = [one for one in profiled.document["walls"] if one["scenario"] == scenario]

        assert (wall["status"], wall["framework"]) == ("exact", "toy")
        assert (wall["last_ok"], wall["first_oom"]) == (WALLS[scenario], WALLS[scenario] + 1)
        assert int(wall["predicted"]) == WALLS[scenario]
        assert wall["explanation"]["peak_bytes"] == PEAKS[scenario](WALLS[scenario])

    def test_run_names_one_framework(self, profiled: Profiled) -> None:
        """With what it says of itself."""
        facts = profiled.document["environment"]["frameworks"]

        assert list(facts) == ["toy"]
        assert facts["toy"]["title"] == "Toy"
        assert facts["toy"]["allocators"] == {"cpu": "shelf allocator"}
        assert [phase["name"] for phase in facts["toy"]["phases"]] == [*PHASES, "record"]
        assert [stage["name"] for stage in facts["toy"]["stages"]] == ["listed", "planned"]
        assert {point["framework"] for point in profiled.points.values()} == {"toy"}
        parameters = {"batch": BATCH, "units": UNITS}
        assert all(point["parameters"] == parameters for point in profiled.points.values())
        assert names_no_other((profiled.folder / "both.json").read_text())


class TestReport:
    """What is written of it speaks of it alone."""

    @pytest.mark.parametrize("word", ["Toy", "construction", "listed", "planned"])
    def test_uses_its_words(self, page: str, word: str) -> None:
        """Its title, its phases and its stages."""
        assert word in page

    def test_names_no_other_framework(self, page: str, profiled: Profiled) -> None:
        """Neither on the page nor in the tables on stdout nor in a file beside it."""
        assert names_no_other(page)
        assert names_no_other(profiled.done.stdout)
        texts = (profiled.folder / "results" / "both").glob("*.[cj]s*")
        assert all(names_no_other(path.read_text()) for path in texts)


class TestWall:
    """``stepwall wall``."""

    def test_is_found_to_the_step(self, toy: Command, tmp_path: Path) -> None:
        """A byte less than its first failing steps need; these say which array found no room."""
        limit = unrolled_peak(51) - 1
        options = [*SIZES, "--limit", f"{limit}B", "--json", "wall.json"]
        done = toy("wall", "toy_unrolled", *options, cwd=tmp_path)
        wall = json.loads((tmp_path / "wall.json").read_text())
        (failed,) = [probe for probe in wall["probes"] if probe["outcome"] == "oom_device"]

        assert done.returncode == OK, done.stderr
        assert "CPU:0 (shelf allocator)" in done.stdout
        assert (wall["last_ok"], wall["limit_bytes"]) == (50, limit)
        assert failed["steps"] == wall["first_oom"] == wall["last_ok"] + 1
        assert failed["phase"] == "first_step"
        # The last array of the step: the weight gradient of its first time step.
        shortage = failed["shortage"]
        assert (shortage["op"], shortage["op_type"]) == ("weight_grad[0]", "weight_grad")
        assert (shortage["shape"], shortage["dtype"]) == ([UNITS, UNITS], "float64")
        assert shortage["requested_bytes"] == UNITS * UNITS * FLOAT
        assert (shortage["device"], shortage["allocator"]) == ("cpu", "shelf")
        assert names_no_other(done.stdout)

    def test_shows_the_scenarios_own_error(self, toy: Command, tmp_path: Path) -> None:
        """No wall is claimed where the scenario itself fails first."""
        done = toy("wall", "toy_broken", "--limit", "64KiB", "--json", "wall.json", cwd=tmp_path)
        wall = json.loads((tmp_path / "wall.json").read_text())

        assert done.returncode == POINT_FAILED
        assert wall["status"] == "unproven"
        assert wall["last_ok"] <= 9
        assert "ValueError: 16 steps are too many for me" in wall["reason"]
        assert wall["reason"] in " ".join(done.stdout.split())
        again = f"stepwall explain toy_broken --steps {wall['last_ok']} --limit 64KiB --scenarios "
        assert f"next: {again}" in done.stdout


class TestIslands:
    """A longer length survives where a shorter one ran out: the states leave their drawer.

    They are (T + 1) states of S bytes, which take a drawer of 4 MiB from 1 to 2 MiB; beside them
    lie the weights, the gradient that flows back and the weight gradient, S bytes each. Under 3 MiB
    the drawer has no room.
    """

    LIMIT = 3 << 20
    WALL = (1 << 20) // GATHERED - 2
    ISLAND = ((2 << 20) // GATHERED - 1, LIMIT // GATHERED - 4)

    def wall(self, toy: Command, source: Path, folder: Path, *more: object) -> dict[str, Any]:
        """Return the certificate as JSON; what was printed stands in ``printed``."""
        options = ["--limit", f"{self.LIMIT}B", "--json", "wall.json", "--scenarios"]
        done = toy("wall", "toy_gathered", *more, *options, source, cwd=folder)
        assert done.returncode == OK, done.stderr
        found: dict[str, Any] = json.loads((folder / "wall.json").read_text())
        return found | {"printed": done.stdout}

    def test_are_foretold_run_and_told(
        self, toy: Command, toy_source: Path, tmp_path: Path
    ) -> None:
        """The wall is the first edge; both ends of the island were run, and what is beside it."""
        wall = self.wall(toy, toy_source.with_name("gathered.py"), tmp_path)
        first, last = self.ISLAND
        ends = {probe["steps"]: probe["outcome"] for probe in wall["probes"]}

        assert (wall["status"], wall["last_ok"]) == ("exact", self.WALL)
        assert wall["islands"] == [{"first": first, "last": last}]
        assert wall["prediction_error_steps"] == 0
        assert (ends[first - 1], ends[first], ends[last]) == ("oom_device", "ok", "ok")
        assert ends[last + 1] == "oom_device"
        assert (
            f"{first} to {last} steps survive again, though {first - 1} run out, "
            f"as {last + 1} do again" in " ".join(wall["printed"].split())
        )
        assert "survives    " in wall["printed"]

    def test_a_wall_that_only_a_model_held_is_told_as_such(
        self, toy: Command, toy_source: Path, tmp_path: Path
    ) -> None:
        """In the status, in words, in the report and in its tables."""
        source = toy_source.with_name("gathered.py")
        wall = self.wall(toy, source, tmp_path, "--set", "modelled=true", "--name", "modelled")
        done = toy("report", "modelled", cwd=tmp_path)
        folder = tmp_path / "results" / "modelled"
        rows, page = (folder / "walls.csv").read_text(), (folder / "report.html").read_text()
        said = toy("report", "modelled", "--markdown", cwd=tmp_path).stdout

        assert (wall["status"], wall["last_ok"]) == ("replayed", self.WALL)
        assert all(probe["replayed"] for probe in wall["probes"])
        assert "no device ran" in wall["printed"]
        assert not re.search(r"^  (survives|runs out) ", wall["printed"], re.MULTILINE)
        assert done.returncode == OK, done.stderr
        assert "no device ran" in page
        assert "as replayed: no device ran" in said
        assert ",replayed," in rows
        assert ",exact," not in rows


class TestExplain:
    """``stepwall explain``."""

    def test_every_byte_has_its_role(self, toy: Command, tmp_path: Path) -> None:
        """And a time step adds one weight gradient."""
        options = [*SIZES, "--steps", 24, "--name", "why", "--json", "why.json"]
        done = toy("explain", "toy_unrolled", *options, cwd=tmp_path)
        trace = json.loads((tmp_path / "why.json").read_text())["trace"]

        assert done.returncode == OK, done.stderr
        assert trace["by_role"] == {
            "weight gradients": 24 * WEIGHTS,
            "weights": WEIGHTS,
            "fed inputs": STATE,
            "forward tensors kept for backward": STATE,
            "activation gradients": STATE,
        }
        assert trace["peak_bytes"] == trace["allocator_peak_bytes"] == unrolled_peak(24)
        assert trace["resident_bytes"] == trace["allocator_resident_bytes"] == WEIGHTS
        assert trace["growth"]["bytes"] == WEIGHTS
        assert trace["graph_growth"]["forward"] == {"cell": 1}
        (advice,) = trace["advice"]
        assert advice["text"] in done.stdout
        assert names_no_other(done.stdout)

    def test_rounding_stands_apart(self, toy: Command, tmp_path: Path) -> None:
        """Sizes that are no whole rows: what is asked for is told from what is taken."""
        batch, units, steps = 3, 5, 6
        settings = ["--set", f"batch={batch}", "--set", f"units={units}"]
        done = toy(
            *("explain", "toy_unrolled", "--steps", steps, *settings, "--json", "-"), cwd=tmp_path
        )
        trace = json.loads(done.stdout)["trace"]
        arrays = [*[(units, units)] * (steps + 1), *[(batch, units)] * 3]
        taken, asked = sum(rows(*a) for a in arrays), sum(a * b * FLOAT for a, b in arrays)

        assert trace["peak_bytes"] == taken
        assert trace["by_role"]["allocator rounding"] == taken - asked


class TestPredict:
    """``stepwall predict``."""

    @pytest.mark.parametrize("scenario", PEAKS)
    def test_is_exact(self, toy: Command, profiled: Profiled, scenario: str) -> None:
        """The wall to the step; the peak and the nodes at eight times the measured lengths."""
        far, limit = 8 * SWEPT[-1], PEAKS[scenario](1000)
        options = [*SIZES, "--steps", far, "--limit", f"{limit}B", "--run", "both", "--json", "-"]
        done = toy("predict", scenario, *options, cwd=profiled.folder)
        found = json.loads(done.stdout)
        values = {value["metric"]: value["value"] for value in found["values"]}

        assert done.returncode == OK, done.stderr
        assert found["wall"]["steps"] == 1000
        assert values["peak"] == pytest.approx(PEAKS[scenario](far), rel=1e-9)
        assert values["nodes"] == (2 * far + 4 if scenario == "toy_unrolled" else 6)

    def test_shows_the_scenarios_own_error(self, toy: Command, tmp_path: Path) -> None:
        """It fails the points of the quick run from sixteen steps on."""
        done = toy("predict", "toy_broken", "--limit", "64KiB", cwd=tmp_path)

        assert done.returncode == POINT_FAILED
        assert "ValueError: 16 steps are too many for me" in done.stderr
        assert "bug" not in done.stderr
        assert "its short runs failed" in done.stdout


@pytest.mark.parametrize("builds", [tuple(PEAKS), ("--tag", "compared")])
def test_builds_are_compared(toy: Command, profiled: Profiled, builds: tuple[str, ...]) -> None:
    """A loop needs less memory at any length, and fewer nodes from two steps on."""
    options = [*SIZES, "--json", "versus.json", "--run", "both"]
    done = toy("versus", *builds, *options, cwd=profiled.folder)
    metrics = json.loads((profiled.folder / "versus.json").read_text())["metrics"]
    zones = {one["metric"]: one["zones"] for one in metrics}

    assert done.returncode == OK, done.stderr
    # 3 W + 3 S are the same at two steps.
    longer = [zone for zone in zones["peak"] if zone["first"] > 2]
    assert {tuple(zone["least"]) for zone in longer} == {("toy_loop",)}
    assert longer[0]["first"] == 3
    first, *rest = zones["nodes"]
    assert (first["first"], first["last"]) == (1, 1)
    assert set(first["least"]) == set(PEAKS)  # 2 T + 4 = 6
    assert {tuple(zone["least"]) for zone in rest} == {("toy_loop",)}
    assert names_no_other(done.stdout)


def test_budgets_are_kept_to_the_byte(toy: Command, tmp_path: Path) -> None:
    """One byte less than it needs, and a budget is broken."""
    (tmp_path / "budgets.toml").write_text(BUDGETS)
    done = toy("check", "budgets.toml", cwd=tmp_path)
    (broken,) = done.stderr.splitlines()

    assert done.returncode == BROKEN_BUDGET
    assert broken.startswith("stepwall: toy_loop: peak is ")


@pytest.fixture(scope="module")
def both(toy: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with points of the toy and of the first framework."""
    folder = tmp_path_factory.mktemp("two")
    names = ["dynamic_rnn", "toy_loop"]
    options = ["--steps", "4,8", "--name", "two", "--json", "two.json"]
    done = toy("profile", *names, *options, cwd=folder)
    assert done.returncode == OK, done.stderr
    return folder


class TestTwoFrameworks:
    """In one run."""

    def test_share_a_run(self, both: Path) -> None:
        """Each of its points by its own framework, under each framework's own name."""
        document = json.loads((both / "two.json").read_text())
        points = [
            (point["scenario"], point["framework"], point["outcome"]["status"])
            for point in document["measurements"]
        ]

        assert points == [
            *[("dynamic_rnn", "tensorflow", "ok")] * 2,
            *[("toy_loop", "toy", "ok")] * 2,
        ]
        assert document["environment"]["frameworks"].keys() == {"tensorflow", "toy"}
        page = (both / "results" / "two" / "report.html").read_text()
        assert {"Toy", "TensorFlow"} <= set(re.findall(r"\b(?:Toy|TensorFlow)\b", page))

    def test_are_reported_again_without_one(
        self, stepwall: Command, both: Path, tmp_path: Path
    ) -> None:
        """Where the toy is not installed, what the run keeps of it is enough for the same page."""
        done = stepwall("report", "two", "-o", tmp_path / "again", cwd=both)
        page = (tmp_path / "again" / "report.html").read_text()

        assert done.returncode == OK, done.stderr
        assert page == (both / "results" / "two" / "report.html").read_text()
        assert "planned" in page  # a stage of the toy's graph


PROBE = '''
import sys
{imports}
from profiler import scenario


@scenario
def {name}(steps: int) -> {kind}:
    """Says which frameworks its process holds."""
    raise ValueError(sorted({{"tensorflow", "stepwall_toy.steps"}} & set(sys.modules)))
'''


def test_a_process_holds_one_framework(stepwall: Command, toy_path: str, tmp_path: Path) -> None:
    """Each scenario says what its own process has loaded."""
    probes = {
        "first": ("from profiler import Training", "Training"),
        "second": ("from stepwall_toy import Recurrence", "Recurrence"),
    }
    for name, (imports, kind) in probes.items():
        text = PROBE.format(imports=imports, name=name, kind=kind)
        (tmp_path / f"{name}.py").write_text(text)
    options = ["--scenarios", tmp_path, "--steps", 4]
    done = stepwall("profile", *probes, *options, cwd=tmp_path, PYTHONPATH=toy_path)

    assert done.returncode == POINT_FAILED
    first, second = done.stderr.splitlines()
    assert (
        first
        == "first at 4 steps: error in build_forward: ValueError: ['tensorflow'] (first.py:10)"
    )
    reason = "ValueError: ['stepwall_toy.steps']"
    assert second == f"second at 4 steps: error in construct: {reason} (second.py:10)"


SPEAKING = '''
from stepwall_toy import Recurrence

from profiler import scenario


@scenario
def speaking(steps: int, *, who: str = "Zoë") -> Recurrence:
    """Says é and µ."""
    print(f"{who} → é")
    return Recurrence(steps=steps, batch=1, units=1)
'''


def test_a_locale_of_ascii_alone_is_enough(
    stepwall: Command, toy_path: str, tmp_path: Path
) -> None:
    """Files are UTF-8 in every locale; stdout has what it can hold."""
    (tmp_path / "speaking.py").write_text(SPEAKING, encoding="utf-8")
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    options = ["--scenarios", "speaking.py", "--steps", "4", "--name", "first"]
    done = stepwall("profile", *options, cwd=tmp_path, PYTHONPATH=toy_path, **ascii_alone)
    pinned = stepwall("pin", "first", cwd=tmp_path, **ascii_alone)
    compared = stepwall(
        *("compare", "first", "first.baseline.json", "--json", "-"), cwd=tmp_path, **ascii_alone
    )

    assert [(one.returncode, one.stderr) for one in (done, pinned, compared)] == [(0, "")] * 3
    assert '"who":"Zoë"' in (tmp_path / "first.baseline.json").read_text(encoding="utf-8")
