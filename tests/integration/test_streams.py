"""Whatever a shell does to the streams and the environment, a command ends as documented."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_counts import IS_WHOLE, fault, none_lost

TOY = Path(__file__).parents[1] / "toy"
COMMAND = str(Path(sys.executable).with_name("stepwall"))
FAILED, BAD_INPUT, PIPE_BROKEN = 1, 2, 141
ENDS = {
    ("--help",): 0,
    ("wall", "--help"): 0,
    ("profile", "nothing", "--steps", "0"): BAD_INPUT,
    ("report", "--results", "nowhere"): BAD_INPUT,
}
# What the page of faults calls them.
CLOSED = "closed stdin, stdout and stderr, in any combination"
LEAVES = "a reader that leaves: `| head -1`, `| true`"
FULL = "`/dev/full` as stdout or stderr"
ENCODING = "an output encoding that cannot hold a character"
BARE = "no HOME, no TERM, no environment at all, COLUMNS of 0, 1 or far too many"
TMPDIR = "TMPDIR that is missing, no folder, or full"


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one line of a shell."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],  # noqa: S607
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


@pytest.mark.parametrize("arguments", ENDS, ids=" ".join)
def test_closed_streams_change_no_exit_code(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """In any combination; what is still open gets what belongs there."""
    for closed in itertools.product((False, True), repeat=3):
        redirections = [
            end for end, is_closed in zip(("<&-", ">&-", "2>&-"), closed, strict=True) if is_closed
        ]
        with fault(2, CLOSED):
            done = run(" ".join([COMMAND, *arguments, *redirections]), tmp_path)

            assert done.returncode == ENDS[arguments], redirections
            assert "Traceback" not in done.stderr
            assert "bug" not in done.stderr
            if not closed[2] and ENDS[arguments]:
                assert len(done.stderr.splitlines()) == 1
            none_lost(list(tmp_path.iterdir()))


@fault(2, LEAVES)
def test_a_reader_that_leaves_ends_it_silently(tmp_path: Path) -> None:
    """As the signal would; the pipe is closed before anything is written."""
    done = run(f"{COMMAND} --help | exec true", tmp_path)

    assert (done.returncode, done.stderr) == (PIPE_BROKEN, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@fault(2, FULL)
def test_a_full_output_is_one_line(tmp_path: Path) -> None:
    """Not Python's own, which comes at its end."""
    done = run(f"{COMMAND} wall --help > /dev/full", tmp_path)

    assert (done.returncode, done.stderr) == (FAILED, "stepwall: No space left on device\n")


