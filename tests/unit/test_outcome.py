"""Every way a child can end has one outcome."""

from __future__ import annotations

import signal

import pytest

from profiler.outcome import Exit, first_line, from_exception, from_exit
from profiler.results import Outcome, Status

CORE_DUMPED = 0x80


def _killed(number: int) -> int:
    """Return the wait status of a process that a signal ended."""
    return number


def _exited(code: int) -> int:
    """Return the wait status of a process that exited."""
    return code << 8


def test_the_devices_word_on_memory_comes_first() -> None:
    """What the allocator says it lacked is the reason, whatever the exception is called."""
    end = from_exception(RuntimeError("noise"), "first_step", device_oom="asked for 9 bytes")

    assert end == Outcome(status=Status.OOM_DEVICE, phase="first_step", reason="asked for 9 bytes")


def test_a_memory_error_is_the_hosts() -> None:
    """Python itself could not allocate."""
    end = from_exception(MemoryError(), "build", device_oom=None)

    assert end == Outcome(status=Status.OOM_HOST, phase="build", reason="MemoryError")


def test_any_other_exception_is_an_error() -> None:
    """Type and first line are the reason."""
    end = from_exception(ValueError("bad shape\nand more"), "build", device_oom=None)

    assert end == Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape")


def test_a_child_that_was_killed_for_its_time_timed_out() -> None:
    """The signal that ended it was ours, and is not the news."""
    end = from_exit(Exit(wait_status=_killed(signal.SIGTERM), timed_out_s=1.5), "steady")

    assert end == Outcome(status=Status.TIMEOUT, phase="steady", reason="still running after 1.5 s")


def test_a_child_that_went_down_with_its_server_crashed() -> None:
    """Nobody waited for it, so there is neither code nor signal."""
    end = from_exit(Exit(wait_status=None), "build")

    assert end.status is Status.CRASHED
    assert end.reason == "the fork server died and took the point with it"
    assert (end.signal, end.exit_code) == (None, None)


@pytest.mark.parametrize("code", [0, 1, 70, 255])
def test_a_child_that_exits_without_a_word_crashed(code: int) -> None:
    """Even with code 0: it owed a result."""
    end = from_exit(Exit(wait_status=_exited(code)), None)

    assert end == Outcome(
        status=Status.CRASHED,
        reason=f"exited with code {code} before it reported a result",
        exit_code=code,
    )


@pytest.mark.parametrize("dumped", [0, CORE_DUMPED])
def test_a_segfault_is_a_crash_with_its_signal(dumped: int) -> None:
    """Whether a core was dumped does not matter."""
    end = from_exit(Exit(wait_status=_killed(signal.SIGSEGV) | dumped), "gradients")

    assert end == Outcome(
        status=Status.CRASHED, phase="gradients", reason="died of SIGSEGV", signal="SIGSEGV"
    )


def test_a_bare_kill_is_never_taken_for_memory() -> None:
    """SIGKILL alone says nothing of who sent it."""
    end = from_exit(Exit(wait_status=_killed(signal.SIGKILL)), "build")

    assert end.status is Status.CRASHED
    assert end.signal == "SIGKILL"


def test_a_kill_with_the_kernels_word_is_the_hosts_memory() -> None:
    """With evidence it is no crash."""
    end = from_exit(Exit(wait_status=_killed(signal.SIGKILL), kernel_oom_kill=True), "build")

    assert end == Outcome(
        status=Status.OOM_HOST,
        phase="build",
        reason="the kernel killed it because memory ran out",
        signal="SIGKILL",
    )


def test_the_kernels_word_explains_no_other_signal() -> None:
    """A segfault stays one, even when the kernel killed something at the time."""
    end = from_exit(Exit(wait_status=_killed(signal.SIGSEGV), kernel_oom_kill=True), "build")

    assert end.status is Status.CRASHED


def test_a_signal_without_a_name_has_its_number() -> None:
    """The real-time signals between the first and the last have no names."""
    number = signal.SIGRTMIN + 1
    end = from_exit(Exit(wait_status=_killed(number)), None)

    assert end.signal == f"signal {number}"
    assert end.reason == f"died of signal {number}"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("", "ValueError"),
        ("  \n ", "ValueError"),
        ("one", "ValueError: one"),
        ("\n\n  one  \ntwo", "ValueError: one"),
        ("x" * 600, "ValueError: " + "x" * (500 - len("ValueError: "))),
    ],
)
def test_a_reason_is_one_line_of_bounded_length(message: str, line: str) -> None:
    """Frameworks write pages; the first line says what it was."""
    assert first_line(ValueError(message)) == line


class _MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even a message")


def test_an_exception_that_cannot_be_printed_still_has_a_reason() -> None:
    """A scenario's own exception may be broken too."""
    assert first_line(_MuteError()).startswith("_MuteError")
