"""What others wrote is shown and never obeyed; nobody else reaches what is private.

Names, parameters and reasons come from scenarios, from stored runs and from baselines of others.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import report_samples as samples
import stub_framework
from fault_counts import fault
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from profiler.analysis.compare.runs import compare
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from profiler.cli import output, terminal
from profiler.cli.common import Common
from profiler.errors import StepwallError, UsageError
from profiler.facts import Run, replace
from profiler.measure import job_folder
from profiler.measure.job import Job, Task
from profiler.measure.launcher import ForkLauncher
from profiler.measure.workspace import OWNER_FILE, PREFIX, Workspace, sweep
from profiler.store.frames import frames
from reports.pages import library
from reports.pages.comparison import comparison_data
from reports.pages.data import page_data
from reports.pages.exports import laws_csv, measurements_csv, walls_csv
from reports.pages.markdown import run_markdown
from reports.pages.page import render
from reports.pages.terminal import chart_lines
from reports.plots.growth import growth
from reports.plots.measurements import image, plots
from reports.plots.sheet import Sheet
from reports.tables.comparison import comparison_lines, comparison_markdown
from reports.tables.fitting import fitted
from reports.tables.grid import Grid, measurement_grid, wall_grid
from reports.tables.spreadsheet import harmless
from reports.tables.summary import summary_grid
from reports.texts.answer import answer
from reports.texts.notes import note_sentences

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = [
    path for name in ("profiler", "reports", "scenarios") for path in (ROOT / name).rglob("*.py")
]
SCRIPT = ROOT / "reports" / "pages" / "static" / "page.js"

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--\u2028\u2029",
    "\" onmouseover='alert(1)'",
    "=cmd|' /C calc'!A1",
    " \t+1+1",
    "＝1",  # noqa: RUF001 (a formula in full width)
    "\x1b[31mred\x1b]8;;http://bad\x07",
    "\x9b2J\r\x00",
    "a\u202eb\u2066",
    "|a|b|\n\n# heading\n\n[x](javascript:alert(1))",
    "</details><details open>",
    "$\\frac{1}{$ $x^2$ \\input{x}",
    "{{ 7 * 7 }} {% raw %}",
    "${alert(1)} `rm`; $(rm)",
    "@everyone #1 http://bad",
)
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.text("<>&\"'=+-@|`*_[]()$\\{}\x1b\x9b\x00\r\n\t\u2028\u202e ab!/#", min_size=1, max_size=20),
)
# Each makes a run with its laws and texts.
few = settings(max_examples=15)
FORMULAS = tuple("=+-@\t\r\n")
OBEYED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
NUMBER = re.compile(r"-[0-9.]+(e[-+]?[0-9]+)?")


def run_of(text: str) -> Run:
    """Return a run in which this text stands wherever one of others can stand."""
    points = [
        replace(
            point,
            point=replace(
                point.point, scenario=text, family=text, axis=text, parameters={text: value}
            ),
            notes=[text],
            missing={"host.baseline_bytes": text},
        )
        for value in (text, f"{text}.")
        for point in (samples.measured(steps=8), samples.measured(steps=16))
    ]
    failed = replace(
        samples.failed(samples.measured(steps=32)),
        outcome=replace(samples.OOM, reason=text, shortage=None),
        log_tail=text,
    )
    failed = replace(failed, point=replace(points[0].point, steps=32))
    wall = replace(
        samples.wall(last_ok=10), scenario=text, family=text, parameters={text: text}, reason=text
    )
    run = samples.run([*points, failed], [wall])
    return replace(run, command=text, environment=replace(run.environment, cpu=text))


def results_of(text: str) -> RunResults:
    """Return the results of that run."""
    return RunResults(run_of(text))


class _Elements(HTMLParser):
    """Lists the elements of a page, with the names of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *sorted(name for name, _ in attrs)))


def _kinds(html: str) -> set[tuple[str, ...]]:
    return set(_Elements(html).found)


PLAIN_KINDS = _kinds(render(page_data(results_of("plain")), ["plain"], "var library;"))


