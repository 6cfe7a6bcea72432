"""Several runs in one report: side by side what each measured, and what of it does not compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from profiler.analysis.crossover.crossovers import crossovers
from profiler.analysis.results import RunResults
from profiler.analysis.series import kinds_of_nodes
from profiler.analysis.together import together
from profiler.cli import main
from profiler.errors import UsageError
from profiler.facts import FrameworkFacts, Measurement, Run, StageFacts, replace
from profiler.store.runs import Store
from reports.plots.specs import plot_specs
from reports.tables.laws import law_grid
from reports.tables.summary import summary_grid
from reports.tables.versus import crossover_text
from reports.texts.answer import answer

STEPS = (8, 16, 32, 64)
OTHER = FrameworkFacts(
    name="eagerflow",
    title="EagerFlow",
    versions={"eagerflow": "1.0"},
    stages=[
        StageFacts(name="built", title="run", detail="what a step calls", counts="calls"),
    ],
)
NEWER = replace(samples.FRAMEWORK, versions={"sampleflow": "3.0"})
OF_GRAPHS, OF_CALLS = "nodes as built (SampleFlow)", "calls (EagerFlow)"


def points(scenario: str, framework: str = samples.FRAMEWORK.name) -> list[Measurement]:
    """Return a scenario of a framework at some lengths, of the family that all are of."""
    measured = [samples.measured(scenario, steps) for steps in STEPS]
    return [with_point(one, framework=framework) for one in measured]


def with_point(measured: Measurement, **changes: Any) -> Measurement:
    """Return a measurement of a point that is changed."""
    return replace(measured, point=replace(measured.point, **changes))


def run(name: str, measurements: Iterable[Measurement], **environment: Any) -> Run:
    """Return a run of that name, made with something else than the samples' environment."""
    made_with = replace(samples.ENVIRONMENT, **environment)
    return replace(samples.run(measurements), id=name, name=name, environment=made_with)


def graphs() -> Run:
    """Return a run of the samples' framework."""
    return run("graphs", points("static_rnn"))


def calls(**environment: Any) -> Run:
    """Return a run of the other framework, which runs in an installation of its own."""
    made_with = {"python": "3.12.1", "frameworks": {OTHER.name: OTHER}, **environment}
    return run("calls", points("eager_loop", OTHER.name), **made_with)


@pytest.fixture
def both() -> RunResults:
    """Return both runs as one."""
    return RunResults(together([graphs(), calls()]))


class TestTogether:
    """Runs become one."""

    def test_holds_all_of_both(self, both: RunResults) -> None:
        """Each point with its own framework, and what both were made with."""
        found = {(m.point.scenario, m.point.framework) for m in both.run.measurements}

        assert found == {("static_rnn", "sampleflow"), ("eager_loop", "eagerflow")}
        assert len(both.run.measurements) == 2 * len(STEPS)
        assert both.run.name == "graphs_and_calls"
        assert both.run.environment.frameworks.keys() == {"sampleflow", "eagerflow"}
        assert both.run.environment.python == "3.11.9, 3.12.1"

    def test_one_run_stays_as_it_is(self) -> None:
        """Also where it is named twice."""
        assert together([graphs(), graphs()]) == graphs()

    @pytest.mark.parametrize("changes", [{"steps": 128}, {"parameters": {"batch": 64}}], ids=str)
    def test_more_of_one_scenario_stands_beside_it(self, changes: dict[str, Any]) -> None:
        """Another length, or other parameters: nothing that ``compare`` could compare."""
        more = run("more", [with_point(points("static_rnn")[0], **changes)])

        assert len(together([graphs(), more]).measurements) == len(STEPS) + 1

    @pytest.mark.parametrize(
        ("other", "words"),
        [
            (calls(cpu="Another CPU"), "made on different machines"),
            (calls(cpu_count=64), "made on different machines"),
            (calls(frameworks={"sampleflow": NEWER}), "different versions"),
            (run("again", points("static_rnn")), "both hold static_rnn: 'stepwall compare"),
            (run("again", [with_point(points("static_rnn")[0], steps=9, source="new")]), "sources"),
        ],
        ids=["machine", "cores", "versions", "point", "source"],
    )
    def test_what_cannot_stand_side_by_side_is_refused(self, other: Run, words: str) -> None:
        """It says why."""
        with pytest.raises(UsageError, match=words):
            together([graphs(), other])


