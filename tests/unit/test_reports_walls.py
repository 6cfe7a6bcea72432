"""The sentences of walls say what was proven, how it was predicted and what it cost."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import WallStatus, replace
from reports.texts.walls import wall_clause


def test_a_certificate_says_only_what_it_proves() -> None:
    """Each status has its own words."""
    clauses = [
        wall_clause("a", samples.wall(last_ok=5000, status=WallStatus.AT_LEAST)),
        wall_clause("a", samples.wall(last_ok=None, status=WallStatus.AT_MOST)),
        wall_clause("a", samples.wall(last_ok=40, status=WallStatus.UNPROVEN)),
        wall_clause("a", samples.band(640, 660)),
        wall_clause("a", replace(samples.band(640, 660), first_oom=None)),
        wall_clause("a", replace(samples.band(640, 660), last_ok=None, first_oom=None)),
    ]

    assert clauses == [
        "a still survives 5,000 steps, the most that were tried",
        "a runs out of memory even at 1 step",
        "no wall was proven for a (SIGSEGV under the limit)",
        (
            "a survives 640 steps every time and runs out of memory at 660 every time; "
            "outcomes in between varied from run to run"
        ),
        "a survives 640 steps every time; outcomes beyond varied from run to run",
        "a has outcomes that varied from run to run wherever it was run",
    ]


def test_a_replayed_wall_is_no_proven_one() -> None:
    """Whatever end it has."""
    wall = samples.replayed(samples.wall(last_ok=853))
    would = "as replayed: no device ran"

    assert [
        wall_clause("a", wall),
        wall_clause("a", replace(wall, first_oom=None)),
        wall_clause("a", replace(wall, last_ok=None)),
    ] == [
        f"a would survive 853 steps and run out of memory at 854 steps, {would}",
        f"a would survive 853 steps, {would}",
        f"a would run out of memory at 854 steps, {would}",
    ]


def test_what_survives_again_is_part_of_the_sentence() -> None:
    """Else a reader would take the wall for the last length of all."""
    wall = samples.with_island(samples.wall(last_ok=853), 1280, 1280)

    assert wall_clause("a", wall).endswith(
        "at 854; 1,280 steps survive again, though 1,279 run out, as 1,281 do again"
    )
