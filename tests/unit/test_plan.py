"""A plan is what was asked for, expanded; what cannot be measured is refused in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.planning.discovery import Listing
from profiler.planning.points import (
    Conditions,
    by_series,
    check_device,
    expand,
    parse_device,
    point,
    select,
    whole_mib,
)
from profiler.scenario import Parameter
from profiler.units import MIB

CATALOG = {
    name: Listing(
        name=name,
        family="toys",
        summary="",
        parameters=[Parameter(name="batch", type="int", default=32)],
        source="toys.py:1",
    )
    for name in ("static_rnn", "dynamic_rnn")
}


def test_no_name_selects_all() -> None:
    """A profile without arguments measures every scenario."""
    assert select([], CATALOG) == list(CATALOG.values())


def test_a_name_given_twice_is_measured_once() -> None:
    """In the order in which names first came."""
    chosen = select(["dynamic_rnn", "static_rnn", "dynamic_rnn"], CATALOG)

    assert [listing.name for listing in chosen] == ["dynamic_rnn", "static_rnn"]


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    """And with the command that shows all."""
    with pytest.raises(UsageError, match=r"'static_rn' \(did you mean 'static_rnn'\?\)"):
        select(["static_rn"], CATALOG)


def test_a_point_has_every_parameter() -> None:
    """Set ones and defaults alike, so that a stored point says all that was measured."""
    plain = point(CATALOG["static_rnn"], Conditions(), steps=8)
    wider = point(CATALOG["static_rnn"], Conditions(overrides={"batch": "64"}), steps=8)

    assert (plain.parameters, wider.parameters) == ({"batch": 32}, {"batch": 64})


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True),
    st.integers(1, 3),
    st.sampled_from([["static_rnn"], ["static_rnn", "dynamic_rnn"]]),
)
def test_every_point_is_in_one_series_by_ascending_steps(
    steps: list[int], repeats: int, names: list[str]
) -> None:
    """As many series as scenarios and repeats, each over all the steps."""
    points = expand(select(names, CATALOG), steps, Conditions(), repeats)
    series = by_series(points)

    assert len(series) == len(names) * repeats
    assert [p for members in series for p in members] == points
    assert all([p.steps for p in members] == sorted(steps) for members in series)


@pytest.mark.parametrize(
    ("text", "device"), [("cpu", "cpu"), ("GPU", "gpu:0"), ("gpu:0", "gpu:0"), ("gpu:12", "gpu:12")]
)
def test_a_device_is_read(text: str, device: str) -> None:
    """A GPU without a number is the first."""
    assert parse_device(text) == device


@pytest.mark.parametrize("text", ["", "tpu", "gpu:", "gpu:-1", "gpu:x", "cpu:1", "gpu:1 "])
def test_another_device_is_refused(text: str) -> None:
    """With what is allowed."""
    with pytest.raises(UsageError, match="use cpu, gpu or gpu:N"):
        parse_device(text)


def test_a_device_that_the_framework_does_not_see_is_refused() -> None:
    """The message says what it sees."""
    with pytest.raises(UsageError, match=r"'gpu:1': TensorFlow sees only cpu, gpu:0 H200"):
        check_device("gpu:1", ["cpu", "gpu:0 H200"])


def test_a_device_that_the_framework_sees_is_accepted() -> None:
    """By its name before the space."""
    check_device("gpu:0", ["cpu", "gpu:0 H200"])


@given(st.integers(MIB, 1 << 50))
def test_a_limit_is_rounded_down_to_whole_mib(limit: int) -> None:
    """Never up: a limit that was not given must not be used."""
    rounded = whole_mib(limit)

    assert rounded % MIB == 0
    assert limit - MIB < rounded <= limit


def test_a_limit_below_one_mib_is_refused() -> None:
    """TensorFlow knows no smaller one."""
    with pytest.raises(UsageError, match="at least 1MiB"):
        whole_mib(MIB - 1)
