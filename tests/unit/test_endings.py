"""Each signal that ends the command is one KeyboardInterrupt, and the first one tells the code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The numbers that come at once, in a process that reports what came of them.
CAUGHT = """
import os, signal, sys, time
from profiler import endings

endings.listen()
{before}
try:
    {raising}
    time.sleep(60)
except KeyboardInterrupt:
    {closing}
    endings.ignore()
    for number in {numbers}:
        os.kill(os.getpid(), number)
    print(endings.text(), endings.exit_code(), endings.came())
"""
ENDS = {
    signal.SIGINT: "interrupted 130 True",
    signal.SIGTERM: "ended by SIGTERM 143 True",
    signal.SIGHUP: "ended by SIGHUP 129 True",
    signal.SIGQUIT: "ended by SIGQUIT 131 True",
}
SEND = "os.kill(os.getpid(), {})"


def run(code: str, *prefix: str) -> subprocess.CompletedProcess[str]:
    """Run the code, with signals as a shell at a terminal leaves them."""
    return subprocess.run(
        [*prefix, sys.executable, "-c", code],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in ENDS],
    )


def caught(number: int, *, before: str = "", raising: str | None = None) -> str:
    """Return what a process says that got the signal, twice more while it closes."""
    again = SEND.format(int(number))
    code = CAUGHT.format(
        before=before,
        raising=again if raising is None else raising,
        closing=f"{again}; {again}",
        numbers=[int(each) for each in ENDS],
    )
    done = run(code)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_is_one_interrupt_however_often(number: int) -> None:
    """Nothing cuts the closing short, and after it nothing is raised."""
    assert caught(number) == ENDS[signal.Signals(number)]


@pytest.mark.parametrize("number", ENDS)
def test_the_first_signal_tells_the_code(number: int) -> None:
    """The others come while the command closes."""
    others = "; ".join(SEND.format(int(each)) for each in ENDS if each != number)
    first = SEND.format(int(number))
    code = CAUGHT.format(before="", raising=first, closing=others, numbers=[])
    done = run(code)

    assert (done.stdout.strip(), done.stderr) == (ENDS[signal.Signals(number)], "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finalizer_is_not_lost(number: int) -> None:
    """Python raises nothing from there; the signal is sent again."""
    before = f"""
class Final:
    def __del__(self):
        {SEND.format(int(number))}
        time.sleep(0)
"""
    assert caught(number, before=before, raising="Final()") == ENDS[signal.Signals(number)]


def test_a_signal_while_that_is_arranged_is_not_lost_either() -> None:
    """As of somebody who presses the keys again and again."""
    storm = f"""
import threading
def storm():
    while not endings.came():
        pass
    for _ in range(2000):
        {SEND.format(int(signal.SIGINT))}
class Final:
    def __del__(self):
        {SEND.format(int(signal.SIGINT))}
        time.sleep(0)
threading.Thread(target=storm).start()
"""
    raising = "[Final() for _ in range(50)]"

    assert caught(signal.SIGINT, before=storm, raising=raising) == ENDS[signal.SIGINT]


def test_what_else_a_finalizer_raises_is_shown_as_ever() -> None:
    """By Python itself."""
    done = run("""
from profiler import endings
endings.listen()
class Final:
    def __del__(self):
        raise ValueError("in vain")
Final()
""")

    assert "in vain" in done.stderr


def test_a_hang_up_that_is_ignored_from_the_start_stays_so() -> None:
    """As ``nohup`` leaves it."""
    done = run(
        f"""
import os, signal
from profiler import endings
endings.listen()
{SEND.format(int(signal.SIGHUP))}
print(endings.came())
""",
        "nohup",
    )

    assert done.stdout.strip() == "False"


def test_one_that_comes_while_the_modules_are_imported_shows_no_traceback(tmp_path: Path) -> None:
    """It ends the command as it ends any program: here the first of our modules is not through."""
    package = tmp_path / "profiler"
    package.mkdir()
    (package / "__init__.py").write_text(f"import os; {SEND.format(int(signal.SIGINT))}")
    start = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]"
    done = run(f"{start}; import stepwall; stepwall.main(); print('it went on')")

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
