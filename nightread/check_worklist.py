"""The doctor looks at the worklist's port, and at who may sign in."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from dicom_listener.address import require_free
from nightread.finding import Finding, fail, ok, warn
from nightread.own_address import own_address
from screening.errors import DependencyError, RecordsError
from screening.records.engine import Records
from screening.records.users import has_users
from screening.settings import Settings

_SETTINGS = "NIGHTREAD_WORKLIST_PORT"
_SECONDS = 5


def check_worklist(settings: Settings) -> Iterator[Finding]:
    """Look whether the worklist is served on its port, or could be."""
    if not settings.worklist_port:
        return
    where = f"{settings.worklist_host} port {settings.worklist_port}"
    try:
        require_free(settings.worklist_host, settings.worklist_port, _SETTINGS)
    except DependencyError as error:
        yield _look_at(settings, where, str(error))
    else:
        yield ok("worklist port", f"{where} is free: nightread up serves there")
    yield _check_users(settings)
    if settings.openid_issuer:
        yield _check_service(settings)


def _check_service(settings: Settings) -> Finding:
    from worklist.openid import SignInService

    try:
        SignInService(settings).look()
    except DependencyError as error:
        return fail("sign-in service", f"{settings.openid_issuer}: {error}")
    return ok("sign-in service", f"{settings.openid_issuer} answers")


def _look_at(settings: Settings, where: str, taken: str) -> Finding:
    """Ask whoever has the port for the page on which one signs in."""
    host = own_address(settings.worklist_host)
    connection = http.client.HTTPConnection(host, settings.worklist_port, timeout=_SECONDS)
    try:
        connection.request("GET", "/sign-in")
        page = connection.getresponse().read(20_000)
    except (OSError, http.client.HTTPException):
        return fail("worklist port", taken)
    finally:
        connection.close()
    if b"Nightread" not in page:
        return fail("worklist port", taken)
    return ok("worklist port", f"the worklist answers on {where}")


def _check_users(settings: Settings) -> Finding:
    file = settings.data_dir / "nightread.sqlite"
    if not settings.database_url and not file.is_file():
        return ok("accounts", "none yet: nightread user add, once there are records")
    records = Records(settings.records_url)
    try:
        records.check_schema()
        with records.read() as session:
            able = has_users(session)
            known = has_users(session, by_password=False)
    except RecordsError:
        return warn("accounts", "cannot be looked up: see the database above")
    finally:
        records.close()
    if able:
        return ok("accounts", "somebody can sign in")
    if known:
        return ok(
            "accounts", "somebody can sign in, by a link or elsewhere; nobody with a password"
        )
    return ok("accounts", "there is none yet: nightread user add")
