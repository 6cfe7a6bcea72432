"""What can be measured: the scenarios of all files, without their code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from profiler.errors import UsageError, did_you_mean
from profiler.facts import Record
from profiler.lengths import ANY, Lengths
from profiler.parameters import Parameter, ParameterValue, combinations
from profiler.planning.files import ScenarioFile


class Listing(Record, frozen=True, kw_only=True):
    """What can be said of a scenario without its code.

    ``source`` is where its function stands, as ``mine.py:12``; ``source_files`` are that file and
    the user's modules that it imports, name -> path, and ``source_hash`` is theirs. ``lengths``
    are the numbers that it may be run at, and the name of their axis; ``tags``: as its author
    gave them.
    """

    name: str
    family: str
    summary: str
    parameters: list[Parameter]
    source: str
    source_hash: str
    file: ScenarioFile
    source_files: dict[str, str] = {}
    lengths: Lengths = ANY
    tags: tuple[str, ...] = ()

    def settings(self, overrides: dict[str, str]) -> list[dict[str, ParameterValue]]:
        """Return every combination of the parameters' values, the defaults overridden by texts.

        Raises:
            UsageError: for a parameter it lacks, or a value that does not fit.
        """
        return combinations(self.name, self.parameters, overrides)


class FileListing(Record, frozen=True, kw_only=True):
    """What one file gave: its scenarios, and a line for each that cannot be used."""

    scenarios: list[Listing]
    broken: list[str] = []


class Catalog(Record, frozen=True, kw_only=True):
    """The scenarios found, by name, and a line for each file or scenario that cannot be used.

    ``absent``: installed ones whose framework is not there, by name, each with what it needs.
    """

    scenarios: dict[str, Listing]
    broken: list[str]
    absent: dict[str, str] = {}


def merged(found: Iterable[list[Listing] | str]) -> Catalog:
    """Return one catalog of what each file gave: its scenarios, or why it cannot be used.

    A user's scenario takes the place of an installed one of its name. Two of one name that both
    are the user's, or both installed, are an error of the second file.
    """
    scenarios: dict[str, Listing] = {}
    broken: list[str] = []
    for one in found:
        if isinstance(one, str):
            broken.append(one)
            continue
        for listing in one:
            old = scenarios.get(listing.name)
            if old is not None and old.file.is_installed == listing.file.is_installed:
                broken.append(
                    f"{listing.source}: scenario {listing.name!r} is defined twice: "
                    f"{old.source}, {listing.source}"
                )
            else:
                scenarios[listing.name] = listing
    return Catalog(scenarios=scenarios, broken=broken)


def check_present(catalog: Catalog, names: Iterable[str]) -> None:
    """Check that the frameworks of these scenarios are there.

    Raises:
        UsageError: naming the first that is not usable, and what it needs.
    """
    for name in names:
        if name not in catalog.scenarios and name in catalog.absent:
            raise UsageError(f"scenario {name!r} {catalog.absent[name]}")


def left_out(catalog: Catalog) -> list[str]:
    """Return a line on the installed scenarios of each framework that is not there."""
    counts = Counter(needs for needs in catalog.absent.values())
    return [
        f"{count} scenario{'' if count == 1 else 's'}: each {needs}"
        for needs, count in counts.items()
    ]


def unknown_scenario(name: str, known: Iterable[str]) -> str:
    """Return the message for a scenario that does not exist."""
    return f"no scenario {name!r}{did_you_mean(name, known)}; 'stepwall list' shows all"
