"""Signing in at a hospital's sign-in service: at a real provider, and with forged tokens."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from conftest import free_port, wait_until
from desk import TestDesk
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from pydantic import SecretStr

from screening.domain.account import Role
from screening.errors import DependencyError, SettingsError, SignInError
from screening.records import audit, users
from screening.settings import Settings
from worklist.openid import Attempt, SignInService
from worklist.serve import require_users

HERE = "http://127.0.0.1:8080"
ATTEMPT = Attempt("state", "nonce", "verifier" * 6)
OPENID = {"worklist_url": HERE, "openid_client_secret": SecretStr("a secret")}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Run a provider of OpenID Connect that knows anna and bert."""
    port = free_port()
    known = [
        {
            "sub": "1",
            "preferred_username": "anna",
            "email": "anna@hospital",
            "email_verified": True,
        },
        {"sub": "2", "preferred_username": "bert", "email": "bert@hospital"},
        {"sub": "3", "preferred_username": "no\0body"},
        {"sub": "4", "preferred_username": "anna\u00a0"},
    ]
    claims = [part for each in known for part in ("--user-claims", json.dumps(each))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port), *claims]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        address = f"http://localhost:{port}"
        wait_until(lambda: _answers(address), 30, "the provider answers")
        yield address
        process.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.HTTPError:
        return False


def desk_at(settings: Settings, issuer: str, **changes: object) -> TestDesk:
    chosen = settings.model_copy(update={**OPENID, "openid_issuer": issuer, **changes})
    return TestDesk(chosen, sign_in_service=SignInService(chosen))


@pytest.fixture
def desk(settings: Settings, issuer: str) -> Iterator[TestDesk]:
    made = desk_at(settings, issuer)
    yield made
    made.close()


def through_the_service(client: TestClient, subject: str, **form: str) -> str:
    """Go to the service, sign in there, and return where it sends the browser back to."""
    there = client.get("/sign-in/openid")
    assert there.status_code == 303, there.text
    answer = httpx.post(there.headers["location"], data={"sub": subject, **form})
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}" == HERE
    return f"{back.path}?{back.query}"


