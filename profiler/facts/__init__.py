"""What was measured, as frozen and typed records with JSON both ways; units are in the names."""

from profiler.facts.codec import Record, RecordError, convert, decode, encode, replace, to_json
from profiler.facts.explanation import (
    Advice,
    Explanation,
    GraphGrowth,
    GraphParts,
    Holding,
    MemoryOverStep,
    PeakGrowth,
    Role,
    Theory,
)
from profiler.facts.framework import (
    Caveat,
    CaveatEffect,
    FrameworkFacts,
    PhaseFacts,
    StageFacts,
)
from profiler.facts.measurement import (
    DeviceMemory,
    GraphSize,
    GraphStage,
    HostMemory,
    Measurement,
    StepTime,
    Timeline,
    largest_host_peak,
)
from profiler.facts.outcome import STOPPED, Outcome, Shortage, Status, out_of_device_memory
from profiler.facts.phase import Phase, PhaseRole
from profiler.facts.point import Point, Schedule
from profiler.facts.run import SCHEMA, Environment, Run
from profiler.facts.wall import (
    Certificate,
    Confirmation,
    Probe,
    WallPrediction,
    WallPredictions,
    WallStatus,
)

__all__ = [
    "SCHEMA",
    "STOPPED",
    "Advice",
    "Caveat",
    "CaveatEffect",
    "Certificate",
    "Confirmation",
    "DeviceMemory",
    "Environment",
    "Explanation",
    "FrameworkFacts",
    "GraphGrowth",
    "GraphParts",
    "GraphSize",
    "GraphStage",
    "Holding",
    "HostMemory",
    "Measurement",
    "MemoryOverStep",
    "Outcome",
    "PeakGrowth",
    "Phase",
    "PhaseFacts",
    "PhaseRole",
    "Point",
    "Probe",
    "Record",
    "RecordError",
    "Role",
    "Run",
    "Schedule",
    "Shortage",
    "StageFacts",
    "Status",
    "StepTime",
    "Theory",
    "Timeline",
    "WallPrediction",
    "WallPredictions",
    "WallStatus",
    "convert",
    "decode",
    "encode",
    "largest_host_peak",
    "out_of_device_memory",
    "replace",
    "to_json",
]
