"""A hospital's audit repository that a test owns: rsyslog, with syslog over TLS."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from certificates import Certificate
from conftest import free_port, require, wait_until

_CONFIGURATION = """
global(
  workDirectory="{folder}"
  maxMessageSize="64k"
  DefaultNetstreamDriverCAFile="{authority}"
  DefaultNetstreamDriverCertFile="{certificate}"
  DefaultNetstreamDriverKeyFile="{key}"
)
module(
  load="imtcp"
  StreamDriver.Name="ossl"
  StreamDriver.Mode="1"
  StreamDriver.AuthMode="{asks}"
)
template(name="whole" type="string" string="%rawmsg%\\n")
input(type="imtcp" port="{port}" address="127.0.0.1")
action(type="omfile" file="{came}" template="whole")
"""


@dataclass
class AuditRepository:
    """A syslog server over TLS on loopback, which can go away and come back."""

    folder: Path
    authority: Certificate
    certificate: Certificate
    asks: bool = False
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def start(self) -> None:
        program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
        require(program, "no rsyslog: install Debian's rsyslog")
        driver = list(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"))
        require(driver, "rsyslog without TLS: install Debian's rsyslog-openssl")
        assert program is not None
        self.folder.mkdir(exist_ok=True)
        chosen = self.folder / "rsyslog.conf"
        chosen.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                authority=self.authority.path,
                certificate=self.certificate.path,
                key=self.certificate.key,
                asks="x509/certvalid" if self.asks else "anon",
                port=self.port,
                came=self.folder / "came",
            )
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-n", "-f", chosen, "-i", self.folder / "pid"], stdout=log, stderr=log
            )
        wait_until(self._answers, 20, "rsyslog answers", (self.folder / "log").read_text)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    def messages(self) -> list[str]:
        came = self.folder / "came"
        return came.read_text().splitlines() if came.exists() else []

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def audit_repository(
    folder: Path, authority: Certificate, certificate: Certificate, *, asks: bool = False
) -> Iterator[AuditRepository]:
    """Run a repository; ``asks`` for a certificate of whoever sends."""
    made = AuditRepository(folder, authority, certificate, asks)
    made.start()
    try:
        yield made
    finally:
        made.stop()
