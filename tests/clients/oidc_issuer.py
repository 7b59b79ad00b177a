"""A small issuer of identities, as a build service has one, and a TLS front for clients that speak nothing else."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

REQUEST_TOKEN = "what the build service gave to the job"


class Issuer:
    """Discovery, keys and, as GitHub has it, an address where a job asks for its token."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.requests: list[str] = []
        self.audience = ""  # what tokens of jobs are made for, whatever is asked for
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.rotate()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def rotate(self) -> None:
        """Sign with a new key, and forget the old one."""
        self._keys = {uuid.uuid4().hex: rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    def token(self, audience: str = "hub.test", *, key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """Return an identity token; a claim of None is left out."""
        ((key_id, own_key),) = self._keys.items()
        moment = int(time.time())
        standard = {"iss": self.url, "aud": audience, "iat": moment, "nbf": moment, "exp": moment + 300, "jti": uuid.uuid4().hex}
        payload = {name: value for name, value in {**standard, **self.claims, **claims}.items() if value is not None}
        return jwt.encode(payload, key or own_key, algorithm=algorithm, headers={"kid": key_id})

    def job(self) -> dict[str, str]:
        """Return the environment of a job that may ask for a token."""
        address = f"{self.url}/token?job=1"
        return {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": address, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, address: str, authorization: str) -> Any:
        parts = urlsplit(address)
        self.requests.append(parts.path)
        if parts.path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if parts.path == "/keys":
            return {"keys": [{**jwk_of(key), "kid": key_id, "use": "sig", "alg": "RS256"} for key_id, key in self._keys.items()]}
        if parts.path == "/token" and authorization.lower() == f"bearer {REQUEST_TOKEN}".lower():
            return {"value": self.token(self.audience or parse_qs(parts.query)["audience"][0])}
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = issuer._answer(self.path, self.headers.get("Authorization", ""))
                body = json.dumps(found).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


def jwk_of(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()

    def text(number: int) -> str:
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode().rstrip("=")

    return {"kty": "RSA", "n": text(numbers.n), "e": text(numbers.e)}


@contextmanager
def tls_front(port: int, folder: Path) -> Iterator[tuple[str, Path]]:
    """Serve what listens on *port* under https; yield the address and the certificate of the authority to trust."""
    authority, chain = _certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    started, address = threading.Event(), []
    loop = asyncio.new_event_loop()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context)
        address.append(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        started.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    yield address[0], authority
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def _certificates(folder: Path) -> tuple[Path, Path]:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    moment = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])

    def builder(subject: x509.Name, public_key: Any, *, ca: bool) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public_key)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(moment - datetime.timedelta(hours=1))
        made = made.not_valid_after(moment + datetime.timedelta(days=1))
        return made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)

    authority = builder(name, authority_key.public_key(), ca=True).sign(authority_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    leaf = builder(subject, key.public_key(), ca=False).add_extension(names, critical=False).sign(authority_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "chain.pem").write_bytes(private + leaf.public_bytes(pem))
    return folder / "authority.pem", folder / "chain.pem"