class TestExporters:
    """Each shows a hostile text as text."""

    @few
    @given(ANYTHING)
    @fault(6, "a hostile text in a page")
    def test_a_page_has_no_other_elements(self, text: str) -> None:
        """Its four scripts, its own elements and attributes; the data arrive as they were."""
        results = results_of(text)
        html = render(page_data(results), results.axes, "var library;")
        data = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)

        assert _kinds(html) <= PLAIN_KINDS
        assert html.count("<script") == html.count("</script") == 4
        assert "<!--" not in html
        assert data is not None
        assert not set("<>&\u2028\u2029") & set(data[1])
        assert {build["scenario"] for build in json.loads(data[1])["builds"]} == {text}

    @few
    @given(ANYTHING)
    @fault(6, "a hostile text in a page")
    def test_a_page_of_a_comparison_neither(self, text: str) -> None:
        """With the names of both runs."""
        one, other = (replace(run_of(text), name=f"{text}{at}") for at in range(2))
        data = comparison_data(one, other, compare(one, other))
        html = render(data, RunResults(one).axes, "var library;")

        assert html.count("<script") == html.count("</script") == 4
        assert {kind for kind, *_ in _kinds(html)} <= {kind for kind, *_ in PLAIN_KINDS} | {"h2"}

    @few
    @given(ANYTHING)
    @fault(6, "a hostile text in CSV")
    def test_no_cell_of_a_csv_file_is_a_formula(self, text: str) -> None:
        """In any of them, headings included."""
        results = results_of(text)
        loaded = frames(results)
        for written in (measurements_csv(loaded), walls_csv(loaded), laws_csv(results)):
            rows = list(csv.reader(io.StringIO(written, newline="")))

            assert len({len(row) for row in rows}) == 1
            cells = [cell for row in rows for cell in row if not NUMBER.fullmatch(cell)]
            assert not [cell for cell in cells if cell.lstrip().startswith(FORMULAS)]

    @few
    @given(ANYTHING)
    @fault(6, "a hostile text in Markdown")
    def test_markdown_has_no_other_elements(self, text: str) -> None:
        """Neither a link, nor code, nor a row or a fold more."""
        run = run_of(text)
        written = [run_markdown(RunResults(run)), comparison_markdown(compare(run, run))]
        for one in written:
            html = MarkdownIt("commonmark", {"html": True}).enable("table").render(one)

            assert not {kind for kind, *_ in _kinds(html)} & {"a", "img", "script", "code", "h1"}
            assert one.count("<details>") == one.count("</details>")
            assert not _obeyed(one)

    @few
    @given(ANYTHING)
    @fault(6, "a hostile text on a terminal")
    def test_a_terminal_is_told_nothing_that_it_obeys(self, text: str) -> None:
        """Sentences, charts, and tables of any width."""
        run = run_of(text)
        results = RunResults(run)
        lines = [answer(results).title, *answer(results).sentences, *note_sentences(results)]
        lines += [*chart_lines(results, 80), *comparison_lines(compare(run, run)), text]
        grids = [summary_grid(results), measurement_grid(results), wall_grid(results)]

        assert not _obeyed(_said(lines, grids))

    @settings(max_examples=3)
    @given(st.sampled_from(["$\\frac{1}{$ <b>&\x1b[31m\x00\u202e", *HOSTILE]))
    @fault(6, "a hostile text in a plot")
    def test_a_plot_shows_a_text_as_it_stands(self, text: str) -> None:
        """No formula, and no XML, comes of it."""
        run, sheet = run_of(text), Sheet(width=7.16)
        results = RunResults(replace(run, measurements=run.measurements[:2], walls=[]))
        plot = plots(results)[0].figure
        with sheet.look():
            paper = growth(results, [BY_NAME["peak"]], sheet, predicted=False)
        assert paper is not None
        cells = [cell for row in csv.reader(io.StringIO(paper.table)) for cell in row]

        for svg in (image(plot, "svg"), sheet.saved(paper.figure, "svg")):
            found = {one.tag.rpartition("}")[2] for one in ET.fromstring(svg).iter()}  # noqa: S314
            assert found.isdisjoint({"script", "image", "a", "foreignObject"})
        assert image(plot, "png").startswith(b"\x89PNG")
        assert not [cell for cell in cells if cell.lstrip().startswith(FORMULAS)]


def _said(lines: Iterable[str], grids: Iterable[Grid]) -> str:
    """Return what reaches a terminal by the only module that writes to one."""
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        for line in lines:
            terminal.say(line)
        for grid in grids:
            for width in (40, 200):
                terminal.console().print(fitted(grid, width).table)
    return stream.getvalue()


def _obeyed(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in OBEYED and c not in "\n\t"]