@pytest.mark.parametrize("arguments", ["wall --help", "report --results nowhere", "report -x"])
@fault(2, FULL)
def test_two_full_outputs_are_no_signal(arguments: str, tmp_path: Path) -> None:
    """Nothing can be said of it; the code can."""
    done = run(f"{COMMAND} {arguments} > /dev/full 2>&1", tmp_path)

    assert (done.returncode, done.stderr) == (FAILED, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@fault(2, ENCODING)
def test_what_an_encoding_cannot_hold_is_replaced(encoding: str, tmp_path: Path) -> None:
    """On both outputs."""
    name = "nöthing-…-\N{SNOWMAN}"
    done = run(f"{COMMAND} report {name!r}", tmp_path, PYTHONIOENCODING=encoding)

    assert done.returncode == BAD_INPUT
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@dataclass(frozen=True, kw_only=True)
class Shell:
    """What a shell does to a command."""

    kind: str
    line: str = "{}"
    environment: dict[str, str] = field(default_factory=dict)
    codes: frozenset[int] = frozenset()

    def __str__(self) -> str:
        """Return it in short, for the names of tests."""
        return " ".join(
            [self.line.strip("{} "), *(f"{k}={v}" for k, v in self.environment.items())]
        )


ENDINGS = ["".join(pair) for pair in itertools.product(("", " <&-"), ("", " >&-"), ("", " 2>&-"))]
SHELLS = [
    *(Shell(kind=CLOSED, line="{}" + ending) for ending in ENDINGS[1:]),
    Shell(kind=LEAVES, line="{} | head -1", codes=frozenset({PIPE_BROKEN})),
    Shell(kind=LEAVES, line="{} | true", codes=frozenset({PIPE_BROKEN})),
    Shell(kind=LEAVES, line="{} 2>&1 | true", codes=frozenset({PIPE_BROKEN})),
    Shell(kind=FULL, line="{} > /dev/full", codes=frozenset({FAILED})),
    Shell(kind=FULL, line="{} 2> /dev/full", codes=frozenset({FAILED})),
    Shell(kind=FULL, line="{} > /dev/full 2>&1", codes=frozenset({FAILED})),
    *(
        Shell(kind=ENCODING, environment={"PYTHONIOENCODING": name})
        for name in ("ascii", "latin-1", "ascii:strict", "utf-16")
    ),
    Shell(
        kind=ENCODING, environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ),
    *(Shell(kind=BARE, environment={"COLUMNS": text}) for text in ("0", "1", "9" * 30, "x")),
    Shell(kind=BARE, line="unset HOME TERM; {}"),
    Shell(kind=BARE, environment={"HOME": "/nowhere", "TERM": "nothing"}),
    Shell(kind=BARE, environment={"HOME": "", "XDG_CACHE_HOME": "/dev/null", "TERM": ""}),
    Shell(
        kind=BARE,
        line="exec env -i PATH=$PATH PYTHONPATH=$PYTHONPATH TMPDIR=$TMPDIR {}",
    ),
    *(
        Shell(kind=TMPDIR, environment={"TMPDIR": place}, codes=frozenset({FAILED, BAD_INPUT}))
        for place in ("nowhere", "/dev/null", "mine.py", "full")
    ),
]
TOYS = {
    "profile": "toy_loop --steps 4,8",
    "wall": "toy_loop --limit 64KiB",
    "explain": "toy_loop --steps 8",
    "predict": "toy_loop --steps 512",
    "versus": "toy_unrolled toy_loop",
    "check": "budgets.toml",
    "compare": "first second",
    "pin": "first -f",
    "report": "first -f -o made",
    "plot": "growth first -f -o figure.pdf",
    "runs": "",
    "new": "fresh",
    "try": "mine.py",
}
# They start every framework that is installed.
DEAR = {"list": "", "doctor": ""}
COMMANDS = TOYS | (DEAR if IS_WHOLE else {})
# In the test run each of both comes about twice, on the page each shell with a third of them.
_APART = 3 if IS_WHOLE else len(COMMANDS)
PAIRS = [
    (shell, command)
    for at, shell in enumerate(SHELLS)
    for number, command in enumerate(COMMANDS)
    if number % _APART == at % _APART
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs of the toy, budgets and scenarios."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(TOY / "scenario_file.py", folder / "mine.py")
    (folder / "budgets.toml").write_text(
        'scenarios = "mine.py"\n[[budget]]\nscenario = "toy_loop"\nsteps = "4,8"\npeak = "1GiB"\n'
    )
    for name in ("first", "second"):
        line = f"{COMMAND} profile toy_loop --steps 4,8,16 --scenarios mine.py --name {name} -q"
        assert run(line, folder, PYTHONPATH=_path()).returncode == 0
    return folder


@pytest.fixture
def place(home: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a folder of its own of that kind, with a full disk in it."""
    here = tmp_path / "here"
    shutil.copytree(home, here, symlinks=True)
    (here / "temporary").mkdir()
    (here / "full").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(here / "full")]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if is_mounted:
        with pytest.raises(OSError, match="No space left"):
            (here / "full" / "filler").write_bytes(b"x" * (1 << 20))
    yield here
    if is_mounted:
        subprocess.run(["umount", "--lazy", str(here / "full")], check=True)  # noqa: S607


@pytest.fixture(scope="module")
def usual(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], int]:
    """Return how a command ends where nothing is done to it."""
    known: dict[str, int] = {}

    def usual(command: str) -> int:
        if command not in known:
            here = tmp_path_factory.mktemp("usual") / "here"
            shutil.copytree(home, here, symlinks=True)
            known[command] = run(_line(command), here, PYTHONPATH=_path()).returncode
        return known[command]

    return usual


def _path() -> str:
    return os.pathsep.join([str(TOY), *filter(None, [os.environ.get("PYTHONPATH")])])


def _line(command: str) -> str:
    source = "" if command == "try" else "--scenarios mine.py"
    return f"{COMMAND} {command} {COMMANDS[command]} {source}"


@pytest.mark.parametrize(("shell", "command"), PAIRS, ids=str)
def test_a_shell_may_do_what_it_likes(
    shell: Shell, command: str, place: Path, usual: Callable[[str], int]
) -> None:
    """The command ends as ever, or says in one line what it lacks; and leaves nothing."""
    expected = usual(command)
    own = {"PYTHONPATH": _path(), "TMPDIR": str(place / "temporary"), **shell.environment}
    if "TMPDIR" in shell.environment:
        own["TMPDIR"] = str(place / shell.environment["TMPDIR"])
    with fault(2, shell.kind):
        done = run(shell.line.format(_line(command)), place, **own)

        assert done.returncode in {expected} | shell.codes, done.stderr
        said = done.stderr.replace("\0", "")  # of UTF-16
        assert not any(word in said for word in ("Traceback", "Exception", "bug")), said
        if done.returncode == FAILED:
            assert done.stderr.count("stepwall: ") <= 1, done.stderr
        left = [*(place / "temporary").iterdir(), *(place / "full").glob("stepwall*")]
        none_lost([path for path in left if path.name.startswith("stepwall")])
        none_lost(list(Path("/dev").glob("stepwall*")))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("wall toy_broken --limit 1GiB --scenarios mine.py", "steps are too many for me"),
        ("profile toy_broken --steps 4,12 --scenarios mine.py", "12 steps are too many for me"),
        ("try mine.py", "16 steps are too many for me"),
    ],
)
@pytest.mark.parametrize("option", ["-q", "--json - > out.json"])
def test_a_failure_is_said_also_where_no_result_is(
    line: str, reason: str, option: str, place: Path
) -> None:
    """On stderr, which a script keeps."""
    done = run(f"{COMMAND} {line} {option}", place, PYTHONPATH=_path())

    assert (done.returncode, done.stdout) == (4, "")
    assert reason in done.stderr
