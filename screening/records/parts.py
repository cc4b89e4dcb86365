"""Many values of one query, a part at a time: a database takes only so many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

_AT_ONCE = 500

_Value = TypeVar("_Value")


def in_parts(values: Collection[_Value]) -> Iterator[Sequence[_Value]]:
    """Yield the values in parts that a query can hold."""
    rest = iter(values)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
