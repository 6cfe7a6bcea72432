"""Compares what ``stepwall predict`` says of 8 times the longest measured steps with real runs.

    python tests/validate_predictions.py [--longest 256] [--results DIR] [--into FILE.md]
    make validate

Every shipped scenario is profiled up to ``--longest`` steps, predicted at 8 times as many, and
then really run there, each by the command that a user would type. The table goes to stdout, or
into a Markdown file between two marks. Runs that the results folder holds are not made again.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from profiler.analysis.metrics import METRICS
from profiler.analysis.prediction import REACH
from profiler.facts import Run
from profiler.store.runs import Store

BEGIN, END = "<!-- validation: begin -->", "<!-- validation: end -->"
_SMALL, _FAR = "validate-small", "validate-far"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One metric of one scenario: its relative error, None where nothing was predicted.

    ``least``: what was told as "at least", as a share of what was measured.
    """

    scenario: str
    metric: str
    error: float | None
    covered: bool
    least: float | None


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--longest", type=click.IntRange(16), default=256, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/validation"))
@click.option("--into", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(longest: int, results: Path, into: Path | None) -> None:
    """Validate, and write the table."""
    far = REACH * longest
    small = _run(_SMALL, f"8:{longest}:x2", results)
    real = _run(_FAR, str(far), results)
    names = list(dict.fromkeys(m.point.scenario for m in small.measurements))
    checked = [one for name in names for one in _checked(name, far, real, results)]
    text = "\n".join(_table(checked, names, longest, real))
    if into is None:
        click.echo(text)
        return
    before, _, rest = into.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    into.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _run(name: str, steps: str, results: Path) -> Run:
    """Return the run of that name; it is made if the results do not hold it yet."""
    with Store(results, create=True) as store:
        known = {summary.name for summary in store.summaries() if summary.finished}
    if name not in known:
        _stepwall("profile", "--suite=seed", f"--steps={steps}", f"--name={name}", results=results)
    with Store(results) as store:
        return store.load(name)


def _stepwall(*arguments: str, results: Path) -> str:
    command = [sys.executable, "-m", "profiler", *arguments]
    done = subprocess.run(
        [*command, f"--results={results}"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}")
    return done.stdout


def _checked(name: str, far: int, real: Run, results: Path) -> Iterator[Checked]:
    found: dict[str, Any] = json.loads(
        _stepwall("predict", name, f"--steps={far}", f"--run={_SMALL}", "--json=-", results=results)
    )
    (point,) = [m for m in real.measurements if m.point.scenario == name]
    values = {value["metric"]: value for value in found["values"]}
    for metric in METRICS:
        value, truth = values[metric.name], metric.value(point)
        known = truth is not None and value["value"] is not None
        yield Checked(
            scenario=name,
            metric=metric.name,
            error=value["value"] / truth - 1 if known else None,
            covered=known and value["low"] <= truth <= value["high"],
            least=value["at_least"] / truth if truth and value["at_least"] else None,
        )


def _table(checked: list[Checked], names: list[str], longest: int, real: Run) -> Iterator[str]:
    machine = real.environment
    frameworks = ", ".join(
        f"{one.title} ({one.versions_text})" for one in machine.frameworks.values()
    )
    yield (
        f"Measured up to {longest:,} steps, predicted at {REACH * longest:,} and really run there "
        f"({machine.cpu_count} cores, {machine.platform}, {frameworks}, {real.created_at[:10]}): "
        "predicted minus real, over real; where `predict` tells only what a time is at least, that "
        "as a share of the real one; a dash where it tells nothing."
    )
    yield ""
    yield f"| scenario | {' | '.join(metric.title for metric in METRICS)} |"
    yield f"|---|{'---:|' * len(METRICS)}"
    errors = {(one.scenario, one.metric): one for one in checked}
    for name in names:
        cells = (_cell(errors[name, metric.name]) for metric in METRICS)
        yield f"| {name} | {' | '.join(cells)} |"
    for title, summary in (("median", median), ("worst", max), ("predicted", len)):
        yield f"| **{title}** | {' | '.join(_summary(checked, m.name, summary) for m in METRICS)} |"
    shares = (_share(checked, metric.name) for metric in METRICS)
    yield f"| **inside the interval** | {' | '.join(shares)} |"
    least = (_least_held(checked, metric.name) for metric in METRICS)
    yield f"| **“at least” held** | {' | '.join(least)} |"


def _cell(one: Checked) -> str:
    if one.error is None:
        return "–" if one.least is None else f"≥ {one.least:.0%}"  # noqa: RUF001 (the dash)
    return "0" if one.error == 0 else f"{100 * one.error:+.2f} %"


def _known(checked: list[Checked], metric: str) -> list[Checked]:
    return [one for one in checked if one.metric == metric and one.error is not None]


def _summary(checked: list[Checked], metric: str, summary: Any) -> str:
    sizes = [abs(one.error or 0.0) for one in _known(checked, metric)]
    if summary is len:
        return f"{len(sizes)} of {sum(one.metric == metric for one in checked)}"
    value = summary(sizes) if sizes else math.nan
    return "–" if math.isnan(value) else "0" if value == 0 else f"{100 * value:.2f} %"  # noqa: RUF001


def _least_held(checked: list[Checked], metric: str) -> str:
    told = [one.least for one in checked if one.metric == metric and one.least is not None]
    return f"{sum(share <= 1 for share in told)} of {len(told)}"


def _share(checked: list[Checked], metric: str) -> str:
    known = _known(checked, metric)
    return f"{sum(one.covered for one in known)} of {len(known)}"


if __name__ == "__main__":
    main()
