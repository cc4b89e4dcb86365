"""The relay of the audit as a process: from its settings to the signal that ends it."""

from __future__ import annotations

import signal


def relay_audit(*, once: bool) -> None:
    """Send the audit to the hospital's audit repository.

    Parameters
    ----------
    once
        Whether to end when all has been sent, and not only when a signal asks for it.

    Raises
    ------
    SettingsError
        If no repository is set, or a certificate cannot be read.
    RelayError
        If, ``once``, the repository does not take it.
    """
    import structlog

    from nightread.terminal import remark
    from screening import logs
    from screening.auditing.relay import Relay
    from screening.auditing.syslog import Repository
    from screening.records.audit_relay import read_lag
    from screening.records.engine import Records
    from screening.settings_source import load_settings
    from screening.watching.port import watched

    settings = load_settings()
    logs.configure(settings)
    repository = Repository(settings)
    records = Records(settings.records_url)
    records.check_schema()
    relay = Relay(settings, records, repository)
    try:
        if once:
            sent = relay.send_all()
            with records.read() as session:
                left = read_lag(session).entries
            others = f"; {left} wait: another relay is at it" if left else ""
            remark(f"{sent} entries of the audit sent to {repository.name}{others}")
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.stop())
        checks = {"records": records.check_schema, "repository": relay.check}
        with watched(settings, settings.relay_watch_port, records, checks):
            log = structlog.get_logger(__name__)
            log.info("relay_ready", repository=repository.name)
            relay.run()
            log.info("relay_stopped")
    finally:
        relay.end()
        records.close()
