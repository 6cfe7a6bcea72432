"""The drawing library is put together once and kept by its version."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from reports.pages.library import drawing_library


def test_what_is_kept_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the installed version; that of another one is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "stepwall"
    folder.mkdir()
    (folder / "vega-0.0.1.js").write_text("old")
    (folder / f"vega-{version('vl-convert-python')}.js").write_text("mine")

    assert drawing_library() == "mine"
