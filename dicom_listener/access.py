"""Who may come in, and in plain words why somebody may not."""

from __future__ import annotations

from screening.settings import Settings

# A-ASSOCIATE-RJ, PS3.8 Table 9-21: (result, source, reason).
_CALLED_UNKNOWN = (1, 1, 7)
_CALLING_UNKNOWN = (1, 1, 3)
_LIMIT_EXCEEDED = (2, 3, 2)


def explain_rejection(
    rejection: tuple[int | None, int | None, int | None],
    *,
    calling: str,
    called: str,
    settings: Settings,
) -> str:
    """Return why an association was rejected and the setting that would admit it.

    Parameters
    ----------
    rejection
        Result, source and reason of the A-ASSOCIATE-RJ that was sent, PS3.8 9.3.4.
    calling, called
        The AE titles of the request.
    settings
        Under which it was rejected.
    """
    if rejection == _CALLED_UNKNOWN:
        return (
            f"it called {called!r} and this is {settings.ae_title!r}: change the sender's entry "
            f"for us, or set NIGHTREAD_AE_TITLE={called}"
        )
    if rejection == _CALLING_UNKNOWN:
        admitted = ",".join((*settings.calling_ae_titles, calling))
        return (
            f"{calling!r} is not among NIGHTREAD_CALLING_AE_TITLES: to admit it, set "
            f"NIGHTREAD_CALLING_AE_TITLES={admitted}"
        )
    if rejection == _LIMIT_EXCEEDED:
        return (
            f"{settings.maximum_associations} associations were open already: the sender may try "
            "again, or raise NIGHTREAD_MAXIMUM_ASSOCIATIONS"
        )
    return f"rejected with result, source and reason {rejection} of PS3.8 Table 9-21"
