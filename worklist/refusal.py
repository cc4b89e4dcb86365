"""A request that is refused: a status code and a sentence that says what to do."""

from __future__ import annotations

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
