"""An explanation as tables: shares of the peak, names people can read, sums that add up."""

from __future__ import annotations

import report_samples as samples
from report_samples import EXPLANATION, KIB, MIB

from profiler.analysis.results import RunResults
from profiler.facts import (
    Explanation,
    GraphGrowth,
    GraphStage,
    Holding,
    PhaseRole,
    Remedy,
    SizeLimit,
    Theory,
    replace,
)
from reports.tables.explanation import (
    graph_grid,
    held_grid,
    host_grid,
    node_scope_grid,
    remedy_grid,
    resident_grid,
    role_grid,
    scope_grid,
)
from reports.tables.grid import Grid
from reports.texts.explanation import explained_steps, explanation_section, section_lines
from reports.texts.graph_size import size_sentences
from reports.texts.notes import note_sentences
from reports.texts.numbers import DASH

LONG = "gradients/rnn/while_grad/rnn/while_grad/body/_76/gradients/TensorListSetItem_grad/zeros"


def column(grid: Grid, heading: str) -> list[str]:
    """Return the cells of one column."""
    at = grid.headings.index(heading)
    return [row.cells[at] for row in grid.rows]


def named(op: str, size: int = KIB) -> Holding:
    """Return a tensor of an operation."""
    return Holding(role="temporaries", op=op, op_type=None, tensors=1, bytes=size, each_bytes=size)


def test_a_part_that_cannot_be_made_says_why_and_the_rest_stands() -> None:
    """Here the tables of roles and scopes meet what no step has: a role that nobody knows."""
    broken = replace(EXPLANATION, holdings=[replace(named("a"), role="no such role")])
    point = replace(samples.measured(steps=200), trace=broken)
    (step,) = explained_steps(samples.loaded([point]))
    section = explanation_section(step)

    assert "could not be made: ValueError: 'no such role'" in section.story[0]
    assert dict(section.facts)["peak"]
    assert "by role" in dict(section.tables)


def test_what_is_not_known_of_a_step_is_told_with_its_reason() -> None:
    """As a shorter length that failed."""
    missing = replace(EXPLANATION, missing={"growth": "recording 75 steps failed: E: x"})
    point = replace(samples.measured(steps=200), trace=missing)
    (step,) = explained_steps(samples.loaded([point]))
    section = explanation_section(step)

    assert dict(section.facts)["not known"] == "growth: recording 75 steps failed: E: x"


