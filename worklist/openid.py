"""Signing in at a hospital's own sign-in service, by OpenID Connect.

The authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636). The service says who
somebody is; what they may do says the account of that name here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from screening.errors import DependencyError, SignInError
from screening.settings import Settings

CALLBACK = "/sign-in/openid/back"
"""Where the service sends people back to, under the worklist's address."""

# Signatures by a key of the service's own: never none, never a secret that both know.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_LEEWAY_SECONDS = 60
_TIMEOUT_SECONDS = 5.0
_LONGEST_SECONDS = 8.0
_MOST_BYTES = 1_000_000
_KEPT_SECONDS = 3600.0
# A service that is away is not asked by everybody: each of them holds a thread of the desk.
_FAILED_SECONDS = 10.0
_PATIENCE_SECONDS = 6.0
_MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in that is under way, kept by the browser alone.

    Attributes
    ----------
    state, nonce
        What the service repeats: to the browser and in its token.
    verifier
        What shows that who asks for the token began the sign-in.
    """

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Attempt:
        """Draw one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def parse(cls, text: str) -> Attempt:
        """Read what ``str`` wrote.

        Raises
        ------
        SignInError
            If it is none.
        """
        parts = text.split(".")
        if len(parts) != 3 or not all(parts):
            raise SignInError("this sign-in did not begin in this browser, or too long ago")
        return cls(*parts)

    def __str__(self) -> str:
        return ".".join((self.state, self.nonce, self.verifier))


