"""What holds the peak, in at most three sentences with the scenario's own numbers."""

from __future__ import annotations

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts import Advice, Explanation, Holding, Remedy, Role, replace
from reports.texts.story import biggest_text, formula, story

TIMES = "\N{MULTIPLICATION SIGN}"
STEPS = 200
KIB = 1024


def holding(  # noqa: PLR0913 (what a holding is made of)
    role: Role,
    tensors: int,
    each: int | None,
    *,
    op: str = "scope/op",
    rate: float | None = None,
    more: float | None = None,
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
        per_step_tensors=more,
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
    ("tensors", "each", "rate", "more", "text"),
    [
        (200, 98_304, 98_304.0, 1.0, f"200 steps {TIMES} 98,304 B"),
        (800, 16_384, 4 * 16_384.0, 4.0, f"200 steps {TIMES} 4 {TIMES} 16,384 B"),
        (1, 200 * 16_384, 16_384.0, 0.0, f"one tensor of 200 steps {TIMES} 16,384 B"),
        (300, 2_048, 1.5 * 2_048, 1.5, f"200 steps {TIMES} 3,072 B"),
        (200, None, KIB, 1.0, f"200 steps {TIMES} 1,024 B"),
        # As many as steps, or twice as many, by chance: none comes with a step, each grows.
        (200, 200 * 64, 200 * 64.0, 0.0, f"200 tensors of 200 steps {TIMES} 64 B"),
        (400, 200 * 64, 400 * 64.0, 0.0, f"400 tensors of 200 steps {TIMES} 64 B"),
        (800, 16_384, 4 * 16_384.0, None, f"200 steps {TIMES} 65,536 B"),
    ],
)
def test_a_formula_follows_the_steps_where_a_shorter_length_proves_it(
    tensors: int, each: int | None, rate: float, more: float | None, text: str
) -> None:
    """Some tensors per step, a fixed number that grow, one of them, or as many bytes."""
    assert formula(holding(Role.FORWARD, tensors, each, rate=rate, more=more), STEPS) == text


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
    grows=st.booleans(),
)
def test_a_formula_multiplies_up_to_the_bytes(  # noqa: PLR0913 (what it is made of)
    tensors: int, each: int, steps: int, rate: int | None, *, follows: bool, grows: bool
) -> None:
    """Whatever form it takes, it is true."""
    more = 0.0
    if follows and grows:
        each, rate = each * steps, tensors * each
    elif follows:
        tensors, rate, more = tensors * steps, tensors * each, float(tensors)
    text = formula(holding(Role.FORWARD, tensors, each, rate=rate, more=more), steps)
    product = 1
    for factor in text.replace("one tensor of ", "").replace("tensors of", TIMES).split(TIMES):
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


def test_of_very_many_small_terms_the_largest_is_named_with_its_share() -> None:
    """As of eight layers whose names nothing joins: none holds a tenth."""
    layers = [holding(Role.FORWARD, 1, KIB, op=f"layer{number}/out") for number in range(20)]
    (text,) = story(explained(*layers))

    assert f"the largest part, {100 / 20:.0f} %, layer0/out" in text
    assert "most of it" not in text


@pytest.mark.parametrize(("largest", "words"), [(51, "most of it"), (50, "the largest part, 50 %")])
def test_most_is_said_of_more_than_half_only(largest: int, words: str) -> None:
    """Half is not most."""
    rest = [holding(Role.FORWARD, 1, KIB, op=f"other{n}/op") for n in range(100 - largest)]
    (text,) = story(explained(holding(Role.FORWARD, largest, KIB, op="big/op"), *rest))

    assert f"{words}{',' if ',' in words else ''} big/op" in text


def test_partial_gradients_of_one_of_many_layers_are_no_more_than_their_part() -> None:
    """Each layer's wait; the sentence on the largest says how much of the role it is."""
    layers = [
        replace(
            holding(Role.WEIGHT_GRADIENTS, STEPS, KIB, op=f"grad{number}", rate=KIB),
            variable=f"layer{number}/kernel",
        )
        for number in range(8)
    ]
    text, *_ = story(explained(*layers))

    part = f"the largest part, {100 / 8:.0f} %"
    assert f"weight gradients, {part}, 200 partial gradients of layer0/kernel" in text


@pytest.mark.parametrize("more", [0, None])
def test_partial_gradients_that_no_step_adds_to_are_not_said_to_wait(more: float | None) -> None:
    """A loop holds some of them at any length."""
    one = holding(Role.WEIGHT_GRADIENTS, 32, KIB, more=more)
    text, *_ = story(explained(replace(one, variable="w")))

    assert "32 partial gradients of w are held at once" in text


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


def tried(name: str, after: int | None) -> Remedy:
    """Return a remedy for a peak of 100 KiB, measured in KiB."""
    peak = None if after is None else after * KIB
    return Remedy(name=name, steps=STEPS, before_bytes=100 * KIB, peak_bytes=peak)


def test_what_was_tried_comes_before_what_was_measured_elsewhere() -> None:
    """The most first; what failed, changed nothing or is contradicted lowered nothing."""
    against = replace(tried("cut=true", 20), parallel_before_bytes=[9], parallel_bytes=[10])
    found = replace(
        explained(holding(Role.FORWARD, STEPS, KIB)),
        remedies=[
            replace(tried("batch=16", 60), changes="half the batch"),
            tried("unroll=false", 40),
            tried("swap=true", 100),
            tried("cell=lstm", None),
            against,
        ],
        advice=[Advice(role=Role.FORWARD.value, text="Measured elsewhere.", measured="a test")],
    )

    _, tried_here, elsewhere = story(found)
    assert tried_here == (
        "Tried on this step: unroll=false takes the peak to 40.0 KiB (-60 %) and "
        "batch=16 (half the batch) takes the peak to 60.0 KiB (-40 %)."
    )
    assert elsewhere == "Measured elsewhere."


def test_where_nothing_that_was_tried_helps_that_is_said() -> None:
    """So that nobody tries it again."""
    found = replace(
        explained(holding(Role.FORWARD, STEPS, KIB)),
        remedies=[tried("swap=true", 100), tried("cell=lstm", 250), tried("batch=16", None)],
    )
    _, text = story(found)

    assert "the peak is not lower" in text
    assert "swap=true (0 %) and cell=lstm (+150 %)" in text


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)), st.integers(1, 200))
def test_only_a_sign_that_every_parallel_run_shows_is_confirmed(
    before: list[int], after: list[int], peak: int
) -> None:
    """Without such runs nothing is contradicted; runs that a remedy makes fail are no gain."""
    one = replace(tried("x", peak), parallel_before_bytes=before, parallel_bytes=after)
    fell = all(new < old for new in after for old in before)
    rose = all(new > old for new in after for old in before)
    known = bool(before and after)

    lost = peak < 100 and len(after) < len(before)

    assert one.is_contradicted == (
        lost or (known and not ((peak < 100 and fell) or (peak > 100 and rose) or _level(one)))
    )


def _level(one: Remedy) -> bool:
    return one.peak_bytes == one.before_bytes and one.parallel_sign == 0
