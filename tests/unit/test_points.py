"""Points are what was asked for, expanded; what cannot be measured is refused in one line."""

from __future__ import annotations

import pytest
import report_samples as samples
import stub_framework
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.facts import Schedule, replace
from profiler.lengths import Lengths
from profiler.parameters import Parameter
from profiler.planning.catalog import Listing
from profiler.planning.files import ScenarioFile
from profiler.planning.points import (
    MOST_POINTS,
    Conditions,
    Group,
    allowed_steps,
    by_series,
    check_device,
    check_steps,
    expand,
    parse_device,
    point,
    rounded_limit,
    select,
    series_of,
    swept,
)
from profiler.units import MIB

CATALOG = {
    name: Listing(
        name=name,
        family="toys",
        summary="",
        parameters=[Parameter(name="batch", type="int", default=32)],
        source="toys.py:1",
        source_hash="abc",
        file=ScenarioFile(path="toys.py", framework=stub_framework.NAME),
    )
    for name in ("static_rnn", "dynamic_rnn")
}
GPU = replace(samples.FRAMEWORK, devices=["cpu", "gpu:0 H200"])


@pytest.fixture(autouse=True, scope="module")
def _installed() -> object:
    with pytest.MonkeyPatch.context() as patch:
        stub_framework.install(patch)
        yield


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


def _tagged(name: str, *tags: str, module: str | None = "acme") -> Listing:
    file = ScenarioFile(path=f"{name}.py", framework=stub_framework.NAME, module=module)
    return replace(CATALOG["static_rnn"], name=name, file=file, tags=tags)


TAGGED = {
    one.name: one
    for one in (
        _tagged("first", "seed", "loops"),
        _tagged("second", "seed"),
        _tagged("third", "remedies", "loops"),
        _tagged("mine", "seed", "loops", module=None),
    )
}
INSTALLED = {name: one for name, one in TAGGED.items() if one.file.is_installed}


@pytest.mark.parametrize(
    ("group", "names"),
    [
        (Group(), ["mine"]),
        (Group(tags=["loops"]), ["mine"]),
        (Group(suite="seed"), ["first", "second"]),
        (Group(suite="all"), ["first", "second", "third"]),
        (Group(suite="all", tags=["loops"]), ["first", "third"]),
        (Group(suite="seed", tags=["loops"]), ["first"]),
        (Group(suite="all", tags=["loops", "seed"]), ["first"]),
    ],
)
def test_a_suite_is_installed_and_tags_narrow_what_would_be_measured(
    group: Group, names: list[str]
) -> None:
    """With files of the user's, what names no suite is about these files alone."""
    assert [one.name for one in select([], TAGGED, group)] == names


def test_without_files_of_the_user_s_all_are_meant() -> None:
    """Tags narrow them."""
    assert select([], INSTALLED, Group()) == list(INSTALLED.values())
    assert [one.name for one in select([], INSTALLED, Group(tags=["loops"]))] == ["first", "third"]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            Group(suite="remedy"),
            "no suite 'remedy' (did you mean 'remedies'?); there are all, loops, remedies, seed",
        ),
        (Group(suite="xyz"), "no suite 'xyz' (allowed: all, loops, remedies, seed)"),
        (
            Group(suite="seed", tags=["loop"]),
            "no tag 'loop' (did you mean 'loops'?); there are loops, remedies, seed",
        ),
        (
            Group(suite="all", tags=["seed", "remedies"]),
            "no scenario has all of the tags remedies, seed",
        ),
    ],
)
def test_a_group_of_none_is_told_with_what_there_is(group: Group, message: str) -> None:
    """In one line."""
    with pytest.raises(UsageError) as caught:
        select([], TAGGED, group)

    assert str(caught.value) == message


def test_where_nothing_is_tagged_that_is_said() -> None:
    """Instead of an empty list of what is allowed."""
    with pytest.raises(UsageError, match=r"^no tag 'loops': no scenario has a tag$"):
        select([], CATALOG, Group(tags=["loops"]))


def test_names_and_a_group_are_refused() -> None:
    """Whether the group narrows the names or adds to them would be a guess."""
    with pytest.raises(UsageError, match=r"^first: name scenarios, or give --suite or --tag$"):
        select(["first"], TAGGED, Group(suite="seed"))


