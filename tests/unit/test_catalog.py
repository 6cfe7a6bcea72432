"""The scenarios of all files stand in one catalog; what cannot be used is named."""

from __future__ import annotations

import pytest

from profiler.errors import UsageError
from profiler.parameters import Parameter
from profiler.planning.catalog import Listing, merged, unknown_scenario
from profiler.planning.files import ScenarioFile

BATCH = Parameter(name="batch", type="int", default=32)


def _listing(name: str, file: str, *, module: str | None = None) -> Listing:
    return Listing(
        name=name,
        family=file,
        summary="",
        parameters=[BATCH],
        source=f"{file}:6",
        source_hash="",
        file=ScenarioFile(path=file, framework="sampleflow", module=module),
    )


def test_files_are_merged_in_their_order() -> None:
    """A file may hold several scenarios, or none."""
    first = [_listing("b", "one.py"), _listing("a", "one.py")]
    catalog = merged([first, [], [_listing("c", "two.py")]])

    assert list(catalog.scenarios) == ["b", "a", "c"]
    assert catalog.broken == []


def test_every_broken_file_is_named() -> None:
    """None of them takes a good one down."""
    lines = ["odd.py:3: SyntaxError: invalid syntax", "bad.py:4: ValueError: no"]
    catalog = merged([lines[0], [_listing("a", "one.py")], lines[1]])

    assert catalog.broken == lines
    assert list(catalog.scenarios) == ["a"]


@pytest.mark.parametrize("module", [None, "acme"])
def test_a_name_that_is_taken_names_both_places(module: str | None) -> None:
    """Two of the user's, or two installed ones: the first stays."""
    both = [[_listing("toy", file, module=module)] for file in ("one.py", "two.py")]
    catalog = merged(both)

    assert catalog.broken == ["two.py:6: scenario 'toy' is defined twice: one.py:6, two.py:6"]
    assert catalog.scenarios["toy"].file.path == "one.py"


def test_a_users_scenario_takes_the_place_of_a_shipped_one() -> None:
    """A copy of a shipped file, changed, is a common beginning; other scenarios stay."""
    shipped = [_listing(name, "shipped.py", module="scenarios.shipped") for name in ("a", "toy")]
    catalog = merged([shipped, [_listing("toy", "mine.py")]])

    assert catalog.broken == []
    assert [one.file.path for one in catalog.scenarios.values()] == ["shipped.py", "mine.py"]


def test_a_listing_parses_its_settings() -> None:
    """In the parent, before any child is started."""
    found = _listing("toy", "one.py")

    assert found.settings({}) == [{"batch": 32}]
    assert found.settings({"batch": "64"}) == [{"batch": 64}]
    with pytest.raises(UsageError, match="scenario 'toy' has no parameter 'bach'"):
        found.settings({"bach": "64"})


def test_an_unknown_scenario_gets_the_nearest_and_the_way_to_all() -> None:
    """One line, with the next command to type."""
    message = unknown_scenario("static_rn", ["static_rnn", "dynamic_rnn"])

    assert message == (
        "no scenario 'static_rn' (did you mean 'static_rnn'?); 'stepwall list' shows all"
    )
