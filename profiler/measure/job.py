"""What a child is asked to do, as the parent writes it into the child's folder."""

from __future__ import annotations

import enum

from profiler.facts import Point, Record
from profiler.frameworks import Mode, PredictionRequest
from profiler.limits.host_limit import CapEntry
from profiler.planning.files import ScenarioFile

JOB_FILE = "job.json"


class Task(enum.Enum):
    """The kinds of jobs."""

    MEASURE = "measure"
    EXPLAIN = "explain"
    PREDICT = "predict"
    LIST = "list"
    DESCRIBE = "describe"


class Job(Record, frozen=True, kw_only=True):
    """One job of a child.

    ``file``: the one file of scenarios that the child imports. ``timeline``: sample the memory
    over time. ``alone``: explain without shorter runs. ``host_cap``: set by who starts the child.
    """

    task: Task
    framework: str
    file: ScenarioFile | None = None
    point: Point | None = None
    mode: Mode = Mode()
    request: PredictionRequest | None = None
    timeline: bool = False
    alone: bool = False
    host_cap: CapEntry | None = None
