"""``stepwall versus`` refuses to draw what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest
import report_samples as samples

from profiler.analysis.crossover.costs import BuildCost, Cost
from profiler.cli.common import Common
from profiler.cli.stored import StoredPoints
from profiler.cli.versus_ import _Answer, _draw
from profiler.errors import StepwallError
from profiler.facts import Point


def test_without_a_build_to_draw_there_is_an_error_and_no_file(tmp_path: Path) -> None:
    """Noise may leave every build without a step time at a length that was not run."""
    point = Point(framework="sampleflow", scenario="a", family="builds", parameters={}, steps=0)
    unknown = Cost(value=None, low=None, high=None)
    peak = Cost(value=1.0, low=1.0, high=1.0)
    build = BuildCost(
        label="a", conditions=point, costs={"step_time": unknown, "peak": peak}, walls=()
    )
    stored = StoredPoints(run=samples.run([]), series={"a": point})
    answer = _Answer(source=stored, crossovers=[], builds=[build], steps=100, measured=(8, 64))
    common = Common(scenarios=(), results=tmp_path, json_path=None, quiet=True, verbose=False)

    with pytest.raises(StepwallError, match="no build has a known steady step and device peak"):
        _draw(common, answer, tmp_path / "plot.png")
    assert not (tmp_path / "plot.png").exists()
