"""A user's own scenario files: they work as they stand, and mistakes in them say what is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.facts import Measurement, Outcome, Status
from profiler.measure.client import Client

Measure = Callable[..., Measurement]
Stepwall = Callable[..., subprocess.CompletedProcess[str]]

SCENARIO = '''
from profiler import Training, scenario

@scenario
def {name}(steps: int) -> Training:
    """Do nothing much."""
'''


@pytest.fixture
def mistaken(measure: Measure, resources: Path) -> Measure:
    """Return ``mistaken(scenario)``: a point of ``resources/mistakes.py``."""

    def mistaken(scenario: str, *, steps: int = 4) -> Measurement:
        return measure(scenario, steps=steps, source=resources / "mistakes.py")

    return mistaken


class TestFiles:
    """Files given by ``--scenarios``."""

    def test_the_documented_example_works_as_it_stands(
        self, stepwall: Stepwall, resources: Path, tmp_path: Path
    ) -> None:
        """The file of the design, though its scenario has a shipped one's name, is measured."""
        shutil.copy(resources / "design_example.txt", tmp_path / "user.py")
        arguments = ["--scenarios", "user.py", "--steps", "4,8", "--json", "-"]
        done = stepwall("profile", "dynamic_rnn", *arguments, cwd=tmp_path)

        assert (done.returncode, done.stderr) == (0, "")
        points = json.loads(done.stdout)["measurements"]
        assert [point["steps"] for point in points] == [4, 8]
        # The shipped one has a fourth parameter, the cell.
        assert points[0]["parameters"] == {"batch": 32, "inputs": 64, "units": 128}
        assert points[0]["device"]["fed_bytes"] == 32 * 4 * 64 * 4

    def test_may_start_the_runtime_at_import(
        self, measure: Measure, resources: Path, tmp_path: Path
    ) -> None:
        """A constant at module level does no harm, and takes nothing of the device's memory."""
        source = resources / "module_constant.py"
        without = tmp_path / "no_constant.py"
        without.write_text(source.read_text().replace("tf.constant(0.5)", "np.array([0.5])"))
        without.write_text(without.read_text().replace("SCALE.numpy()", "SCALE[0]"))
        point = measure("scaled", steps=6, source=source)

        assert point.outcome == Outcome(status=Status.OK)
        assert point.device is not None
        assert point.device == measure("scaled", steps=6, source=without).device

    def test_have_their_feeds_in_the_peak(self, measure: Measure, resources: Path) -> None:
        """A copy of them is on the device, where nothing else here grows so much with steps."""
        steps, width, outputs, float_bytes = 64, 1000, 4, 4
        point = measure("scaled", steps=steps, source=resources / "module_constant.py")

        assert point.device is not None
        device = point.device
        assert device.fed_bytes == steps * width * float_bytes
        assert device.peak_bytes is not None
        assert device.weights_bytes is not None
        assert device.peak_bytes >= device.fed_bytes + device.weights_bytes
        # The weights' gradient, its product with the rate, and the layer's outputs.
        others = 4 * (width + steps) * outputs * float_bytes
        assert device.peak_bytes <= device.fed_bytes + device.weights_bytes + others

    def test_may_import_what_lies_beside_them(
        self, client_of: Callable[..., Client], tmp_path: Path
    ) -> None:
        """A file's own folder comes first on the path, as for a script."""
        (tmp_path / "beside_it.py").write_text(SCENARIO.format(name="from_beside"))
        user_file = tmp_path / "user.py"
        user_file.write_text("import beside_it\n")
        catalog = client_of(user_file).catalog()

        assert catalog.broken == []
        assert "from_beside" in catalog.scenarios

    def test_given_twice_are_one(self, client_of: Callable[..., Client], tmp_path: Path) -> None:
        """Alone and in its folder, a file is one file."""
        user_file = tmp_path / "user.py"
        user_file.write_text(SCENARIO.format(name="once"))
        catalog = client_of(user_file, tmp_path, user_file).catalog()

        assert catalog.broken == []
        assert "once" in catalog.scenarios

    def test_broken_ones_name_themselves_and_spare_the_others(
        self, client_of: Callable[..., Client], tmp_path: Path
    ) -> None:
        """Of a folder's files each broken one is one line; one with no scenario is a helper."""
        files = {
            "exits.py": "import sys\n\nsys.exit(3)\n",
            "good.py": SCENARIO.format(name="good_one"),
            "helper.py": "x = 1\n",
            "raises.py": "x = 1\ny = x / 0\n",
            "syntax.py": "x = 1\ny = = 2\n",
            "twice.py": SCENARIO.format(name="twin") + SCENARIO.format(name="twin"),
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        catalog = client_of(tmp_path).catalog()

        assert {"good_one", "static_rnn"} <= catalog.scenarios.keys()
        exits, raises, syntax, twice = catalog.broken
        assert exits == f"{tmp_path}/exits.py:3: SystemExit: 3"
        assert raises == f"{tmp_path}/raises.py:2: ZeroDivisionError: division by zero"
        assert syntax.startswith(f"{tmp_path}/syntax.py:2: SyntaxError: invalid syntax")
        # The decorator of the second copy of seven lines.
        assert twice.startswith(f"{tmp_path}/twice.py:10: scenario 'twin' is defined twice: ")


class TestMistakes:
    """A scenario that is no training step is an ``error`` that says why."""

    @pytest.mark.parametrize(
        ("scenario", "phase", "reason"),
        [
            ("no_variable", "build_gradients", "the scenario builds no trainable variable"),
            ("vector_loss", "build_forward", "the loss must be a scalar, its shape is (4,)"),
            (
                "too_few_gradients",
                "build_gradients",
                "gradients= returned 1 gradients for 2 variables",
            ),
            ("returns_a_number", "build_forward", "the scenario returned int, not Training"),
            ("raises", "build_forward", "ValueError: no data for 4 steps"),
            ("exits", "build_forward", "the scenario called sys.exit(4)"),
            ("not_a_number", "first_step", "the loss is nan"),
            ("wrong_feed", "first_step", "ValueError: Cannot feed value of shape (4, 2)"),
            ("zero_gradients", "inspect", "the executed step holds no backward node"),
        ],
    )
    def test_says_what_is_wrong(
        self, mistaken: Measure, scenario: str, phase: str, reason: str
    ) -> None:
        """The outcome has the phase, and the mistake in words."""
        end = mistaken(scenario, steps=4).outcome

        assert (end.status, end.phase) == (Status.ERROR, phase)
        assert reason in str(end.reason)

    def test_an_unused_variable_is_a_note(self, mistaken: Measure) -> None:
        """It gets no gradient, and the others are trained."""
        point = mistaken("unused_variable", steps=4)

        assert point.outcome.status is Status.OK
        assert point.notes == [
            "the loss does not depend on forgotten: no gradient, and no update of it"
        ]

    def test_says_which_placeholder_was_not_fed(self, mistaken: Measure) -> None:
        """The reason is TensorFlow's own, not the header that it puts above."""
        end = mistaken("no_feed").outcome

        assert end.status is Status.ERROR
        assert "You must feed a value for placeholder" in str(end.reason)

    def test_keeps_one_line_of_a_long_message(self, mistaken: Measure) -> None:
        """The rest of the message stays in the captured output."""
        point = mistaken("raises", steps=7)

        assert point.outcome.reason == "ValueError: no data for 7 steps"
        assert "and a second line" in str(point.log_tail)


class TestOwnGradients:
    """A scenario that brings its own way to the gradients."""

    def test_are_measured_as_backprop(self, mistaken: Measure) -> None:
        """Another aggregation is a backward part as well."""
        point = mistaken("tree_gradients")

        assert point.outcome == Outcome(status=Status.OK)
        assert point.graph is not None
        assert point.graph.built is not None
        assert point.graph.built.parts["backward"] > 0
