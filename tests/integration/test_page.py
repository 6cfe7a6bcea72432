"""The page of a run in a real browser: opened as a file, used as a reader would use it."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from profiler.analysis.budgets.tables import read_budget
from profiler.analysis.budgets.verdicts import judge
from profiler.analysis.compare.runs import compare
from profiler.analysis.results import RunResults
from profiler.facts import CardWall, WallPrediction, replace
from reports.pages.budgets import budget_page
from reports.pages.comparison import comparison_page
from reports.pages.page import report_page

playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is missing")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 400, "height": 800}
STEPS = samples.DOUBLED
GIB = 1 << 30
CARDS = [
    CardWall(
        limit_bytes=size * GIB,
        prediction=WallPrediction(
            steps=1000 * size, low=990 * size, high=1010 * size, learned_from=[8]
        ),
    )
    for size in (8, 16, 24)
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of two builds with walls, whose steps are explained."""
    plain = samples.contrast().run
    points = [
        replace(one, trace=replace(samples.EXPLANATION, steps=one.point.steps))
        for one in plain.measurements
    ]
    walls = [replace(one, explanation=samples.EXPLANATION, cards=CARDS) for one in plain.walls]
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(report_page(RunResults(replace(plain, measurements=points, walls=walls))))
    return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return the browser that is installed here."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} (Debian: chromium)")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


class Reader:
    """One open page; ``wrong`` is what a reader must never meet."""

    def __init__(self, browser: Any, report: Path, viewport: dict[str, int]) -> None:
        """Open an empty tab."""
        self.page = browser.new_page(viewport=viewport, color_scheme="light")
        self.address = report.as_uri()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if request.url.partition("#")[0] != self.address and not request.url.startswith("data:"):
            self.wrong.append(f"request: {request.url}")

    def open(self, fragment: str = "") -> Any:
        """Return the page at a fragment, with its charts drawn."""
        self.page.goto("about:blank")
        self.wrong.clear()
        self.page.goto(f"{self.address}#{fragment}")
        self.drawn()
        return self.page

    def drawn(self) -> None:
        """Wait until every chart of the view is drawn."""
        self.page.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((one) => one.dataset.ready)"
        )

    def ask(self, question: str) -> None:
        """Choose a view."""
        self.page.get_by_role("tab", name=question).click()
        self.drawn()


@pytest.fixture
def reader(browser: Any, report: Path) -> Iterator[Reader]:
    """Return a page on a wide screen; it must stay without an error and without a request."""
    found = Reader(browser, report, WIDE)
    yield found
    found.page.close()
    assert found.wrong == []


@pytest.fixture
def pocket(browser: Any, report: Path) -> Iterator[Reader]:
    """Return the same on a narrow screen."""
    found = Reader(browser, report, NARROW)
    yield found
    found.page.close()
    assert found.wrong == []


def test_the_answer_is_in_the_first_screen(reader: Reader) -> None:
    """What was profiled, which build ends where, and the chart of it."""
    page = reader.open()

    assert page.locator("h1").inner_text().startswith("static_rnn and dynamic_rnn over 8")
    assert 1 <= page.locator(".answer li").count() <= 3
    box = page.locator(".chart svg").first.bounding_box()
    assert box["y"] + box["height"] < WIDE["height"]
    assert (
        page.locator(".chart")
        .first.get_attribute("aria-label")
        .startswith("The most steps that survive under 64 MiB of device memory: dynamic_rnn 980, ")
    )


def test_every_view_opens(reader: Reader) -> None:
    """Each question has an answer: a chart or a table."""
    page = reader.open()
    questions = page.get_by_role("tab").all_inner_texts()

    assert len(questions) == 6
    for question in questions:
        reader.ask(question)
        assert page.locator("#view .chart svg, #view table").count() > 0


def test_a_point_tells_its_value_and_law(reader: Reader) -> None:
    """Where the mouse rests on it: with units and the law."""
    page = reader.open("view=growth&metric=nodes")
    marks = page.locator(".mark-symbol.role-mark path")
    marks.last.hover()

    tip = page.locator("#tip").inner_text()
    assert "nodes: " in tip
    assert "law " in tip


