"""Every plot is about columns that exist, and says what it shows."""

from __future__ import annotations

import report_samples as samples

from reports.plots.subjects import SUBJECTS


def test_every_metric_is_made_of_columns_of_the_frame() -> None:
    """A renamed column is found here, not in a report."""
    known = set(samples.loaded().measurements.columns)

    assert {column for s in SUBJECTS for m in s.metrics for column in m.columns} <= known


def test_every_plot_has_a_name_a_title_and_a_caption() -> None:
    """Names are file names, so they are distinct."""
    assert len({subject.name for subject in SUBJECTS}) == len(SUBJECTS)
    assert all(s.title and s.caption.endswith(".") for s in SUBJECTS)
