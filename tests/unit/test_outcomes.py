"""Every way a child can end has one outcome."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from profiler.errors import error_text
from profiler.facts import Outcome, Shortage, Status, out_of_device_memory, replace
from profiler.measure.outcomes import (
    ProcessEnd,
    from_exception,
    from_exit,
    of_host,
)

CORE_DUMPED = 0x80
MIB = 1 << 20


def _killed(number: int) -> int:
    """Return the wait status of a process that a signal ended."""
    return number


def _exited(code: int) -> int:
    """Return the wait status of a process that exited."""
    return code << 8


def test_the_devices_word_on_memory_comes_first() -> None:
    """What the allocator says it lacked is the reason, whatever the exception is called."""
    shortage = Shortage(requested_bytes=9, lines=["asked for 9 bytes", "more"])
    end = from_exception(RuntimeError("noise"), "first_step", shortage=shortage)

    assert end == Outcome(
        status=Status.OOM_DEVICE,
        phase="first_step",
        reason="asked for 9 bytes",
        shortage=shortage,
    )


def test_the_reason_names_the_node_once() -> None:
    """It is added where the framework's first line does not hold it."""
    said = Shortage(op="a/b", lines=["a/b asked for memory"])
    unsaid = Shortage(op="a/b", lines=["out of room"])

    assert out_of_device_memory(said, "steady").reason == "a/b asked for memory"
    assert out_of_device_memory(unsaid, "steady").reason == "out of room in a/b"


def test_a_shortage_without_words_still_has_a_reason() -> None:
    """A reader never finds an empty one."""
    assert out_of_device_memory(Shortage(), "steady").reason == "out of memory"


def test_a_memory_error_is_the_hosts() -> None:
    """Python itself could not allocate."""
    end = from_exception(MemoryError(), "build", shortage=None)

    assert end == Outcome(status=Status.OOM_HOST, phase="build", reason="MemoryError")


def test_any_other_exception_is_an_error() -> None:
    """Type and first line are the reason."""
    end = from_exception(ValueError("bad shape\nand more"), "build", shortage=None)

    assert end == Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape")


def test_a_sentence_ends_with_the_line_of_the_users_file() -> None:
    """The folder is left out."""
    end = Outcome(status=Status.ERROR, phase="build", reason="ValueError", where="/me/mine.py:7")

    assert end.sentence == "error in build: ValueError (mine.py:7)"
    assert replace(end, where=None).sentence == "error in build: ValueError"


def test_a_child_that_was_killed_for_its_time_timed_out() -> None:
    """The signal that ended it was ours, and is not the news."""
    end = from_exit(ProcessEnd(wait_status=_killed(signal.SIGTERM), timed_out_s=1.5), "steady")

    assert end == Outcome(status=Status.TIMEOUT, phase="steady", reason="still running after 1.5 s")


def test_a_child_that_went_down_with_its_server_crashed() -> None:
    """Nobody waited for it, so there is neither code nor signal."""
    end = from_exit(ProcessEnd(wait_status=None), "build")

    assert end.status is Status.CRASHED
    assert end.reason == "the fork server died and took the point with it"
    assert (end.signal, end.exit_code) == (None, None)


@pytest.mark.parametrize("code", [0, 1, 70, 255])
def test_a_child_that_exits_without_a_word_crashed(code: int) -> None:
    """Even with code 0: it owed a result."""
    end = from_exit(ProcessEnd(wait_status=_exited(code)), None)

    assert end == Outcome(
        status=Status.CRASHED,
        reason=f"exited with code {code} before it reported a result",
        exit_code=code,
    )


@pytest.mark.parametrize("dumped", [0, CORE_DUMPED])
def test_a_segfault_is_a_crash_with_its_signal(dumped: int) -> None:
    """Whether a core was dumped does not matter."""
    end = from_exit(ProcessEnd(wait_status=_killed(signal.SIGSEGV) | dumped), "gradients")

    assert end == Outcome(
        status=Status.CRASHED, phase="gradients", reason="died of SIGSEGV", signal="SIGSEGV"
    )


def test_a_bare_kill_is_never_taken_for_memory() -> None:
    """SIGKILL alone says nothing of who sent it."""
    end = from_exit(ProcessEnd(wait_status=_killed(signal.SIGKILL)), "build")

    assert end.status is Status.CRASHED
    assert end.signal == "SIGKILL"


def test_a_kill_with_the_kernels_word_is_the_hosts_memory() -> None:
    """With evidence it is no crash."""
    end = from_exit(ProcessEnd(wait_status=_killed(signal.SIGKILL), kernel_oom_kill=True), "build")

    assert end == Outcome(
        status=Status.OOM_HOST,
        phase="build",
        reason="the kernel killed it because memory ran out",
        signal="SIGKILL",
    )


def test_the_kernels_word_explains_no_other_signal() -> None:
    """A segfault stays one, even when the kernel killed something at the time."""
    end = from_exit(ProcessEnd(wait_status=_killed(signal.SIGSEGV), kernel_oom_kill=True), "build")

    assert end.status is Status.CRASHED


@pytest.mark.parametrize("by", ["cgroup v1", "cgroup v2"])
def test_a_kill_in_a_childs_own_group_names_its_limit(by: str) -> None:
    """It was the child's own memory that ran out, not the machine's."""
    ended = ProcessEnd(
        wait_status=_killed(signal.SIGKILL),
        kernel_oom_kill=True,
        host_limit_bytes=512 * MIB,
        host_limit_by=by,
    )
    end = from_exit(ended, "first_step")

    assert end.status is Status.OOM_HOST
    assert end.reason == f"the kernel killed it at the host limit of 512 MiB ({by})"