class SignInService:
    """A provider of OpenID Connect, as the settings name it.

    Parameters
    ----------
    settings
        Its issuer, and who we are to it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading = threading.Lock()
        self._asking = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._read_at = self._failed_at = -math.inf
        self._metadata: dict[str, str] = {}
        self._keys = KeySet([])

    def begin(self, attempt: Attempt) -> str:
        """Return the address at the service where somebody signs in.

        Raises
        ------
        DependencyError
            If the service does not answer.
        """
        with self._one_of_few():
            self._read()
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.openid_client_id,
            "redirect_uri": self._settings.worklist_url + CALLBACK,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return str(httpx.URL(self._metadata["authorization_endpoint"]).copy_merge_params(asked))

    def finish(self, attempt: Attempt, state: str, code: str) -> str:
        """Return the name of who signed in at the service.

        Parameters
        ----------
        attempt
            As the browser kept it.
        state, code
            With which the service sent the browser back.

        Raises
        ------
        SignInError
            If that does not belong together, or the token does not hold.
        DependencyError
            If the service does not answer.
        """
        if not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise SignInError(
                "this sign-in did not begin in this browser, or too long ago: begin at "
                f"{self._settings.worklist_url}"
            )
        with self._one_of_few():
            token = self._token(code, attempt.verifier)
            return self._name(self._claims(token, attempt.nonce))

    def look(self) -> None:
        """Ask whether the service answers and describes itself.

        Raises
        ------
        DependencyError
            If it does not.
        """
        self._read()

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        """Let few wait for the service at once: each holds a thread, and needs no account."""
        if not self._asking.acquire(blocking=False):
            raise DependencyError("too many sign in at once: try again in a moment")
        try:
            yield
        finally:
            self._asking.release()

    def _token(self, code: str, verifier: str) -> str:
        """Exchange a code for an ID token (OpenID Connect Core 1.0, 3.1.3)."""
        self._read()
        settings = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.worklist_url + CALLBACK,
            "code_verifier": verifier,
        }
        secret = settings.openid_client_secret.get_secret_value()
        if not secret:
            form["client_id"] = settings.openid_client_id
        # RFC 6749, 2.3.1: both are encoded as in a form first.
        auth = (quote_plus(settings.openid_client_id), quote_plus(secret)) if secret else None
        try:
            status, found = _ask("POST", self._metadata["token_endpoint"], data=form, auth=auth)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _away(error) from error
        if status != 200 or not isinstance(found, dict):
            told = found.get("error") if isinstance(found, dict) else None
            raise SignInError(
                f"the sign-in service refused the code ({str(told)[:100]}): the administrator may "
                "look at NIGHTREAD_OPENID_CLIENT_ID and NIGHTREAD_OPENID_CLIENT_SECRET"
            )
        return str(found.get("id_token", ""))

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        """Check a token as OpenID Connect Core 1.0, 3.1.3.7 asks."""
        ours = self._settings.openid_client_id
        wanted = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._metadata["issuer"]},
            aud={"essential": True, "value": ours},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            claims = self._decoded(token).claims
            wanted.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise SignInError(f"the sign-in service's token does not hold: {error}") from error
        audience = claims["aud"]
        alone = isinstance(audience, str) or len(audience) == 1
        if claims.get("azp", ours if alone else None) != ours:
            raise SignInError("the sign-in service's token is for somebody else")
        if claims.get("nonce") != nonce:
            raise SignInError("the sign-in service's token is of another sign-in")
        return claims

    def _decoded(self, token: str) -> jwt.Token:
        """Read a token; where its key is unknown, the service may have a new one."""
        try:
            return jwt.decode(token, self._keys, algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError):
            self._read(anew=True)
            return jwt.decode(token, self._keys, algorithms=list(_ALGORITHMS))

    def _name(self, claims: Mapping[str, Any]) -> str:
        claim = self._settings.openid_claim
        name = claims.get(claim)
        if not isinstance(name, str) or not name:
            raise SignInError(
                f"the sign-in service does not say your {claim}: NIGHTREAD_OPENID_CLAIM"
            )
        if claim == "email" and claims.get("email_verified") is not True:
            raise SignInError("the sign-in service has not verified your e-mail address")
        return name

    def _read(self, *, anew: bool = False) -> None:
        """Read what the service says of itself (OpenID Connect Discovery 1.0, 4), now and then."""
        if not self._reading.acquire(timeout=_PATIENCE_SECONDS):
            raise _away(TimeoutError())
        try:
            now = time.monotonic()
            if now - self._failed_at < _FAILED_SECONDS:
                raise _away(TimeoutError())
            if not anew and now - self._read_at < _KEPT_SECONDS:
                return
            try:
                self._metadata, self._keys = self._described()
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError) as error:
                self._failed_at = time.monotonic()
                raise _away(error) from error
            self._read_at = time.monotonic()
        finally:
            self._reading.release()

    def _described(self) -> tuple[dict[str, str], KeySet]:
        issuer = self._settings.openid_issuer
        found = _get(f"{issuer}/.well-known/openid-configuration")
        if str(found.get("issuer")).rstrip("/") != issuer:
            raise ValueError("it describes another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            address = urlsplit(str(found.get(name)))
            if not address.hostname or address.scheme != urlsplit(issuer).scheme:
                raise ValueError(f"its {name} is none")
        keys = _get(found["jwks_uri"]).get("keys")
        if not isinstance(keys, list):
            raise ValueError("it shows no keys")
        return found, KeySet(list(_usable(keys)))


def _usable(keys: list[Any]) -> Iterator[Key]:
    """Yield the keys that we can read: one of a new kind must not keep us from the others."""
    for each in keys:
        try:
            yield JWKRegistry.import_key(each)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _get(address: str) -> dict[str, Any]:
    status, found = _ask("GET", address)
    if status != 200 or not isinstance(found, dict):
        raise ValueError(f"{address} answers {status}, and no object")
    return found


def _ask(method: str, address: str, **options: Any) -> tuple[int, Any]:  # noqa: ANN401 - of httpx
    """Return an answer's status and its JSON; one that is large or drips is given up."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    came = bytearray()
    with httpx.stream(method, address, timeout=_TIMEOUT_SECONDS, **options) as answer:
        for piece in answer.iter_bytes():
            came += piece
            if len(came) > _MOST_BYTES or time.monotonic() > deadline:
                raise ValueError("its answer does not end")
    return answer.status_code, json.loads(bytes(came))


def _away(error: Exception) -> DependencyError:
    return DependencyError(
        f"the sign-in service does not answer as it should ({type(error).__name__}: "
        f"{str(error)[:200]}): sign in with a password, or later"
    )
