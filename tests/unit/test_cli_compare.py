"""``compare`` and ``pin`` on stored samples: which run is meant, what is said, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import report_samples as samples

from profiler.cli import main
from profiler.facts import Measurement
from profiler.store.runs import Store

STEPS = (8, 16, 32)
OVER_BUDGET = 3
Said = tuple[int, list[str], list[str]]
Stepwall = Callable[..., Said]


def store(name: str, measurements: Sequence[Measurement]) -> None:
    """Store a run in the current folder's results."""
    with Store(Path("results"), create=True) as opened:
        run = opened.start_run(name, "stepwall profile", samples.ENVIRONMENT)
        for measurement in measurements:
            opened.add_measurement(run, measurement)
        opened.finish_run(run)


def series(kib: float = 96) -> list[Measurement]:
    """Return a scenario that holds so many KiB per step."""
    return [samples.measured(steps=n, kib_per_step=kib) for n in STEPS]


@pytest.fixture
def stepwall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Stepwall:
    """Return the command line in a folder with a run, and a later one that holds a half more."""
    monkeypatch.chdir(tmp_path)
    store("less", series(96))
    store("more", series(144))

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out.splitlines(), printed.err.splitlines()

    return run


class TestCompare:
    """Two runs, and what of them is too much."""

    @pytest.mark.parametrize(
        ("rules", "code"),
        [((), 0), (("backprop:51%",), 0), (("backprop:49%",), OVER_BUDGET), (("all:9%",), 3)],
    )
    def test_more_than_a_rule_allows_is_exit_code_3(
        self, stepwall: Stepwall, rules: tuple[str, ...], code: int
    ) -> None:
        """A half more, whatever is shown; without a rule nothing fails."""
        options = [part for rule in rules for part in ("--fail", rule)]

        assert stepwall("compare", "less", "more", *options)[0] == code
        assert stepwall("compare", "less", "more", *options, "-q")[0] == code
        assert stepwall("compare", "more", "less", *options)[0] == 0

    def test_the_table_is_followed_by_its_legend_and_what_to_do_next(
        self, stepwall: Stepwall
    ) -> None:
        """Nothing of it goes to stderr."""
        _, out, err = stepwall("compare", "less", "more")

        assert any("backprop memory per step" in line and "+50.0 %" in line for line in out)
        assert out[0] == "less → more: 3 worse, 4 unclear, 2 equal"
        assert any(line.startswith("marks: + worse") for line in out)
        assert out[-1].startswith("next: stepwall")
        assert err == []

    def test_a_breach_is_a_line_on_stderr_and_in_the_document(self, stepwall: Stepwall) -> None:
        """Stdout is JSON and nothing else."""
        _, out, err = stepwall("compare", "less", "more", "--fail", "slope:5%", "--json", "-")
        document = json.loads("\n".join(out))

        assert document["schema"] == 1
        assert [f"stepwall: {line}" for line in document["broken"]] == err
        values = "96.0 KiB before, 144.0 KiB now, at 32 steps, by its law; 5 % allowed"
        assert err == [f"stepwall: static_rnn: backprop memory per step +50.0 % ({values})"]

    def test_a_point_that_fails_now_breaks_any_rule(self, stepwall: Stepwall) -> None:
        """Also one that is about other numbers."""
        points = series()
        store("broken", [*points[:-1], samples.failed(points[-1])])
        code, _, err = stepwall("compare", "less", "broken", "--fail", "nodes:100%")

        assert code == OVER_BUDGET
        assert err[0].startswith("stepwall: static_rnn at 32 steps fails now (oom_device")

    def test_markdown_is_all_that_is_printed(self, stepwall: Stepwall) -> None:
        """To be appended to a summary."""
        _, out, _ = stepwall("compare", "less", "more", "--markdown")

        assert out[0] == "**less → more**: 3 worse, 4 unclear, 2 equal"
        assert "next" not in "".join(out)

    def test_a_bad_rule_is_refused_before_anything_is_read(self, stepwall: Stepwall) -> None:
        """Neither run is there."""
        said = stepwall("compare", "nobody", "none.json", "--fail", "peak")

        assert said == (2, [], ["stepwall: --fail 'peak': write METRIC:N%, such as peak:5%"])

    @pytest.mark.parametrize(
        ("name", "message"),
        [("moore", "did you mean 'more'"), ("none.json", "No such file"), ("a/b", "No such file")],
    )
    def test_a_run_that_is_not_there_is_one_line(
        self, stepwall: Stepwall, name: str, message: str
    ) -> None:
        """A stored one, or a file, as its name looks."""
        code, out, err = stepwall("compare", "less", name)

        assert (code, out, len(err)) == (2, [], 1)
        assert message in err[0]

    def test_nothing_in_common_is_refused(self, stepwall: Stepwall) -> None:
        """Other steps are other points."""
        store("other", [samples.measured(steps=9)])
        code, _, err = stepwall("compare", "less", "other")

        assert code == 2
        assert "no point in common" in err[0]


