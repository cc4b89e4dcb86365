"""PostgreSQL, opened so that neither end waits for long for one that is gone."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

# A host that loses its power or its network says no good-bye. Without these PostgreSQL would hold
# the locks of its transaction for two hours, as kernels wait by default (tcp(7)), and its clients
# would wait for a server that is gone for as long. In seconds; the last in milliseconds.
_SILENCE = {"idle": 15, "interval": 5, "count": 3}
_UNANSWERED_MILLISECONDS = 30_000
_LONGEST_WAIT_MILLISECONDS = 20_000


def open_postgresql(url: str) -> Engine:
    """Return the engine of a database on a server; nothing is connected yet."""
    return create_engine(
        url,
        # A connection that a restarted server dropped is noticed before it is used.
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=30,
        hide_parameters=True,
        connect_args=_connect_arguments(url),
    )


def _connect_arguments(url: str) -> dict[str, str | int]:
    """Return how a connection to PostgreSQL notices that its other end is gone, on both ends.

    What the URL says itself stands: as ``options``, which a pooler before the server may refuse.
    """
    ours: dict[str, str | int] = {
        "connect_timeout": 5,
        **{f"keepalives_{name}": value for name, value in _SILENCE.items()},
        "tcp_user_timeout": _UNANSWERED_MILLISECONDS,
        "options": " ".join(
            [
                *(f"-c tcp_keepalives_{name}={value}" for name, value in _SILENCE.items()),
                f"-c tcp_user_timeout={_UNANSWERED_MILLISECONDS}",
                # One transaction that somebody leaves open must not hold up the door for ever.
                f"-c lock_timeout={_LONGEST_WAIT_MILLISECONDS}",
            ]
        ),
    }
    said = make_url(url).query
    return {name: value for name, value in ours.items() if name not in said}
