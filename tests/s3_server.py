"""A store that speaks S3, on loopback: moto, behind what S3 checks and moto does not.

As a program it serves at a port. S3 refuses a body that is cut short (IncompleteBody) or is not the
one of its Content-MD5 (BadDigest), and a key that it does not know (InvalidAccessKeyId); moto takes
all of them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

KEY, SECRET = "nightread-test", "throw-away"


class S3Server:
    """The store as a process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(port)], stderr=subprocess.DEVNULL
        )

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - the library has no type for it
        """A client that shares nothing with ours, for looking into the store."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def write_credentials(path: Path, key: str = KEY) -> Path:
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n")
    return path


class Checked:
    """WSGI: refuses what S3 refuses, and hands the rest on."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        refused = _refused(environ, body, length)
        if refused:
            status, code = refused
            start_response(status, [("Content-Type", "application/xml")])
            if environ["REQUEST_METHOD"] == "HEAD":
                return []
            return [b"<Error><Code>%s</Code><Message>as S3</Message></Error>" % code.encode()]
        environ["wsgi.input"] = io.BytesIO(body)
        return self._application(environ, start_response)


def _refused(environ: dict[str, Any], body: bytes, length: int) -> tuple[str, str] | None:
    if f"Credential={KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
        return "403 Forbidden", "InvalidAccessKeyId"
    if len(body) != length:
        return "400 Bad Request", "IncompleteBody"
    claimed = environ.get("HTTP_CONTENT_MD5")
    if claimed and claimed != base64.b64encode(hashlib.md5(body).digest()).decode():
        return "400 Bad Request", "BadDigest"
    return None


def _serve(port: int) -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = Checked(DomainDispatcherApplication(create_backend_app))
    make_server("127.0.0.1", port, application, threaded=True).serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
