"""``plot`` and ``report`` on stored samples: files, what is refused, and what reaches stdout."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import report_samples as samples

from profiler.cli import main
from profiler.facts import Certificate, Measurement, Run, replace
from profiler.store.runs import Store

Said = tuple[int, str, str]
Stepwall = Callable[..., Said]
EVIL = "\x1b[31m\x1b]8;;http://bad\x07 [red]|`<b>` \r\u202e"


def store(name: str, measurements: Sequence[Measurement], walls: Sequence[Certificate] = ()) -> Run:
    """Store a run in the current folder's results."""
    with Store(Path("results"), create=True) as opened:
        run = opened.start_run(name, f"stepwall profile {EVIL}", samples.ENVIRONMENT)
        for measurement in measurements:
            opened.add_measurement(run, measurement)
        for at, wall in enumerate(walls):
            opened.add_wall(run, f"{at}", wall)
        opened.finish_run(run)
    return run


@pytest.fixture
def stepwall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Stepwall:
    """Return the command line in a folder with a run."""
    monkeypatch.chdir(tmp_path)
    run = samples.contrast().run
    store("both", run.measurements, run.walls)

    def call(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


class TestPlot:
    """One figure and its numbers."""

    @pytest.mark.parametrize("kind", ["growth", "wall", "remedies"])
    def test_a_figure_and_its_numbers_are_written(self, stepwall: Stepwall, kind: str) -> None:
        """By default as a PDF of that name, in the current folder."""
        code, out, err = stepwall("plot", kind)

        assert (code, err) == (0, "")
        assert Path(f"{kind}.pdf").read_bytes().startswith(b"%PDF")
        assert next(csv.DictReader(Path(f"{kind}.csv").read_text().splitlines()))["unit"]
        assert out.splitlines()[0].startswith(f"Wrote {kind}.pdf (3.50 by ")

    def test_what_is_chosen_is_all_that_is_drawn(self, stepwall: Stepwall) -> None:
        """One scenario, one metric."""
        options = ("--scenario", "static_rnn", "--metric", "nodes", "--json", "-")
        code, out, _ = stepwall("plot", "growth", "-o", "one.svg", "--width", "89mm", *options)
        document = json.loads(out)

        assert code == 0
        assert document["width_inches"] == pytest.approx(89 / 25.4)
        assert {(row["label"], row["quantity"]) for row in document["rows"]} == {
            ("static_rnn", "nodes")
        }

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("pie",), "'pie' is not one of"),
            (("growth", "-o", "a.gif"), "end it in .pdf, .svg, .png"),
            (("growth", "-o", "none/a.pdf"), "none/a.pdf': No such file"),
            (("growth", "--width", "wide"), "give 1 to 40 inches"),
            (("growth", "--height", "2in", "--aspect", "2"), "not both"),
            (("growth", "--metric", "peek"), "did you mean 'peak'"),
            (("wall", "--metric", "peak"), "--metric is for plot growth"),
            (("growth", "--pareto"), "--pareto is for plot remedies"),
            (("growth", "--scenario", "statik_rnn"), "did you mean 'static_rnn'"),
            (("growth", "--family", "none"), "not in run 'both'"),
            (("growth", "--schedule", "parallel"), "has nothing in the parallel schedule"),
            (("growth", "--style", "no such"), "give a matplotlib style file"),
            (("growth", "nobody"), "nobody"),
            (("roles",), "nothing to draw in run 'both': nothing is explained in it"),
        ],
    )
    def test_bad_input_is_one_line_and_exit_code_2(
        self, stepwall: Stepwall, arguments: tuple[str, ...], message: str
    ) -> None:
        """And nothing is written."""
        code, out, err = stepwall("plot", *arguments)

        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert message in err
        assert not [path for path in Path().iterdir() if path.name != "results"]

    def test_nothing_is_overwritten_without_force(self, stepwall: Stepwall) -> None:
        """Neither the figure nor a table that happens to stand beside it."""
        Path("wall.csv").write_text("mine")
        refused = stepwall("plot", "wall")
        kept = Path("wall.csv").read_text()
        forced = stepwall("plot", "wall", "-f")

        assert refused[0] == 2
        assert "--force" in refused[2]
        assert kept == "mine"
        assert forced[0] == 0


