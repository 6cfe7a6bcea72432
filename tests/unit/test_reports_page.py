"""The page is one file that trusts nothing: its data come as JSON, its texts escaped."""

from __future__ import annotations

import json
import re
from typing import Any

import report_samples as samples

from profiler.analysis.results import RunResults
from profiler.facts import Shortage, WallStatus, replace
from reports.pages.data import page_data
from reports.pages.page import render

EVIL = "</script><!--\u2028<script>alert(1)</script>\"'"


def html_of(results: RunResults, library: str = "var library;") -> str:
    """Return the page of a run, without the real library."""
    return render(page_data(results), results.axes, library)


def data_of(html: str) -> Any:
    """Return the data that a page carries, read as a browser reads them."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def evil() -> RunResults:
    """Return a run in which everything that comes from outside is hostile."""
    shortage = Shortage(op=EVIL, op_type=EVIL, dtype=EVIL, lines=[EVIL])
    failed = replace(
        samples.failed(samples.measured(EVIL, family=EVIL)),
        outcome=replace(samples.OOM, reason=EVIL, phase=EVIL, shortage=shortage),
        missing={EVIL: EVIL},
        notes=[EVIL],
        log_tail=EVIL,
    )
    held = replace(samples.EXPLANATION.holdings[0], op=EVIL, variable=EVIL, op_type=EVIL)
    traced = replace(
        samples.measured(EVIL, 200, family=EVIL),
        trace=replace(samples.EXPLANATION, holdings=[held], resident=[held]),
    )
    wall = replace(
        samples.wall(EVIL, 9, family=EVIL, status=WallStatus.UNPROVEN),
        reason=EVIL,
        parameters={EVIL: EVIL},
        kind=EVIL,
    )
    run = replace(samples.run([failed, traced], [wall]), name=EVIL, command=EVIL, created_at=EVIL)
    return RunResults(replace(run, environment=replace(run.environment, cpu=EVIL)))


def test_text_from_outside_can_end_no_element() -> None:
    """Names, reasons, logs, operations and commands stay text; the page's own scripts are four."""
    html = html_of(evil())

    assert html.count("<script") == html.count("</script>") == 4
    assert "<!--" not in html
    assert "\u2028" not in html[html.index('id="data"') :]
    assert "alert(1)</" not in html


def test_text_from_outside_arrives_as_it_was() -> None:
    """What is escaped for the page is the same string for its reader."""
    data = data_of(html_of(evil()))

    assert data["builds"][0]["scenario"] == EVIL
    assert data["steps"][0]["held"]["columns"][0]["values"] == [EVIL]


def test_the_library_cannot_end_its_element() -> None:
    """A string in it that looks like the end of a script is still that string in JavaScript."""
    html = html_of(samples.loaded(), 'var text = "</script><!--";')

    assert 'var text = "<\\/script><\\!--";' in html


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No address of another place, no file beside it."""
    html = html_of(samples.contrast())

    assert re.findall(r'(?:src|href)="([^"]*)"', html) == ["data:,"]
    assert "http" not in html


def test_the_answer_comes_first() -> None:
    """Title, conditions, sentences, then the views; details, glossary and environment are below."""
    html = html_of(samples.contrast())
    marks = ["<h1>", 'class="answer"', 'id="views"', 'id="view"', 'id="glossary"', "environment"]
    places = [html.index(mark, html.index("<body>")) for mark in marks]

    assert places == sorted(places)
    assert (
        "static_rnn and dynamic_rnn over 8 to 256 steps, and their walls under 64 MiB</h1>" in html
    )


def test_an_empty_run_has_a_page() -> None:
    """It says so."""
    assert "Nothing was measured in this run." in html_of(samples.loaded())


def test_the_page_names_machine_and_command() -> None:
    """Every number comes with where it was measured."""
    html = html_of(samples.contrast())

    assert "measured 2026-01-02 03:04 UTC · A CPU, 2 cores, 8.0 GiB · SampleFlow 2.21.0" in html
    assert "<dt>SampleFlow</dt><dd>sampleflow 2.21.0</dd>" in html
    assert "<pre>stepwall profile --steps 8:256:x2</pre>" in html
