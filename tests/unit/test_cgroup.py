"""Memory cgroups of both versions, as files in a folder: found, read, made, swept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.limits import cgroup
from profiler.limits.cgroup import HOME, PREFIX, V1, V2, Files, Group

GIB = 1 << 30
V1_UNLIMITED = (1 << 63) - os.sysconf("SC_PAGE_SIZE")
ROOT_OF = {V1: "cgroup", V2: "cgroup2"}

either = pytest.mark.parametrize("files", [V1, V2], ids=["v1", "v2"])


def _proc(folder: Path, files: Files, mount: Path, *, path: str, root: str = "/") -> Path:
    """Make a ``/proc`` in which this process lies at ``path`` of the mount's hierarchy."""
    this = folder / "proc" / "self"
    this.mkdir(parents=True)
    controller = "4:memory" if files is V1 else "0:"
    options = "rw,memory" if files is V1 else "rw"
    (this / "cgroup").write_text(f"7:cpu,cpuacct:/elsewhere\n{controller}:{path}\n")
    (this / "mountinfo").write_text(
        "22 1 0:20 / /sys rw - sysfs sysfs rw\n"
        f"31 22 0:28 {root} {mount} rw,relatime shared:9 - {ROOT_OF[files]} cgroup {options}\n"
    )
    return folder / "proc"


def _group(path: Path, files: Files, *, limit: int | str, usage: int, cache: int = 0) -> Group:
    """Make a group's folder with its files."""
    path.mkdir(parents=True, exist_ok=True)
    (path / files.limit).write_text(f"{limit}\n")
    (path / files.usage).write_text(f"{usage}\n")
    active, inactive = sorted(files.cache)
    (path / "memory.stat").write_text(f"anon 1\n{active} {cache // 2}\n{inactive} {cache // 2}\n")
    return Group(files=files, path=path)


def _kernel(files: Files, *, delegating: bool = True) -> Callable[[Path], None]:
    """Return a ``mkdir`` that makes a group's files as the kernel would.

    Version 2 does so where the group above delegates the memory controller.
    """

    def mkdir(path: Path) -> None:
        path.mkdir()
        (path / "cgroup.procs").touch()
        control = path.parent / "cgroup.subtree_control"
        if delegating and (files is V1 or (control.exists() and "memory" in control.read_text())):
            (path / files.limit).touch()

    return mkdir


@either
def test_the_own_group_lies_under_the_mount(tmp_path: Path, files: Files) -> None:
    """At the path that the kernel names for this process."""
    mount = tmp_path / "mount"
    (mount / "user" / "shell").mkdir(parents=True)
    proc = _proc(tmp_path, files, mount, path="/user/shell")

    assert cgroup.own(proc) == Group(files=files, path=mount / "user" / "shell")


@either
def test_a_container_sees_its_part_of_the_tree(tmp_path: Path, files: Files) -> None:
    """The mount's own root is taken off the path."""
    mount = tmp_path / "mount"
    (mount / "inner").mkdir(parents=True)
    proc = _proc(tmp_path, files, mount, path="/docker/abc/inner", root="/docker/abc")

    assert cgroup.own(proc) == Group(files=files, path=mount / "inner")


@either
@pytest.mark.parametrize("path", ["/docker/abc", "/../outside"])
def test_a_path_that_is_not_under_the_mount_gives_its_root(
    tmp_path: Path, files: Files, path: str
) -> None:
    """Some containers name the path of the host."""
    mount = tmp_path / "mount"
    mount.mkdir()
    (tmp_path / "outside").mkdir()

    assert cgroup.own(_proc(tmp_path, files, mount, path=path)) == Group(files=files, path=mount)


def test_version_1_goes_first(tmp_path: Path) -> None:
    """On a hybrid machine the memory controller is there."""
    mount = tmp_path / "mount"
    mount.mkdir()
    proc = _proc(tmp_path, V1, mount, path="/")
    with (proc / "self" / "cgroup").open("a") as file:
        file.write("0::/\n")
    with (proc / "self" / "mountinfo").open("r+") as file:
        lines = file.read()
        file.seek(0)
        file.write(f"30 22 0:27 / {tmp_path} rw - cgroup2 cgroup2 rw\n{lines}")
    found = cgroup.own(proc)

    assert found is not None
    assert found.files is V1


def test_without_cgroups_there_is_none(tmp_path: Path) -> None:
    """As on another system."""
    assert cgroup.own(tmp_path) is None
    assert cgroup.room_bytes(tmp_path) is None


@either
def test_the_tightest_level_counts(tmp_path: Path, files: Files) -> None:
    """A limit above holds for all within; file cache would be given back."""
    mount = tmp_path / "mount"
    _group(mount / "a", files, limit=4 * GIB, usage=3 * GIB, cache=GIB)
    _group(mount / "a" / "b", files, limit=5 * GIB, usage=GIB)
    proc = _proc(tmp_path, files, mount, path="/a/b")

    assert cgroup.room_bytes(proc) == 4 * GIB - 3 * GIB + GIB


