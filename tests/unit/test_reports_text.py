"""Numbers read as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts import Shortage, Status
from reports.texts.numbers import (
    DASH,
    bytes_text,
    count_text,
    list_text,
    outcome_text,
    rate_text,
    seconds_text,
    shortage_text,
    size_text,
    steps_text,
    times_text,
)

KIB = 1024
FACTORS = {"B": 1, "KiB": KIB, "MiB": KIB**2, "GiB": KIB**3, "TiB": KIB**4, "PiB": KIB**5}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, DASH),
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.6, "1.0 KiB"),
        (KIB, "1.0 KiB"),
        (63.9 * KIB**2, "63.9 MiB"),
        (KIB**2 - 1, "1.0 MiB"),
        (1.5 * KIB**3, "1.5 GiB"),
        (-2 * KIB, "-2.0 KiB"),
        (5000 * KIB**5, "5,000.0 PiB"),
    ],
)
def test_bytes_have_binary_units_and_one_decimal(value: float | None, text: str) -> None:
    """Bytes are exact below one KiB and have one decimal above."""
    assert text == bytes_text(value)


@given(st.integers(min_value=0, max_value=2**59))
def test_bytes_never_read_as_more_than_their_unit(value: int) -> None:
    """The number stays below 1,024 and within half a decimal of the truth."""
    number, unit = bytes_text(value).split()
    shown = float(number.replace(",", ""))

    assert shown < KIB
    assert abs(shown * FACTORS[unit] - value) <= 0.0501 * FACTORS[unit]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (64 * KIB**2, "64 MiB"),
        (64 * KIB**2 + 1, "64.0 MiB"),
        (1.5 * KIB**3, "1.5 GiB"),
        (512, "512 B"),
    ],
)
def test_a_round_size_has_no_decimals(value: float, text: str) -> None:
    """A limit that is a whole number of units reads like one."""
    assert text == size_text(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, DASH),
        (0.0, "0 s"),
        (12e-6, "12 µs"),
        (0.0034, "3.4 ms"),
        (0.120, "120 ms"),
        (0.99999, "1.00 s"),
        (0.00099999, "1.0 ms"),
        (1.25, "1.25 s"),
        (12.34, "12.3 s"),
        (125, "2 min 5 s"),
    ],
)
def test_seconds_are_in_the_unit_that_fits(value: float | None, text: str) -> None:
    """Seconds read as microseconds, milliseconds, seconds or minutes."""
    assert text == seconds_text(value)


def test_counts_have_thousands_separators() -> None:
    """A count is grouped, and a missing one is a dash."""
    assert (count_text(12345), count_text(None)) == ("12,345", DASH)


def test_a_whole_rate_is_exact_and_another_has_two_decimals() -> None:
    """Only what is not whole has decimals."""
    assert (rate_text(17.0), rate_text(0.5), rate_text(2.333)) == ("17", "0.5", "2.33")


def test_words_are_joined_as_in_a_sentence() -> None:
    """The last word is joined by 'and'."""
    assert [list_text(["a"]), list_text(["a", "b", "c"])] == ["a", "a, b and c"]


def test_one_step_is_singular() -> None:
    """Only one step goes without the s."""
    assert [steps_text(1), steps_text(1024)] == ["1 step", "1,024 steps"]


@pytest.mark.parametrize(
    ("shortage", "text"),
    [
        (
            Shortage(
                op="rnn/while/body/_1/cell/MatMul",
                op_type="MatMul",
                shape=[32, 128],
                dtype="float32",
                requested_bytes=32 * 128 * 4,
            ),
            "rnn/…/MatMul (MatMul) asked for [32,128] float32, 16.0 KiB",
        ),
        (Shortage(op="a/b/c", shape=[]), "a/b/c asked for []"),
        (Shortage(op_type="Fill", requested_bytes=0), "Fill asked for 0 B"),
        (Shortage(), "an operation asked for memory"),
    ],
)
def test_what_ran_out_is_a_clause_of_what_is_known(shortage: Shortage, text: str) -> None:
    """Long names are cut in the middle, and what the framework did not say is left out."""
    assert shortage_text(shortage) == text


def test_an_outcome_reads_as_words() -> None:
    """Those that are words already stay as they are."""
    texts = [outcome_text(status) for status in (Status.TIMEOUT, Status.CRASHED, Status.SKIPPED)]

    assert texts == ["timed out", "crashed", "skipped"]


def test_a_ratio_has_one_decimal_and_a_times_sign() -> None:
    """A price is read as a multiple."""
    assert times_text(1.25) == "1.2 ×"  # noqa: RUF001
