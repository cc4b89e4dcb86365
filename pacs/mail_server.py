"""A server that takes our mail."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from email.message import EmailMessage

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pacs.host import Host
from screening.errors import DeliveryError
from screening.web_address import is_loopback

_TIMEOUT_SECONDS = 20.0


class MailServer(BaseModel):
    """Where mail goes out, and to whom.

    Attributes
    ----------
    host, port, starttls
        Of the server, and whether it is talked to over TLS: it must be, beyond this machine.
    user, password
        With which we sign in there; empty for not at all.
    sender, to
        Addresses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    starttls: bool = True
    user: str = ""
    password: str = Field(default="", repr=False)
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    to: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _over_tls(self) -> MailServer:
        if not self.starttls and not is_loopback(self.host):
            raise ValueError("starttls = false is enough on this machine alone")
        if any("@" not in each or any(c.isspace() for c in each) for each in self.to):
            raise ValueError("each of to must be an address, as anna@hospital.org")
        return self

    def send(self, message: EmailMessage) -> int:
        """Send a message from the sender to everybody, and return how many addresses it refused.

        Raises
        ------
        DeliveryError
            If the server takes it for nobody.
        """
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        try:
            return self._send(message)
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"the mail was not taken: {type(error).__name__}") from error

    def _send(self, message: EmailMessage) -> int:
        server = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_SECONDS)
        try:
            if self.starttls:
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            return len(server.send_message(message))
        finally:
            # Whatever it answers to QUIT: what it took it has taken.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
