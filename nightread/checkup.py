"""Everything that the processes need, checked one thing after the other."""

from __future__ import annotations

from collections.abc import Iterator

from nightread.check_archive import check_archive
from nightread.check_audit import check_audit
from nightread.check_destinations import check_destinations
from nightread.check_door import check_door
from nightread.check_feed import check_feed
from nightread.check_folder import check_folder
from nightread.check_libraries import check_libraries, check_platform, check_strangers
from nightread.check_model import (
    appointed_here,
    check_decoders,
    check_model,
    check_shadow,
)
from nightread.check_packages import check_packages
from nightread.check_records import check_records
from nightread.check_retention import check_retention
from nightread.check_secrets import check_secrets
from nightread.check_services import check_redis
from nightread.check_sources import check_sources
from nightread.check_worklist import check_worklist
from nightread.finding import Finding
from screening.settings import Settings


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield what each check finds, as it finds it."""
    yield check_platform()
    yield from check_libraries(settings)
    yield from check_strangers()
    yield from check_packages()
    yield from check_secrets()
    yield check_folder(settings)
    yield from check_archive(settings)
    yield from check_records(settings)
    yield from check_redis(settings)
    yield from check_door(settings)
    yield from check_worklist(settings)
    yield from check_feed(settings)
    yield from check_destinations(settings)
    yield from check_sources(settings)
    yield from check_audit(settings)
    yield from check_retention(settings)
    appointed = appointed_here(settings)
    yield check_model(settings, appointed)
    yield from check_shadow(settings, appointed)
    yield check_decoders()