def test_a_point_has_every_parameter() -> None:
    """Set ones and defaults alike, so that a stored point says all that was measured."""
    plain = point(CATALOG["static_rnn"], Conditions(), steps=8)
    wider = point(CATALOG["static_rnn"], Conditions(overrides={"batch": "64"}), steps=8)

    assert (plain.parameters, wider.parameters) == ({"batch": 32}, {"batch": 64})


def test_several_values_of_a_parameter_are_several_points() -> None:
    """Each over all the steps; where one is asked for, several are refused."""
    grid = Conditions(overrides={"batch": "16,32"})
    found = expand([CATALOG["static_rnn"]], [4, 8], grid, 1)

    assert [(one.parameters["batch"], one.steps) for one in found] == [
        *((16, 4), (16, 8)),
        *((32, 4), (32, 8)),
    ]
    assert len(by_series(found)) == 2
    with pytest.raises(UsageError) as caught:
        point(CATALOG["static_rnn"], grid, steps=8)
    assert str(caught.value) == (
        "--set batch=16,32: only one value is allowed here; profile and wall take several"
    )


def test_a_point_names_its_axis() -> None:
    """Which is part of what a series is."""
    listing = replace(CATALOG["static_rnn"], lengths=Lengths(axis="units"))
    found = point(listing, Conditions(), steps=8)

    assert found.axis == "units"
    assert series_of(found) != series_of(replace(found, axis="steps"))
    with pytest.raises(UsageError, match="at 3 units: its author allows only 8 units or more"):
        check_steps(replace(listing, lengths=Lengths(axis="units", at_least=8)), 3)


def test_a_point_names_its_framework_and_its_source() -> None:
    """Both come from the file of its scenario."""
    found = point(CATALOG["static_rnn"], Conditions(), steps=8)

    assert (found.framework, found.source) == (stub_framework.NAME, "abc")


def test_limits_are_rounded_to_what_the_framework_and_the_kernel_take() -> None:
    """The stub takes whole KiB of device memory, the kernel is given whole MiB."""
    conditions = Conditions(limit_bytes=3 * 1024 + 5, host_limit_bytes=3 * MIB + 5)
    found = point(CATALOG["static_rnn"], conditions, steps=8)

    assert (found.limit_bytes, found.host_limit_bytes) == (3 * 1024, 3 * MIB)


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
    assert len({series_of(p) for p in points}) == len(names)


@pytest.mark.parametrize(
    "other",
    [{"schedule": Schedule.PARALLEL}, {"limit_bytes": 1}, {"device": "gpu:0"}, {"source": "other"}],
    ids=lambda other: next(iter(other)),
)
def test_other_conditions_are_another_series(other: dict[str, object]) -> None:
    """Another source too: its numbers are of another program."""
    one = samples.measured().point

    assert series_of(one) == series_of(replace(one, steps=99, repeat=3))
    assert series_of(one) != series_of(replace(one, **other))


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
    """The message says which framework, and what it sees."""
    with pytest.raises(UsageError, match=r"'gpu:1': SampleFlow sees only cpu, gpu:0 H200"):
        check_device("gpu:1", [GPU])


def test_a_device_that_one_of_two_frameworks_does_not_see_is_refused() -> None:
    """Both would use it."""
    check_device("cpu", [GPU, samples.FRAMEWORK])
    with pytest.raises(UsageError, match=r"'gpu:0': SampleFlow sees only cpu$"):
        check_device("gpu:0", [GPU, samples.FRAMEWORK])


def test_a_device_that_the_framework_sees_is_accepted() -> None:
    """By its name before the space."""
    check_device("gpu:0", [GPU])


@given(st.sampled_from([1, 1024, MIB]), st.integers(MIB, 1 << 50))
def test_a_limit_is_rounded_down_to_whole_units(unit: int, limit: int) -> None:
    """Never up: a limit that was not given must not be used."""
    rounded = rounded_limit(limit, unit)

    assert rounded is not None
    assert rounded % unit == 0
    assert limit - unit < rounded <= limit


def test_no_limit_stays_none() -> None:
    """It is not zero."""
    assert rounded_limit(None, MIB) is None


@pytest.mark.parametrize(("unit", "least"), [(MIB, "1MiB"), (1024, "1024B")])
def test_a_limit_below_one_unit_is_refused(unit: int, least: str) -> None:
    """The message says the smallest one."""
    with pytest.raises(UsageError, match=f"at least {least}"):
        rounded_limit(unit - 1, unit)


