"""Equal runs compare as equal, however the machine was; a real change of one scenario is found."""

from __future__ import annotations

import numpy as np
import pytest

from profiler.analysis.significance import SIGNIFICANCE_LEVEL, Repeats, holm, verdicts

METRICS = ("build", "first", "step", "host")
SCENARIOS, LENGTHS, REPEATS = 12, 5, 3
COMPARISONS = 40


def values(seed: int, *, noise: float = 0.03) -> dict[str, np.ndarray]:
    """Return two equal runs, each value by run, length and repeat.

    Each run is faster or slower throughout, each scenario was disturbed for a while, and each
    repeat has noise of its own.
    """
    draw = np.random.default_rng(seed)
    found = {}
    for metric in METRICS:
        machine = draw.normal(0, 0.2, (2, 1, 1))
        for scenario in range(SCENARIOS):
            disturbed = draw.normal(0, noise / 2, (2, 1, 1))
            repeats = draw.normal(0, noise, (2, LENGTHS, REPEATS))
            size = 2.0 ** np.arange(LENGTHS)[None, :, None]
            found[f"{metric} {scenario}"] = size * np.exp(machine + disturbed + repeats)
    return found


def changed(found: dict[str, np.ndarray]) -> set[str]:
    """Return the keys of the series that changed."""
    told = verdicts(
        {
            key: Repeats(
                metric=key.split()[0],
                pairs=tuple((before.tolist(), after.tolist()) for before, after in zip(*two)),  # noqa: B905
            )
            for key, two in found.items()
        }
    )
    return {key for key, one in told.items() if one.reason is None}


def test_equal_runs_compare_as_equal() -> None:
    """In 95 % of whole comparisons: of 48 series, whatever the machine did."""
    false = [bool(changed(values(seed))) for seed in range(COMPARISONS)]

    assert sum(false) <= SIGNIFICANCE_LEVEL * COMPARISONS


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_scenario_that_is_a_fifth_slower_or_faster_is_found(factor: float) -> None:
    """In most comparisons, one of twelve over five lengths and three repeats; and it alone."""
    found = []
    for seed in range(20):
        two = values(seed)
        two["step 3"][1] *= factor
        found.append(changed(two))

    assert sum("step 3" in one for one in found) >= 15
    assert sum(bool(one - {"step 3"}) for one in found) <= 2


def test_holm_is_kinder_to_the_rest_once_the_first_is_out() -> None:
    """0.03 would not be significant among three, but is it among the last one."""
    assert holm({"a": 0.001, "b": 0.02, "c": 0.03}) == {"a", "b", "c"}
    assert holm({"a": 0.02, "b": 0.02, "c": 0.03}) == set()
    assert holm({}) == set()


def _one(*pairs: tuple[list[float], list[float]], metric: str = "step") -> Repeats:
    return Repeats(metric=metric, pairs=pairs)


def test_repeats_can_be_no_surer_than_the_ways_to_deal_them() -> None:
    """Three and three over two lengths: 20 ways each, both directions."""
    far = _one(([1, 2, 3], [100, 101, 102]), ([1, 2, 3], [100, 101, 102]))

    assert far.surest == 2 / 20**2
    assert far.chance(0.0) >= far.surest


def test_what_moves_all_is_the_drift() -> None:
    """Twice as much everywhere, of every metric by itself."""
    told = verdicts({str(n): _one(([1.0 + n], [2.0 + 2 * n])) for n in range(4)})

    assert {round(one.drift or 0, 9) for one in told.values()} == {1.0}
    assert all(one.reason for one in told.values())


def test_without_others_or_a_ratio_nothing_is_told() -> None:
    """Each with its reason."""
    alone = verdicts({"a": _one(([1.0], [9.0]))})["a"]
    zero = verdicts({"a": _one(([0.0], [9.0]))})["a"]

    assert (alone.drift, alone.beyond) == (None, None)
    assert "3 or more scenarios" in (alone.reason or "")
    assert zero.reason == "0 has no ratio"


def test_others_that_did_not_move_at_all_leave_no_noise() -> None:
    """Then what moved changed, if its repeats show it."""
    same = _one(([5.0] * 5, [5.0] * 5))
    told = verdicts({"a": same, "b": same, "c": same, "d": _one(([5.0] * 5, [6.0] * 5))})

    assert told["d"].reason is None
    assert told["d"].beyond == pytest.approx(0.2)
    assert told["a"].reason is not None
