"""A request that is refused: a status code and a sentence that says what to do."""

from __future__ import annotations

from screening.domain.retention import Removal
from screening.errors import NightreadError


class RefusalError(NightreadError):
    """A request is refused.

    Parameters
    ----------
    status
        Of HTTP.
    message
        For whoever asked; no patient data.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def removed(removal: Removal) -> RefusalError:
    """Return the refusal of pixels that a rule removed."""
    return RefusalError(410, f"{removal}; the PACS may send them again")
