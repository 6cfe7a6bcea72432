"""The page shows everything, trusts nothing and needs no other file."""

from __future__ import annotations

from dataclasses import replace

import report_samples as samples

from profiler.frames import LoadedRun, frames
from profiler.results import WallStatus
from reports.html import Picture, page, render

EVIL = "<script>alert(1)</script>"
PICTURE = Picture(name="nodes", title="Graph size", caption="Nodes.", svg=b"<svg/>")


def _html(loaded: LoadedRun) -> str:
    return render(page(loaded), [PICTURE])


def test_text_from_outside_is_escaped_everywhere() -> None:
    """Names, reasons, logs, notes and commands cannot become markup."""
    point = samples.failed(samples.measured(EVIL, family=EVIL))
    point = replace(
        point,
        outcome=replace(samples.OOM, reason=EVIL, phase=EVIL),
        missing={EVIL: EVIL},
        notes=[EVIL],
        log_tail=EVIL,
    )
    wall = replace(
        samples.wall(EVIL, 9, family=EVIL, status=WallStatus.UNPROVEN),
        reason=EVIL,
        parameters={EVIL: EVIL},
        kind=EVIL,
    )
    run = replace(samples.run([point], [wall]), name=EVIL, command=EVIL, created_at=EVIL)
    html = _html(frames(replace(run, environment=replace(run.environment, cpu=EVIL))))

    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") > 10


def test_a_picture_is_part_of_the_page() -> None:
    """Plots are data addresses; nothing is loaded from elsewhere."""
    html = _html(samples.contrast())

    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in html
    assert "http://" not in html
    assert "https://" not in html


def test_the_sections_stand_in_the_order_of_reading() -> None:
    """Headlines first, then walls, plots, table, failures, gaps, glossary, environment."""
    html = _html(samples.large())
    marks = [
        "headline",
        *(
            f'id="{name}"'
            for name in (
                "walls",
                "plots",
                "measurements",
                "failures",
                "gaps",
                "glossary",
                "environment",
            )
        ),
    ]
    places = [html.index(mark, html.index("<main>")) for mark in marks]

    assert places == sorted(places)


def test_sections_without_content_are_left_out() -> None:
    """An empty run has neither walls nor failures to show."""
    html = render(page(samples.loaded()), [])

    for name in ("walls", "plots", "measurements", "failures", "gaps"):
        assert f'id="{name}"' not in html
    assert "Nothing was measured" in html


def test_a_wall_card_shows_both_ends_and_how_they_were_found() -> None:
    """The certificate can be checked probe by probe."""
    card = page(samples.contrast()).walls[0]

    assert (card.survives, card.runs_out, card.status) == ("650", "651", "exact")
    assert card.conditions == "64 MiB of device memory · cpu · serial · batch 32 · units 128"
    assert dict(card.facts)["predicted"] == "647 steps from 2 points of at most 80 steps"
    assert len(card.probes.rows) == 4


def test_a_wall_card_of_an_unproven_wall_gives_the_reason() -> None:
    """What is not proven says why."""
    card = page(samples.loaded([], [samples.wall(last_ok=40, status=WallStatus.UNPROVEN)])).walls[0]

    assert (card.runs_out, card.proof) == (None, "SIGSEGV under the limit")


def test_every_failed_point_shows_its_log() -> None:
    """The last lines of a failed child are one click away."""
    failures = page(samples.large()).failures

    assert [(one.label, one.steps) for one in failures] == [
        ("keras_unrolled", "256"),
        ("small_batch_static", "128"),
    ]
    assert all(one.log_tail and "OOM!" in one.log_tail for one in failures)


def test_a_failed_point_without_a_log_says_so() -> None:
    """Silence of a child is told too."""
    silent = replace(samples.failed(samples.measured()), log_tail=None)

    assert "The child wrote nothing." in _html(samples.loaded([silent]))


def test_gaps_with_one_reason_are_told_once() -> None:
    """Five points that lack the same field for the same reason are one line."""
    points = [samples.failed(samples.measured(steps=t)) for t in (8, 16, 32, 64, 128)]
    (gap,) = page(samples.loaded(points)).gaps

    assert (gap.field, gap.reason) == ("device.peak_bytes", "the step never ended")
    assert gap.points == "static_rnn at 8, static_rnn at 16, static_rnn at 32 and 2 more"


def test_an_interrupted_run_says_so() -> None:
    """A run that was killed is not presented as complete."""
    run = replace(samples.run([samples.measured()]), finished=False)

    assert page(frames(run)).summary == (
        "1 measurement · 1 scenario · 0 walls · interrupted: some points are not measured yet"
    )


def test_the_page_names_machine_and_command() -> None:
    """Every number comes with where it was measured."""
    data = page(samples.loaded())

    assert dict(data.environment)["memory"] == "8.0 GiB"
    assert dict(data.environment)["tensorflow"] == "2.21.0"
    assert data.command == "stepwall profile --steps 8:256:x2"
    assert data.date == "2026-01-02 03:04 UTC"
