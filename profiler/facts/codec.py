"""The one codec of all records: typed JSON both ways, which rejects what does not belong."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec.structs import replace

__all__ = ["replace"]

T = TypeVar("T")

# The largest integer that SQLite, pandas and JSON readers in other languages hold.
_INT64 = (1 << 63) - 1
Count = Annotated[int, msgspec.Meta(ge=0, le=_INT64)]
Bytes = Count
# Some 30,000 years: longer is no time that was measured.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
# Any other number: finite, and no larger than the largest count.
Number = Annotated[float, msgspec.Meta(ge=-float(1 << 63), le=float(1 << 63))]


# msgspec works out a type when it first meets it; in two threads at once that has crashed.
_first_use = threading.Lock()


class RecordError(ValueError):
    """The data is not a record of the expected type; the message names the field."""


class Record(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A frozen record. Unknown fields and wrong values are errors when it is decoded."""


_PLAIN = {int, float, str, bool, type(None)}


def encode(record: object) -> str:
    """Return a record as compact JSON; fields that have their default value are left out."""
    return msgspec.json.encode(record).decode()


def key(record: object) -> str:
    """Return a text that is equal for equal records, in whatever order their dicts are."""
    # All fields: whether a field is left out for its default depends on where its value came from.
    return msgspec.json.encode(to_json(record), order="deterministic").decode()


def decode(kind: type[T], text: str | bytes) -> T:
    """Return the record of type ``kind`` that ``encode`` gave.

    Raises:
        RecordError: for unknown fields, values of a wrong type or out of range, or no JSON.
    """
    try:
        decoded: T = _decoder(kind).decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise RecordError(_infinite(text) or str(error)) from None
    return decoded


def _infinite(text: str | bytes) -> str | None:
    """Return the first number of a document that is none, which JSON has no word for."""
    try:
        found = next(_numbers(json.loads(text), "$"), None)
    except (ValueError, RecursionError):
        return None
    return found and f"Expected a finite number - at `{found}`"


def _numbers(value: object, place: str) -> Iterator[str]:
    """Yield the place of each number that is infinite or none."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(item, f"{place}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return _known_decoder(kind)


@functools.cache
def _known_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    with _first_use:
        return msgspec.json.Decoder(kind)


def convert(kind: type[T], data: object) -> T:
    """Return the record of type ``kind`` out of dicts, lists and scalars.

    Raises:
        RecordError: as for ``decode``.
    """
    _decoder(kind)
    try:
        return msgspec.convert(data, kind)
    except msgspec.MsgspecError as error:
        raise RecordError(str(error)) from None


def to_json(value: Any, without: Collection[str] = ()) -> Any:  # noqa: PLR0911 (a line for each kind)
    """Return records, dataclasses and containers as plain dicts, lists and scalars, all fields.

    Args:
        value: what is converted.
        without: fields of the record that are left out.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list or kind is tuple:
        # Most lists hold numbers alone.
        is_plain = _PLAIN.issuperset(map(type, value))
        return list(value) if is_plain else [to_json(item) for item in value]
    if isinstance(value, msgspec.Struct):
        fields = [
            (name, getattr(value, name)) for name in kind.__struct_fields__ if name not in without
        ]
        return {name: one if type(one) in _PLAIN else to_json(one) for name, one in fields}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value
