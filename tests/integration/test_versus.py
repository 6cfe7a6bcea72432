"""Two real builds against each other: one run, then all that is asked of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Stepwall = Callable[..., subprocess.CompletedProcess[str]]
BUILDS = ("static_rnn", "dynamic_rnn")
LONGEST = 128  # of a quick run
# A loop has its body in functions.
LOOP = 135 + 88
# static_rnn has 46 + 17 T nodes: equal at 177/17 = 10.4 steps.
CROSSING = (LOOP - 46) / 17
PNG = b"\x89PNG"
AXES = Path(__file__).parents[1] / "corpus" / "axes.py"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The first question, which a quick run was made for."""

    folder: Path
    text: str
    document: dict[str, Any]

    def metric(self, name: str) -> dict[str, Any]:
        """Return what is told of one metric."""
        (found,) = [one for one in self.document["metrics"] if one["metric"] == name]
        return dict(found)


@pytest.fixture(scope="module")
def asked(stepwall: Stepwall, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Ask for two shipped builds in a folder without results."""
    folder = tmp_path_factory.mktemp("versus")
    done = stepwall("versus", *BUILDS, "--json", "told.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    document = json.loads((folder / "told.json").read_text())
    return Asked(folder=folder, text=done.stdout, document=document)


def test_nodes_cross_where_their_counts_say(asked: Asked) -> None:
    """Exactly, with the nodes of the loop's body; below the shortest length as a prediction."""
    below, next_to_it, *rest = asked.metric("nodes")["zones"]

    assert below["least"] == next_to_it["least"] == ["static_rnn"]
    assert (below["first"], next_to_it["last"]) == (1, int(CROSSING))
    assert (below["predicted"], next_to_it["predicted"]) == (True, False)
    assert {tuple(zone["least"]) for zone in rest} == {("dynamic_rnn",)}
    assert rest[-1]["last"] == 8 * LONGEST


def test_a_loop_holds_less_for_backprop(asked: Asked) -> None:
    """An unrolled graph keeps a partial gradient of the kernel for every step."""
    told = asked.metric("backprop")
    measured = [zone["least"] for zone in told["lengths"]]

    assert measured == [["dynamic_rnn"]] * len(measured)
    assert "dynamic_rnn needs less" in told["text"]


def test_every_metric_has_a_line_and_the_table_is_measured(asked: Asked) -> None:
    """Seven metrics at the quick run's longest; the last line goes on."""
    values = [one["values"] for one in asked.document["scenarios"]]
    *_, last = asked.text.splitlines()

    assert len(asked.document["metrics"]) == 7
    assert asked.document["steps"] == LONGEST
    assert [one["nodes"]["value"] for one in values] == [46 + 17 * LONGEST, LOOP]
    assert not any(read["predicted"] for one in values for read in one.values())
    assert last.startswith("next: stepwall ")


def test_a_second_question_takes_the_stored_run_and_draws(asked: Asked, stepwall: Stepwall) -> None:
    """What was not run is marked; a file is overwritten by force alone."""
    picture = asked.folder / "choice.png"
    picture.write_text("mine")
    question = ("versus", *reversed(BUILDS), "--no-check", "--steps")
    between = stepwall(*question, 100, cwd=asked.folder)
    # Between measured lengths a busy machine leaves no step time to draw.
    refused, forced = (
        stepwall(*question, LONGEST, "-o", picture.name, *more, cwd=asked.folder)
        for more in ((), ("-f",))
    )

    assert (between.returncode, refused.returncode, forced.returncode) == (0, 2, 0)
    assert "'choice.png': the file exists; --force overwrites it" in refused.stderr
    assert f"(run {asked.document['run']})" in forced.stdout
    assert f"≈ {46 + 17 * 100:,}" in between.stdout
    assert "not checked in the parallel schedule (--no-check): " in forced.stdout
    assert "Wrote choice.png" in forced.stdout
    assert picture.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("static_rnn", "static_rnn"), "name at least two different scenarios"),
        ((*BUILDS, "-o", "choice.pdf"), "'choice.pdf': end it in .png or .svg"),
        ((*BUILDS, "-o", "nowhere/choice.png"), "nowhere/choice.png': No such file"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    arguments: tuple[str, ...], message: str, stepwall: Stepwall, tmp_path: Path
) -> None:
    """Before anything is measured."""
    done = stepwall("versus", *arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_an_author_rules_out_is_refused(stepwall: Stepwall, tmp_path: Path) -> None:
    """A law would give it a number all the same."""
    builds = ("blocks_of_twenty", "pyramid", "--scenarios", AXES)
    done = stepwall("versus", *builds, "--steps", "30", cwd=tmp_path)

    assert done.returncode == 2
    assert "blocks_of_twenty at 30 steps: its author allows only multiples of 20" in done.stderr
