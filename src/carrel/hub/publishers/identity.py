"""Who a job is, as an OIDC issuer says: discovery, keys, signatures, lifetimes."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from carrel.core.errors import Unprocessable, UpstreamError

# PyJWT and requests are imported when an identity arrives: most hubs never see one, and they weigh 15 MB.

_log = logging.getLogger(__name__)

MAX_TOKEN = 16 * 1024
LEEWAY_SECONDS = 30  # clocks differ
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KEY_TYPES = ("RSA", "EC", "OKP")  # never "oct": a secret that others know signs nothing
_TIMEOUT = (5, 10)
_MAX_DOCUMENT = 512 * 1024
_KEYS_SECONDS = 300.0
# What an issuer that does not answer said last is good for this long.
_STALE_SECONDS = 3600.0
_FAILED_SECONDS = 10.0
# A token may name a key that is not known yet: strangers make the hub ask for it so often at most.
_ASKED_FOR_UNKNOWN = 10
_ASKED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A checked identity.

    Attributes
    ----------
    issuer : str
    claims : mapping
    key : str
        SHA-256 that names this one identity token, for telling when it comes again.
    expires_at : datetime
    """

    issuer: str
    claims: Mapping[str, Any]
    key: str
    expires_at: datetime


def refused(code: str, description: str) -> Unprocessable:
    """Return the error of a token that was not minted, with the list of reasons that clients show."""
    return Unprocessable(description, code=code, errors=[{"code": code, "description": description}], message="Token request failed")


class IdentityVerifier:
    """Checks identity tokens. Methods may be called from any thread; they wait for the issuer at times.

    Parameters
    ----------
    issuers : sequence of str
        Those that are believed, as the claim ``iss`` spells them.
    audiences : sequence of str
        What the claim ``aud`` must name one of: a token made for another service is of no use here.
    """

    def __init__(self, issuers: Sequence[str], audiences: Sequence[str]) -> None:
        self._issuers = {issuer: _Issuer(issuer) for issuer in issuers}
        self.audiences = tuple(audiences)

    @property
    def issuers(self) -> tuple[str, ...]:
        """The issuers that are believed."""
        return tuple(self._issuers)

    def verify(self, token: str) -> Identity:
        """Return who bears *token*.

        Raises
        ------
        Unprocessable
            With ``errors``: the token is malformed, expired, made by or for somebody else, or not signed by its issuer.
        UpstreamError
            The issuer cannot be asked for its keys.
        """
        import jwt

        if not self._issuers:
            raise refused("not-enabled", "This hub trusts no issuer of identities. Its administrator sets oidc_issuers.")
        if len(token) > MAX_TOKEN:
            raise refused("invalid-payload", f"The token has more than {MAX_TOKEN} characters.")
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise refused("invalid-token", "This is no JSON Web Token.") from error
        name = unverified.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise refused("invalid-issuer", f"The token's issuer {str(name)[:200]!r} is not one that this hub trusts.")
        algorithm, key_id = str(header.get("alg")), header.get("kid")
        if algorithm not in _ALGORITHMS:
            raise refused("invalid-token", f"The token is signed with {algorithm[:40]!r}; it must be one of {', '.join(_ALGORITHMS)}.")
        claims = self._decode(token, issuer, algorithm, key_id if isinstance(key_id, str) else None)
        return Identity(issuer.name, claims, _replay_key(issuer.name, claims, token), datetime.fromtimestamp(int(claims["exp"]), UTC))

    def _decode(self, token: str, issuer: _Issuer, algorithm: str, key_id: str | None) -> Mapping[str, Any]:
        import jwt

        try:
            key = jwt.PyJWK.from_dict(issuer.key(key_id), algorithm=algorithm)
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=list(self.audiences),
                issuer=issuer.name,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "exp", "iat"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise refused("invalid-token", "The token has expired. Ask the issuer for a new one.") from error
        except jwt.InvalidAudienceError as error:
            wanted = " or ".join(repr(audience) for audience in self.audiences)
            raise refused("invalid-audience", f"The token was made for another audience; this hub takes {wanted}.") from error
        except jwt.MissingRequiredClaimError as error:
            raise refused("invalid-token", f"The token lacks the claim {error.claim!r}.") from error
        except jwt.ImmatureSignatureError as error:
            raise refused("invalid-token", "The token is not valid yet. Compare the clocks of the issuer and the hub.") from error
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
            raise refused("invalid-token", "The token's signature is not that of its issuer.") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise refused("invalid-token", "The token or the issuer's key is malformed.") from error
        return dict(claims)