class TestReport:
    """The same run in other forms."""

    def test_markdown_goes_to_stdout_or_into_a_file(self, stepwall: Stepwall) -> None:
        """And is all that is printed."""
        printed = stepwall("report", "--markdown")
        written = stepwall("report", "--markdown", "-o", "run.md")
        again = stepwall("report", "--markdown", "-o", "run.md")

        assert printed[0] == written[0] == 0
        assert printed[1].startswith("## ")
        assert Path("run.md").read_text() == printed[1]
        assert written[1] == "Wrote run.md\n"
        assert again[0] == 2

    def test_the_terminal_gets_charts_and_no_file(self, stepwall: Stepwall) -> None:
        """The answer, the charts, the table, the next command."""
        code, out, _ = stepwall("report", "--terminal")
        lines = out.splitlines()

        assert code == 0
        assert any("survive under 64 MiB" in line for line in lines)
        assert any(line.startswith("scenario") for line in lines)
        assert lines[-1] == "next: stepwall report both"
        assert not Path("results/both").exists()

    def test_two_forms_at_once_are_refused(self, stepwall: Stepwall) -> None:
        """One line says so."""
        assert stepwall("report", "--markdown", "--terminal")[0] == 2
        assert stepwall("report", "--terminal", "-o", "folder")[0] == 2
        assert stepwall("report", "--markdown", "--json", "-")[0] == 2


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize(
    "arguments", [("runs",), ("report", "--terminal"), ("compare", "both", "long")]
)
def test_no_line_is_wider_than_the_terminal(
    stepwall: Stepwall, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], width: int
) -> None:
    """With names of sixty characters; commands to copy and long words alone may be longer."""
    name = "a_scenario_with_an_extraordinarily_long_name_of_someone_else"
    points = [
        replace(m, point=replace(m.point, scenario=name if m.point.scenario[0] == "s" else "b"))
        for m in samples.contrast().run.measurements
    ]
    walls = [replace(one, scenario=name) for one in samples.contrast().run.walls[:1]]
    both = [*samples.contrast().run.measurements[:6], *points]
    store("long", both, walls)
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = stepwall(*arguments)
    lines = [line for line in out.splitlines() if not line.startswith("next:")]

    assert [one for one in lines if len(one) > max(width, len(name) + 8)] == []


@pytest.mark.parametrize(
    "arguments",
    [("runs",), ("report", "--terminal"), ("report", "--markdown"), ("report", EVIL)],
)
def test_what_an_author_wrote_is_printed_and_not_obeyed(
    stepwall: Stepwall, arguments: tuple[str, ...]
) -> None:
    """Names, parameters, reasons and notes; on both streams."""
    point = samples.measured(steps=16)
    evil = replace(
        samples.failed(point),
        point=replace(point.point, parameters={"text": EVIL}, scenario=f"name{EVIL}"),
        notes=[EVIL],
    )
    outcome = replace(evil.outcome, reason=EVIL, shortage=None)
    store("evil", [samples.measured(), replace(evil, outcome=outcome)])
    _, out, err = stepwall(*arguments)

    bad = {c for c in out + err if unicodedata.category(c) in {"Cc", "Cf"} and c != "\n"}
    assert bad == set()


def test_only_one_module_writes_to_the_terminal() -> None:
    """What others print has gone through it."""
    folder = Path(__file__).parents[2] / "profiler" / "cli"
    writing = [
        path.name
        for path in sorted(folder.glob("*.py"))
        if "click.echo" in path.read_text() or "sys.stdout.write" in path.read_text()
    ]

    assert writing == []
