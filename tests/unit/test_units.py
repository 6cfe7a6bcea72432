"""Sizes and ranges that a user types become numbers, or one clear message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.units import (
    MAX_LENGTHS,
    MAX_STEPS,
    MIB,
    listed_steps,
    parse_seconds,
    parse_size,
    parse_size_per_step,
    parse_steps,
    size_option,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("64MiB", 64 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("800MB", 800 * 10**6),
        ("2TB", 2 * 10**12),
        ("2TiB", 2 * 2**40),
        (" 3 kib ", 3 * 2**10),
        ("0.5KB", 500),
    ],
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int) -> None:
    """Binary units are powers of 1024, decimal ones of 1000; case and blanks do not matter."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "64", "MiB", "64 XB", "-1MiB", "1e3MiB", "٣MiB", "1.MiB"])
def test_what_is_no_size_is_refused_with_the_forms_that_are(text: str) -> None:
    """The message repeats the text and shows what may be written."""
    with pytest.raises(UsageError) as caught:
        parse_size(text)

    assert repr(text) in str(caught.value)
    assert "64MiB, 1.5GiB or 800MB" in str(caught.value)


@pytest.mark.parametrize("text", ["0MiB", "0.1B"])
def test_less_than_a_byte_is_no_size(text: str) -> None:
    """A limit of nothing measures nothing."""
    with pytest.raises(UsageError, match="one byte"):
        parse_size(text)


@pytest.mark.parametrize("text", ["9" * 400 + "GiB", "9" * 5000 + "B"])
def test_an_absurd_size_is_refused_like_any_other(text: str) -> None:
    """No arithmetic error escapes."""
    with pytest.raises(UsageError):
        parse_size(text)


@given(st.integers(1, 10**6))
def test_whole_mebibytes_are_exact(mebibytes: int) -> None:
    """No rounding on the way."""
    assert parse_size(f"{mebibytes}MiB") == mebibytes * MIB


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("8", [8]),
        ("32,8,16", [8, 16, 32]),
        ("8, 8 ,9", [8, 9]),
        ("8:64:x2", [8, 16, 32, 64]),
        ("8:63:x2", [8, 16, 32]),
        ("3:100:x3", [3, 9, 27, 81]),
        ("100:500:200", [100, 300, 500]),
        ("100:499:200", [100, 300]),
        ("5:5:1", [5]),
        ("1:4:x2,10:30:10,7", [1, 2, 4, 7, 10, 20, 30]),
        (str(MAX_STEPS), [MAX_STEPS]),
    ],
)
def test_steps_are_lists_doublings_and_even_ranges(text: str, steps: list[int]) -> None:
    """They come ascending, each once, ends included."""
    assert parse_steps(text) == steps


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("8,", "''"),
        ("eight", "'eight'"),
        ("8:16", "'8:16'"),
        ("8:16:*2", "'8:16:*2'"),
        ("16:8:x2", "'16:8:x2'"),
        ("8:16:x1", "'8:16:x1'"),
        ("8:16:0", "'8:16:0'"),
        ("0:16:4", "'0:16:4'"),
        (f"1:{MAX_STEPS + 1}:x2", f"1:{MAX_STEPS + 1}:x2"),
        ("0", "0 is not in 1 to"),
        ("-5", "-5 is not in 1 to"),
        (str(MAX_STEPS + 1), f"{MAX_STEPS + 1} is not in 1 to"),
    ],
)
def test_steps_that_cannot_be_are_refused_by_name(text: str, named: str) -> None:
    """The message names the bad part and shows the three forms."""
    with pytest.raises(UsageError) as caught:
        parse_steps(text)

    assert named in str(caught.value)
    assert "a list '8,16,32', a doubling '8:512:x2' or an even range" in str(caught.value)


@pytest.mark.parametrize("text", ["9" * 5000, f"1:{'9' * 5000}:x2"])
def test_steps_of_thousands_of_digits_are_refused_like_any_other(text: str) -> None:
    """Python's own limit on digits does not escape as an error of another kind."""
    with pytest.raises(UsageError):
        parse_steps(text)


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(1, 100))
def test_an_even_range_is_pythons_with_its_end(start: int, length: int, stride: int) -> None:
    """``a:b:c`` means ``range(a, b + 1, c)``."""
    stop = start + length

    assert parse_steps(f"{start}:{stop}:{stride}") == list(range(start, stop + 1, stride))


@given(st.text(max_size=12))
def test_any_text_is_steps_or_a_usage_error(text: str) -> None:
    """Nothing that a user types gives a traceback."""
    try:
        steps = parse_steps(text)
    except UsageError:
        return

    assert steps == sorted(set(steps))
    assert all(1 <= number <= MAX_STEPS for number in steps)


@pytest.mark.parametrize(
    ("text", "seconds"), [("20ms", 0.02), (" 1.5 s", 1.5), ("2min", 120.0), ("300us", 0.0003)]
)
def test_seconds_are_read(text: str, seconds: float) -> None:
    """In the units that tables show."""
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["20", "ms", "0s", "-1s", "1h", "1e3s", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    """The message shows one."""
    with pytest.raises(UsageError, match="as 20ms"):
        parse_seconds(text)


@given(size=st.integers(1, 1 << 30), space=st.sampled_from(("", " ")))
def test_a_size_per_step_is_a_size(*, size: int, space: str) -> None:
    """With its ending, spaces or not."""
    assert parse_size_per_step(f"{size}{space}B{space}/{space}step") == size


@pytest.mark.parametrize(
    "text", ["1MiB", "1MiB/s", "1MiB/steps", "/step", "1/step", "MiB/step", ""]
)
def test_what_is_no_size_per_step_is_refused(text: str) -> None:
    """The message shows one, or a size."""
    with pytest.raises(UsageError, match=r"as 1\.2MiB/step|as 64MiB"):
        parse_size_per_step(text)


@given(size=st.integers(1, 1 << 50))
def test_a_size_option_is_read_as_the_same_bytes(size: int) -> None:
    """Commands that stepwall proposes ask for the very same limit."""
    assert parse_size(size_option(size)) == size


def test_listed_steps_are_those_outside_of_ranges() -> None:
    """What was typed as a number is meant as that number."""
    assert listed_steps("8, 100:1000:100 ,16,4:64:x2") == [8, 16]


def test_more_lengths_than_a_run_could_hold_are_refused() -> None:
    """However many ranges name them, and before they are spelled out."""
    assert len(parse_steps("1:10000:1")) == MAX_LENGTHS
    with pytest.raises(UsageError, match="more than 10000 lengths"):
        parse_steps(",".join(["1:1000000:1"] * 1000))
