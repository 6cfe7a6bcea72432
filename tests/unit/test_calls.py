"""Growth per call is told where every part of the calls brings some of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from profiler.frameworks.calls import Reading, grown

CALLS = (5, 14, 23, 32, 41, 50)


def readings(
    device: tuple[int | None, ...] = (0,) * 6,
    host: tuple[int | None, ...] = (0,) * 6,
    nodes: tuple[int, ...] = (9,) * 6,
) -> list[Reading]:
    """Return what is held after 5 to 50 calls."""
    return [Reading(*one) for one in zip(CALLS, device, host, nodes, strict=True)]


@given(st.integers(1, 1 << 20), st.integers(0, 1 << 30))
def test_what_every_call_adds_is_told(each: int, before: int) -> None:
    """Of nodes, from one on."""
    nodes = tuple(before + each * calls for calls in CALLS)
    (text,) = grown(readings(nodes=nodes))

    assert text == (
        f"each call adds {each:,} nodes to the graph: {nodes[0]:,} after 5 calls, "
        f"{nodes[-1]:,} after 50"
    )


def test_memory_of_both_kinds() -> None:
    """A chunk of 256 bytes on the device, an array of 64 KiB on the host."""
    device = tuple(1000 + 256 * calls for calls in CALLS)
    host = tuple(65536 * calls for calls in CALLS)
    texts = grown(readings(device=device, host=host))

    assert [text.partition(":")[0] for text in texts] == [
        "each call adds 256 bytes of device memory",
        "each call adds 65,536 bytes of host memory",
    ]


def test_what_ends_or_is_not_known_is_not_told() -> None:
    """A start of the runtime, a jump, a few pages, what goes up and down, and no reading."""
    assert not grown(readings(host=(0, *[1 << 24] * 5)))
    assert not grown(readings(device=(*[0] * 5, 1 << 20)))
    assert not grown(readings(host=tuple(4096 * n for n in range(6))))
    assert not grown(readings(device=(372480, 373248, 372736, 374528, 374016, 375296)))
    assert not grown(readings(device=(None,) * 6, host=(0, None, *[1 << 30] * 4)))
