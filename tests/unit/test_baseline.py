"""A baseline is a small file that gives back all that comparisons read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.compare.comparison import Mark
from profiler.analysis.compare.runs import compare
from profiler.analysis.metrics import METRICS
from profiler.analysis.series import metric_series
from profiler.errors import UsageError
from profiler.facts import Outcome, Point, Run, Schedule, replace
from profiler.store.baseline import baseline_text, read_baseline

STEPS = (8, 16, 32, 64)


def _run(kib: float = 96, last_ok: int = 100) -> Run:
    points = [samples.measured(steps=n, kib_per_step=kib) for n in STEPS]
    points[0] = replace(points[0], trace=samples.EXPLANATION, log_tail="noise\n" * 1000)
    points[-1] = samples.failed(points[-1])
    run = samples.run(points)
    return replace(run, walls=[samples.wall(last_ok=last_ok)])


def _pinned(run: Run, folder: Path) -> Run:
    path = folder / "base.json"
    path.write_text(baseline_text(run))
    return read_baseline(path)


@settings(max_examples=20)
@given(kib=st.floats(0.5, 1e6), last_ok=st.integers(1, 10**6))
def test_all_that_is_compared_survives(
    *, tmp_path_factory: pytest.TempPathFactory, kib: float, last_ok: int
) -> None:
    """Every point, every value to the last digit, every wall, and where it was measured."""
    run = _run(kib, last_ok)
    pinned = _pinned(run, tmp_path_factory.mktemp("pin"))
    told = compare(run, pinned)

    assert [one.points for one in metric_series(pinned)] == [
        one.points for one in metric_series(run)
    ]
    assert {row.mark for row in told.rows} == {Mark.EQUAL, Mark.UNCLEAR}
    assert told.only_before == told.only_after == told.differences == ()
    assert [row.after for row in told.rows if row.name == "wall"] == [last_ok]
    assert pinned.environment == run.environment
    assert (pinned.name, pinned.id, pinned.created_at) == (run.name, run.id, run.created_at)


values = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False)
)
points = st.builds(
    Point,
    framework=st.text(min_size=1),
    scenario=st.text(min_size=1),
    family=st.text(),
    parameters=st.dictionaries(st.text(), st.one_of(values, st.text())),
    steps=st.integers(1, 10**6),
    source=st.text(),
    device=st.sampled_from(["cpu", "gpu:0"]),
    limit_bytes=st.none() | st.integers(1, 2**50),
    schedule=st.sampled_from(Schedule),
    repeat=st.integers(0, 99),
    host_limit_bytes=st.none() | st.integers(1, 2**50),
)


@given(point=points, built=st.booleans(), ended=st.sampled_from([samples.OK, samples.OOM]))
def test_every_condition_and_metric_of_a_point_survives(
    *, tmp_path_factory: pytest.TempPathFactory, point: Point, built: bool, ended: Outcome
) -> None:
    """To the last digit, in any script; and how it ended, with its reason."""
    whole = replace(samples.measured(), point=point)
    point_run = samples.run([whole if ended is samples.OK else samples.failed(whole, built=built)])
    (was,) = point_run.measurements
    (pinned,) = _pinned(point_run, tmp_path_factory.mktemp("pin")).measurements

    assert pinned.point == point
    assert pinned.outcome == was.outcome
    assert [m.value(pinned) for m in METRICS] == [m.value(was) for m in METRICS]


def test_a_line_is_a_point(tmp_path: Path) -> None:
    """So that a change of one shows as one line."""
    lines = baseline_text(_run()).splitlines()

    assert sum('"steps":' in line for line in lines) == len(STEPS)
    assert max(map(len, lines)) < 3000
    assert json.loads("\n".join(lines))["kind"] == "stepwall baseline"
    assert _pinned(_run(), tmp_path).measurements[0].trace is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a baseline"),
        ('{"schema": 1}', "not a baseline"),
        ('{"kind": "stepwall baseline", "schema": 99}', "newer stepwall"),
        ('{"kind": "stepwall baseline", "schema": 1}', "counted nodes differently"),
        ('{"kind": "stepwall baseline", "schema": 2}', "damaged"),
        ('{"kind": "stepwall baseline", "schema": 2, "measurements": 3}', "damaged"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """One line says why."""
    path = tmp_path / "base.json"
    path.write_text(text)

    with pytest.raises(UsageError, match=message):
        read_baseline(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(UsageError, match=r"none\.json.*No such file"):
        read_baseline(tmp_path / "none.json")
