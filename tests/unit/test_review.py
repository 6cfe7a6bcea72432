"""A scenario is judged from a few short points: what is wrong, where, and what grows."""

from __future__ import annotations

import report_samples as samples

from profiler.analysis.review import PEAK, Level, Review, judged, raised_at_build
from profiler.facts import Measurement, Outcome, Phase, PhaseRole, Status, replace

SOURCE = "/home/me/mine.py:7"
RAISED = Outcome(
    status=Status.ERROR,
    phase="build_forward",
    reason="ValueError: no such shape",
    where="/home/me/mine.py:9",
)


def _fine(steps: int, *, unrolled: bool = True) -> Measurement:
    return samples.measured("mine", steps, unrolled=unrolled)


def _failed(steps: int, outcome: Outcome, role: PhaseRole = PhaseRole.BUILD) -> Measurement:
    measured = samples.failed(_fine(steps), outcome)
    last = Phase(name=outcome.phase or "build_forward", role=role, began_s=0)
    return replace(measured, phases=[last])


def _found(review: Review) -> list[tuple[Level, str, str | None]]:
    return [(one.level, one.text, one.where) for one in review.remarks]


class TestFine:
    """Both points ended well."""

    def test_says_what_grows(self) -> None:
        """Nodes and the peak of an unrolled graph."""
        review = judged([_fine(8), _fine(16)], _fine(8), source=SOURCE)

        assert review.is_usable
        assert review.remarks == []
        assert {"built nodes", PEAK} <= set(review.grows)
        assert [point.nodes for point in review.points] == [samples.nodes(8), samples.nodes(16)]

    def test_a_loop_s_nodes_do_not_grow(self) -> None:
        """Its memory does."""
        review = judged([_fine(8, unrolled=False), _fine(16, unrolled=False)], source=SOURCE)

        assert review.grows == [PEAK, "fed bytes"]

    def test_that_nothing_grows_is_a_warning(self) -> None:
        """The points differ in what they are called only."""
        first = _fine(8)
        last = replace(first, point=replace(first.point, steps=16))
        review = judged([first, last], first, source=SOURCE)

        ((level, text, where),) = _found(review)
        assert (level, where) == (Level.WARNING, SOURCE)
        assert text.startswith("8 and 16 steps give the same graph, and need the same memory")
        assert review.is_usable

    def test_notes_are_told_once(self) -> None:
        """Both points have them."""
        runs = [replace(_fine(steps), notes=["no gradient"]) for steps in (8, 16)]

        assert _found(judged(runs, source=SOURCE)) == [(Level.NOTE, "no gradient", None)]


class TestNotRepeatable:
    """The first point was measured once more."""

    def test_another_peak_is_a_warning(self) -> None:
        """It says both, to the byte."""
        first = _fine(8)
        assert first.device is not None
        peak = first.device.peak_bytes or 0
        again = replace(first, device=replace(first.device, peak_bytes=peak + 256))
        ((level, text, _),) = _found(judged([first, _fine(16)], again, source=SOURCE))

        assert level is Level.WARNING
        assert f"8 steps measured twice gave {PEAK} {peak:,} and {peak + 256:,}" in text

    def test_another_end_is_a_warning(self) -> None:
        """It says how it ended."""
        again = _failed(8, RAISED)
        ((level, text, _),) = _found(judged([_fine(8), _fine(16)], again, source=SOURCE))

        assert level is Level.WARNING
        assert text.endswith("ended with " + RAISED.sentence)


class TestErrors:
    """A point that did not end well."""

    def test_of_the_user_s_code_names_its_line(self) -> None:
        """And the lengths, and the phase."""
        review = judged([_failed(8, RAISED), _failed(16, RAISED)], source=SOURCE)

        assert not review.is_usable
        assert _found(review) == [
            (
                Level.ERROR,
                "ValueError: no such shape (at 8 and 16 steps, in build_forward)",
                RAISED.where,
            )
        ]

    def test_of_ours_names_the_scenario_s_line(self) -> None:
        """What it returned is no line of its own."""
        end = Outcome(status=Status.ERROR, phase="first_step", reason="the loss is nan")
        ((_, text, where),) = _found(judged([_failed(8, end)], source=SOURCE))

        assert text == "the loss is nan (at 8 steps, in first_step)"
        assert where == SOURCE

    def test_of_memory_or_time_says_its_status(self) -> None:
        """The reason alone would not tell."""
        end = Outcome(status=Status.TIMEOUT, phase="steady", reason="still running after 9 s")
        ((_, text, _),) = _found(judged([_failed(8, end)], source=SOURCE))

        assert text.startswith("timeout: still running after 9 s")

    def test_at_one_length_only_names_the_decorator(self) -> None:
        """The other one could be built."""
        ((_, text, _),) = _found(judged([_fine(8), _failed(16, RAISED)], source=SOURCE))

        assert "it can be built at 8 steps: say which lengths can be built: @scenario(mu" in text

    def test_at_both_lengths_names_those_at_which_it_was_built(self) -> None:
        """They were looked for."""
        runs = [_failed(8, RAISED), _failed(16, RAISED)]
        ((_, text, _),) = _found(judged(runs, source=SOURCE, built_at=[20, 240]))

        assert "it can be built at 20 and 240 steps" in text

    def test_an_assertion_may_be_about_the_length(self) -> None:
        """It does no harm to say so."""
        end = replace(RAISED, reason="AssertionError: steps % 7 == 0")
        ((_, text, _),) = _found(judged([_failed(8, end), _failed(16, end)], source=SOURCE))

        assert "if the length is the cause, say which" in text


class TestRaisedAtBuild:
    """Whether another length may do."""

    def test_only_what_the_user_s_code_raised_while_it_was_built(self) -> None:
        """Not what ran, not what we say of it, and not what is fine."""
        ours = replace(RAISED, where=None)

        assert raised_at_build(_failed(8, RAISED))
        assert not raised_at_build(_failed(8, RAISED, PhaseRole.STEADY))
        assert not raised_at_build(_failed(8, ours))
        assert not raised_at_build(_fine(8))
