"""A path is used, or refused in one line with the reason; pipes and devices are no traps."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import pytest

from profiler.errors import StepwallError, UsageError
from profiler.paths import check_folder, check_new_file, read_text, scenario_source, usable, write


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return a named pipe that nobody uses yet."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """As UTF-8, whatever the locale is."""
    write("--output", tmp_path / "file", "Zoë\n")

    assert (tmp_path / "file").read_bytes() == b"Zo\xc3\xab\n"
    assert read_text("file", tmp_path / "file", most_mib=1) == "Zoë\n"


def test_a_pipe_that_is_written_is_read_to_its_end() -> None:
    """As a shell gives one, for ``<(command)``: what comes later is waited for."""
    reader, writer = os.pipe()
    os.write(writer, b"some ")

    def write_on() -> None:
        os.write(writer, b"text")
        os.close(writer)

    later = threading.Timer(0.05, write_on)
    later.start()

    assert read_text("file", Path(f"/dev/fd/{reader}"), most_mib=1) == "some text"
    later.join()
    os.close(reader)


def test_a_pipe_that_is_read_is_written(pipe: Path) -> None:
    """Its reader does not see the check as its end."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    held = check_new_file("--output", pipe)
    assert held is not None
    write("--output", pipe, "some text")

    assert os.read(reader, 100) == b"some text"
    os.close(held)
    os.close(reader)


def test_a_pipe_that_nobody_uses_is_refused(pipe: Path) -> None:
    """It would be waited for without end."""
    with pytest.raises(UsageError, match="pipe': nothing comes out of this pipe"):
        read_text("file", pipe, most_mib=1)
    with pytest.raises(UsageError, match="pipe': nobody reads from this pipe"):
        check_new_file("--output", pipe)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/zero", "larger than 1 MiB, so it is not such a file"),
        ("/proc/self/mem", "Input/output error"),
        ("/", "Is a directory"),
        ("\0", "embedded null byte"),
        ("/nowhere/x", "No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_refused(path: str, reason: str) -> None:
    """A device that never ends, too."""
    with pytest.raises(UsageError) as caught:
        read_text("budgets", Path(path), most_mib=1)

    assert str(caught.value) == f"budgets {path!r}: {reason}"


def test_a_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    """Its first bad byte is named."""
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    with pytest.raises(UsageError, match=r"not UTF-8 text \(unexpected end of data at byte 3\)"):
        read_text("budgets", tmp_path / "latin", most_mib=1)


def test_a_check_leaves_all_as_it_is(tmp_path: Path) -> None:
    """No file, no folder, no new content."""
    (tmp_path / "old").write_text("kept")
    for name in ("new", "old"):
        assert check_new_file("--output", tmp_path / name) is None
    check_folder("--output", tmp_path / "some" / "folder")

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("old", "kept")]


def test_a_full_disk_is_no_fault_of_the_path() -> None:
    """Bad input is another exit code."""
    with pytest.raises(StepwallError) as caught:
        write("--output", Path("/dev/full"), "text")

    assert str(caught.value) == "--output '/dev/full': No space left on device"
    assert caught.value.exit_code == StepwallError.exit_code
    with pytest.raises(UsageError, match="No space left"):  # a device that is always full
        check_new_file("--output", Path("/dev/full"))


@pytest.mark.parametrize("name", ["old", "link"])
def test_what_was_there_is_kept_where_there_is_no_room(tmp_path: Path, name: str) -> None:
    """And nothing else is left; a link still leads to it."""
    (tmp_path / "old").write_text("a baseline")
    (tmp_path / "old").chmod(0o640)
    (tmp_path / "link").symlink_to("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(StepwallError, match="File too large"):
            write("--output", tmp_path / name, "x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    kept = (tmp_path / "old").read_text()
    write("--output", tmp_path / name, "another")

    assert kept == "a baseline"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "old"]
    assert (tmp_path / "link").readlink() == Path("old")
    assert (tmp_path / "old").read_text() == "another"
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o640


def test_a_file_of_several_names_stays_one(tmp_path: Path) -> None:
    """Each of them leads to what is written."""
    (tmp_path / "one").write_text("old")
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    write("--output", tmp_path / "one", "new")

    assert (tmp_path / "other").read_text() == "new"


def test_a_pipe_of_a_shell_is_written() -> None:
    """As it gives one, for ``>(command)``."""
    reader, writer = os.pipe()
    write("--output", Path(f"/dev/fd/{writer}"), "some text")

    assert os.read(reader, 100) == b"some text"
    os.close(reader)
    os.close(writer)


def test_a_source_is_told_to_children_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file or a folder."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("")

    assert scenario_source("--scenarios", Path("mine.py")) == str(tmp_path / "mine.py")
    assert scenario_source("--scenarios", Path()) == str(tmp_path)


def test_an_error_of_ours_is_passed_on() -> None:
    """It says all itself."""
    with pytest.raises(StepwallError, match=r"^said$"), usable("--output", "x"):
        raise StepwallError("said")
