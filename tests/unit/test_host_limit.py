"""A host limit's two sides: what the parent holds for a child, and what the child enters."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.errors import StepwallError
from profiler.limits import cgroup, host_memory
from profiler.limits.host_limit import Cap, CapEntry, HostLimitError, Means, capped, enter

MIB = 1 << 20
LIMIT = 512 * MIB

linux = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")


@pytest.fixture
def _no_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "own", lambda: None)


def test_without_a_limit_there_is_no_cap() -> None:
    """Nothing is made, nothing is checked."""
    with capped(None) as cap:
        pass

    assert cap is None


@linux
def test_rlimit_needs_nothing_but_the_number() -> None:
    """The child sets it on itself."""
    with capped(LIMIT, Means.RLIMIT_DATA) as cap:
        assert cap is not None
        given = cap.entry

    assert cap.means is Means.RLIMIT_DATA
    assert given == CapEntry(limit_bytes=LIMIT, means=Means.RLIMIT_DATA)


@linux
@pytest.mark.usefixtures("_no_cgroup")
def test_without_a_cgroup_it_is_rlimit() -> None:
    """The best of what is there."""
    with capped(LIMIT) as cap:
        assert cap is not None

    assert cap.means is Means.RLIMIT_DATA


@linux
@pytest.mark.usefixtures("_no_cgroup")
@pytest.mark.parametrize("means", [Means.CGROUP_V1, Means.CGROUP_V2])
def test_a_means_that_is_asked_for_is_not_replaced(means: Means) -> None:
    """Limits by different means do not compare."""
    with pytest.raises(StepwallError, match=means.value), capped(LIMIT, means):
        pass


@pytest.mark.parametrize(
    ("files", "means"), [(cgroup.V1, Means.CGROUP_V1), (cgroup.V2, Means.CGROUP_V2)]
)
def test_a_child_is_given_its_group(tmp_path: Path, files: cgroup.Files, means: Means) -> None:
    """By its path, and the version that it speaks."""
    cap = Cap(limit_bytes=LIMIT, group=cgroup.Group(files=files, path=tmp_path))

    assert cap.entry == CapEntry(limit_bytes=LIMIT, means=means, group=str(tmp_path))


def test_elsewhere_there_is_no_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a limit says so."""
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(StepwallError, match="needs Linux"), capped(LIMIT):
        pass


@linux
@pytest.mark.parametrize("means", Means)
def test_a_limit_below_what_is_held_is_refused(tmp_path: Path, means: Means) -> None:
    """Before anything is changed, with both numbers."""
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    given = CapEntry(limit_bytes=2 * MIB, means=means, group=str(tmp_path))

    with pytest.raises(
        HostLimitError, match=r"host limit 2 MiB: the framework alone holds \d+ MiB"
    ):
        enter(given)
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits
    assert not list(tmp_path.iterdir())


@linux
def test_a_group_that_has_gone_is_one_clear_error(tmp_path: Path) -> None:
    """Somebody swept it."""
    gone = str(tmp_path / "gone")
    given = CapEntry(limit_bytes=1 << 40, means=Means.CGROUP_V1, group=gone)

    with pytest.raises(HostLimitError, match="cgroup v1"):
        enter(given)


@linux
def test_rlimit_refuses_beyond_and_counts_up_to_the_limit() -> None:
    """What is freed stays in the peak; once lifted, all goes again."""
    code = f"""if True:
        from profiler.limits.host_limit import CapEntry, Means, enter
        meter = enter(CapEntry(limit_bytes={LIMIT}, means=Means.RLIMIT_DATA))
        block = bytearray({LIMIT // 2})
        del block
        try:
            bytearray({LIMIT})
        except MemoryError:
            print("refused")
        print(meter.peak_bytes(), meter.means.value)
        meter.lift()
        print(len(bytearray({LIMIT})))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused, peak, means, lifted = done.stdout.split()

    assert refused == "refused"
    assert LIMIT // 2 < int(peak) < LIMIT // 2 + (host_memory.data_bytes() or 0)
    assert means == "RLIMIT_DATA"
    assert int(lifted) == LIMIT