class TestTheTables:
    """One row per role, operation, scope, op type or phase."""

    def test_roles_have_bytes_share_and_growth(self) -> None:
        """The last row is the peak; a role that only grows is there, too."""
        grid = role_grid(EXPLANATION)

        assert column(grid, "role")[0] == "weight gradients"
        assert column(grid, "per step")[0] == "96.0 KiB"
        assert column(grid, "role")[-1] == "together"
        assert column(grid, "share")[-1] == "100.0 %"
        assert column(grid, "per step")[-1] == "97.0 KiB"

    def test_without_growth_there_is_no_column_for_it(self) -> None:
        """Rather than a column of dashes."""
        assert "per step" not in role_grid(replace(EXPLANATION, growth=None)).headings

    def test_operations_are_listed_with_their_copies(self) -> None:
        """And the rounding, so that the rows add up to the peak."""
        grid = held_grid(EXPLANATION, 10)
        shares = [float(share.split()[0]) for share in column(grid, "share")]

        assert grid.rows[0].cells[0].endswith("MatMul \N{MULTIPLICATION SIGN} 200")
        assert column(grid, "each")[2] == DASH
        assert column(grid, "per step")[:2] == ["96.0 KiB", "0"]
        assert column(grid, "role")[-1] == "allocator rounding"
        assert abs(sum(shares) - 100) < 0.1 * len(shares)

    def test_without_a_shorter_length_no_operation_has_a_rate(self) -> None:
        """The column is left out."""
        holdings = [replace(one, per_step_bytes=None) for one in EXPLANATION.holdings]

        assert "per step" not in held_grid(replace(EXPLANATION, holdings=holdings), 10).headings

    def test_what_was_tried_stands_beside_the_step_as_it_is(self) -> None:
        """Peak, difference and time; a run that failed says how, a contradiction is noted."""
        remedy = Remedy(
            name="batch=16",
            steps=200,
            before_bytes=4 * MIB,
            peak_bytes=3 * MIB,
            before_s=2,
            step_s=1,
            changes="half the batch",
        )
        failed = replace(remedy, name="loop=true", peak_bytes=None, step_s=None, reason="timeout")
        against = replace(
            remedy, name="cut=true", parallel_before_bytes=[MIB], parallel_bytes=[MIB, 2 * MIB]
        )
        grid = remedy_grid(replace(EXPLANATION, remedies=[remedy, failed, against]))

        assert column(grid, "tried") == ["as it is", "batch=16", "loop=true", "cut=true"]
        assert column(grid, "peak") == ["4.0 MiB", "3.0 MiB", DASH, "3.0 MiB"]
        assert column(grid, "difference") == ["", "-25 %", DASH, "-25 %"]
        assert column(grid, "time per step") == ["2.00 s", "1.00 s", DASH, "1.00 s"]
        assert column(grid, "in parallel") == ["1.0 MiB", DASH, DASH, "1.0 MiB to 2.0 MiB"]
        assert "timeout" in column(grid, "note")[2]
        assert "no difference is clear" in column(grid, "note")[3]

    def test_without_remedies_there_is_no_table_of_them(self) -> None:
        """Nothing was tried."""
        assert remedy_grid(EXPLANATION).rows == ()

    def test_what_a_table_leaves_out_is_summed_up(self) -> None:
        """Nothing is dropped."""
        grid = held_grid(EXPLANATION, 1)

        assert [row.cells[0] for row in grid.rows][1:] == ["2 more", "allocator rounding"]
        assert column(grid, "bytes")[1] == "1.2 MiB"

    def test_a_long_name_loses_its_middle_and_an_empty_one_has_a_name(self) -> None:
        """The scope it begins with and what it is stay."""
        found = replace(EXPLANATION, holdings=[named(LONG), named("")], by_role={})
        names = [row.cells[0] for row in held_grid(found, 10).rows]

        assert names[0].startswith("gradients/…/TensorListSetItem_grad/zeros")
        assert names[1].startswith("(none)")

    def test_scopes_sum_what_their_operations_hold(self) -> None:
        """The largest first."""
        grid = scope_grid(EXPLANATION, 10)

        assert column(grid, "scope")[0] == "gradients/rnn/cell/MatMul_grad"
        assert column(grid, "tensors")[0] == "200"

    def test_resident_weights_go_by_the_name_of_their_variable(self) -> None:
        """Not by the operation that wrote them last."""
        assert resident_grid(EXPLANATION, 10).rows[0].cells[:2] == ("rnn/cell/kernel", "weights")

    def test_nodes_are_built_added_and_executed(self) -> None:
        """What the optimizer removed is the difference; a type that it made has no built nodes."""
        executed = GraphStage(name="executed", nodes=700, by_op={"MatMul": 500, "_Fused": 200})
        grid = graph_grid(EXPLANATION, executed, "executed", 10)
        rows = {row.cells[0]: row.cells[1:] for row in grid.rows}

        assert rows["MatMul"] == ("200", "400", "+3", "500", "-100")
        assert rows["Const"] == ("200", "200", "", "0", "-400")
        assert rows["_Fused"] == ("0", "0", "", "200", "+200")

    def test_nodes_of_functions_have_a_column_of_their_own(self) -> None:
        """A loop's body is part of what the optimizer begins with."""
        parts = replace(EXPLANATION.graph, library={"MatMul": 7})
        executed = GraphStage(name="executed", nodes=607, by_op={"MatMul": 607})
        grid = graph_grid(replace(EXPLANATION, graph=parts), executed, "executed", 10)

        assert column(grid, "in functions")[0] == "7"
        assert column(grid, "change")[0] == ""

    def test_nodes_are_counted_by_scope(self) -> None:
        """The largest first."""
        grid = node_scope_grid(EXPLANATION, 10)

        assert [row.cells for row in grid.rows] == [
            ("gradients/rnn/cell", "800"),
            ("rnn/cell", "600"),
        ]

    def test_without_a_measurement_nodes_are_counted_as_built(self) -> None:
        """A wall's explanation has no inspected graph."""
        found = replace(EXPLANATION, graph_growth=None)

        assert graph_grid(found, None, "", 10).headings == ("op type", "forward", "backward")

    def test_host_memory_is_listed_by_phase(self) -> None:
        """What a phase needs, and what it leaves behind."""
        _, build, gradients, *_ = samples.phases(copies=1, host_bytes=MIB)
        build = replace(build, host_peak_bytes=2 * MIB, host_kept_bytes=MIB)
        start = replace(build, name="start", role=PhaseRole.OVERHEAD)
        grid = host_grid([start, build, gradients], samples.FRAMEWORK)

        assert [row.cells for row in grid.rows] == [
            ("forward graph", "2.0 MiB", "1.0 MiB", "objects"),
            ("gradients", DASH, DASH, "the same"),
        ]


