"""A wall has moved only where two searches cannot both be right about one place."""

from __future__ import annotations

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.compare.comparison import ComparedNumber, Mark
from profiler.analysis.compare.walls import wall_key, wall_rows
from profiler.facts import Certificate, Schedule, WallStatus, replace

LIMIT = 64 * samples.MIB


def row(was: Certificate, became: Certificate) -> ComparedNumber:
    """Return the only row of two walls that answer one question."""
    then, now = {wall_key(was): was}, {wall_key(became): became}
    (found,) = wall_rows(then, now, lambda wall: wall.scenario)
    return found


def at_least(steps: int) -> Certificate:
    """Return a search that met no wall up to these steps."""
    return samples.wall(last_ok=steps, status=WallStatus.AT_LEAST)


def at_most(first_oom: int) -> Certificate:
    """Return a search whose fewest steps ran out."""
    return replace(samples.wall(last_ok=None, status=WallStatus.AT_MOST), first_oom=first_oom)


@given(before=st.integers(1, 10**6), after=st.integers(1, 10**6))
def test_of_exact_walls_the_nearer_is_worse(*, before: int, after: int) -> None:
    """By its share of the steps that survived."""
    told = row(samples.wall(last_ok=before), samples.wall(last_ok=after))
    fewer, more = after < before, after > before

    assert told.mark is (Mark.WORSE if fewer else Mark.BETTER if more else Mark.EQUAL)
    assert told.change == pytest.approx((after - before) / before)
    assert told.note is None


def test_the_limit_is_given() -> None:
    """As bytes: texts are for reports."""
    told = row(samples.wall(), samples.wall())

    assert (told.label, told.where, told.limit_bytes) == ("static_rnn", "device limit", LIMIT)


def test_a_shorter_search_is_no_nearer_wall() -> None:
    """It met no wall up to 500 steps, so one at 800 is still possible."""
    told = row(samples.wall(last_ok=800), at_least(500))

    assert told.mark is Mark.UNCLEAR
    assert told.note == "at least now"


def test_a_wall_where_there_was_none_is_worse() -> None:
    """Before, 1,000 steps survived; now they do not."""
    told = row(at_least(1000), samples.wall(last_ok=800))

    assert (told.before, told.after, told.mark) == (1000, 800, Mark.WORSE)
    assert told.note == "at least before"


def test_two_searches_that_met_no_wall_are_inconclusive() -> None:
    """Both walls may be anywhere beyond."""
    assert row(at_least(1000), at_least(1000)).mark is Mark.UNCLEAR


def test_where_nothing_survives_the_most_that_may_is_given() -> None:
    """Even 8 steps ran out, so at most 7 survive."""
    told = row(samples.wall(last_ok=100), at_most(8))

    assert (told.after, told.mark, told.note) == (7, Mark.WORSE, "at most now")


@pytest.mark.parametrize(
    ("after", "mark"),
    [
        ((640, 660), Mark.UNCLEAR),
        ((650, 680), Mark.UNCLEAR),
        ((659, 680), Mark.UNCLEAR),
        ((660, 680), Mark.BETTER),
        ((600, 641), Mark.UNCLEAR),
        ((600, 640), Mark.WORSE),
    ],
)
def test_bands_have_moved_only_if_they_do_not_overlap(after: tuple[int, int], mark: Mark) -> None:
    """The last to survive lies in 640 to 659."""
    told = row(samples.band(640, 660), samples.band(*after))

    assert told.mark is mark
    assert told.note == f"band below 660 before; band below {after[1]} now"


def test_an_unproven_wall_says_why() -> None:
    """It survived 300 steps, and nothing of more is known."""
    told = row(samples.wall(last_ok=650), samples.wall(last_ok=300, status=WallStatus.UNPROVEN))

    assert told.mark is Mark.UNCLEAR
    assert told.note == "unproven now (SIGSEGV under the limit)"


def test_where_no_step_is_known_there_is_no_number() -> None:
    """Neither survived nor ran out."""
    unknown = samples.wall(last_ok=None, status=WallStatus.UNPROVEN)

    assert row(unknown, unknown).before is None
    assert row(unknown, unknown).mark is Mark.UNCLEAR


@pytest.mark.parametrize(
    "changes",
    [
        {"scenario": "other"},
        {"parameters": {"batch": 1}},
        {"device": "gpu:0"},
        {"kind": "host"},
        {"limit_bytes": 1},
        {"limit_by": "RLIMIT_DATA"},
        {"schedule": Schedule.PARALLEL},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_question_is_another_wall(changes: dict[str, object]) -> None:
    """Each condition makes another wall; the file that the scenario stands in does not."""
    wall = samples.wall()
    other = replace(wall, **changes)

    assert wall_key(other) != wall_key(wall)
    assert wall_key(replace(wall, family="moved")) == wall_key(wall)
    assert list(wall_rows({wall_key(wall): wall}, {wall_key(other): other}, str)) == []


def test_a_replayed_wall_is_not_compared_with_one_that_was_run() -> None:
    """A model and a device may differ though nothing changed; two replays are compared."""
    then, now = samples.wall(last_ok=800), samples.replayed(samples.wall(last_ok=500))

    assert row(then, now).mark is Mark.UNCLEAR
    assert row(then, now).note == "replayed now"
    assert row(samples.replayed(then), now).mark is Mark.WORSE