def _by_node(program: str, texts: list[str]) -> str:
    """Return what a program of the page prints that reads these texts."""
    done = subprocess.run(
        ["node", "-e", program],  # noqa: S607
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="needs a JavaScript engine")
@fault(6, "a hostile text in CSV")
def test_a_csv_file_that_the_page_saves_is_as_harmless() -> None:
    """Its own rule is that of the other files."""
    source = SCRIPT.read_text()
    body = source[source.index("function csvOf") : source.index("function save")]
    texts = [*HOSTILE, "\u00a0+1", "\ufeff-1", "＠a", "\x01=1", "a\r=1", "plain", "-"]  # noqa: RUF001
    program = f"""
const D = {{builds: []}};
{body}
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const columns = [{{name: "a", unit: "text"}}, {{name: "b", unit: "bytes"}}];
process.stdout.write(csvOf(columns, texts.map((one) => ({{a: one, b: -1}}))));
"""
    _, *rows = csv.reader(io.StringIO(_by_node(program, texts), newline=""))

    assert rows == [[harmless(one), "-1"] for one in texts]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs a JavaScript engine")
@fault(6, "a hostile text in a page")
def test_a_command_that_the_page_shows_runs_nothing_else() -> None:
    """A name of others is one word of it; a shell gives it back."""
    source = SCRIPT.read_text()
    body = source[source.index("const shellWord") :].partition("\n")[0]
    program = f"""
{body}
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map(shellWord)));
"""
    texts = [text for text in HOSTILE if "\x00" not in text] + ["static_rnn", ""]
    words = json.loads(_by_node(program, texts))
    shell = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {' '.join(words)}"],  # noqa: S607
        capture_output=True,
        check=True,
    )

    assert words[-2] == "static_rnn"
    assert shell.stdout.decode().split("\0")[:-1] == texts
    commands = re.findall(r"command\(`[^`]*`", (SCRIPT.with_name("views.js")).read_text())
    assert not [one for one in commands if re.search(r"\$\{(?!shellWord)[^}]*scenario", one)]


class TestFiles:
    """Nothing that is read is unpickled or run."""

    MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "joblib", "code"}
    CALLS = {"eval", "exec", "compile", "execfile", "__import__"}
    METHODS = {"read_pickle", "mktemp"}

    @pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
    @fault(6, "a file, or a module of ours, that could be run or lead elsewhere")
    def test_no_module_runs_what_it_reads(self, path: Path) -> None:
        """Scenario files are imported, and only they."""
        found = []
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found += [one.name for one in node.names if one.name in self.MODULES]
            elif isinstance(node, ast.ImportFrom) and node.module in self.MODULES:
                found.append(node.module)
            elif isinstance(node, ast.Call):
                name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
                wanted = self.CALLS if isinstance(node.func, ast.Name) else self.METHODS
                found += [name] if name in wanted else []
                found += [one.arg for one in node.keywords if one.arg == "allow_pickle"]

        assert found == []

    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_sockets_wait_for_nobody(self) -> None:
        """Only the fork server and its launcher have one, a pair that they share."""
        texts = {path: path.read_text("utf-8") for path in PRODUCT}
        found = {
            path.stem
            for path, text in texts.items()
            if re.search(r"^import socket|^from socket", text, re.MULTILINE)
        }
        calls = [
            call
            for path, text in texts.items()
            if path.stem in found
            for call in re.findall(r"\.(bind|listen|accept|connect|create_server)\(", text)
        ]

        assert found == {"launcher", "forkserver"}
        assert calls == []

    @pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", "..", ".", "", "a\nb", "latest"])
    @fault(6, "a file, or a module of ours, that could be run or lead elsewhere")
    def test_a_run_s_name_leads_to_no_other_folder(self, tmp_path: Path, name: str) -> None:
        """A database of others may hold any."""
        common = Common(
            scenarios=(), results=tmp_path / "results", json_path=None, quiet=True, verbose=False
        )
        with pytest.raises(UsageError, match="its name cannot be the name of a folder"):
            output.publish(common, replace(run_of("plain"), name=name), plots=False)

        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of temporary files, with the most generous umask."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0)
    yield tmp_path
    os.umask(before)


JOB = Job(task=Task.DESCRIBE, framework=stub_framework.NAME)


def _mode(path: Path) -> int:
    return path.lstat().st_mode & 0o777