class TestWhichRun:
    """A name, an id, the newest, or a file."""

    def _names(self, stepwall: Stepwall, before: str, after: str) -> tuple[str, str]:
        _, out, err = stepwall("compare", before, after, "--json", "-")
        assert err == []
        document = json.loads("\n".join(out))
        return document["before"], document["after"]

    def test_latest_is_the_newest(self, stepwall: Stepwall) -> None:
        """On either side."""
        assert self._names(stepwall, "less", "latest") == ("less", "more")
        assert self._names(stepwall, "latest", "less") == ("more", "less")

    def test_a_name_means_a_stored_run_before_a_file(
        self, stepwall: Stepwall, tmp_path: Path
    ) -> None:
        """A file that happens to be called so is in no one's way; as a path it is meant."""
        stepwall("pin", "more", "-o", "less")

        assert (tmp_path / "less").is_file()
        assert self._names(stepwall, "less", "more") == ("less", "more")
        assert self._names(stepwall, "./less", "more") == ("more", "more")

    def test_two_files_need_no_results(self, stepwall: Stepwall) -> None:
        """As where only baselines were checked out."""
        for name in ("less", "more"):
            stepwall("pin", name)
        files = [f"{name}.baseline.json" for name in ("less", "more")]

        assert stepwall("compare", *files, "--results", "nowhere")[0] == 0


class TestPin:
    """One file, and no other lost."""

    def test_the_file_is_named_after_the_run(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """The newest unless another is meant."""
        newest, named = stepwall("pin"), stepwall("pin", "less")

        assert newest[1][0] == "Wrote more.baseline.json"
        assert named[1][0] == "Wrote less.baseline.json"
        assert json.loads((tmp_path / "less.baseline.json").read_text())["name"] == "less"

    def test_a_file_is_overwritten_by_force_alone(self, stepwall: Stepwall, tmp_path: Path) -> None:
        """It may be the only copy of another run."""
        stepwall("pin", "less", "-o", "base.json")
        code, out, err = stepwall("pin", "more", "-o", "base.json")
        kept = json.loads((tmp_path / "base.json").read_text())["name"]
        forced = stepwall("pin", "more", "-o", "base.json", "-f")

        assert (code, out, kept) == (2, [], "less")
        assert "--force" in err[0]
        assert forced[0] == 0
        assert json.loads((tmp_path / "base.json").read_text())["name"] == "more"

    def test_a_folder_that_is_not_there_is_one_line(self, stepwall: Stepwall) -> None:
        """With the path."""
        code, _, err = stepwall("pin", "less", "-o", "none/base.json")

        assert code == 2
        assert err == ["stepwall: --output 'none/base.json': No such file or directory"]


def test_a_page_lays_both_runs_over_each_other(stepwall: Stepwall) -> None:
    """One file, whose title names both; what is printed stays as it is."""
    code, printed, _ = stepwall("compare", "less", "more", "--html", "both.html")
    html = Path("both.html").read_text()

    assert code == 0
    assert "Wrote both.html" in printed
    assert "<h1>What changed from less to more</h1>" in html


def test_a_page_that_cannot_be_written_is_an_error(stepwall: Stepwall) -> None:
    """In one line that names the file."""
    code, _, said = stepwall("compare", "less", "more", "--html", "none/both.html")

    assert code == 2
    assert said == ["stepwall: --html 'none/both.html': No such file or directory"]
