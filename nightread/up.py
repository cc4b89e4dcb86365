"""``nightread up``: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.settings import Settings

_POLL_SECONDS = 0.2


def up() -> None:
    """Run everything on this machine until Ctrl-C."""
    from nightread.data_folder import held
    from nightread.shutdown import on_signals
    from nightread.supervisor import Supervisor
    from nightread.terminal import remark
    from nightread.worklist_address import worklist_address
    from screening.settings_source import load_settings

    settings = load_settings()
    with held(settings.data_dir), on_signals() as shutdown:
        supervisor = Supervisor(settings, remark)
        remark(f"starting, with the data in {settings.data_dir}")
        supervisor.start(wanted=lambda: not shutdown.requested)
        try:
            if not shutdown.requested:
                remark(
                    f"ready: {settings.ae_title} listens on {settings.dicom_host} "
                    f"{_ports(settings)}; nightread cases lists what is flagged; Ctrl-C stops"
                )
                if settings.worklist_port:
                    remark(
                        f"the worklist is at {worklist_address(settings)}; nightread user add "
                        "makes an account for it"
                    )
            while not shutdown.requested:
                supervisor.watch()
                time.sleep(_POLL_SECONDS)
            remark("stopping: images at hand are finished, the others wait for the next start")
        finally:
            supervisor.stop()
        remark("stopped")


def _ports(settings: Settings) -> str:
    plain = f"port {settings.dicom_port}" if settings.dicom_port else ""
    secure = f"port {settings.tls_port} for TLS" if settings.tls_port else ""
    return " and ".join(filter(None, (plain, secure)))