class _Issuer:
    """One issuer and its keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._keys: list[dict[str, Any]] = []
        self._fetched = self._failed = -math.inf
        self._asked: list[float] = []
        self._lock = threading.Lock()

    def key(self, key_id: str | None) -> dict[str, Any]:
        """Return the key *key_id*; without an id the only one there is."""
        with self._lock:
            moment = time.monotonic()
            if moment - self._fetched > _KEYS_SECONDS:
                self._refresh(moment)
            found = self._find(key_id)
            if found is None and self._may_ask(moment):
                # Keys are rotated: a new one is in use before what is remembered grows old.
                self._asked.append(moment)
                self._refresh(moment)
                found = self._find(key_id)
        if found is None:
            raise refused("invalid-token", f"The issuer {self.name} has no key {str(key_id)[:100]!r}.")
        return found

    def _find(self, key_id: str | None) -> dict[str, Any] | None:
        found = [key for key in self._keys if key_id is None or key.get("kid") == key_id]
        return found[0] if len(found) == 1 else None

    def _may_ask(self, moment: float) -> bool:
        self._asked = [asked for asked in self._asked if moment - asked < _ASKED_SECONDS]
        return len(self._asked) < _ASKED_FOR_UNKNOWN and self._fetched != moment

    def _refresh(self, moment: float) -> None:
        try:
            # Whoever waits for an issuer that does not answer keeps a thread of the hub waiting.
            if moment - self._failed < _FAILED_SECONDS:
                raise _unusable(self.name, "it did not answer a moment ago")
            self._keys = _keys_of(self.name)
            self._fetched = moment
        except UpstreamError as error:
            if moment - self._failed >= _FAILED_SECONDS:
                self._failed = moment
            if moment - self._fetched > _STALE_SECONDS:
                raise
            _log.warning("%s", error.detail)


def _keys_of(issuer: str) -> list[dict[str, Any]]:
    configuration = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if configuration.get("issuer") != issuer:
        raise _unusable(issuer, "its configuration names another issuer")
    address = configuration.get("jwks_uri")
    if not isinstance(address, str) or urlsplit(address).scheme not in ("https", urlsplit(issuer).scheme):
        raise _unusable(issuer, "its configuration has no usable jwks_uri")
    keys = _fetch(address).get("keys")
    if not isinstance(keys, list):
        raise _unusable(issuer, "its key set is malformed")
    return [key for key in keys if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"]


def _fetch(address: str) -> dict[str, Any]:
    import requests

    data = b""
    try:
        with requests.get(address, timeout=_TIMEOUT, stream=True, allow_redirects=False, headers={"Accept": "application/json"}) as answer:
            if answer.status_code != requests.codes.ok:
                raise _unusable(address, f"it answered {answer.status_code}")
            for chunk in answer.iter_content(64 * 1024):
                data += chunk
                if len(data) > _MAX_DOCUMENT:
                    raise _unusable(address, "its answer is too long")
        document = json.loads(data)
    except requests.RequestException as error:
        raise _unusable(address, "it cannot be reached") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(address, "its answer is not JSON") from error
    if not isinstance(document, dict):
        raise _unusable(address, "its answer is no JSON object")
    return document


def _unusable(address: str, reason: str) -> UpstreamError:
    description = f"The issuer of the token cannot be asked for its keys ({address}: {reason}). Try again later."
    errors = [{"code": "issuer-unavailable", "description": description}]
    return UpstreamError(description, code="issuer-unavailable", errors=errors, message="Token request failed")


def _replay_key(issuer: str, claims: Mapping[str, Any], token: str) -> str:
    # The signature may be written in several ways, so without an id of its own it is what was signed that names a token.
    own = claims.get("jti")
    named = f"jti\n{own}" if isinstance(own, str) and own else f"token\n{token.rpartition('.')[0]}"
    return hashlib.sha256(f"{issuer}\n{named}".encode()).hexdigest()