@pytest.mark.parametrize(("files", "limit"), [(V1, V1_UNLIMITED), (V2, "max")])
def test_no_limit_is_no_room(tmp_path: Path, files: Files, limit: int | str) -> None:
    """Version 1 writes the largest number of whole pages, version 2 a word."""
    assert _group(tmp_path, files, limit=limit, usage=GIB).room_bytes() is None


@either
def test_beyond_the_limit_there_is_no_room(tmp_path: Path, files: Files) -> None:
    """Nothing is zero, not less."""
    assert _group(tmp_path, files, limit=GIB, usage=2 * GIB).room_bytes() == 0


@either
def test_a_group_that_tells_no_usage_has_no_known_room(tmp_path: Path, files: Files) -> None:
    """Half a reading is none."""
    (tmp_path / files.limit).write_text(str(GIB))

    assert Group(files=files, path=tmp_path).room_bytes() is None


@pytest.mark.parametrize(("files", "swap"), [(V1, str(GIB)), (V2, "0")], ids=["v1", "v2"])
def test_a_limit_leaves_no_swap(tmp_path: Path, files: Files, swap: str) -> None:
    """Version 1 counts memory and swap together, version 2 swap alone."""
    (tmp_path / files.swap).touch()
    group = Group(files=files, path=tmp_path)
    group.limit(GIB)

    assert (tmp_path / files.limit).read_text() == str(GIB)
    assert (tmp_path / files.swap).read_text() == swap


@either
def test_a_kernel_without_swap_accounts_is_fine(tmp_path: Path, files: Files) -> None:
    """No file is made for it."""
    Group(files=files, path=tmp_path).limit(GIB)

    assert not (tmp_path / files.swap).exists()


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (V1, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        (V2, "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n"),
    ],
    ids=["v1", "v2"],
)
def test_the_groups_own_kills_are_read(tmp_path: Path, files: Files, text: str) -> None:
    """Not how often it was at its limit."""
    group = Group(files=files, path=tmp_path)
    before = group.kills()
    (tmp_path / files.kills).write_text(text)

    assert before == 0
    assert group.kills() == 2


def test_an_old_kernel_keeps_no_peak(tmp_path: Path) -> None:
    """``memory.peak`` came with Linux 5.19."""
    assert Group(files=V2, path=tmp_path).peak_bytes() is None


def test_version_1_makes_a_group_inside_its_own(tmp_path: Path) -> None:
    """Any group may hold others there."""
    group, _ = cgroup.new_group(Group(files=V1, path=tmp_path), _kernel(V1))

    assert group.path.parent == tmp_path
    assert group.path.name.startswith(PREFIX)


def test_version_2_moves_its_own_processes_out_of_the_way(tmp_path: Path) -> None:
    """A group that delegates memory holds no processes itself."""
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    group, _ = cgroup.new_group(Group(files=V2, path=tmp_path), _kernel(V2))

    assert (tmp_path / HOME / "cgroup.procs").read_text() == str(os.getpid())
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    assert (group.path / V2.limit).exists()


def test_a_second_group_of_version_2_is_no_deeper(tmp_path: Path) -> None:
    """By then this process lies in the home that the first one made."""
    (tmp_path / HOME).mkdir()
    (tmp_path / "cgroup.subtree_control").write_text("memory")
    group, _ = cgroup.new_group(Group(files=V2, path=tmp_path / HOME), _kernel(V2))

    assert group.path.parent == tmp_path


def test_a_group_with_processes_of_others_is_left_alone(tmp_path: Path) -> None:
    """Only a delegated group is ours to rearrange."""
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n{os.getppid()}\n")

    with pytest.raises(PermissionError, match="processes of other programs"):
        cgroup.new_group(Group(files=V2, path=tmp_path), _kernel(V2))
    assert not (tmp_path / "cgroup.subtree_control").exists()


def test_a_mount_that_is_read_only_is_no_means(tmp_path: Path) -> None:
    """As in most containers."""

    def mkdir(path: Path) -> None:
        raise PermissionError(path)

    with pytest.raises(PermissionError):
        cgroup.new_group(Group(files=V1, path=tmp_path), mkdir)


def test_groups_of_dead_owners_are_swept_and_others_stay(tmp_path: Path) -> None:
    """An owner that died, however, holds no lock any more."""
    (tmp_path / f"{PREFIX}dead").mkdir()
    (tmp_path / HOME).mkdir()
    own = Group(files=V1, path=tmp_path)
    living, _ = cgroup.new_group(own, _kernel(V1))
    cgroup.sweep(own)

    assert set(tmp_path.iterdir()) == {living.path, tmp_path / HOME}


def test_a_group_that_is_swept_while_it_is_made_is_made_again(tmp_path: Path) -> None:
    """Between its making and its locking it looks like one of a dead owner."""
    made: list[Path] = []
    kernel = _kernel(V1)

    def mkdir(path: Path) -> None:
        made.append(path)
        if len(made) > 1:  # the first one is gone at once
            kernel(path)

    group, _ = cgroup.new_group(Group(files=V1, path=tmp_path), mkdir)

    assert group.path == made[1]


def test_a_removed_group_may_be_removed_again(tmp_path: Path) -> None:
    """Somebody else may have swept it."""
    group = Group(files=V1, path=tmp_path / "group")
    group.path.mkdir()
    group.remove()
    group.remove()

    assert not group.path.exists()
