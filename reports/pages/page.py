"""One self-contained HTML page out of a run: its data as JSON, and what shows them."""

from __future__ import annotations

import functools
from importlib.resources import files

import jinja2
from markupsafe import Markup

from profiler.analysis.results import RunResults
from profiler.facts import encode
from profiler.lengths import STEPS
from reports.pages.data import PageData, page_data
from reports.pages.library import drawing_library

__all__ = ["render", "report_page"]

_SWEPT = {STEPS: "The number of time steps in the sequence, which is varied."}
_OTHER_SWEPT = "What is varied: the first argument of the scenario's function."


def report_page(results: RunResults) -> str:
    """Return the page of a run."""
    return render(page_data(results), results.axes, drawing_library())


def render(data: PageData, axes: list[str], library: str) -> str:
    """Return one HTML document that needs no other file.

    Args:
        data: everything that it shows.
        axes: the names of what is varied.
        library: the JavaScript that draws.
    """
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=data.answer.title,
            about=data.answer.about,
            sentences=data.answer.sentences,
            environments=data.answer.environments,
            swept=[(axis, _SWEPT.get(axis, _OTHER_SWEPT)) for axis in axes],
            css=Markup(_static("page.css")),  # noqa: S704 - our own file
            data=Markup(_as_data(encode(data))),  # noqa: S704 - escaped there
            library=Markup(_as_script(library)),  # noqa: S704 - escaped there
            scripts=[Markup(_as_script(_static(name))) for name in ("page.js", "views.js")],  # noqa: S704
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("reports.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _static(name: str) -> str:
    return (files("reports.pages") / "static" / name).read_text("utf-8")


def _as_data(text: str) -> str:
    """Return JSON that can end no element and begin no comment of the page."""
    for one in "<>&\u2028\u2029":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return text


def _as_script(text: str) -> str:
    """Return JavaScript that cannot end its element: what would is only in strings there."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
