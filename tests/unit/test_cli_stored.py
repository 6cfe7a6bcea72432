"""Laws come from the newest stored run that has enough of what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
import stub_framework

from profiler.cli import stored as stored_points
from profiler.cli.common import Common
from profiler.cli.opening import Opening
from profiler.cli.progress import Reporter
from profiler.cli.stored import StoredPoints, measured
from profiler.errors import UsageError
from profiler.facts import Environment, Measurement, Point, decode, replace
from profiler.measure.client import Client
from profiler.parameters import Parameter
from profiler.planning import points
from profiler.planning.catalog import Catalog, Listing
from profiler.planning.files import ScenarioFile
from profiler.store import runs as stored_runs
from profiler.store.runs import Store

POINT = samples.measured().point
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


def listing(scenario: str, source: str = "") -> Listing:
    """Return a scenario as it is now."""
    return Listing(
        name=scenario,
        family=POINT.family,
        summary="",
        parameters=[
            Parameter(name=name, type="int", default=value)
            for name, value in POINT.parameters.items()
        ],
        source="builds.py:1",
        source_hash=source,
        file=ScenarioFile(path="builds.py", framework=samples.FRAMEWORK.name),
    )


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StoredPoints]:
    """Return ``stored(runs, *names, source=..., environment=..., ...)``.

    It stores the runs in this order, and asks for these scenarios.
    """
    stub_framework.install(monkeypatch)
    monkeypatch.setattr(points, "framework", lambda _: stub_framework.FRAMEWORK)

    def stored(
        runs: Mapping[str, Sequence[Measurement]],
        *names: str,
        source: str = "",
        environment: Environment = samples.ENVIRONMENT,
        **given: Any,
    ) -> StoredPoints:
        monkeypatch.setattr(Opening, "environment", lambda *_: environment)
        known = {name: listing(name, source) for name in ("static_rnn", "dynamic_rnn")}
        common = Common(scenarios=(), results=tmp_path, json_path=None, quiet=True, verbose=False)
        client = Client(launchers={})
        client._catalog = Catalog(scenarios=known, broken=[])
        with Store(tmp_path, create=True) as store:
            for name, measurements in runs.items():
                run = store.start_run(name, "stepwall profile", samples.ENVIRONMENT)
                for measurement in measurements:
                    store.add_measurement(run, measurement)
                store.finish_run(run)
            report = Reporter(None, verbose=False)
            opening = Opening(client=client, store=store, report=report, command="")
            listings = [known[name] for name in names or ("static_rnn",)]
            return measured(common, opening, listings, GIVEN | given)

    return stored


Stored = Callable[..., StoredPoints]


def test_the_newest_run_with_enough_lengths_is_taken(stored: Stored) -> None:
    """A newer one with two lengths has no law."""
    runs = {"old": series(), "good": series(), "short": series(steps=STEPS[:2])}
    found = stored(runs)

    assert found.run.name == "good"
    assert found.series["static_rnn"] == replace(series()[0].point, steps=0)


def test_every_scenario_must_be_in_it(stored: Stored) -> None:
    """They are compared with one another, so one run has them all."""
    runs = {"both": [*series(), *series("dynamic_rnn")], "one": series()}
    found = stored(runs, "static_rnn", "dynamic_rnn")

    assert found.run.name == "both"
    assert list(found.series) == ["static_rnn", "dynamic_rnn"]


def test_points_under_a_limit_do_not_count(stored: Stored) -> None:
    """There the allocator packs tighter: another law."""
    limited = [under(point, samples.MIB) for point in series()]
    found = stored({"free": series(), "limited": limited})

    assert found.run.name == "free"


def test_settings_choose_among_several(stored: Stored) -> None:
    """By their texts, as they were typed."""
    runs = {"mixed": [*series(), *(with_units(point, 256) for point in series())]}

    assert stored(runs, settings=("units=256",)).series["static_rnn"].parameters == {
        "batch": 32,
        "units": 256,
    }


def test_without_a_setting_the_default_is_meant(stored: Stored) -> None:
    """Of several in one run, and though another value was measured since."""
    other = [with_units(point, 256) for point in series()]

    assert stored({"old": series(), "other": other}).run.name == "old"
    assert stored({"mixed": [*other, *series()]}).run.name == "mixed"


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({"run": "non"}, "no run 'non'"),
        (
            {"run": "one", "settings": ("units=7",)},
            r"\(now units=7\): measure again with stepwall profile static_rnn --set units=7 --re",
        ),
        ({"run": "one", "device": "gpu"}, r"'one' measured static_rnn on cpu \(now gpu:0\)"),
        ({"run": "one", "schedule": "parallel"}, r"in the serial schedule \(now parallel\)"),
        ({"run": "one", "source": "new"}, "'one' measured static_rnn from another source: measure"),
        (
            {"run": "one", "environment": replace(samples.ENVIRONMENT, cpu="B CPU")},
            r"in another environment \(processor: .* before, B CPU now\): measure again",
        ),
        ({"run": "short"}, "run 'short' has fewer than 3 lengths of static_rnn that ended well"),
        ({"run": "other"}, "run 'other' has no 'static_rnn'"),
    ],
)
def test_a_named_run_that_lacks_it_is_refused(
    stored: Stored, now: dict[str, Any], message: str
) -> None:
    """One line says what differs; nothing is measured instead."""
    runs = {"one": series(), "short": series(steps=STEPS[:2]), "other": series("dynamic_rnn")}
    with pytest.raises(UsageError, match=message):
        stored(runs, **now)


def test_a_run_of_another_source_is_left_out_aloud(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is of today's scenario, from a quick run."""
    quick = StoredPoints(run=samples.run([]), series={})
    monkeypatch.setattr(stored_points, "_quick", lambda *_: quick)

    assert stored({"one": series()}, source="new") is quick
    assert capsys.readouterr().err == (
        "stepwall: run 'one' measured static_rnn from another source: a quick run is measured now\n"
    )


def test_of_other_runs_and_scenarios_no_measurement_is_read(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten runs, only the points of the scenario in the one that is taken; keys tell which."""
    count: Counter[type] = Counter()

    def counting(kind: type[Any], text: str) -> Any:
        count[kind] += 1
        return decode(kind, text)

    monkeypatch.setattr(stored_runs, "decode", counting)
    others = {f"other {index}": series("dynamic_rnn") for index in range(3)}
    short = {f"short {index}": series(steps=STEPS[:2]) for index in range(3)}
    good = {"old": series(), "good": [*series(), *series("dynamic_rnn")]}
    found = stored({**good, **others, **short})

    assert found.run.name == "good"
    assert found.run.measurements == series()
    assert (count[Measurement], count[Environment]) == (len(STEPS), 3 + 2)
    assert count[Point] == len(STEPS) + 3 * 2


def test_lengths_that_did_not_end_well_do_not_count(stored: Stored) -> None:
    """Their keys are there: the run is read, and left."""
    failing = [*series()[:2], *(samples.failed(point) for point in series()[2:])]

    assert stored({"old": series(), "failing": failing}).run.name == "old"
