"""Laws come from the newest stored run that has enough of what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from profiler.cli.common import Common
from profiler.cli.stored import StoredPoints, measured
from profiler.errors import UsageError
from profiler.facts import Measurement, replace
from profiler.store.runs import Store

STEPS = (8, 16, 32)
GIVEN: dict[str, Any] = {
    "run": None,
    "name": None,
    "settings": (),
    "device": "cpu",
    "schedule": "serial",
    "timeout": 600.0,
}


def series(scenario: str = "static_rnn", steps: Sequence[int] = STEPS) -> list[Measurement]:
    """Return one scenario over these steps."""
    return [samples.measured(scenario, number) for number in steps]


def under(measurement: Measurement, limit_bytes: int) -> Measurement:
    """Return the point as measured under a limit."""
    return replace(measurement, point=replace(measurement.point, limit_bytes=limit_bytes))


def with_units(measurement: Measurement, units: int) -> Measurement:
    """Return the point with another parameter."""
    parameters = {**measurement.point.parameters, "units": units}
    return replace(measurement, point=replace(measurement.point, parameters=parameters))


def stored(
    folder: Path,
    runs: Mapping[str, Sequence[Measurement]],
    *names: str,
    **given: Any,
) -> StoredPoints:
    """Store the runs in this order, and ask for these scenarios."""
    with Store(folder, create=True) as store:
        for name, measurements in runs.items():
            run = store.start_run(name, "stepwall profile", samples.ENVIRONMENT)
            for measurement in measurements:
                store.add_measurement(run, measurement)
            store.finish_run(run)
    common = Common(scenarios=(), results=folder, json_path=None, quiet=True, verbose=False)
    return measured(common, names or ("static_rnn",), GIVEN | given)


def test_the_newest_run_with_enough_lengths_is_taken(tmp_path: Path) -> None:
    """A newer one with two lengths has no law."""
    runs = {"old": series(), "good": series(), "short": series(steps=STEPS[:2])}
    found = stored(tmp_path, runs)

    assert found.run.name == "good"
    assert found.series["static_rnn"] == replace(series()[0].point, steps=0)


def test_every_scenario_must_be_in_it(tmp_path: Path) -> None:
    """They are compared with one another, so one run has them all."""
    runs = {"both": [*series(), *series("dynamic_rnn")], "one": series()}
    found = stored(tmp_path, runs, "static_rnn", "dynamic_rnn")

    assert found.run.name == "both"
    assert list(found.series) == ["static_rnn", "dynamic_rnn"]


def test_points_under_a_limit_do_not_count(tmp_path: Path) -> None:
    """There the allocator packs tighter: another law."""
    limited = [under(point, samples.MIB) for point in series()]
    found = stored(tmp_path, {"free": series(), "limited": limited})

    assert found.run.name == "free"


def test_settings_choose_among_several(tmp_path: Path) -> None:
    """By their texts, as they were typed."""
    runs = {"mixed": [*series(), *(with_units(point, 256) for point in series())]}

    assert stored(tmp_path, runs, settings=("units=256",)).series["static_rnn"].parameters == {
        "batch": 32,
        "units": 256,
    }


def test_several_without_a_setting_are_refused(tmp_path: Path) -> None:
    """The message says which there are."""
    runs = {"mixed": [*series(), *(with_units(point, 256) for point in series())]}

    with pytest.raises(UsageError, match=r"several of static_rnn: choose one by --set.*units 256"):
        stored(tmp_path, runs)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("static_rnn", {"run": "non"}, "no run 'non'"),
        ("statc_rnn", {"run": "one"}, "no 'statc_rnn' .did you mean 'static_rnn'"),
        ("static_rnn", {"run": "one", "settings": ("units=7",)}, "fewer than 3 lengths.*units=7"),
        ("static_rnn", {"run": "one", "device": "gpu"}, "fewer than 3 lengths.*gpu:0"),
        ("static_rnn", {"run": "one", "schedule": "parallel"}, "fewer than 3 .*parallel"),
        ("static_rnn", {"run": "one", "name": "latest"}, "--name 'latest'"),
    ],
)
def test_a_named_run_that_lacks_it_is_refused(
    tmp_path: Path, name: str, given: dict[str, Any], message: str
) -> None:
    """One line says what it lacks; nothing is measured instead."""
    with pytest.raises(UsageError, match=message):
        stored(tmp_path, {"one": series()}, name, **given)