def test_a_click_on_a_point_shows_who_holds_its_memory(reader: Reader) -> None:
    """At the peak first; the cursor moves with the arrow keys, and the table with it."""
    page = reader.open("view=growth&metric=peak")
    page.locator(".mark-symbol.role-mark path").nth(3).click()
    reader.drawn()
    title = page.locator("#view .table strong").first

    assert "view=memory" in page.url
    assert ", the peak: the largest holders" in title.inner_text()
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    assert "after 0.0 % of the step" in title.inner_text()


def test_dragging_over_lengths_narrows_the_table(reader: Reader) -> None:
    """To the points between both ends."""
    page = reader.open("view=growth&metric=peak")
    rows = page.locator("#view .table").first.locator("tbody tr")
    box = page.locator(".chart svg").first.bounding_box()
    before = rows.count()
    x, y = box["x"] + 0.45 * box["width"], box["y"] + 0.45 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.4 * box["width"], y, steps=4)
    page.mouse.up()

    assert before == 2 * len(STEPS)
    assert 0 < rows.count() < before


def test_tables_are_filtered_and_sorted(reader: Reader) -> None:
    """By any text in a row, and by a column of numbers."""
    page = reader.open("view=growth")
    table = page.locator("#view .table").first
    table.get_by_role("searchbox").fill("dynamic_rnn")
    heading = table.get_by_role("columnheader", name="steps").get_by_role("button")
    heading.click()
    heading.click()
    cells = table.locator("tbody tr td:nth-child(3)").all_inner_texts()

    assert cells == [str(steps) for steps in reversed(STEPS)]


def test_what_is_shown_is_saved_as_csv(reader: Reader) -> None:
    """Raw numbers under the names of their columns; only the rows that are shown."""
    page = reader.open("view=growth")
    table = page.locator("#view .table").first
    table.get_by_role("searchbox").fill("dynamic_rnn")
    with page.expect_download() as waiting:
        table.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))

    assert waiting.value.suggested_filename == "measurements.csv"
    assert [int(row["steps"]) for row in rows] == list(STEPS)
    assert {row["build"] for row in rows} == {"dynamic_rnn"}
    assert [int(row["nodes"]) for row in rows] == [135] * len(STEPS)


def test_the_theme_is_switched_and_stays_in_the_link(reader: Reader) -> None:
    """Page and charts alike."""
    page = reader.open()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    reader.drawn()

    assert "theme=dark" in page.url
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_a_link_opens_the_same_view(reader: Reader) -> None:
    """Its metric and its axes; and a choice changes the link."""
    page = reader.open("view=growth&metric=nodes&y=linear")

    assert page.get_by_role("tab", selected=True).inner_text() == "How does it grow?"
    assert page.get_by_label("metric", exact=True).input_value() == "nodes"
    page.get_by_label("metric", exact=True).select_option("peak")
    reader.drawn()
    assert "metric=peak" in page.url


def test_the_table_of_cards_follows_the_choice_of_a_card(reader: Reader) -> None:
    """16 GiB first; every card is a click away."""
    page = reader.open("view=fits")
    table = page.locator("#view .table").first
    before = table.locator("tbody tr").all_inner_texts()
    page.get_by_label("device memory").select_option(str(24 * GIB))
    reader.drawn()
    after = page.locator("#view .table").first.locator("tbody tr").all_inner_texts()
    page.get_by_text("All 3 sizes of device memory").click()

    assert [row.split("\t")[1:3] for row in before] == [["16 GiB", "16,000"]] * 2
    assert [row.split("\t")[1:3] for row in after] == [["24 GiB", "24,000"]] * 2
    assert page.locator("#view details .table").first.locator("tbody tr").count() == 6


def test_what_would_help_is_said_first(reader: Reader) -> None:
    """Which build goes furthest, how far, and for what step time; the chart has round ticks."""
    page = reader.open("view=remedies")
    ticks = page.locator("#view .chart .role-axis-label text").all_text_contents()

    times = "\N{MULTIPLICATION SIGN}"
    said = page.locator("#view > p").first.inner_text()
    assert said.startswith(
        f"dynamic_rnn goes furthest, 1.5 {times} as far as static_rnn; its step "
    )
    assert len([one for one in ticks if one.replace(",", "").isdigit()]) >= 3


