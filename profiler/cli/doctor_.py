"""``stepwall doctor``: what this machine can measure, what not, and why."""

from __future__ import annotations

from dataclasses import dataclass

import click

from profiler.cli.common import Common, common_options, next_command
from profiler.cli.opening import open_client
from profiler.cli.progress import reporter
from profiler.facts import SCHEMA, Environment, FrameworkFacts, Measurement, Record, Status, to_json
from profiler.frameworks import installed, lacking
from profiler.limits import host_limit, machine
from profiler.measure.client import Client
from profiler.planning import points as planning
from profiler.planning.catalog import Listing
from profiler.units import MIB

_PROBE_STEPS = 4
_PROBE_LIMIT = 64 * MIB
_HOST_LIMIT = 1 << 30
# Until tests/on_gpu.py has left its table in docs/gpu.md.
_UNTRIED = "we have not run the GPU path on a real card"
_HOST_FIELDS = ("limit_bytes", "limit_by", "capped_peak_bytes")
_MEANINGS = {
    host_limit.Means.CGROUP_V2.value: "memory cgroup v2: the kernel kills the child at the limit",
    host_limit.Means.CGROUP_V1.value: "memory cgroup v1: the kernel kills the child at the limit",
    host_limit.Means.RLIMIT_DATA.value: (
        "RLIMIT_DATA: counts private writable mappings, touched or not, thread stacks included; "
        "for a memory cgroup: systemd-run --user --scope -p Delegate=yes stepwall ..."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried here."""

    what: str
    works: bool
    detail: str


@click.command("doctor")
@common_options
def command(common: Common) -> int:
    """Say what this machine can measure, what not, and why."""
    with reporter(quiet=common.quiet, verbose=False) as report, open_client(common) as client:
        report.stage("loading scenarios")
        listings = _one_for_each_framework(client)
        environment = machine.environment(client.describe(listings))
        checks = _environment_checks(environment)
        works = bool(listings) or all(map(lacking, installed().values()))
        for name, listing in listings.items():
            report.stage(f"measuring a small point of {listing.name}")
            measurement = _measure(client, listing, limit_bytes=_PROBE_LIMIT)
            limited = _measure(client, listing, host_limit_bytes=_HOST_LIMIT)
            works = works and measurement.outcome.status is Status.OK
            checks += _framework_checks(environment.frameworks[name])
            checks += [*_safety_checks(limited), *_point_checks(measurement)]
        checks += _absent_checks()
    _print(common, checks)
    common.write_json(
        {
            "schema": SCHEMA,
            "environment": to_json(environment),
            "checks": [to_json(check) for check in checks],
        }
    )
    common.echo(f"next: {next_command(common, {}, 'list')}")
    for check in checks:
        if not works and not check.works:
            common.complain(f"{check.what}: {check.detail}")
    return 0 if works else 1


def _absent_checks() -> list[Check]:
    """Return a line for each framework that stepwall knows, and that is not there."""
    needs = filter(None, map(lacking, installed().values()))
    return [Check(what="framework", works=False, detail=f"a scenario {text}") for text in needs]


def _one_for_each_framework(client: Client) -> dict[str, Listing]:
    """Return the last installed scenario of each framework."""
    found = client.catalog().scenarios.values()
    return {item.file.framework: item for item in found if item.file.is_installed}


def _measure(
    client: Client,
    listing: Listing,
    *,
    limit_bytes: int | None = None,
    host_limit_bytes: int | None = None,
) -> Measurement:
    conditions = planning.Conditions(limit_bytes=limit_bytes, host_limit_bytes=host_limit_bytes)
    return client.measure(planning.point(listing, conditions, steps=_PROBE_STEPS), timeline=True)


def _environment_checks(environment: Environment) -> list[Check]:
    linux = environment.platform.startswith("Linux")
    free = machine.available_bytes()
    return [
        Check(what="platform", works=linux, detail=environment.platform),
        Check(
            what="memory without --limit",
            works=free > 0,
            detail=f"a point on the CPU may take {free / 2**30:.1f} GiB of device memory",
        ),
    ]


def _framework_checks(framework: FrameworkFacts) -> list[Check]:
    gpus = [name for name in framework.devices if name.startswith("gpu")]
    seen = ", ".join(gpus) or f"{framework.title} sees none: the CPU stands in for it"
    return [
        Check(what="framework", works=True, detail=framework.versions_text),
        Check(
            what="gpu",
            works=bool(gpus),
            detail=f"{seen}; {_UNTRIED}",
        ),
    ]


def _safety_checks(limited: Measurement) -> list[Check]:
    end, host = limited.outcome, limited.host
    by = (host.limit_by if host else None) or ""
    works = end.status is Status.OK and by in _MEANINGS
    floor = f"{machine.floor_bytes() / MIB:.0f} MiB"
    return [
        Check(
            what="host limit",
            works=works,
            detail=_MEANINGS[by] if works else f"{end.status.value}: {end.reason}",
        ),
        Check(
            what="machine safety",
            works=True,
            detail=f"the largest child is stopped when less than {floor} is left",
        ),
    ]


def _point_checks(measurement: Measurement) -> list[Check]:
    end = measurement.outcome
    done = end.status is Status.OK
    checks = [
        Check(
            what="a training step",
            works=done,
            detail=f"{measurement.seconds:.2f} s" if done else f"{end.status.value}: {end.reason}",
        )
    ]
    for name in ("graph", "step", "device", "host", "timeline"):
        group = getattr(measurement, name)
        missing = _missing(name, group, measurement)
        works = group is not None and not missing
        checks.append(
            Check(what=f"fields of {name}", works=works, detail=missing or "all measured")
        )
    return checks


def _missing(name: str, group: Record | None, measurement: Measurement) -> str:
    if group is None:
        return "not measured"
    fields = [field for field in group.__struct_fields__ if getattr(group, field) is None]
    if name == "host":  # those of a host limit, which has a line of its own
        fields = [field for field in fields if field not in _HOST_FIELDS]
    if name == "device":  # of allocators that hold more than they hand out, or are replayed
        fields = [one for one in fields if one not in {"reserved_peak_bytes", "left_out"}]
    reasons = [
        f"{field}: {measurement.missing.get(f'{name}.{field}', 'not measured')}" for field in fields
    ]
    return "; ".join(reasons)


def _print(common: Common, checks: list[Check]) -> None:
    from reports.tables.grid import Grid, GridRow

    rows = ((check.what, "yes" if check.works else "no", check.detail) for check in checks)
    common.table(
        Grid(
            headings=("what", "works", "detail"),
            numeric=(False, False, False),
            rows=tuple(GridRow(cells=cells) for cells in rows),
        )
    )
