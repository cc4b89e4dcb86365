"""The desk as a process: from its settings to the signal that ends it."""

from __future__ import annotations

import signal
import sys

import uvicorn

from screening import logs
from screening.archive.free_space import LowDisk
from screening.archive.opening import open_archive
from screening.errors import SettingsError
from screening.records.engine import Records
from screening.records.users import has_users
from screening.settings import Settings
from screening.watching.port import watched
from screening.web_address import is_loopback
from worklist.app import make_app
from worklist.connection import Connection
from worklist.desk import Desk
from worklist.frames import Frames
from worklist.night_plan import NightPlan
from worklist.openid import SignInService


def run(settings: Settings, nights: NightPlan) -> None:
    """Serve the worklist until SIGTERM or SIGINT.

    Parameters
    ----------
    nights
        What should begin when.

    Raises
    ------
    SettingsError
        If it would be served beyond this machine and nobody has an account.
    NightreadError
        If the database or the archive cannot be had.
    """
    logs.configure(settings)
    records = Records(settings.records_url)
    records.check_schema()
    require_users(settings, records)
    frames = Frames(settings.read_seconds, int(settings.read_gigabytes * 1e9))
    frames.warm_up()
    service = SignInService(settings) if settings.openid_issuer else None
    archive = open_archive(settings)
    archive.require_there()
    low_disk = LowDisk(settings.archive_dir, settings.low_free_bytes)
    desk = Desk(
        settings, records, archive, frames, low_disk, sign_in_service=service, nights=nights
    )
    app = make_app(desk)
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        host=settings.worklist_host,
        port=settings.worklist_port,
        log_config=None,
        # Its lines would hold every address that somebody searched for.
        access_log=False,
        server_header=False,
        # Behind a proxy on this machine it names the visitor's address; else anybody could.
        proxy_headers=settings.worklist_behind_https,
        forwarded_allow_ips="127.0.0.1",
        timeout_graceful_shutdown=5,
    )
    # Uvicorn raises the signal that ended it once more: then we end, and clean up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        checks = {"records": records.check_schema}
        with watched(settings, settings.worklist_watch_port, records, checks):
            uvicorn.Server(config).run()
    finally:
        frames.close()
        records.close()


def require_users(settings: Settings, records: Records) -> None:
    """Refuse to serve patients to whoever reaches the port.

    Raises
    ------
    SettingsError
        If the address is not of loopback and nobody could sign in.
    """
    if is_loopback(settings.worklist_host):
        return
    with records.read() as session:
        if has_users(session, by_password=not settings.openid_issuer):
            return
    raise SettingsError(
        f"NIGHTREAD_WORKLIST_HOST is {settings.worklist_host}, beyond this machine, and nobody has "
        "an account: make one with nightread user add, or serve on 127.0.0.1"
    )
