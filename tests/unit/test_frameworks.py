"""What is known of a framework that is not installed: that it is not, and what would."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import stub_framework

from profiler import frameworks
from profiler.frameworks import lacking

GONE = "nowhere_at_all"


def stub(*packages: str) -> stub_framework.StubFramework:
    """Return a framework of these packages."""
    return stub_framework.StubFramework(packages=packages)


def test_a_framework_whose_packages_are_there_lacks_nothing() -> None:
    """They are looked for, not imported."""
    assert lacking(stub("numpy", "json")) is None


def test_a_missing_package_is_named_with_the_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that are missing are installed at once."""
    monkeypatch.setattr(frameworks, "entry_points", lambda **_: [])
    title = stub_framework.FRAMEWORK.title

    assert lacking(stub("numpy", GONE, f"{GONE}_else")) == (
        f"needs {title}, and {GONE!r} is not installed: pip install {GONE} {GONE}_else"
    )


@pytest.mark.parametrize(
    ("extra", "shown"),
    [(stub_framework.NAME, f"'acme[{stub_framework.NAME}]'"), ("other", GONE)],
)
def test_an_extra_of_its_name_is_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: str, shown: str
) -> None:
    """Of the distribution that brings what is known of the framework."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nProvides-Extra: {extra}\n"
    )
    group = frameworks.ENTRY_POINT_GROUP
    (info / "entry_points.txt").write_text(f"[{group}]\n{stub_framework.NAME} = acme:IT\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def entry_points(*, group: str) -> list[EntryPoint]:
        from importlib.metadata import PathDistribution

        return [one for one in PathDistribution(info).entry_points if one.group == group]

    monkeypatch.setattr(frameworks, "entry_points", entry_points)

    assert (lacking(stub(GONE)) or "").endswith(f": pip install {shown}")


def test_a_folder_of_that_name_is_no_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python would import it, and find nothing in it."""
    (tmp_path / GONE).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    assert lacking(stub(GONE)) is not None
