"""What a retrieval of one series may bring: a PACS that does not end fills no disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from screening.errors import RetrieveError

_BYTES = 200_000_000
"""Of an image: twice the largest radiograph that is seen, uncompressed."""

_MORE = 10
"""Images may have come to a series since it was asked about."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one series.

    Attributes
    ----------
    images
        That the PACS says it has.
    require_space
        Raises an error where the disk is short of space.
    """

    images: int
    require_space: Callable[[], None]

    @property
    def most_bytes(self) -> int:
        """Of all of them together."""
        return (self.images + _MORE) * _BYTES

    def require(self, count: int) -> None:
        """Refuse a further image where so many have come.

        Raises
        ------
        RetrieveError
            If it is more than the PACS says it has.
        OutOfSpaceError
            If there is no room.
        """
        if count >= self.images + _MORE:
            raise RetrieveError("the PACS sends more images than it says it has")
        self.require_space()
