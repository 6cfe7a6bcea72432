"""The ratios that the benchmarks found, in one line each at the end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A number that was measured, and what it should be."""

    what: str
    value: float
    unit: str
    aim: str


_FINDINGS = pytest.StashKey[list[Finding]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the findings."""
    config.stash[_FINDINGS] = []


@pytest.fixture
def findings(pytestconfig: pytest.Config) -> list[Finding]:
    """Return the list that the summary prints."""
    return pytestconfig.stash[_FINDINGS]


@pytest.fixture
def finding() -> type[Finding]:
    """Return the class of a finding."""
    return Finding


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print a line per finding."""
    found = config.stash[_FINDINGS]
    if found:
        terminalreporter.section("stepwall: what it costs")
    for item in found:
        terminalreporter.write_line(f"{item.what:<58} {item.value:>6.2f} {item.unit} ({item.aim})")