class TestTheFacts:
    """What is said beside the tables."""

    def facts(self, found: Explanation) -> dict[str, str]:
        """Return the facts of a point with this explanation."""
        point = replace(samples.measured(steps=200), trace=found)
        (step,) = explained_steps(samples.loaded([point]))
        return dict(explanation_section(step).facts)

    def test_two_accounts_that_agree_say_so(self) -> None:
        """With all three numbers."""
        held = EXPLANATION.peak_bytes - MIB
        text = self.facts(EXPLANATION)["two accounts"]

        assert f"{MIB:,} B resident + {held:,} B replayed" in text
        assert "equal to the byte" in text

    def test_a_difference_is_shown(self) -> None:
        """Never hidden."""
        found = replace(EXPLANATION, allocator_peak_bytes=EXPLANATION.peak_bytes + 256)

        assert "a difference of +256 B" in self.facts(found)["two accounts"]

    def test_an_unknown_account_is_said_to_be_unknown(self) -> None:
        """Not to be equal."""
        found = replace(EXPLANATION, allocator_peak_bytes=None)

        assert "not known" in self.facts(found)["two accounts"]

    def test_the_theory_is_compared_with_what_the_step_holds(self) -> None:
        """Measured over the least that is possible."""
        least = 2 * MIB
        times = (EXPLANATION.peak_bytes - MIB) / least
        text = self.facts(EXPLANATION)["theory"]

        assert f"{times:.1f} \N{MULTIPLICATION SIGN} the least" in text

    def test_one_more_step_adds_bytes_and_nodes(self) -> None:
        """Exactly, by the difference of two builds."""
        text = self.facts(EXPLANATION)["one more step"]

        assert text.startswith("adds 97.0 KiB at the peak and 2 forward and 3 backward nodes")
        assert "150 and 200 steps" in text

    def test_nodes_in_functions_are_no_zero(self) -> None:
        """A Python loop in a function has a constant graph, and its steps in the library."""
        grown = GraphGrowth(between=[150, 200], forward={}, backward={}, library={"MatMul": 20})
        text = self.facts(replace(EXPLANATION, graph_growth=grown))["one more step"]

        assert text.startswith("adds 97.0 KiB at the peak and 20 nodes in functions")

    def test_the_theory_says_its_cells_and_what_it_takes_for_granted(self) -> None:
        """How many of which kind, on how many rows."""
        theory = Theory(cells=["lstm", "lstm"], least_bytes=MIB, all_bytes=MIB, batch=32)
        text = self.facts(replace(EXPLANATION, theory=theory))["theory"]

        assert "2 lstm cells (each run once per time step on 32 rows, in 32-bit floats" in text
        assert "1 basic cell (run once per time step, in" in self.facts(EXPLANATION)["theory"]

    def test_where_the_graph_is_too_large_is_told(self) -> None:
        """From the lengths that were built to explain the step, and as a sentence of the run."""
        sizes = {str(steps): 100 * samples.nodes(steps) for steps in (13, 100, 150)}
        point = replace(samples.measured(steps=200), trace=replace(EXPLANATION, graph_bytes=sizes))
        limited = replace(
            samples.FRAMEWORK,
            limits=[SizeLimit(metric="graph_bytes", most=(1 << 31) - 1, text="it ends there")],
        )
        run = samples.loaded([point]).run
        machine = replace(run.environment, frameworks={limited.name: limited})
        results = RunResults(replace(run, environment=machine))
        (step,) = explained_steps(results)
        most = ((1 << 31) - 1 - 100 * 40) // (100 * 17)  # samples.nodes
        text = dict(explanation_section(step).facts)["its limits"]

        assert text.startswith(f"serialized graph: 2 GiB at about {most:,} steps (")
        (sentence,) = size_sentences(results)
        assert sentence.startswith(
            f"The serialized graph of static_rnn reaches 2 GiB at about {most:,} steps ("
        )
        assert "later" not in sentence
        assert "its limits" not in self.facts(EXPLANATION)

    def test_what_was_noted_is_shown(self) -> None:
        """Beside the numbers that it is about."""
        point = replace(samples.measured(steps=200), trace=EXPLANATION, notes=["one", "two"])
        (step,) = explained_steps(samples.loaded([point]))

        assert dict(explanation_section(step).facts)["noted"] == "one; two"
        assert note_sentences(samples.loaded([point]))[0] == "Note on static_rnn at 200 steps: one."
        assert "noted" not in self.facts(EXPLANATION)

    def test_nodes_are_counted_by_stage(self) -> None:
        """In the framework's words."""
        total = samples.nodes(200)

        assert self.facts(EXPLANATION)["nodes"] == (
            f"{total:,} as built, 0 in functions and {total - 7:,} executed"
        )

    def test_gradients_of_the_scenarios_own_are_named(self) -> None:
        """They are not what the framework would do."""
        assert "own" in self.facts(replace(EXPLANATION, custom_gradients=True))["gradients"]
        assert "gradients" not in self.facts(EXPLANATION)
        assert "update" in self.facts(replace(EXPLANATION, trains_itself=True))["gradients"]