def test_somebody_with_an_account_is_let_in(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        users.add_user(session, "anna", Role.RADIOLOGIST, None, desk.now)
    client = desk.client()
    assert "hospital account" in client.get("/sign-in").text
    back = through_the_service(client, "1")
    answer = client.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Sign out anna" in client.get("/").text
    with desk.records.read() as session:
        (first, *_) = reversed(audit.read_audit(session))
    assert (first.actor, first.event, first.detail) == ("anna", "signed_in", "with OpenID Connect")
    assert "nightread_openid" not in client.cookies
    # The way back works once: the browser has forgotten how it began.
    assert client.get(back).status_code == 403


@pytest.mark.parametrize("subject", ["2", "3", "4", "unknown"])
def test_somebody_without_an_account_is_not(desk: TestDesk, subject: str) -> None:
    with desk.records.begin() as session:
        users.add_user(session, "anna", Role.VIEWER, None, desk.now)
    client = desk.client()
    answer = client.get(through_the_service(client, subject))
    assert answer.status_code == 403
    assert client.get("/").status_code == 303
    assert "nightread_session" not in client.cookies


def test_an_account_that_is_disabled_is_none(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        users.add_user(session, "anna", Role.VIEWER, None, desk.now)
        users.change_user(session, "anna", desk.now, disabled=True)
    client = desk.client()
    assert client.get(through_the_service(client, "1")).status_code == 403
    with desk.records.read() as session:
        (entry,) = audit.read_audit(session)
    assert (entry.actor, entry.event) == ("anna", "sign_in_failed")


def test_what_did_not_begin_in_this_browser_ends_nowhere(desk: TestDesk) -> None:
    with desk.records.begin() as session:
        users.add_user(session, "anna", Role.VIEWER, None, desk.now)
    theirs = through_the_service(desk.client(), "1")
    other = desk.client()
    assert other.get(theirs).status_code == 403, "no sign-in was begun"
    other.get("/sign-in/openid")
    assert other.get(theirs).status_code == 403, "another one was begun"
    for path in ("", "?state=x&code=y", "?error=access_denied", "?code=" + "x" * 5000):
        assert other.get(f"/sign-in/openid/back{path}").status_code in (403, 422), path
    denied = desk.client()
    assert denied.get(through_the_service(denied, "1", action="deny")).status_code == 403
    with desk.records.read() as session:
        assert audit.read_audit(session) == [], "who has no account cannot fill the audit"


@pytest.mark.parametrize(("subject", "status"), [("1", 303), ("2", 403)])
def test_an_address_must_be_verified(
    settings: Settings, issuer: str, subject: str, status: int
) -> None:
    desk = desk_at(settings, issuer, openid_claim="email")
    with desk.records.begin() as session:
        users.add_user(session, "anna@hospital", Role.VIEWER, None, desk.now)
        users.add_user(session, "bert@hospital", Role.VIEWER, None, desk.now)
    client = desk.client()
    assert client.get(through_the_service(client, subject)).status_code == status
    desk.close()


def test_a_service_that_is_away_is_said_and_passwords_go_on(settings: Settings) -> None:
    desk = desk_at(settings, f"http://localhost:{free_port()}")
    client = desk.client()
    answer = client.get("/sign-in/openid")
    assert answer.status_code == 503
    assert "with a password" in answer.text
    assert desk.signed_in("anna").get("/").status_code == 200
    desk.close()


def test_a_service_whose_tokens_are_not_to_be_had_is_said(
    service: SignInService, forger: Forger
) -> None:
    service.begin(ATTEMPT)
    forger.broken = True
    try:
        with pytest.raises(DependencyError, match="does not answer"):
            service.finish(ATTEMPT, "state", "code")
    finally:
        forger.broken = False


def test_a_key_of_a_new_kind_does_not_hide_the_others(
    service: SignInService, forger: Forger
) -> None:
    forger.beside = [{"kty": "NEW"}, {"kty": "EC", "crv": "P-999", "x": "", "y": ""}, None]
    forger.token = forger.sign(forger.claims())
    try:
        assert service.finish(ATTEMPT, "state", "code") == "anna"
    finally:
        forger.beside = []


def test_a_service_that_is_away_is_asked_once_by_all(service: SignInService) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    away = SignInService(
        service._settings.model_copy(
            update={"openid_issuer": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        )
    )

    def ask(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(DependencyError):
            away.begin(ATTEMPT)
        return time.monotonic() - began

    with ThreadPoolExecutor(8) as threads:
        assert max(threads.map(ask, range(8))) < 9, "one after the other it would be 40 seconds"
    silent.close()


def test_without_a_service_there_is_no_way_to_it(settings: Settings) -> None:
    desk = TestDesk(settings)
    assert desk.client().get("/sign-in/openid").status_code == 404
    assert "hospital account" not in desk.client().get("/sign-in").text
    desk.close()


def coded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Forger:
    """A service whose tokens are as a test wants them."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig"})
        self.shown = self.key
        self.token = ""
        self.beside: list[Any] = []
        self.broken = False
        forger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("configuration"):
                    return self.answer(forger.metadata)
                shown = KeySet([forger.shown]).as_dict(private=False)["keys"]
                return self.answer({"keys": [*forger.beside, *shown]})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                if forger.broken:
                    return self.connection.close()
                return self.answer(
                    {"access_token": "a", "token_type": "Bearer", "id_token": forger.token}
                )

            def answer(self, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.metadata: Any = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            **{f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token")},
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def claims(self, **changes: object) -> dict[str, Any]:
        good = {
            "iss": self.issuer,
            "aud": "nightread",
            "sub": "1",
            "nonce": ATTEMPT.nonce,
            "exp": int(time.time()) + 300,
            "iat": int(time.time()),
            "preferred_username": "anna",
        }
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def sign(self, claims: dict[str, Any], key: RSAKey | None = None) -> str:
        return jwt.encode({"alg": "RS256", "kid": "ours"}, claims, key or self.key)


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    made = Forger()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def service(settings: Settings, forger: Forger) -> SignInService:
    forger.shown = forger.key
    return SignInService(settings.model_copy(update={**OPENID, "openid_issuer": forger.issuer}))


def test_a_token_that_holds_names_its_owner(service: SignInService, forger: Forger) -> None:
    forger.token = forger.sign(forger.claims())
    assert service.finish(ATTEMPT, "state", "code") == "anna"
    address = urlsplit(service.begin(ATTEMPT))
    asked = parse_qs(address.query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{HERE}/sign-in/openid/back"]
    assert ATTEMPT.verifier not in address.query


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://elsewhere"},
        {"aud": "another"},
        {"aud": ["nightread", "another"], "azp": "another"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": ""},
        {"preferred_username": ["anna"]},
        {"aud": ["nightread", "another"]},
        {"nonce": [ATTEMPT.nonce]},
        {"exp": "soon"},
    ],
)
def test_a_token_for_somebody_or_something_else_is_refused(
    service: SignInService, forger: Forger, change: dict[str, object]
) -> None:
    forger.token = forger.sign(forger.claims(**change))
    with pytest.raises(SignInError):
        service.finish(ATTEMPT, "state", "code")


def test_a_token_that_the_service_did_not_sign_is_refused(
    service: SignInService, forger: Forger
) -> None:
    claims = forger.claims()
    head, body, _ = forger.sign(claims).split(".")
    # Signed with the service's public key as if that were a secret of both (RFC 8725, 2.1).
    by_secret = coded(b'{"alg":"HS256","kid":"ours"}') + f".{body}"
    public = forger.key.as_pem(private=False)
    signed = coded(hmac.digest(public, by_secret.encode(), "sha256"))
    for token in (
        forger.sign(claims, RSAKey.generate_key(2048, {"kid": "ours"})),
        coded(b'{"alg":"none"}') + f".{body}.",
        f"{head}.{body}.",
        f"{by_secret}.{signed}",
        "",
        "no token",
    ):
        forger.token = token
        with pytest.raises(SignInError):
            service.finish(ATTEMPT, "state", "code")


def test_a_new_key_of_the_service_is_found(service: SignInService, forger: Forger) -> None:
    forger.token = forger.sign(forger.claims())
    assert service.finish(ATTEMPT, "state", "code") == "anna"
    forger.shown = RSAKey.generate_key(2048, {"kid": "new"})
    forger.token = jwt.encode({"alg": "RS256", "kid": "new"}, forger.claims(), forger.shown)
    assert service.finish(ATTEMPT, "state", "code") == "anna"


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://elsewhere"},
        {"jwks_uri": None},
        {"token_endpoint": None},
        {"authorization_endpoint": "http://["},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_service_that_describes_another_is_refused(
    service: SignInService,
    forger: Forger,
    change: dict[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worklist.openid._FAILED_SECONDS", 0)
    good = dict(forger.metadata)
    forger.metadata = {k: v for k, v in {**good, **change}.items() if v is not None}
    try:
        with pytest.raises(DependencyError):
            service.begin(ATTEMPT)
    finally:
        forger.metadata = good
    assert service.begin(ATTEMPT).startswith(forger.issuer), "asked again once it is mended"


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"openid_issuer": "https://hospital"}, "NIGHTREAD_WORKLIST_URL"),
        ({"openid_issuer": "http://hospital", "worklist_url": HERE}, "https://"),
        ({"openid_issuer": "https://hospital", "worklist_url": "http://nightread"}, "https://"),
        ({"worklist_url": f"{HERE}/desk"}, "no path"),
        ({"worklist_url": "https://a@b"}, "no user"),
        ({"openid_issuer": "https://hospital", "worklist_url": HERE, "openid_claim": "a b"}, "A-Z"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(
    tmp_path: Path, chosen: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Settings(data_dir=tmp_path, **chosen)


def test_the_secret_is_not_in_what_settings_show(tmp_path: Path) -> None:
    assert "hush" not in repr(Settings(data_dir=tmp_path, openid_client_secret=SecretStr("hush")))


def test_beyond_loopback_an_account_without_a_password_is_enough(
    desk: TestDesk, settings: Settings
) -> None:
    beyond = desk.settings.model_copy(update={"worklist_host": "0.0.0.0"})
    with pytest.raises(SettingsError):
        require_users(beyond, desk.records)
    with desk.records.begin() as session:
        users.add_user(session, "anna", Role.VIEWER, None, desk.now)
    require_users(beyond, desk.records)
    with pytest.raises(SettingsError):
        require_users(beyond.model_copy(update={"openid_issuer": ""}), desk.records)
