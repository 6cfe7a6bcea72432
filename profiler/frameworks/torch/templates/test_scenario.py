"""What my_model may need: the limits are yours to set."""

import pytest

from profiler.facts import Run


@pytest.mark.stepwall_budget(
    "my_model", scenarios="my_model.py", steps="8:32:x2", peak="64MiB", slope="1MiB/step"
)
def test_my_model_keeps_its_budget(stepwall_run: Run) -> None:
    """It is measured at 8, 16 and 32 steps, and nothing about it is odd."""
    assert [note for one in stepwall_run.measurements for note in one.notes] == []
