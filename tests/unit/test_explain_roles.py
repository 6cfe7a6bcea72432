"""Every allocation of a training step has exactly one role, by what the graph and time say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from explain_samples import (
    BACKWARD,
    FIRST,
    FORWARD,
    INITIALIZER,
    STEADY,
    UPDATE,
    WEIGHTS,
    Tape,
    recordings,
    started,
    write_step,
)
from hypothesis import given, settings

from profiler.explain.account import Recorded
from profiler.explain.ledger import Ledger
from profiler.explain.roles import Op, Part, Roles, bytes_by_role, classify
from profiler.facts.explanation import Role

OTHER = Op(name="other")


def classified(tape: Tape, run: int = FIRST) -> Roles:
    """Return the roles in one run of what was written down."""
    return classify(tape.ledger(), tape.ops, run)


def roles_of(tape: Tape, run: int = FIRST) -> list[Role]:
    """Return the role of each allocation, in their order."""
    return [list(Role)[code] for code in classified(tape, run).codes]


@settings(max_examples=30)
@given(recordings())
def test_the_bytes_of_the_roles_add_up_to_what_is_in_use(recorded: Recorded) -> None:
    """To the byte, at every position, whatever the graph says of the ops."""
    ledger = Ledger(recorded.events)
    in_use = ledger.in_use(ledger.chunk).tolist()

    for run in ledger.runs():
        roles = classify(ledger, recorded.ops, run)
        sizes = [
            bytes_by_role(ledger, roles, ledger.held(position)) for position in range(ledger.count)
        ]
        assert [sum(size.values()) for size in sizes] == in_use


@settings(max_examples=30)
@given(recordings())
def test_every_allocation_has_one_role(recorded: Recorded) -> None:
    """Rounding is the role of bytes, never of an allocation."""
    ledger = Ledger(recorded.events)
    roles = classify(ledger, recorded.ops, ledger.runs()[-1])

    masks = [roles.mask(role).tolist() for role in Role]
    assert [sum(of_one) for of_one in zip(*masks, strict=True)] == [1] * len(ledger.op)
    assert not roles.mask(Role.ROUNDING).any()


def test_what_the_allocator_rounds_up_stands_apart() -> None:
    """A role has the bytes that were asked for; a role without bytes is left out."""
    tape = started()
    tape.take(FORWARD, 100, chunk=256)
    tape.take(FORWARD, 300, chunk=512)
    ledger = tape.ledger()

    assert bytes_by_role(ledger, classified(tape), ledger.held(ledger.count - 1)) == {
        Role.WEIGHTS: WEIGHTS,
        Role.TEMPORARY: 100 + 300,
        Role.ROUNDING: 156 + 212,
    }


def test_the_buffer_of_a_variable_is_weights() -> None:
    """It is held when the run begins."""
    tape = started()
    write_step(tape)

    assert roles_of(tape)[0] is Role.WEIGHTS


def test_only_the_newest_buffer_of_a_variable_is_weights() -> None:
    """Of each variable; an older one that is still held is the constant it came from."""
    tape = started()
    tape.take(Op(name="v/Assign", variable="v"))
    tape.take(Op(name="w/Assign_1", variable="w"))
    tape.run = STEADY
    write_step(tape)

    assert roles_of(tape, STEADY)[:3] == [Role.CONSTANTS, Role.WEIGHTS, Role.WEIGHTS]


def test_a_buffer_that_was_released_before_the_run_is_no_weights() -> None:
    """The one before it is the newest that is held."""
    tape = started()
    tape.free(tape.take(Op(name="w/Assign_1", variable="w")))
    tape.run = STEADY
    write_step(tape)

    assert roles_of(tape, STEADY)[:2] == [Role.WEIGHTS, Role.CONSTANTS]


def test_anything_else_from_before_the_run_is_a_constant() -> None:
    """Whatever part its op belongs to."""
    tape = started()
    for op in (FORWARD, BACKWARD, replace(FORWARD, is_input=True), OTHER):
        tape.take(op)
    tape.run = STEADY
    write_step(tape)

    assert roles_of(tape, STEADY)[1:5] == [Role.CONSTANTS] * 4


def test_a_fed_array_is_an_input_however_long_it_is_held() -> None:
    """Of numbers of any kind, beside a loop, and released at once or in the backward part."""
    tape = started()
    fed = replace(FORWARD, is_input=True)
    kept = tape.take(fed)
    tape.free(tape.take(fed, is_float=False))
    tape.free(tape.take(replace(fed, in_loop=True), is_float=False))
    tape.take(BACKWARD)
    tape.free(kept)

    assert roles_of(tape)[1:4] == [Role.INPUTS] * 3


def test_a_forward_tensor_that_backward_outlives_is_temporary() -> None:
    """The one beside it that is released after backward has begun is kept for it."""
    tape = started()
    kept, temporary = tape.take(FORWARD), tape.take(FORWARD)
    tape.take(OTHER)
    tape.free(temporary)
    tape.take(BACKWARD)
    tape.free(kept)

    assert roles_of(tape)[1:3] == [Role.FORWARD, Role.TEMPORARY]


def test_a_forward_tensor_that_backward_reads_is_kept() -> None:
    """Even where backward allocates nothing: it works in place."""
    tape = started()
    tape.free(tape.take(replace(FORWARD, read_by_backward=True)), tape.take(FORWARD))

    assert roles_of(tape)[1:] == [Role.FORWARD, Role.TEMPORARY]


def test_a_value_of_another_size_than_the_variable_is_no_weight() -> None:
    """It is a bound that the first value was computed of."""
    tape = started()
    tape.take(Op(name="w/Initializer/bound", variable="w", variable_bytes=WEIGHTS), 4)
    tape.run = STEADY
    write_step(tape)

    assert roles_of(tape, STEADY)[:2] == [Role.WEIGHTS, Role.CONSTANTS]


def test_a_forward_tensor_that_nobody_releases_is_kept() -> None:
    """It is held while backward runs."""
    tape = started()
    tape.take(FORWARD)
    tape.take(BACKWARD)

    assert roles_of(tape)[1:] == [Role.FORWARD, Role.ACTIVATION_GRADIENTS]


@pytest.mark.parametrize("op", [FORWARD, BACKWARD, UPDATE, OTHER], ids=lambda op: op.name)
def test_what_only_its_own_op_sees_is_temporary(op: Op) -> None:
    """In every part of the step."""
    tape = started()
    tape.free(tape.take(op))
    tape.take(FORWARD)
    tape.take(BACKWARD)

    assert roles_of(tape)[1] is Role.TEMPORARY


def test_a_backward_tensor_is_an_activation_gradient() -> None:
    """If another op sees it."""
    tape = started()
    gradient = tape.take(BACKWARD)
    tape.take(OTHER)
    tape.free(gradient)

    assert roles_of(tape)[1] is Role.ACTIVATION_GRADIENTS


def test_a_summand_of_a_weight_gradient_is_one() -> None:
    """Even one that is released before another op allocates: the sum took its buffer."""
    tape = started()
    summand = replace(BACKWARD, gradient_of="w")
    held, fleeting = tape.take(summand), tape.take(summand)
    tape.free(fleeting)
    tape.take(BACKWARD)
    tape.free(held)

    assert roles_of(tape)[1:3] == [Role.WEIGHT_GRADIENTS] * 2


def test_whole_numbers_in_a_loop_are_bookkeeping() -> None:
    """Counters and conditions, however short they live; floats have the role of their part."""
    tape = started()
    loop = replace(FORWARD, in_loop=True)
    tape.take(loop, is_float=False)
    tape.free(tape.take(replace(BACKWARD, in_loop=True), is_float=False))
    tape.take(loop)
    tape.take(BACKWARD)

    assert roles_of(tape)[1:4] == [Role.BOOKKEEPING, Role.BOOKKEEPING, Role.FORWARD]


def test_the_new_value_of_a_variable_is_weights() -> None:
    """As the old one is; what else the update allocates is temporary."""
    tape = started()
    tape.take(UPDATE)
    tape.take(replace(UPDATE, name="update_w", variable="w"))

    assert roles_of(tape) == [Role.WEIGHTS, Role.TEMPORARY, Role.WEIGHTS]


def test_only_an_update_gives_a_variable_its_value_in_a_step() -> None:
    """What is computed of it in another part has the role of that part."""
    tape = started()
    forward = tape.take(replace(FORWARD, variable="w"))
    backward = tape.take(replace(BACKWARD, variable="w"))
    tape.take(BACKWARD)
    tape.free(forward, backward)

    assert roles_of(tape)[1:3] == [Role.FORWARD, Role.ACTIVATION_GRADIENTS]


def test_what_the_graph_does_not_know_is_unclassified() -> None:
    """It counts, with a role of its own."""
    tape = started()
    address = tape.take(OTHER)
    tape.take(BACKWARD)
    tape.free(address)

    assert roles_of(tape)[1] is Role.UNKNOWN


def test_backward_begins_at_its_first_tensor_after_the_forward_part() -> None:
    """Not where an op without inputs ran early; whole numbers, shapes and indices, say nothing."""
    tape = started()
    tape.take(BACKWARD)
    tape.take(FORWARD)
    tape.take(BACKWARD, is_float=False)
    expected = tape.take(BACKWARD)
    tape.take(FORWARD, is_float=False)
    tape.take(BACKWARD)

    assert classified(tape).backward == expected


def test_backward_begins_before_a_loss_that_nothing_waits_for() -> None:
    """It belongs to the forward part, and may come last; what was kept is kept all the same."""
    tape = started()
    kept = tape.take(FORWARD, 64)
    expected = tape.take(BACKWARD, 32)
    tape.free(kept)
    tape.take(FORWARD, 4)

    assert classified(tape).backward == expected
    assert roles_of(tape)[1] is Role.FORWARD


@settings(max_examples=30)
@given(recordings())
def test_backward_begins_where_the_fewest_bytes_are_in_the_wrong_part(recorded: Recorded) -> None:
    """Forward tensors after it and backward tensors before it, compared with any other place."""
    ledger = Ledger(recorded.events)
    run = ledger.runs()[-1]
    start, end = ledger.span(run)
    floats = [
        (position, recorded.ops[op].part, int(size))
        for position, op, size, is_float in zip(
            ledger.began, ledger.op, ledger.requested, ledger.is_float, strict=True
        )
        if is_float and start <= position < end
    ]

    def wrong(cut: int) -> int:
        late = {Part.FORWARD: True, Part.BACKWARD: False}
        return sum(size for at, part, size in floats if late.get(part) is bool(at >= cut))

    backward = classify(ledger, recorded.ops, run).backward

    assert wrong(backward) == min(map(wrong, range(start, end + 1)))


@pytest.mark.parametrize("run", [FIRST, STEADY])
def test_a_run_without_backward_keeps_nothing_for_it(run: int) -> None:
    """Whatever of its tensors is still held when the run ends."""
    tape = started()
    held = [tape.take(FORWARD)]
    tape.run = STEADY
    held += [tape.take(OTHER), tape.take(FORWARD)]
    tape.free(*held)
    ledger = tape.ledger()

    assert not classified(tape, run).mask(Role.FORWARD).any()
    assert classified(tape, run).backward == ledger.span(run)[1]


def test_the_roles_are_those_of_the_run() -> None:
    """What an earlier step left behind is a constant; in that step it was kept for backward."""
    tape = started()
    tape.take(FORWARD)
    tape.take(BACKWARD)
    tape.run = STEADY
    write_step(tape)

    assert roles_of(tape, FIRST)[1] is Role.FORWARD
    assert roles_of(tape, STEADY)[1] is Role.CONSTANTS


def test_without_weights_nothing_is_one() -> None:
    """A run may be the first thing that allocates."""
    tape = Tape(run=FIRST)
    write_step(tape)

    assert roles_of(tape) == [Role.FORWARD, Role.TEMPORARY]


class TestOptimizerState:
    """Slots and counters of an optimizer are no weights."""

    def test_a_slot_that_an_op_of_its_own_sets(self) -> None:
        """Before the step, and where the step assigns it anew."""
        tape = Tape(run=INITIALIZER)
        tape.take(Op(name="w/Assign", variable="w"), WEIGHTS)
        tape.take(Op(name="m/Assign", variable="m", slots=("m",)), WEIGHTS)
        tape.run = FIRST
        tape.take(FORWARD, 8)
        tape.take(Op(name="m/add", part=Part.UPDATE, variable="m", slots=("m",)), WEIGHTS)

        assert roles_of(tape) == [Role.WEIGHTS, Role.OPTIMIZER, Role.TEMPORARY, Role.OPTIMIZER]

    @pytest.mark.parametrize(
        ("copies", "roles"),
        [
            (3, [Role.CONSTANTS, Role.WEIGHTS, Role.OPTIMIZER, Role.OPTIMIZER]),
            (2, [Role.WEIGHTS, Role.OPTIMIZER, Role.OPTIMIZER]),
        ],
    )
    def test_one_op_updates_a_variable_and_its_slots(self, copies: int, roles: list[Role]) -> None:
        """The variable's buffer comes first; where one fewer is made, it stays in its first one."""
        update = Op(name="Adam", part=Part.UPDATE, variable="w", writes=3, slots=("m", "v"))
        tape = Tape(run=INITIALIZER)
        tape.take(Op(name="w/Initializer/random", variable="w"), WEIGHTS)
        tape.run = FIRST
        for _ in range(copies):
            tape.take(update, WEIGHTS)
        tape.run = STEADY
        tape.take(FORWARD, 8)

        assert roles_of(tape, STEADY)[: 1 + copies] == roles
