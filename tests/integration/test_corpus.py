"""A subset of the corpus: each kind runs, no file changes another's numbers, roles add up.

All of it: ``make corpus``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from check_corpus import CORPUS, FOLDERS, cases
from corpus_verdicts import Case
from real_points import point_of

from profiler.facts import Explanation, Measurement, Status
from profiler.measure.client import Client

ClientOf = Callable[..., Client]

CASES = {case.name: case for case in cases()}
# One of each kind that runs in about a second.
QUICK = (
    "word_lm",
    "clipped_by_norm",
    "both_ways_looped",
    "keras_lstm",
    "classic_while",
    "folded",
    "conv_lstm",
    "causal_heads",
    "recomputed_in_loop",
    "frozen_encoder",
    "brain_floats",
    "mixed_dense",
    "growing_width",
    "tagger",
)
# Of a file without, and of files with module-level state or a helper of the same name.
ISOLATED = ("gru_by_hand", "classic_while", "mixed_lstm", "acoustic_model", "tagger")


def measured(client: Client, case: Case, steps: int) -> Measurement:
    """Return a point of the case."""
    return client.measure(point_of(client, case.name, steps=steps))


def alone(client_of: ClientOf, case: Case) -> Client:
    """Return a client that knows the case's file only."""
    return client_of(CORPUS / case.file)


def test_the_table_names_every_scenario(client_of: ClientOf) -> None:
    """Every scenario of the folders has its lengths, and nothing is broken."""
    catalog = client_of(*FOLDERS).catalog()
    ours = {
        name
        for name, listing in catalog.scenarios.items()
        if Path(listing.file.path).is_relative_to(CORPUS)
    }

    assert catalog.broken == []
    assert ours == CASES.keys()
    assert all(case.allows(steps) for case in CASES.values() for steps in (*case.steps, case.far))


@pytest.mark.parametrize("name", QUICK)
def test_runs_at_two_lengths(client_of: ClientOf, name: str) -> None:
    """It trains at its two shortest lengths; the longer one needs no fewer bytes."""
    case = CASES[name]
    client = alone(client_of, case)
    short, longer = (measured(client, case, steps) for steps in case.steps[:2])

    assert [one.outcome.status for one in (short, longer)] == [Status.OK, Status.OK]
    assert short.device is not None
    assert longer.device is not None
    assert (short.device.peak_bytes or 0) <= (longer.device.peak_bytes or 0)


@pytest.mark.parametrize("name", ISOLATED)
def test_other_files_change_nothing(client_of: ClientOf, name: str) -> None:
    """Graph and device memory are equal to the byte beside all other files."""
    case = CASES[name]
    one = measured(alone(client_of, case), case, case.steps[0])
    beside = measured(client_of(*FOLDERS), case, case.steps[0])

    assert one.outcome.status is Status.OK
    assert (one.graph, one.device) == (beside.graph, beside.device)


@pytest.mark.parametrize("name", ["clipped_by_value", "dilated_stack", "double_precision"])
def test_roles_add_up_to_the_peak(client_of: ClientOf, name: str) -> None:
    """Every byte that the allocator counted at the peak has one role."""
    case = CASES[name]
    client = alone(client_of, case)
    found = client.explain(point_of(client, name, steps=case.steps[0]), alone=True)

    assert isinstance(found, Explanation)
    assert sum(found.by_role.values()) == found.peak_bytes == found.allocator_peak_bytes


@pytest.mark.parametrize("name", ["blocks_of_twenty", "pyramid", "odd_lengths_fail"])
def test_length_that_the_author_rules_out_ends_in_the_authors_words(
    client_of: ClientOf, name: str
) -> None:
    """The outcome is an error with the message of the scenario's own exception."""
    case = CASES[name]
    client = alone(client_of, case)
    found = client.measure(point_of(client, name, steps=case.multiple_of + 1))

    assert found.outcome.status is Status.ERROR
    assert "steps" in (found.outcome.reason or "")