def test_a_child_that_stepwall_stopped_says_so() -> None:
    """What the machine had left is no wall of the child's own."""
    ended = ProcessEnd(wait_status=_killed(signal.SIGKILL), machine_left_bytes=310 * MIB)
    end = from_exit(ended, "build")

    assert end == Outcome(
        status=Status.OOM_HOST,
        phase="build",
        reason="stepwall stopped it: the machine had only 310 MiB left",
        signal="SIGKILL",
    )
    assert end.was_stopped


@pytest.mark.parametrize("status", [Status.OOM_HOST, Status.CRASHED, Status.OK])
def test_nothing_else_counts_as_stopped(status: Status) -> None:
    """The kernel's kill does not, nor does an end without a reason."""
    assert not Outcome(status=status, reason="the kernel killed it").was_stopped
    assert not Outcome(status=status).was_stopped


def test_a_child_that_died_first_was_not_stopped() -> None:
    """The guard came too late: the segfault is the outcome."""
    end = from_exit(
        ProcessEnd(wait_status=_killed(signal.SIGSEGV), machine_left_bytes=MIB), "build"
    )

    assert end.status is Status.CRASHED


BAD_ALLOC = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  nothing"
THREAD = "Check failed: ret == 0 (11 vs. 0) Thread tf_Compute creation via pthread_create() failed."
THREAD += "\n    @     0x7fffe98fdf8e  TFE_NewContext" * 30
BY_RLIMIT: dict[str, Any] = {"host_limit_bytes": 300 * MIB, "host_limit_by": "RLIMIT_DATA"}


def test_an_abort_for_bad_alloc_is_the_hosts_memory() -> None:
    """The C++ runtime's last words are the evidence."""
    ended = ProcessEnd(wait_status=_killed(signal.SIGABRT) | CORE_DUMPED)
    end = from_exit(ended, "first_step", log_tail=f"noise\n{BAD_ALLOC}")

    assert end == Outcome(
        status=Status.OOM_HOST,
        phase="first_step",
        reason="std::bad_alloc: the C++ runtime found no memory and aborted",
        signal="SIGABRT",
    )


@pytest.mark.parametrize(
    ("number", "log_tail"),
    [
        (signal.SIGABRT, ""),
        (signal.SIGABRT, "Check failed: 1 == 2"),
        (signal.SIGABRT, BAD_ALLOC + "\nand went on" * 20),
        (signal.SIGABRT, THREAD),
        (signal.SIGSEGV, BAD_ALLOC),
        (signal.SIGKILL, BAD_ALLOC),
    ],
)
def test_other_deaths_and_other_words_stay_crashes(number: int, log_tail: str) -> None:
    """Only an abort, and only with such words at the end."""
    end = from_exit(ProcessEnd(wait_status=_killed(number)), "build", log_tail=log_tail)

    assert end.status is Status.CRASHED


def test_a_thread_that_was_refused_its_stack_is_the_limit() -> None:
    """RLIMIT_DATA counts stacks; the framework aborts, and prints a trace after its words."""
    ended = ProcessEnd(wait_status=_killed(signal.SIGABRT), **BY_RLIMIT)
    end = from_exit(ended, "runtime", log_tail=THREAD)

    assert end.status is Status.OOM_HOST
    assert end.reason == "a refused mapping aborted it at the host limit of 300 MiB (RLIMIT_DATA)"


SHORT = Outcome(status=Status.OOM_DEVICE, phase="steady", reason="OOM", shortage=Shortage())


@pytest.mark.parametrize(
    ("device", "on_gpu", "status"),
    [
        (None, False, Status.OOM_HOST),
        ("CPU:0", False, Status.OOM_HOST),
        ("CPU:0", True, Status.OOM_HOST),
        ("GPU:0", True, Status.OOM_DEVICE),
        (None, True, Status.OOM_DEVICE),
    ],
)
def test_under_a_host_limit_the_cpus_memory_is_the_hosts(
    device: str | None, *, on_gpu: bool, status: Status
) -> None:
    """A GPU has memory of its own; the shortage is kept."""
    end = replace(SHORT, shortage=Shortage(device=device))

    assert of_host(end, ProcessEnd(wait_status=0), on_gpu=on_gpu) == replace(end, status=status)


@pytest.mark.parametrize(
    ("limit", "status"), [(BY_RLIMIT, Status.OOM_HOST), ({}, Status.ERROR)], ids=["limit", "none"]
)
@pytest.mark.parametrize(
    "reason",
    ["RuntimeError: can't start new thread", "OSError: [Errno 12] Cannot allocate memory"],
)
def test_an_error_that_memory_was_refused_counts_under_a_limit_that_refuses(
    limit: dict[str, Any], status: Status, reason: str
) -> None:
    """Without one it may have other causes."""
    error = Outcome(status=Status.ERROR, phase="build", reason=reason)

    assert of_host(error, ProcessEnd(wait_status=0, **limit), on_gpu=False).status is status


def test_other_errors_stay_errors_under_a_limit() -> None:
    """A scenario's own fault is no wall."""
    error = Outcome(status=Status.ERROR, phase="build", reason="ValueError: 3")

    assert of_host(error, ProcessEnd(wait_status=0, **BY_RLIMIT), on_gpu=False) == error


def test_a_signal_without_a_name_has_its_number() -> None:
    """The real-time signals between the first and the last have no names."""
    number = signal.SIGRTMIN + 1
    end = from_exit(ProcessEnd(wait_status=_killed(number)), None)

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
    assert error_text(ValueError(message)) == line


class _MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even a message")


def test_an_exception_that_cannot_be_printed_still_has_a_reason() -> None:
    """A scenario's own exception may be broken too."""
    assert error_text(_MuteError()).startswith("_MuteError")
