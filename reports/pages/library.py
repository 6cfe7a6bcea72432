"""The drawing library that a page carries: Vega-Lite, from the package ``vl-convert-python``."""

from __future__ import annotations

import contextlib
import os
import stat
from importlib.metadata import version
from pathlib import Path

__all__ = ["drawing_library"]

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def drawing_library() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed, which becomes part of the page.

    Putting it together takes some seconds, so it is kept in the user's cache, by its version.
    """
    kept = _cache() / f"vega-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if _is_private(kept) and _is_private(kept.parent):
            return kept.read_text("utf-8")
    # Late: it loads a JavaScript engine.
    import vl_convert

    # Its names are its own.
    bundle = f"(() => {{{vl_convert.javascript_bundle(_SNIPPET)}\n}})();"
    with contextlib.suppress(OSError):  # a page can be written without a cache
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.parent.chmod(stat.S_IRWXU)
        draft = kept.with_suffix(f".{os.getpid()}")
        draft.unlink(missing_ok=True)
        draft.touch(mode=stat.S_IRUSR | stat.S_IWUSR, exist_ok=False)
        draft.write_text(bundle, "utf-8")
        draft.replace(kept)
    return bundle


def _is_private(path: Path) -> bool:
    """Whether nobody else can write there: what is kept becomes a script of every page."""
    found = path.stat()
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid == os.getuid() and not others


def _cache() -> Path:
    with contextlib.suppress(RuntimeError):  # a user without a home
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepwall"
    return Path(os.devnull)