@pytest.mark.usefixtures("temporary")
class TestFolders:
    """Temporary folders are private, and their names cannot be predicted."""

    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_only_the_owner_enters_them(self) -> None:
        """That of a launcher and that of a job, also where a child has removed the first."""
        with Workspace() as workspace:
            job = job_folder.prepare(workspace.path, JOB)
            shutil.rmtree(workspace.path)
            again = job_folder.prepare(workspace.path, JOB)

            assert job != again
            assert [_mode(one) for one in (workspace.path, again)] == [0o700] * 2

    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_no_two_have_one_name(self) -> None:
        """Nor do they follow from the process or the time."""
        with Workspace() as one, Workspace() as other:
            names = [folder.path.name.removeprefix(PREFIX) for folder in (one, other)]

        assert names[0] != names[1]
        assert min(map(len, names)) >= 8
        assert not any(str(os.getpid()) in name for name in names)

    @pytest.mark.parametrize("kind", ["open to all", "a link", "a file"])
    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_a_job_is_not_put_where_others_can_write(self, temporary: Path, kind: str) -> None:
        """Whoever removes the folder could make it anew."""
        place = temporary / "place"
        if kind == "open to all":
            place.mkdir(mode=0o777)
        elif kind == "a link":
            (temporary / "other").mkdir(mode=0o700)
            place.symlink_to(temporary / "other")
        else:
            place.write_text("")
        with pytest.raises(StepwallError, match="temporary folder"):
            job_folder.prepare(place, JOB)

    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_a_folder_of_another_user_is_refused(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though it looks as ours."""
        (temporary / "place").mkdir(mode=0o700)
        monkeypatch.setattr(os, "getuid", lambda: (temporary / "place").stat().st_uid + 1)
        with pytest.raises(StepwallError, match="belongs to another user"):
            job_folder.prepare(temporary / "place", JOB)

    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_a_sweep_follows_no_link(
        self, temporary: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """One could lead to a folder of the user's that holds a file of that name."""
        kept = tmp_path_factory.mktemp("kept")
        (kept / OWNER_FILE).write_text("a person")
        (kept / "thesis").write_text("years of work")
        (temporary / f"{PREFIX}link").symlink_to(kept)
        sweep(temporary)

        assert (kept / OWNER_FILE).read_text() == "a person"
        assert (kept / "thesis").exists()

    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_a_sweep_leaves_folders_that_mkdtemp_did_not_make(self, temporary: Path) -> None:
        """Of the same prefix, but open to others: no launcher's."""
        mine = temporary / f"{PREFIX}notes"
        mine.mkdir(mode=0o755)
        (mine / OWNER_FILE).write_text("a person")
        sweep(temporary)

        assert (mine / OWNER_FILE).read_text() == "a person"


@fault(6, "a temporary folder, socket or cache that others could reach")
def test_the_socket_of_the_fork_server_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that only the two processes hold: nobody else can connect."""
    stub = stub_framework.install(monkeypatch)
    with ForkLauncher(stub) as launcher:
        server = launcher._running_server()
        channel = server._channel

        assert channel.family == socket.AF_UNIX
        assert (channel.getsockname(), channel.getpeername()) == ("", "")
        assert not channel.get_inheritable()


class TestCache:
    """The drawing library becomes part of every page: it is read from a private file only."""

    @pytest.mark.parametrize("kind", ["file", "folder"])
    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_what_others_could_have_written_is_not_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """It is made anew."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        made = SimpleNamespace(javascript_bundle=lambda _: "new")
        monkeypatch.setitem(sys.modules, "vl_convert", made)
        kept = tmp_path / "stepwall" / f"vega-{version('vl-convert-python')}.js"
        kept.parent.mkdir(mode=0o755)
        kept.write_text("evil")
        (kept if kind == "file" else kept.parent).chmod(0o777)

        assert "new" in library.drawing_library()

    @pytest.mark.usefixtures("temporary")
    @fault(6, "a temporary folder, socket or cache that others could reach")
    def test_what_was_made_is_private_and_taken_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the umask."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        bundles = iter(["first", "second"])
        made = SimpleNamespace(javascript_bundle=lambda _: next(bundles))
        monkeypatch.setitem(sys.modules, "vl_convert", made)
        first = library.drawing_library()
        (kept,) = (tmp_path / "cache" / "stepwall").iterdir()

        assert "first" in first
        assert library.drawing_library() == first
        assert [_mode(one) for one in (kept, kept.parent)] == [0o600, 0o700]
