"""Every series gets its law in the metric's units, or what it takes to have one."""

from __future__ import annotations

import dataclasses

import pytest
import report_samples as samples
from report_samples import KIB, KIB_PER_STEP

from profiler.analysis.fitting import fit
from profiler.analysis.laws import Law
from profiler.analysis.metrics import BY_NAME, Metric
from profiler.facts import Measurement
from reports.tables.grid import Grid
from reports.tables.laws import law_grid, law_text, step_text
from reports.texts.numbers import DASH

NODES, BYTES, SECONDS = BY_NAME["nodes"], BY_NAME["backprop"], BY_NAME["step_time"]
STEPS = (8, 16, 32, 64, 128, 256, 512)


def law(value: object, *, whole: bool = False) -> Law:
    """Return the law of a function of the steps."""
    assert callable(value)
    found = fit([(steps, float(value(steps))) for steps in STEPS], whole=whole)
    assert isinstance(found, Law)
    return found


def _slow(measurement: Measurement, slow: bool) -> Measurement:  # noqa: FBT001 (a helper)
    """Return the point with a steady step of a millisecond, or of ten."""
    return samples.with_step(measurement, 0.01 if slow else 0.001)


def cells(grid: Grid, scenario: str, metric: str) -> dict[str, str]:
    """Return one row by heading."""
    (row,) = [row for row in grid.rows if row.cells[:2] == (scenario, metric)]
    return dict(zip(grid.headings, row.cells, strict=True))


def test_nodes_of_an_unrolled_graph_have_an_exact_law() -> None:
    """Both numbers of its closed form, and the law of the shorter half holds in the longer."""
    row = cells(law_grid(samples.contrast()), "static_rnn", "nodes")

    assert row["law (T: steps)"] == "40 + 17·T"
    assert row["one more step"] == "17"
    assert row["residual"] == f"exact at {len(samples.DOUBLED)} lengths"
    assert row["measured"] == "8 to 256"
    assert row["hold-out error"] == "0.0 %"


def test_nodes_of_a_loop_are_constant() -> None:
    """One more step adds none."""
    row = cells(law_grid(samples.contrast()), "dynamic_rnn", "nodes")

    assert (row["law (T: steps)"], row["one more step"]) == ("135", "0")


def test_memory_has_its_slope_in_bytes() -> None:
    """What one step holds, from the sample's closed form."""
    row = cells(law_grid(samples.contrast()), "static_rnn", "backprop memory")

    assert row["one more step"].startswith(f"{KIB_PER_STEP:.1f} KiB")
    assert row["residual"] == "0.0 %"


def test_too_few_lengths_say_how_many_it_takes() -> None:
    """A line through two points would prove nothing."""
    two = samples.loaded([samples.measured(steps=steps) for steps in (8, 16)])
    row = cells(law_grid(two), "static_rnn", "nodes")

    assert row["law (T: steps)"] == "2 of 3 lengths: profile it with more --steps"
    assert row["one more step"] == row["residual"] == row["hold-out error"] == DASH


def test_noise_that_drowns_every_law_is_said_to() -> None:
    """A constant that is off by its own size is no law."""
    points = [_slow(samples.measured(steps=steps), steps in {16, 128}) for steps in STEPS]
    row = cells(law_grid(samples.loaded(points)), "static_rnn", "steady step")

    assert row["law (T: steps)"] == "no clear law: too noisy, use --repeats"
    assert row["one more step"] == DASH
    assert row["residual"] != DASH


def test_a_run_of_one_length_has_no_laws() -> None:
    """Nothing grows."""
    assert law_grid(samples.loaded([samples.measured(steps=8)])).rows == ()


def test_failed_points_count_where_their_number_is_complete() -> None:
    """A graph that was built is; the memory of a step that broke off is not."""
    points = [samples.measured(steps=steps) for steps in STEPS]
    grid = law_grid(samples.loaded([*points[:-1], samples.failed(points[-1])]))

    assert cells(grid, "static_rnn", "nodes")["measured"].endswith(f"to {STEPS[-1]}")
    assert cells(grid, "static_rnn", "backprop memory")["measured"].endswith(f"to {STEPS[-2]}")


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (lambda t: 46 + 17 * t, NODES, "46 + 17·T"),
        (lambda t: 17 * t - 5, NODES, "- 5 + 17·T"),
        (lambda t: t * t, NODES, "0 + 0·T + 1·T²"),
        (lambda t: 2 * KIB * t + KIB, BYTES, "1.0 KiB + 2.0 KiB·T"),
        (lambda t: 0.5 + 0.002 * t, SECONDS, "500 ms + 2.0 ms·T"),
        (lambda t: 100 + 3 * t + 1000 * (t >= 64), NODES, "100 + 3·T + 1,000·[T ≥ 64]"),
    ],
)
def test_a_law_reads_in_its_unit(value: object, metric: Metric, text: str) -> None:
    """Each coefficient with its sign and its unit, and what it is multiplied with."""
    assert law_text(law(value, whole=metric.unit == "nodes"), metric) == text


def test_a_noisy_slope_has_its_interval() -> None:
    """Student's, of the line alone: a curve has no single slope."""
    noisy = law(lambda t: 16 * KIB * t * (1.01 if t in {16, 64} else 1))
    curved = dataclasses.replace(noisy, kind="quadratic", coefficients=(0.0, 1.0, 1.0))

    assert step_text(noisy, BYTES).startswith("16.0 KiB ± ")
    assert " ± " not in step_text(curved, BYTES)


def test_a_point_off_its_law_is_named() -> None:
    """By its steps; where all follow, that is said too."""
    points = [samples.measured(steps=steps) for steps in STEPS]
    points[3] = samples.measured(steps=STEPS[3], kib_per_step=2 * KIB_PER_STEP)
    row = cells(law_grid(samples.loaded(points)), "static_rnn", "backprop memory")
    clean = cells(law_grid(samples.contrast()), "static_rnn", "backprop memory")

    assert row["outliers"] == f"at {STEPS[3]}"
    assert clean["outliers"] == "none"
