"""A report folder is written whole, for every kind of run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import report_samples as samples

from profiler.analysis.results import RunResults
from profiler.cli.arguments import REPORT_FILES
from profiler.facts import replace
from reports import write_report

DATA = [
    "report.html",
    "measurements.csv",
    "walls.csv",
    "laws.csv",
    "trade_offs.csv",
    "measurements.json",
]


def test_outputs_of_commands_keep_off_its_names() -> None:
    """The command line knows them without what writes them."""
    assert set(DATA) == REPORT_FILES


def _graphs() -> RunResults:
    """Return three graphs, and nothing else of them."""
    points = [samples.measured(steps=steps) for steps in samples.DOUBLED[:3]]
    bare = [replace(one, phases=[], step=None, device=None, host=None) for one in points]
    return samples.loaded(bare)


def _choices() -> RunResults:
    """Return one step of two builds, without graph and host memory."""
    points = [samples.measured(name) for name in ("a", "b")]
    return samples.loaded([replace(one, phases=[], graph=None, host=None) for one in points])


def _explained() -> RunResults:
    """Return one explained step."""
    point = samples.measured(steps=200)
    return samples.loaded([replace(point, trace=samples.EXPLANATION)])


@pytest.mark.parametrize(
    ("results", "plots"),
    [
        (_graphs(), ["nodes", "law_nodes"]),
        (_choices(), ["device_memory", "step_time", "choices"]),
        (_explained(), ["one_step_static_rnn"]),
    ],
    ids=["graphs", "choices", "explained"],
)
def test_a_report_is_a_page_its_data_and_its_plots(
    results: RunResults, plots: list[str], tmp_path: Path
) -> None:
    """The folder is created, and every returned path exists and holds something."""
    folder = tmp_path / "results" / "run"
    paths = write_report(results, folder, with_plots=True)

    assert [path.name for path in paths] == [
        *DATA,
        *(f"{name}.{kind}" for name in plots for kind in ("svg", "png")),
    ]
    assert all(path.parent == folder and path.stat().st_size for path in paths)


def test_plots_are_files_only_where_they_are_asked_for(tmp_path: Path) -> None:
    """Page and tables alone are the report."""
    write_report(_graphs(), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == set(DATA)


@pytest.mark.parametrize(
    "results",
    [
        samples.loaded(),
        samples.loaded([samples.failed(samples.measured(), built=False)]),
        samples.loaded([], [samples.wall()]),
        samples.loaded([], [samples.wall(kind="host")]),
        samples.loaded([], [replace(samples.band(), last_ok=None, first_oom=None)]),
        samples.loaded([], [replace(samples.wall(), probes=[], predicted=None)]),
    ],
    ids=["empty", "failed", "wall only", "host wall", "endless band", "no probes"],
)
def test_partial_runs_have_a_report_too(results: RunResults, tmp_path: Path) -> None:
    """Whatever is missing, there is a page and its data."""
    names = {path.name for path in write_report(results, tmp_path)}

    assert names >= set(DATA)
    assert json.loads((tmp_path / "measurements.json").read_text())["schema"] == 1


def test_a_report_can_be_written_again(tmp_path: Path) -> None:
    """The second report replaces the first, byte for byte the same."""
    results = samples.loaded([], [samples.wall()])
    first = {path: path.read_bytes() for path in write_report(results, tmp_path)}
    second = {path: path.read_bytes() for path in write_report(results, tmp_path)}

    assert first == second


def test_importing_reports_is_light() -> None:
    """The command line imports this package: no plots, no frames, no framework with it."""
    code = "import sys, reports; print({'matplotlib', 'pandas', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


def test_reading_results_needs_no_matplotlib() -> None:
    """Only the plots import matplotlib: tables, sentences and exports do without."""
    modules = (
        "reports.tables.grid, reports.texts.slopes, reports.pages.exports, reports.pages.page, "
        "reports.plots.specs"
    )
    code = f"import sys, {modules}; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """Who reads it while it is written again reads the old one to its end."""
    write_report(_graphs(), tmp_path)
    path = tmp_path / "measurements.json"
    before = path.read_text()
    with path.open() as reader:
        write_report(_choices(), tmp_path)
        read = reader.read()

    assert read == before != path.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(DATA)
