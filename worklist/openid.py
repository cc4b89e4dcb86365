"""Signing in at a hospital's own sign-in service, by OpenID Connect.

The authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636). The service says who
somebody is; what they may do says the account of that name here.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from screening.errors import DependencyError, SignInError
from screening.settings import Settings

CALLBACK = "/sign-in/openid/back"
"""Where the service sends people back to, under the worklist's address."""

# Signatures by a key of the service's own: never none, never a secret that both know.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_LEEWAY_SECONDS = 60
_TIMEOUT_SECONDS = 5.0
_KEPT_SECONDS = 3600.0


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
        self._lock = threading.Lock()
        self._read_at = -_KEPT_SECONDS
        self._known: dict[str, Any] = {}

    def begin(self, attempt: Attempt) -> str:
        """Return the address at the service where somebody signs in.

        Raises
        ------
        DependencyError
            If the service does not answer.
        """
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self._endpoint("authorization_endpoint"),
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(address)

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
            raise SignInError("this sign-in did not begin in this browser, or too long ago")
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client() as client:
                token = client.fetch_token(endpoint, code=code, code_verifier=attempt.verifier)
        except OAuthError as error:
            raise SignInError(f"the sign-in service refused the code: {error.error}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise _away(error) from error
        return self._name(self._claims(str(token.get("id_token", "")), attempt.nonce))

    def look(self) -> str:
        """Return the service's issuer, if it answers and describes itself.

        Raises
        ------
        DependencyError
            If it does not.
        """
        self._endpoint("authorization_endpoint")
        return self._settings.openid_issuer

    def _client(self) -> OAuth2Client:
        settings = self._settings
        return OAuth2Client(
            client_id=settings.openid_client_id,
            client_secret=settings.openid_client_secret or None,
            token_endpoint_auth_method=None if settings.openid_client_secret else "none",
            scope="openid profile email",
            redirect_uri=settings.worklist_url + CALLBACK,
            code_challenge_method="S256",
            timeout=_TIMEOUT_SECONDS,
        )

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        """Check a token as OpenID Connect Core 1.0, 3.1.3.7 asks."""
        settings = self._settings
        wanted = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._metadata()["issuer"]},
            aud={"essential": True, "value": settings.openid_client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
        )
        try:
            claims = self._decoded(token).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            raise SignInError(f"the sign-in service's token does not hold: {error}") from error
        if claims.get("azp", settings.openid_client_id) != settings.openid_client_id:
            raise SignInError("the sign-in service's token is for somebody else")
        return claims

    def _decoded(self, token: str) -> jwt.Token:
        """Read a token; where its key is unknown, the service may have a new one."""
        try:
            return jwt.decode(token, self._keys(), algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError):
            self._forget()
            return jwt.decode(token, self._keys(), algorithms=list(_ALGORITHMS))

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

    def _endpoint(self, name: str) -> str:
        return str(self._metadata()[name])

    def _metadata(self) -> dict[str, Any]:
        """Return what the service says of itself (OpenID Connect Discovery 1.0, 4)."""
        self._read()
        return self._known

    def _keys(self) -> KeySet:
        self._read()
        return KeySet.import_key_set(self._known["keys"])

    def _forget(self) -> None:
        self._read_at = -_KEPT_SECONDS

    def _read(self) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < _KEPT_SECONDS:
                return
            issuer = self._settings.openid_issuer
            address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                found = _get(address)
                if str(found["issuer"]).rstrip("/") != issuer.rstrip("/"):
                    raise DependencyError(
                        f"{address} describes {found['issuer']}: is NIGHTREAD_OPENID_ISSUER right?"
                    )
                found["keys"] = _get(found["jwks_uri"])
                for name in ("authorization_endpoint", "token_endpoint"):
                    str(found[name])
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise _away(error) from error
            self._known, self._read_at = found, time.monotonic()


def _get(address: str) -> dict[str, Any]:
    answer = httpx.get(address, timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise TypeError(f"{address} is no object")
    return found


def _away(error: Exception) -> DependencyError:
    return DependencyError(
        f"the sign-in service does not answer as it should ({type(error).__name__}): sign in with "
        "a password, or later"
    )