def test_the_keyboard_alone_turns_to_every_question(reader: Reader) -> None:
    """Arrow keys go from tab to tab; a choice keeps the focus, so that the next key works."""
    page = reader.open()
    page.get_by_role("tab", selected=True).focus()
    seen = []
    for _ in range(page.get_by_role("tab").count()):
        page.keyboard.press("ArrowRight")
        reader.drawn()
        seen.append(page.evaluate("document.activeElement.innerText"))
        assert page.get_by_role("tab", selected=True).inner_text() == seen[-1]
    page.goto(f"{reader.address}#view=growth")
    reader.drawn()
    page.get_by_label("metric", exact=True).focus()
    page.keyboard.press("ArrowDown")
    reader.drawn()

    tabs = page.get_by_role("tab").all_inner_texts()
    assert seen == [*tabs[1:], tabs[0]]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "metric"


def test_the_print_of_a_dark_page_is_dark_on_white(reader: Reader) -> None:
    """Texts of the page and of its charts; what can only be clicked is not printed."""
    page = reader.open("theme=dark&view=walls")
    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert (
        page.evaluate(
            "getComputedStyle(document.querySelector('.chart .role-axis-title text')).fill"
        )
        == "rgb(64, 64, 64)"
    )
    assert not page.locator("#views").is_visible()


def test_tables_have_no_towers(reader: Reader) -> None:
    """Neither in print, where they are narrow, nor where a cell holds sentences."""
    page = reader.open("view=growth")
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print")
    rows = "[...document.querySelectorAll('#view tbody tr')]"
    tallest = f"Math.max(...{rows}.map((row) => row.offsetHeight))"
    printed = page.evaluate(tallest)
    page.emulate_media(media="screen")
    page.set_viewport_size(WIDE)
    reader.open("view=walls").locator("#view summary").first.click()

    assert printed < 40
    assert page.evaluate(tallest) < 150


def test_every_run_of_a_search_names_its_scenario(reader: Reader) -> None:
    """Not the number of its wall."""
    page = reader.open("view=walls")
    page.locator("#view summary").first.click()
    table = page.locator("#view details .table").last
    names = table.locator("tbody tr td:first-child").all_inner_texts()

    assert set(names) == {"static_rnn", "dynamic_rnn"}
    assert "wall" not in table.locator("th").all_inner_texts()


def test_a_narrow_screen_shows_all_of_it(pocket: Reader) -> None:
    """No view is wider than the screen: what is wide scrolls in its own frame."""
    page = pocket.open()
    for question in page.get_by_role("tab").all_inner_texts():
        pocket.ask(question)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_tables_of_two_runs_say_which_one(browser: Any, tmp_path: Path) -> None:
    """In every row: else two rows of one name look alike; in the CSV, too."""
    before = samples.contrast().run
    after = replace(before, name="after")
    page = tmp_path / "changes.html"
    page.write_text(comparison_page(before, after, compare(before, after)))
    reader = Reader(browser, page, WIDE)
    opened = reader.open("view=walls")
    table = opened.locator("#view .table").first
    names = table.locator("tbody tr td:first-child").all_inner_texts()
    with opened.expect_download() as waiting:
        table.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
    runs = (before.name, "after")

    assert set(names) == {
        f"{name} ({run})" for name in ("static_rnn", "dynamic_rnn") for run in runs
    }
    assert [row["build"] for row in rows] == names
    assert reader.wrong == []
    opened.close()


def test_budgets_come_first_where_they_were_checked(browser: Any, tmp_path: Path) -> None:
    """A bar for each limit that has a share, and every limit in the table."""
    run = samples.contrast().run
    point = run.measurements[0].point
    lengths = ",".join(map(str, STEPS))
    budget = read_budget(
        {"scenario": point.scenario, "steps": lengths, "peak": "1MiB", "nodes": 10**9}, "here"
    )
    page = tmp_path / "budgets.html"
    page.write_text(budget_page(run, judge(budget, point, run), "budgets.toml"))
    reader = Reader(browser, page, NARROW)
    opened = reader.open()

    assert opened.get_by_role("tab", selected=True).inner_text() == "Are budgets kept?"
    assert "Of 2 limits: 1 broken, 1 kept." in opened.locator(".answer").inner_text()
    assert opened.locator("table").first.locator("tbody tr").count() == 2
    assert opened.locator(".chart [aria-label*='peak']").count() > 0
    assert reader.wrong == []
    opened.close()
