"""The ledger says what a plain replay of the events says, at every position."""

from __future__ import annotations

import numpy as np
import pytest
from explain_samples import Event, Tape, columns, event_lists
from hypothesis import given
from hypothesis import strategies as st

from profiler.explain.ledger import Ledger
from profiler.explain.roles import Op

A, B = Op(name="a"), Op(name="b")


def replayed(events: list[Event]) -> list[set[int]]:
    """Return which events are allocations that are held, after each event, by a plain replay."""
    held: dict[int, int] = {}
    after = []
    for position, event in enumerate(events):
        held.pop(event.address, None)
        if event.is_allocation:
            held[event.address] = position
        after.append(set(held.values()))
    return after


def allocations(events: list[Event]) -> list[int]:
    """Return the positions of the events that allocate."""
    return [position for position, event in enumerate(events) if event.is_allocation]


def end_of(events: list[Event], began: int) -> int:
    """Return the first position at which an allocation is no longer held."""
    later = enumerate(replayed(events)[began:], began)
    return next((position for position, held in later if began not in held), len(events))


@given(event_lists())
def test_what_is_in_use_is_what_a_replay_holds(events: list[Event]) -> None:
    """Whatever is released twice, or was there before, changes nothing."""
    ledger = Ledger(columns(events))

    assert ledger.in_use(ledger.chunk).tolist() == [
        sum(events[position].chunk for position in held) for held in replayed(events)
    ]


@given(event_lists(), st.lists(st.booleans(), min_size=30, max_size=30))
def test_what_is_in_use_of_some_leaves_out_the_others(
    events: list[Event], chosen: list[bool]
) -> None:
    """Only what is in the mask counts, in the sizes that were given."""
    ledger = Ledger(columns(events))
    mask = np.array([chosen[position] for position in ledger.began], np.bool_)

    assert ledger.in_use(ledger.requested, mask).tolist() == [
        sum(events[position].requested for position in held if chosen[position])
        for held in replayed(events)
    ]


@given(event_lists())
def test_what_is_held_is_what_a_replay_holds(events: list[Event]) -> None:
    """At every position."""
    ledger = Ledger(columns(events))

    for position, held in enumerate(replayed(events)):
        assert set(ledger.began[ledger.held(position)].tolist()) == held


@given(event_lists())
def test_an_allocation_ends_with_the_next_event_at_its_address(events: list[Event]) -> None:
    """Be it a release or another allocation; without one it ends with the events."""
    ledger = Ledger(columns(events))

    assert ledger.began.tolist() == allocations(events)
    assert ledger.ended.tolist() == [end_of(events, began) for began in allocations(events)]


@given(event_lists())
def test_fleeting_is_what_no_other_op_sees(events: list[Event]) -> None:
    """It is released, and until then only its own op allocates."""
    ledger = Ledger(columns(events))

    expected = []
    for began in allocations(events):
        ended = end_of(events, began)
        within = [event for event in events[began : ended + 1] if event.is_allocation]
        alone = {event.op for event in within} == {events[began].op}
        expected.append(ended < len(events) and alone)
    assert ledger.fleeting().tolist() == expected


@given(event_lists())
def test_the_columns_are_those_of_the_allocations(events: list[Event]) -> None:
    """Of releases nothing is kept but when they were."""
    ledger = Ledger(columns(events))

    taken = [event for event in events if event.is_allocation]
    assert ledger.count == len(events)
    assert ledger.op.tolist() == [event.op for event in taken]
    assert ledger.requested.tolist() == [event.requested for event in taken]
    assert ledger.chunk.tolist() == [event.chunk for event in taken]
    assert ledger.run.tolist() == [event.run for event in taken]
    assert ledger.is_float.tolist() == [event.is_float for event in taken]


@pytest.mark.parametrize("releases", [0, 1, 3])
def test_a_ledger_without_allocations_is_empty(releases: int) -> None:
    """What is released was there before: it is in no run, and nothing is in use."""
    tape = Tape()
    tape.free(*range(releases))
    ledger = tape.ledger()

    assert ledger.runs() == []
    assert ledger.in_use(ledger.chunk).tolist() == [0] * releases
    assert ledger.fleeting().tolist() == []


def test_an_address_that_is_used_again_holds_its_last_tensor() -> None:
    """The release belongs to the second allocation; the first one has its own."""
    events = [
        Event(is_allocation=True, address=7, chunk=100),
        Event(is_allocation=False, address=7),
        Event(is_allocation=True, address=7, chunk=10),
        Event(is_allocation=False, address=7),
    ]
    ledger = Ledger(columns(events))

    assert ledger.ended.tolist() == [1, 3]
    assert ledger.in_use(ledger.chunk).tolist() == [100, 0, 10, 0]


def test_an_allocation_is_fleeting_beside_others_of_its_op() -> None:
    """An op's scratch lives beside its output, and is seen by no other op."""
    tape = Tape()
    output, scratch = tape.take(A), tape.take(A)
    tape.free(scratch)
    tape.take(B)
    tape.free(output)

    assert tape.ledger().fleeting().tolist() == [False, True, False]


def test_runs_stand_in_the_order_in_which_they_began() -> None:
    """Whatever their numbers; what is allocated outside of any run is in none."""
    tape = Tape()
    for tape.run in (0, 9, 4, 9, -4, 0, 5):
        tape.take(A)

    assert tape.ledger().runs() == [9, 4, 5]


def test_a_run_without_an_allocation_is_none_of_the_runs() -> None:
    """Of a run that only releases there is nothing to see."""
    tape = Tape(run=1)
    address = tape.take(A)
    tape.run = 2
    tape.free(address)
    tape.run = 3
    tape.take(A)

    assert tape.ledger().runs() == [1, 3]


def test_a_run_lasts_until_the_next_one_allocates() -> None:
    """What is released between them belongs to the first; the last one lasts to the end."""
    tape = Tape(run=1)
    first, second = tape.take(A), tape.take(A)
    tape.free(first)
    tape.run = 2
    third = tape.take(A)
    tape.free(second, third)
    ledger = tape.ledger()

    assert ledger.span(1) == (0, 3)
    assert ledger.span(2) == (3, 6)


def test_a_run_lasts_through_what_others_allocate_in_between() -> None:
    """It ends after its own last allocation."""
    tape = Tape()
    for tape.run in (1, 0, 1, 0, 2):
        tape.take(A)

    assert tape.ledger().span(1) == (0, 3)
