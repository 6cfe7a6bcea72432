"""The page shows everything, trusts nothing and needs no other file."""

from __future__ import annotations

import report_samples as samples

from profiler.analysis.results import RunResults
from profiler.facts import Shortage, WallStatus, replace
from reports.pages.page import Picture, Pictures, page, render
from reports.texts.numbers import DASH

EVIL = "<script>alert(1)</script>"
PICTURE = Picture(name="nodes", title="Graph size", caption="Nodes.", svg=b"<svg/>")


def _html(results: RunResults) -> str:
    return render(page(results), Pictures(whole=[PICTURE]))


def test_text_from_outside_is_escaped_everywhere() -> None:
    """Names, reasons, logs, notes and commands cannot become markup."""
    point = samples.failed(samples.measured(EVIL, family=EVIL))
    shortage = Shortage(op=EVIL, op_type=EVIL, dtype=EVIL, lines=[EVIL])
    point = replace(
        point,
        outcome=replace(samples.OOM, reason=EVIL, phase=EVIL, shortage=shortage),
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
    html = _html(RunResults(replace(run, environment=replace(run.environment, cpu=EVIL))))

    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") > 10


def test_what_is_held_is_escaped_too() -> None:
    """Operations and variables have names of the scenario's choice."""
    evil = replace(samples.EXPLANATION.holdings[0], op=EVIL, variable=EVIL, op_type=EVIL)
    graph = replace(samples.EXPLANATION.graph, by_scope={EVIL: 1}, forward={EVIL: 1})
    trace = replace(samples.EXPLANATION, holdings=[evil], resident=[evil], graph=graph)
    html = _html(samples.loaded([replace(samples.measured(), trace=trace)]))

    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 5


def test_what_holds_the_memory_has_its_story_tables_and_pictures() -> None:
    """One explained step is open, several have a line each."""
    point = replace(samples.measured(steps=200), trace=samples.EXPLANATION)
    wall = replace(samples.wall(last_ok=200), explanation=samples.EXPLANATION)
    one, two = samples.loaded([point]), samples.loaded([point], [wall])
    html = render(page(one), Pictures(explaining={"static_rnn": [PICTURE]}))

    assert '<details class="explanation" id="memory-static_rnn" open>' in html
    assert "200 partial gradients of rnn/cell/kernel" in html
    assert "held at the peak, by operation" in html
    assert 'src="data:image/svg+xml;base64,' in html
    assert _html(two).count('<details class="explanation"') == 2
    assert " open>" not in _html(two)


def test_a_picture_is_part_of_the_page() -> None:
    """Plots are data addresses; nothing is results from elsewhere."""
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
    html = render(page(samples.loaded()), Pictures())

    for name in ("walls", "plots", "measurements", "failures", "gaps"):
        assert f'id="{name}"' not in html
    assert "Nothing was measured" in html


def test_a_wall_card_shows_both_ends_and_how_they_were_found() -> None:
    """The certificate can be checked probe by probe."""
    card = page(samples.contrast()).walls[0]

    assert (card.survives, card.runs_out, card.status) == ("650", "651", "exact")
    assert (
        card.conditions == "device memory limited to 64 MiB · cpu · serial · batch 32 · units 128"
    )
    assert card.predicted == "predicted 647 steps: 3 steps too few (0.5 %)"
    assert dict(card.facts)["predicted"] == "647 steps, from 2 points of at most 80 steps"
    assert len(card.probes.rows) == 4


def test_a_wall_card_has_margin_method_band_and_price() -> None:
    """Whatever a certificate knows is on its card."""
    (card,) = page(samples.loaded([], [samples.foreseen(samples.band(640, 660))])).walls
    facts = dict(card.facts)

    assert (card.status, card.survives, card.runs_out) == ("band", "640", "660")
    assert facts["predicted"] == "637 ± 4 steps, replayed from 2 points of at most 80 steps"
    assert facts["between the two"] == "641 to 659 steps"
    assert facts["confirmation"] == "run again: 640 steps survived 3 of 3, 660 steps ran out 3 of 3"
    assert facts["price of the search"].startswith(f"{15 / (2 + 3):.1f} × ")  # noqa: RUF001
    assert facts["price of the search"].endswith("6 repeats besides, 18.0 s")
    assert [row.cells[-1] for row in card.probes.rows].count(
        "waited for memory, and was cut short"
    ) == 1


def test_a_wall_card_of_an_old_certificate_has_dashes() -> None:
    """What it did not store is not made up."""
    old = replace(samples.wall(last_ok=None, status=WallStatus.AT_MOST), predicted_from=[])
    facts = dict(page(samples.loaded([], [old])).walls[0].facts)

    assert (facts["predicted"], facts["error of the prediction"]) == (DASH, DASH)
    assert "confirmation" not in facts


def test_a_host_wall_says_what_capped_the_process() -> None:
    """A cgroup and a resource limit count differently."""
    wall = replace(samples.wall(kind="host"), limit_by="cgroup v1")

    assert (
        page(samples.loaded([], [wall]))
        .walls[0]
        .conditions.startswith("host memory limited to 64 MiB (cgroup v1) · ")
    )


def test_several_walls_stand_side_by_side() -> None:
    """As a table too; one wall alone has its card."""
    assert "Side by side" in _html(samples.contrast())
    assert "Side by side" not in _html(samples.loaded([], [samples.wall()]))


def test_a_wall_card_of_an_unproven_wall_gives_the_reason() -> None:
    """What is not proven says why."""
    card = page(samples.loaded([], [samples.wall(last_ok=40, status=WallStatus.UNPROVEN)])).walls[0]

    assert (card.runs_out, card.proof) == (None, "SIGSEGV under the limit")


def test_every_failed_point_shows_its_log() -> None:
    """The last lines of a failed child are one click away."""
    failures = page(samples.large()).failures

    assert [(one.label, one.steps) for one in failures] == [
        ("keras_unrolled", "256 steps"),
        ("small_batch_static", "128 steps"),
    ]
    assert all(one.log_tail and "OOM!" in one.log_tail for one in failures)


def test_a_failure_is_in_the_frameworks_own_words_too() -> None:
    """Beside the sentence that was read out of them."""
    data = page(samples.loaded([samples.failed(samples.measured())], [samples.wall()]))
    shortage = samples.OOM.shortage

    assert shortage is not None
    assert data.failures[0].ending.endswith(samples.RAN_OUT)
    assert data.failures[0].said == "\n".join(shortage.lines)
    assert dict(data.walls[0].facts)["the failing run"].endswith(samples.RAN_OUT)
    assert dict(data.walls[0].facts)["in the framework's words"] == samples.OOM.reason
    assert "[[node]]" in render(data, Pictures())


def test_a_failed_point_without_a_log_says_so() -> None:
    """Silence of a child is said too."""
    silent = replace(samples.failed(samples.measured()), log_tail=None)

    assert "The child wrote nothing." in _html(samples.loaded([silent]))


def test_a_skipped_point_is_quiet_and_not_among_the_failures() -> None:
    """Its row has a style of its own; the heading of failures does not count it."""
    results = samples.loaded([samples.skipped(samples.measured(), 4)])
    html = _html(results)

    assert '<tr class="quiet">' in html
    assert "skipped: 4 steps ran out of memory" in html
    assert page(results).failures == ()
    assert page(results).summary == "0 measurements · 1 scenario · 0 walls · 1 point skipped"
    assert "failed" not in " ".join(page(results).findings.details)


def test_gaps_with_one_reason_are_named_once() -> None:
    """Five points without the same field for the same reason are one line."""
    points = [samples.failed(samples.measured(steps=t)) for t in (8, 16, 32, 64, 128)]
    (gap,) = page(samples.loaded(points)).gaps

    assert (gap.field, gap.reason) == ("device.peak_bytes", "the step never ended")
    assert gap.points == (
        "static_rnn at 8 steps, static_rnn at 16 steps, static_rnn at 32 steps and 2 more"
    )


def test_an_interrupted_run_says_so() -> None:
    """A run that was killed is not presented as complete."""
    run = replace(samples.run([samples.measured()]), finished=False)

    assert page(RunResults(run)).summary == (
        "1 measurement · 1 scenario · 0 walls · interrupted: some points are not measured yet"
    )


def test_scenarios_of_walls_are_counted_too() -> None:
    """A run of one wall search is about one scenario."""
    data = page(samples.loaded([], [samples.wall()]))

    assert data.summary == "0 measurements · 1 scenario · 1 wall"


def test_the_page_names_machine_and_command() -> None:
    """Every number comes with where it was measured."""
    data = page(samples.loaded())

    assert dict(data.environment)["memory"] == "8.0 GiB"
    assert dict(data.environment)["SampleFlow"] == "sampleflow 2.21.0"
    assert data.command == "stepwall profile --steps 8:256:x2"
    assert data.date == "2026-01-02 03:04 UTC"
