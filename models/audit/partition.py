"""Things that belong together because a chain of pairs connects them."""

from __future__ import annotations

from collections.abc import Iterable


class Partition:
    """Numbers 0 to ``count - 1`` in groups that only ever grow together (union-find).

    Parameters
    ----------
    count
        Of the numbers; each begins as a group of its own.
    """

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def join(self, first: int, second: int) -> None:
        """Make one group of the groups of two numbers."""
        a, b = self.group(first), self.group(second)
        self._above[max(a, b)] = min(a, b)

    def join_all(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Join pair after pair."""
        for first, second in pairs:
            self.join(first, second)

    def join_equal(self, keys: Iterable[tuple[int, str]]) -> None:
        """Join the numbers that have the same key; an empty key joins nothing."""
        seen: dict[str, int] = {}
        for number, key in keys:
            if key:
                self.join(number, seen.setdefault(key, number))

    def group(self, number: int) -> int:
        """Return the smallest number of the group."""
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number
