"""Providers on loopback that speak the real wire formats, for tests: Twilio, FCM, a push service with a browser."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

from core.adapters.ses import SesMail
from core.adapters.web_push import WebPush
from core.adapters.web_push_crypto import Vapid, b64url, from_b64url, generate_vapid_key
from core.clock import SystemClock
from core.notifications.devices import DeviceKind, Registration, WebAddress

PROJECT = "school-portal"


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """Run a server that answers every request so; yield its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class LoopbackTwilio:
    """Takes SMS for numbers that look like some, from one account."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.requests: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request as Twilio does."""
        self.requests.append(request)
        user, _, password = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        if request.path != f"/2010-04-01/Accounts/{user}/Messages.json" or password != "token":
            return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not form.get("To", "").startswith("+") or len(form["To"]) < 10:
            told = {"code": 21211, "message": f"The 'To' number {form.get('To')} is not a valid phone number."}
            return web.json_response(told | {"status": 400}, status=400)
        self.forms.append(form)
        return web.json_response({"sid": f"SM{uuid4().hex}", "status": "queued", "error_code": None}, status=201)


class LoopbackFcm:
    """Issues access tokens to one service account, and takes messages for registration tokens that begin ``good``."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.messages: list[dict[str, Any]] = []
        self.grants = 0
        self.valid: set[str] = set()

    def account(self, url: str) -> str:
        """Return the service account's file, with its tokens issued here."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        told = {"type": "service_account", "project_id": PROJECT, "private_key": pem}
        return json.dumps(told | {"client_email": f"push@{PROJECT}.example", "token_uri": f"{url}/token"})

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request as Google does."""
        if request.path == "/token":
            return await self._grant(request)
        if request.path != f"/v1/projects/{PROJECT}/messages:send":
            return web.Response(status=404)
        if request.headers["Authorization"].removeprefix("Bearer ") not in self.valid:
            return web.json_response({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status=401)
        message = (await request.json())["message"]
        if not message["token"].startswith("good"):
            detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}
            error = {"code": 404, "status": "NOT_FOUND", "details": [detail]}
            return web.json_response({"error": error}, status=404)
        self.messages.append(message)
        return web.json_response({"name": f"projects/{PROJECT}/messages/{uuid4().hex}"})

    async def _grant(self, request: web.Request) -> web.Response:
        form = await request.post()
        audience = f"http://{request.host}/token"
        # A test may have moved its clock ahead of this one.
        ahead = timedelta(hours=2)
        claims = jwt.decode(str(form["assertion"]), self.key.public_key(), ["RS256"], audience=audience, leeway=ahead)
        if claims["scope"] != "https://www.googleapis.com/auth/firebase.messaging":
            return web.json_response({"error": "invalid_scope"}, status=400)
        self.grants += 1
        token = f"ya29.{uuid4().hex}"
        self.valid.add(token)
        return web.json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})


class Browser:
    """A browser with a push subscription, and the push service of its maker."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None, auth: bytes = b"sixteen bytes ok") -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.auth = auth
        self.waiting: dict[str, dict[str, str]] = {}
        """By topic: what comes again replaces what has not been fetched."""
        self.requests: list[web.Request] = []
        self.unsubscribed = False

    @property
    def point(self) -> bytes:
        """The browser's public key."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def address(self, url: str) -> WebAddress:
        """Return the subscription at a push service."""
        return WebAddress(f"{url}/push/{id(self)}", b64url(self.point), b64url(self.auth))

    def registration(self, url: str, name: str = "") -> Registration:
        """Return what it registers with."""
        address = self.address(url)
        return Registration(DeviceKind.WEB, address.endpoint, address.p256dh, address.auth, name)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request as a push service does (RFC 8030); check what it must check (RFC 8292)."""
        self.requests.append(request)
        if self.unsubscribed:
            return web.Response(status=410)
        token, _, key = request.headers["Authorization"].removeprefix("vapid t=").partition(", k=")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_b64url(key))
        jwt.decode(token, public, ["ES256"], audience=f"http://{request.host}", options={"require": ["exp", "sub"]})
        if "TTL" not in request.headers or request.headers["Content-Encoding"] != "aes128gcm":
            return web.Response(status=400)
        self.waiting[request.headers["Topic"]] = json.loads(self.open(await request.read()))
        return web.Response(status=201, headers={"Location": f"http://{request.host}/message/{uuid4().hex}"})

    def open(self, body: bytes) -> bytes:
        """Decrypt a message as the browser does (RFC 8291, RFC 8188)."""
        salt, length = body[:16], body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), public)
        material = HKDF(SHA256(), 32, self.auth, b"WebPush: info\0" + self.point + sender).derive(shared)
        content_key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(material)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(material)
        padded = AESGCM(content_key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert padded.endswith(b"\x02")
        return padded[:-1]


@asynccontextmanager
async def ses_server() -> AsyncIterator[str]:
    """Run moto's SES with a verified sender; yield its address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    await asyncio.to_thread(server.start)
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("sesv2", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="k",
                          aws_secret_access_key="s")  # fmt: skip
    await asyncio.to_thread(client.create_email_identity, EmailIdentity="no-reply@school.example")
    client.close()
    try:
        yield url
    finally:
        ses_backends["123456789012"]["eu-west-1"].reset()
        await asyncio.to_thread(server.stop)


def make_ses(url: str, timeout: timedelta = timedelta(seconds=10), **settings: Any) -> SesMail:
    """Return a sender at a server that speaks SES."""
    return SesMail(
        sender="SchoolOS <no-reply@school.example>",
        region="eu-west-1",
        endpoint=url,
        access_key="k",
        secret_key="s",
        timeout=timeout,
        **settings,
    )


def make_web_push(url: str, timeout: timedelta = timedelta(seconds=10)) -> WebPush:
    """Return a sender that knows one push service."""
    vapid = Vapid(generate_vapid_key(), contact="mailto:office@school.example", clock=SystemClock())
    return WebPush(vapid, hosts=(url,), timeout=timeout)
