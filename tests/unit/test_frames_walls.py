"""A wall's row holds its certificate, and what follows from it."""

from __future__ import annotations

import pandas as pd
import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts import Certificate, WallStatus, replace
from profiler.store.frames import frames


def test_a_wall_row_holds_the_last_peak_and_the_first_failure() -> None:
    """Both come from the probes of the two ends."""
    row = frames(samples.loaded([], [samples.wall(last_ok=650)])).walls.iloc[0]

    assert (row.status, row.last_ok, row.first_oom) == ("exact", 650, 651)
    assert row.peak_bytes == 64 * samples.MIB - 99
    assert (row.oom_phase, row.oom_reason) == (samples.OOM.phase, samples.OOM.reason)


def test_a_wall_that_was_not_reached_has_no_failure() -> None:
    """At least: nothing failed, so nothing can be said of the failure."""
    wall = samples.wall(last_ok=650, status=WallStatus.AT_LEAST)
    row = frames(samples.loaded([], [wall])).walls.iloc[0]

    assert pd.isna(row.first_oom)
    assert pd.isna(row.oom_reason)


def test_a_wall_row_tells_prediction_price_and_probes() -> None:
    """650 steps were found where 647 were predicted; the two ends took 2 and 11 of 15 s."""
    row = frames(samples.loaded([], [samples.foreseen(samples.wall(last_ok=650))])).walls.iloc[0]

    assert (row.predicted, row.predicted_low, row.predicted_high) == (647, 643, 651)
    assert (row.predicted_by, row.prediction_error_steps) == ("replay", -3)
    assert row.price == 15 / (2 + 11)
    assert (row.probes, row.failed_probes, row.cut_short_probes) == (4, 1, 0)


def test_repeats_that_confirm_are_no_probes_of_the_search() -> None:
    """The band has four probes of the exact search and one cut short; six runs confirm."""
    loaded = frames(samples.loaded([], [samples.band()]))
    row = loaded.walls.iloc[0]

    assert (row.probes, row.failed_probes, row.cut_short_probes) == (5, 2, 1)
    assert (row.confirmation_repeats, row.confirmation_survived, row.confirmation_ran_out) == (
        *(3, 3, 3),
    )
    assert list(loaded.probes.cut_short) == [False] * 4 + [True] + [False] * 6
    assert list(loaded.probes.repeat) == [0] * 5 + [1, 2, 3] * 2


def test_a_failure_that_was_cut_short_is_not_the_walls_own() -> None:
    """It is evidence; what is told of the wall's end is the run that had its time."""
    wall = samples.wall(last_ok=650)
    cut = replace(wall.probes[2], outcome=replace(samples.OOM, reason="waited", cut_short=True))
    row = frames(samples.loaded([], [replace(wall, probes=[cut, *wall.probes])])).walls.iloc[0]

    assert row.oom_reason == samples.OOM.reason


def test_a_wall_that_was_not_predicted_has_gaps_and_no_wrong_figures() -> None:
    """What is not known is missing; what follows from the probes is there."""
    wall = replace(samples.wall(last_ok=650), predicted=None, predicted_from=[])
    row = frames(samples.loaded([], [wall])).walls.iloc[0]

    assert pd.isna(row.predicted_low)
    assert pd.isna(row.prediction_error_steps)
    assert pd.isna(row.confirmation_repeats)
    assert row.price == 15 / (2 + 11)


@given(last_ok=st.integers(1, 10**6), width=st.integers(1, 1000), predicted=st.floats(0, 2 * 10**6))
def test_the_error_is_the_way_to_the_nearest_right_prediction(
    last_ok: int, width: int, predicted: float
) -> None:
    """Whatever was predicted: without its error it would have been right."""
    first_oom = last_ok + width
    wall = replace(samples.wall(last_ok=last_ok), first_oom=first_oom, predicted=predicted)
    error = wall.prediction_error_steps

    assert error is not None
    assert last_ok <= int(predicted) - error < first_oom
    assert (error == 0) == (last_ok <= int(predicted) < first_oom)


@pytest.mark.parametrize(
    "wall",
    [
        replace(samples.wall(), predicted=None),
        replace(samples.wall(), last_ok=None),
        replace(samples.wall(), first_oom=None),
    ],
    ids=["no prediction", "no survivor", "no failure"],
)
def test_an_error_needs_a_prediction_and_two_ends(wall: Certificate) -> None:
    """Otherwise it is unknown, not zero."""
    assert wall.prediction_error_steps is None