BLOCKS = replace(CATALOG["static_rnn"], lengths=Lengths(multiple_of=20, at_least=40))


def test_a_range_is_thinned_to_what_the_author_allows() -> None:
    """What was given one by one must be allowed."""
    assert allowed_steps(BLOCKS, range(10, 90, 10), listed=[40]) == [40, 60, 80]


@pytest.mark.parametrize(
    ("steps", "listed", "message"),
    [
        ([40, 50], [40, 50], r"static_rnn at 50 steps: its author allows only .*40 and 60\)"),
        ([10, 30], [], r"static_rnn at 10 steps: .* multiples of 20 from 40 on \(nearest: 40\)"),
    ],
)
def test_what_the_author_rules_out_is_refused(
    steps: list[int], listed: list[int], message: str
) -> None:
    """With the nearest that are allowed."""
    with pytest.raises(UsageError, match=message):
        allowed_steps(BLOCKS, steps, listed=listed)


WIDE = replace(
    CATALOG["static_rnn"],
    parameters=[
        Parameter(name="batch", type="int", default=32),
        Parameter(name="units", type="int | None", default=None),
        Parameter(name="rate", type="float", default=0.5),
        Parameter(name="bits", type="int", default=16, choices=(16, 32)),
    ],
    lengths=Lengths(multiple_of=20),
)


def test_a_scenario_is_swept_over_a_parameter_of_its_own() -> None:
    """Its first argument becomes a parameter; its author's lengths hold for that one."""
    (over,) = swept([WIDE], "batch", {"steps": "20,40"})
    conditions = Conditions(overrides={"steps": "20,40"})
    found = expand([over], [7], conditions, repeats=1)

    assert over.lengths == Lengths(axis="batch")
    assert [(one.axis, one.steps) for one in found] == [("batch", 7)] * 2
    assert [one.parameters["steps"] for one in found] == [20, 40]
    assert all("batch" not in one.parameters for one in found)
    assert swept([WIDE], "steps", {}) == swept([WIDE], None, {}) == [WIDE]


@pytest.mark.parametrize(
    ("axis", "overrides", "message"),
    [
        (
            "bach",
            {},
            "--axis 'bach': static_rnn can be swept over steps, batch, units",
        ),
        ("rate", {}, "--axis 'rate': static_rnn can be swept over steps, batch, units"),
        ("bits", {}, "--axis 'bits': static_rnn can be swept over steps, batch, units"),
        (
            "batch",
            {},
            "--axis batch: static_rnn needs its steps: add --set steps=20, or another number",
        ),
        (
            "batch",
            {"steps": "20", "batch": "8"},
            "--set batch=8: it is swept already (--axis batch)",
        ),
        (
            "batch",
            {"steps": "20,30"},
            "static_rnn at 30 steps: its author allows only multiples of 20 (nearest: 20 and 40)",
        ),
        ("batch", {"steps": "x"}, "parameter 'steps': 'x' is not of type int"),
    ],
)
def test_what_cannot_be_swept_is_refused(
    axis: str, overrides: dict[str, str], message: str
) -> None:
    """In one line that says what can."""
    with pytest.raises(UsageError) as raised:
        swept([WIDE], axis, overrides)

    assert str(raised.value) == message


def test_more_points_than_a_run_could_hold_are_refused() -> None:
    """By their number, before they are made."""
    grid = Conditions(overrides={"batch": ",".join(map(str, range(1, 101)))})
    listing = CATALOG["static_rnn"]

    assert len(expand([listing], [4], grid, MOST_POINTS // 100)) == MOST_POINTS
    with pytest.raises(UsageError, match="100100 points are too many: at most 100000"):
        expand([listing], [4], grid, MOST_POINTS // 100 + 1)


def test_scenarios_that_are_none_are_told() -> None:
    """As where each one is broken, or a suite is asked for and none is installed."""
    with pytest.raises(UsageError, match="no scenario that can be used"):
        select([], {})


@pytest.mark.parametrize("text", ["gpu:1234", "gpu:" + "9" * 5000])
def test_a_device_of_many_digits_is_refused_like_any_other(text: str) -> None:
    """No machine has it."""
    with pytest.raises(UsageError, match="use cpu, gpu or gpu:N"):
        parse_device(text)