class TestTheExplainedSteps:
    """What a run explains."""

    def test_the_longest_of_a_series_is_explained_beside_its_shorter_ones(self) -> None:
        """One section per series, with the others for its plot."""
        points = [
            replace(samples.measured(steps=n), trace=replace(EXPLANATION, steps=n))
            for n in (64, 8, 32)
        ]
        (step,) = explained_steps(samples.loaded(points))

        assert step.explained.steps == 64
        assert sorted(one.steps for one in step.shorter) == [8, 32]

    def test_a_wall_is_explained_at_its_last_steps(self) -> None:
        """Under its limit."""
        wall = replace(samples.wall(last_ok=200), explanation=EXPLANATION)
        (step,) = explained_steps(samples.loaded([], [wall]))

        assert step.title == "static_rnn at its wall: 200 steps under 64 MiB"

    def test_a_run_without_explanations_has_none(self) -> None:
        """Most runs."""
        assert explained_steps(samples.contrast()) == []

    def test_names_are_fit_for_files(self) -> None:
        """A label may hold anything that a parameter may."""
        point = replace(samples.measured("a/b c"), trace=EXPLANATION)
        (step,) = explained_steps(samples.loaded([point]))

        assert step.name == "a_b_c"

    def test_the_terminal_gets_conditions_story_and_facts(self) -> None:
        """In this order."""
        point = replace(samples.measured(steps=200), trace=EXPLANATION)
        (step,) = explained_steps(samples.loaded([point]))
        lines = section_lines(explanation_section(step), point.point)

        assert lines[0].startswith("static_rnn at 200 steps   batch 32")
        assert "partial gradients" in lines[1]
        assert any(line.startswith("  two accounts") for line in lines)
