"""The doctor looks at Redis, and at the workers behind it."""

from __future__ import annotations

from collections.abc import Iterator

from nightread.finding import Finding, fail, ok, warn
from screening.errors import DependencyError
from screening.settings import Settings


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Look whether Redis answers or could be started, and whether workers listen to it."""
    problem = _ping(settings)
    if problem is None:
        where = "the one in NIGHTREAD_REDIS_URL" if settings.redis_url else "the private one"
        yield ok("Redis", f"{where} answers")
        yield _check_workers(settings)
    elif settings.redis_url:
        yield fail("Redis", f"{problem}: start it, or correct NIGHTREAD_REDIS_URL")
    else:
        yield _find_private_redis()


def _find_private_redis() -> Finding:
    from screening.queue.embedded import find_server

    try:
        return ok("Redis", f"nightread up will start {find_server()}")
    except DependencyError as error:
        return fail("Redis", str(error))


def _ping(settings: Settings) -> str | None:
    """Return why Redis does not answer, or ``None`` if it does."""
    import redis

    # What Celery calls redis+socket is unix to the Redis client.
    url = settings.broker_url.replace("redis+socket://", "unix://", 1)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.exceptions.RedisError, ValueError) as error:
        return f"Redis does not answer ({type(error).__name__})"
    return None


def _check_workers(settings: Settings) -> Finding:
    from kombu.exceptions import OperationalError

    from screening.queue.app import make_app

    app = make_app(settings.broker_url, lease_seconds=settings.lease_seconds)
    try:
        found = len(app.control.ping(timeout=2))
    except OperationalError:
        found = 0
    finally:
        app.close()
    if not found:
        return warn("worker", "none answers: nightread up or nightread work starts one")
    return ok("worker", f"{found} answering")
