"""What holds the peak, in at most three sentences with the scenario's own numbers."""

from __future__ import annotations

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts import Advice, Explanation, Holding, Role, replace
from reports.texts.story import biggest_text, formula, story

TIMES = "\N{MULTIPLICATION SIGN}"
STEPS = 200
KIB = 1024


def holding(
    role: Role, tensors: int, each: int | None, *, op: str = "scope/op", rate: float | None = None
) -> Holding:
    """Return tensors of one size; of ``tensors`` KiB in all where they differ."""
    size = tensors * (KIB if each is None else each)
    return Holding(
        role=role.value,
        op=op,
        op_type="Op",
        tensors=tensors,
        bytes=size,
        each_bytes=each,
        per_step_bytes=rate,
    )


def explained(*holdings: Holding) -> Explanation:
    """Return the explanation of a peak that holds just these."""
    by_role: dict[str, int] = {}
    for one in holdings:
        by_role[one.role] = by_role.get(one.role, 0) + one.bytes
    ordered = dict(sorted(by_role.items(), key=lambda item: -item[1]))
    return replace(
        samples.EXPLANATION,
        holdings=sorted(holdings, key=lambda one: -one.bytes),
        by_role=ordered,
        peak_bytes=sum(ordered.values()),
    )


@pytest.mark.parametrize(
    ("tensors", "each", "rate", "text"),
    [
        (200, 98_304, 98_304.0, f"200 steps {TIMES} 98,304 B"),
        (800, 16_384, 4 * 16_384.0, f"200 steps {TIMES} 4 {TIMES} 16,384 B"),
        (1, 200 * 16_384, 16_384.0, f"one tensor of 200 steps {TIMES} 16,384 B"),
        (300, 2_048, 1.5 * 2_048, f"200 steps {TIMES} 3,072 B"),
        (200, None, KIB, f"200 steps {TIMES} 1,024 B"),
    ],
)
def test_a_formula_follows_the_steps_where_a_shorter_length_proves_it(
    tensors: int, each: int | None, rate: float, text: str
) -> None:
    """A tensor per step, several per step, one as long as the sequence, or as many bytes."""
    assert formula(holding(Role.FORWARD, tensors, each, rate=rate), STEPS) == text


@pytest.mark.parametrize(
    ("tensors", "each", "rate", "text"),
    [
        (200, 98_304, None, f"200 tensors {TIMES} 98,304 B"),
        (199, 512, 512.0, f"199 tensors {TIMES} 512 B"),
        (1, 200 * 16_384, 0.0, "one tensor of 3,276,800 B"),
        (7, None, None, "7 tensors, 7,168 B"),
    ],
)
def test_a_formula_claims_nothing_that_was_not_compared(
    tensors: int, each: int | None, rate: float | None, text: str
) -> None:
    """A size may be a multiple of the steps by chance, and a count equal to them."""
    assert formula(holding(Role.FORWARD, tensors, each, rate=rate), STEPS) == text


@given(
    tensors=st.integers(1, 10**6),
    each=st.integers(1, 10**9),
    steps=st.integers(1, 10**5),
    rate=st.none() | st.integers(0, 10**6),
    follows=st.booleans(),
)
def test_a_formula_multiplies_up_to_the_bytes(
    tensors: int, each: int, steps: int, rate: int | None, *, follows: bool
) -> None:
    """Whatever form it takes, it is true."""
    if follows:
        tensors, rate = tensors * steps, tensors * each
    text = formula(holding(Role.FORWARD, tensors, each, rate=rate), steps)
    product = 1
    for factor in text.removeprefix("one tensor of ").split(TIMES):
        product *= int(factor.split()[0].replace(",", ""))

    assert product == tensors * each


def test_partial_weight_gradients_are_named_as_copies_that_wait() -> None:
    """The sentence that the tool is for."""
    first, *_ = story(samples.EXPLANATION)

    assert "200 partial gradients of rnn/cell/kernel wait to be summed" in first
    assert f"200 steps {TIMES} 98,304 B" in first
    share = 100 * 200 * 96 * KIB / samples.EXPLANATION.peak_bytes
    assert first.startswith(f"{share:.0f} % of the peak (18.8 MiB)")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ROUNDING])
def test_whatever_holds_most_comes_first(role: Role) -> None:
    """Every role has its words."""
    found = explained(holding(role, STEPS, 9 * KIB), holding(Role.FORWARD, 1, KIB, op="small"))

    assert story(found)[0].startswith("100 % of the peak")
    assert biggest_text(found) == f"100 % of it {role.value}"


def test_a_second_term_of_weight_is_named_too() -> None:
    """A quarter of the peak is worth a sentence, a tenth is not."""
    big = holding(Role.FORWARD, STEPS, 6 * KIB, op="a/forward")
    notable = holding(Role.ACTIVATION_GRADIENTS, STEPS, 3 * KIB, op="b/gradient")
    small = holding(Role.TEMPORARY, STEPS, KIB, op="c/scratch")
    words = " ".join(story(explained(big, notable, small)))

    assert "a/forward" in words
    assert "b/gradient" in words
    assert "c/scratch" not in words


def test_at_most_three_sentences_are_given() -> None:
    """Of many equal terms, too."""
    terms = [holding(role, 2, KIB) for role in Role if role is not Role.ROUNDING]

    assert 1 <= len(story(explained(*terms[:4]))) <= 3


def test_a_peak_that_holds_nothing_has_no_story() -> None:
    """There is nothing to say."""
    assert story(explained()) == ()
    assert biggest_text(explained()) is None


def test_advice_follows_the_term_that_it_is_about() -> None:
    """The framework's, on the role that holds most; other roles' advice is left out."""
    advice = [
        Advice(role=Role.FORWARD.value, text="Halve the batch.", measured="a test"),
        Advice(role=Role.TEMPORARY.value, text="Never mind.", measured="a test"),
    ]
    found = explained(holding(Role.FORWARD, STEPS, 6 * KIB), holding(Role.TEMPORARY, 1, KIB))
    words = story(replace(found, advice=advice))

    assert words[1:] == ("Halve the batch.",)


def test_without_advice_nothing_is_advised() -> None:
    """Silence rather than folklore."""
    found = replace(explained(holding(Role.FORWARD, STEPS, KIB)), advice=[])

    assert len(story(found)) == 1