class TestKindsOfNodes:
    """Each framework counts other things as nodes."""

    def test_each_row_says_what_is_counted(self, both: RunResults) -> None:
        """In the small table, among the laws, and in the sentence that comes first."""
        summary, laws = summary_grid(both), law_grid(both)
        at = summary.headings.index("what is counted")
        first = answer(both).sentences[0]

        assert [row.cells[at] for row in summary.rows] == [OF_GRAPHS, OF_CALLS]
        assert {row.cells[1] for row in laws.rows} >= {
            f"nodes: {OF_GRAPHS}",
            f"nodes: {OF_CALLS}",
            "device peak",
        }
        assert OF_GRAPHS in first
        assert OF_CALLS in first

    def test_one_kind_needs_no_words(self) -> None:
        """Of one framework nothing changes."""
        alone = RunResults(graphs())

        assert "what is counted" not in summary_grid(alone).headings
        assert "nodes" in {row.cells[1] for row in law_grid(alone).rows}

    def test_other_things_are_not_compared(self, both: RunResults) -> None:
        """Memory and time are."""
        found = {one.metric.name: one for one in crossovers(both.series)}

        assert kinds_of_nodes(both.series) == {
            OF_GRAPHS: ["static_rnn"],
            OF_CALLS: ["eager_loop"],
        }
        assert crossover_text(found["nodes"]) == (
            "not comparable, they count different things: "
            f"static_rnn: {OF_GRAPHS}; eager_loop: {OF_CALLS}"
        )
        assert not found["nodes"].is_known
        assert found["peak"].lengths
        assert not found["peak"].kinds

    def test_the_plot_names_each_framework(self, both: RunResults) -> None:
        """With what it counts."""
        caption = plot_specs(both)[0].caption

        assert "SampleFlow: operations; EagerFlow: what a step calls." in caption


class TestCommand:
    """``stepwall report A B``."""

    @pytest.fixture
    def stepwall(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., tuple[int, str, str]]:
        """Return the command line in a folder with both runs."""
        monkeypatch.chdir(tmp_path)
        self.store("graphs", graphs())
        self.store("calls", calls())

        def run(*arguments: str) -> tuple[int, str, str]:
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
            printed = capsys.readouterr()
            return int(ended.value.code or 0), printed.out, printed.err

        return run

    @staticmethod
    def store(name: str, run: Run) -> None:
        """Store a run's measurements under a name."""
        with Store(Path("results"), create=True) as opened:
            stored = opened.start_run(name, "stepwall profile", run.environment)
            for measurement in run.measurements:
                opened.add_measurement(stored, measurement)
            opened.finish_run(stored)

    def test_writes_one_page(self, stepwall: Callable[..., tuple[int, str, str]]) -> None:
        """In a folder that is called after both."""
        code, out, err = stepwall("report", "graphs", "calls", "--json", "both.json")
        page = Path("results/graphs_and_calls/report.html").read_text()
        document = json.loads(Path("both.json").read_text())

        assert (code, err) == (0, "")
        assert "Wrote results/graphs_and_calls/report.html" in out
        for name in ("static_rnn", "eager_loop", "SampleFlow", "EagerFlow", "calls (EagerFlow)"):
            assert name in page
        assert len(document["measurements"]) == 2 * len(STEPS)

    def test_says_how_to_see_it_again(self, stepwall: Callable[..., tuple[int, str, str]]) -> None:
        """By the names of both."""
        _, out, _ = stepwall("report", "graphs", "calls", "--terminal")

        assert out.splitlines()[-1] == "next: stepwall report graphs calls"

    def test_takes_no_other_run_s_place(
        self, stepwall: Callable[..., tuple[int, str, str]]
    ) -> None:
        """A run may be called so."""
        self.store("graphs_and_calls", graphs())
        code, _, err = stepwall("report", "graphs", "calls")

        assert code == 2
        assert err == (
            "stepwall: a run named 'graphs_and_calls' has its report there: give --output DIR\n"
        )

    def test_compare_leads_there(self, stepwall: Callable[..., tuple[int, str, str]]) -> None:
        """Two frameworks have no point in common."""
        code, _, err = stepwall("compare", "graphs", "calls")

        assert code == 2
        assert "'stepwall report graphs calls' shows them side by side" in err
