"""One contract for every object store: the folder of one machine, and S3 as moto's server speaks it."""

import asyncio
import hashlib
import hmac
import os
import resource
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from fastapi import FastAPI
from moto.server import ThreadedMotoServer

from core.adapters.local_store import LocalObjectStore
from core.adapters.s3_store import S3ObjectStore
from core.clock import FakeClock, SystemClock
from core.errors import Broken, InvalidInput, NotFound, NotPermitted, Unavailable
from core.ports import KEPT_FOR, ObjectStore
from deployments import files
from deployments.ground.problem import install_problems

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "0197a3c2-0000-7000-8000-000000000001/reports/cards Ọlá.pdf"
REGION = "eu-west-1"
SECRET = "secret"
LARGE = bytes(range(256)) * 4096 * 20  # 20 MiB: three parts of 8 MiB at most


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """An S3 server of this module."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def owner(s3_endpoint: str) -> Iterator["S3Client"]:
    """The bucket, as its owner sees it."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name=REGION,
        aws_access_key_id="key",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket="schoolos", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    client.close()


@pytest.fixture
def s3(s3_endpoint: str, owner: "S3Client") -> Iterator[S3ObjectStore]:
    """The bucket, reached as production reaches one."""
    store = S3ObjectStore("schoolos", endpoint=s3_endpoint, region=REGION, access_key="key", secret_key=SECRET)
    yield store
    store.close()


@pytest.fixture
def local(tmp_path: Path) -> LocalObjectStore:
    """A folder."""
    return LocalObjectStore(tmp_path / "objects", links_url="http://127.0.0.1:8000/files", clock=SystemClock())


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each adapter in turn."""
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


async def pieces(store: ObjectStore, key: str) -> list[bytes]:
    """Return everything the store streams."""
    return [piece async for piece in store.stream(key)]


async def test_a_file_comes_back_as_it_was_put(store: ObjectStore) -> None:
    """What was put is what is got, whole or streamed, also under a key with spaces and diacritics."""
    await store.put(KEY, b"first", "application/pdf")
    await store.put(KEY, b"second", "application/pdf")
    assert await store.get(KEY) == b"second"
    assert b"".join(await pieces(store, KEY)) == b"second"


async def test_a_large_file_travels_in_pieces(store: ObjectStore) -> None:
    """20 MiB come back byte for byte, in pieces that fit in memory many times over."""
    await store.put(KEY, LARGE, "application/zip")
    streamed = await pieces(store, KEY)
    assert b"".join(streamed) == LARGE
    assert max(map(len, streamed)) <= 256 * 1024


async def test_a_file_is_put_in_pieces(store: ObjectStore) -> None:
    """Pieces of any size become one file, whose size is told; it takes the old one's place only when it is whole."""
    for content in (LARGE, b"small", b""):
        assert await store.put_stream(KEY, in_pieces(content), "application/zip") == len(content)
        assert await store.get(KEY) == content


async def test_pieces_that_fail_leave_what_was_there(store: ObjectStore) -> None:
    """A source that breaks, early or in the third part, and a writer that is cancelled store nothing."""
    await store.put(KEY, b"old", "application/zip")
    for size in (0, 1000, len(LARGE)):
        with pytest.raises(RuntimeError, match="torn"):
            await store.put_stream(KEY, torn(LARGE[:size]), "application/zip")
        assert await store.get(KEY) == b"old"
    writing = asyncio.Event()
    reached = asyncio.create_task(store.put_stream(KEY, endless(writing), "application/zip"))
    await writing.wait()
    reached.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reached
    assert await store.get(KEY) == b"old"


async def in_pieces(content: bytes, size: int = 300_000) -> AsyncIterator[bytes]:
    """Yield a file in pieces."""
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def torn(content: bytes) -> AsyncIterator[bytes]:
    """Yield a file that breaks off."""
    async for piece in in_pieces(content):
        yield piece
    raise RuntimeError("torn")


async def endless(writing: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield a first part of what never ends."""
    yield LARGE
    writing.set()
    await asyncio.Event().wait()


async def test_an_empty_file_is_a_file(store: ObjectStore) -> None:
    """No bytes at all are still a file."""
    await store.put(KEY, b"", "text/plain")
    assert await store.get(KEY) == b""


async def test_a_file_that_is_not_there_is_not_found(store: ObjectStore) -> None:
    """Getting and streaming say ``NotFound``; removing twice is no error."""
    await store.put(KEY, b"x", "text/plain")
    assert await store.exists(KEY)
    await store.delete(KEY)
    await store.delete(KEY)
    assert not await store.exists(KEY)
    with pytest.raises(NotFound):
        await store.get(KEY)
    with pytest.raises(NotFound):
        await pieces(store, KEY)


async def test_the_store_says_that_it_answers(store: ObjectStore) -> None:
    """A working store answers a ping."""
    await store.ping()


async def test_a_store_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    """A server that is not there, and a folder that is a file, both say ``Unavailable``."""
    (tmp_path / "file").touch()
    for store in (
        S3ObjectStore("b", endpoint="http://127.0.0.1:9", region="x", access_key="a", secret_key="b"),
        LocalObjectStore(tmp_path / "file", links_url="http://x", clock=FakeClock()),
    ):
        with pytest.raises(Unavailable):
            await store.ping()
        with pytest.raises(Unavailable):
            await store.get(KEY)
        with pytest.raises(Unavailable):
            await pieces(store, KEY)


async def test_a_bucket_that_is_not_there_names_the_settings(s3_endpoint: str) -> None:
    """A wrong bucket is a fault of the set-up, told as one, never a missing file."""
    store = S3ObjectStore("nobody-made-me", endpoint=s3_endpoint, region="x", access_key="a", secret_key="b")
    with pytest.raises(Broken, match="SCHOOLOS_S3_"):
        await store.get(KEY)
    store.close()


async def test_large_files_go_up_in_parts(s3: S3ObjectStore, owner: "S3Client") -> None:
    """S3 was told the file in three parts: its ETag says so."""
    await s3.put(KEY, LARGE, "application/zip")
    assert owner.head_object(Bucket="schoolos", Key=KEY)["ETag"].strip('"').endswith("-3")


async def test_what_is_never_finished_costs_nothing(s3: S3ObjectStore, owner: "S3Client") -> None:
    """An upload in parts that breaks off is aborted: its parts are not stored and paid for."""
    with pytest.raises(RuntimeError, match="torn"):
        await s3.put_stream(KEY, torn(LARGE), "application/zip")
    assert not owner.list_multipart_uploads(Bucket="schoolos").get("Uploads")


async def test_the_bucket_removes_what_expires(s3: S3ObjectStore, owner: "S3Client") -> None:
    """Printed files carry the tag that the bucket's rule of 30 days names, others don't; other rules are let be."""
    other = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    owner.put_bucket_lifecycle_configuration(Bucket="schoolos", LifecycleConfiguration={"Rules": [other]})  # type: ignore[list-item]  # a plain dict
    for _ in range(2):
        await s3.expire()
    rules = {rule["ID"]: rule for rule in owner.get_bucket_lifecycle_configuration(Bucket="schoolos").get("Rules", [])}
    assert set(rules) == {"logs", "schoolos-expiry", "schoolos-unfinished-uploads"}
    assert rules["schoolos-expiry"]["Expiration"] == {"Days": 30}
    await s3.put_stream(KEY, in_pieces(LARGE), "application/zip")
    await s3.put("school/reports/job/card.pdf", b"x", "application/pdf")
    await s3.put("school/report-images/logo.png", b"x", "image/png")
    found = [
        owner.get_object_tagging(Bucket="schoolos", Key=key)["TagSet"]
        for key in (KEY, "school/reports/job/card.pdf", "school/report-images/logo.png")
    ]
    assert found == [[rules["schoolos-expiry"]["Filter"]["Tag"]]] * 2 + [[]]


async def test_an_s3_link_is_signed_and_expires(s3: S3ObjectStore) -> None:
    """The link opens the file in any browser; its time and key are under its signature."""
    await s3.put(KEY, b"%PDF-", "application/pdf")
    link = await s3.presigned_url(KEY, timedelta(minutes=15))
    answer = await asyncio.to_thread(urllib.request.urlopen, link)
    with answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"%PDF-", "application/pdf")
    assert "X-Amz-Expires=900" in link
    claimed = parse_qs(urlsplit(link).query)["X-Amz-Signature"][0]
    assert aws_signature(link) == claimed
    assert aws_signature(link.replace("X-Amz-Expires=900", "X-Amz-Expires=901")) != claimed
    assert aws_signature(link.replace("reports", "secrets")) != claimed


def aws_signature(link: str) -> str:
    """Work out a link's signature from AWS's description of version 4, as S3 does to judge it."""
    url = urlsplit(link)
    query = "&".join(part for part in sorted(url.query.split("&")) if not part.startswith("X-Amz-Signature"))
    canonical = f"GET\n{url.path}\n{query}\nhost:{url.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    moment = parse_qs(url.query)["X-Amz-Date"][0]
    scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


async def test_a_folder_removes_what_expires(tmp_path: Path) -> None:
    """After 30 days printed files are gone, with what a writer that died left of them; others stay."""
    clock = FakeClock()
    store = LocalObjectStore(tmp_path, links_url="http://x", clock=clock)
    kept = ("school/report-images/logo.png", "school/imports/reports/list.xlsx")
    for key in (KEY, *kept):
        await store.put(key, b"x", "text/odd")
    date_all(tmp_path, clock.now())
    clock.advance(KEPT_FOR)
    assert await store.expire() == 0
    clock.advance(timedelta(seconds=1))
    assert await store.expire() == 1
    with pytest.raises(NotFound):
        await store.get(KEY)
    assert [await store.get(key) for key in kept] == [b"x", b"x"]
    assert names_in(tmp_path) == ["list.xlsx", "list.xlsx", "logo.png", "logo.png"]


def date_all(folder: Path, written: datetime) -> None:
    """Let all files of a folder be written at a moment."""
    for file in folder.rglob("*"):
        os.utime(file, (written.timestamp(), written.timestamp()))


def names_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


async def test_a_full_disk_is_unavailable_and_leaves_nothing(local: LocalObjectStore, tmp_path: Path) -> None:
    """What does not fit says so, may be tried again, and takes no place; what was there stays."""
    await local.put(KEY, b"old", "application/pdf")
    with small_disk(100_000):
        with pytest.raises(Unavailable, match="can't be written"):
            await local.put(KEY, LARGE, "application/pdf")
        with pytest.raises(Unavailable, match="can't be written"):
            await local.put_stream(KEY, in_pieces(LARGE), "application/pdf")
    assert await local.get(KEY) == b"old"
    assert names_in(tmp_path) == [KEY.rpartition("/")[2]]


@contextmanager
def small_disk(free_bytes: int) -> Iterator[None]:
    """Let no file of this process grow past a size: the kernel refuses as it does on a full disk."""
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("key", ["../secret", "a/../../b", "/etc/passwd", "a//b", "", "a/\x00", "a/."])
async def test_a_key_cannot_leave_the_folder(local: LocalObjectStore, key: str) -> None:
    """A key that is no plain relative path is refused, also in a link."""
    with pytest.raises(InvalidInput):
        await local.put(key, b"x", "text/plain")
    with pytest.raises(InvalidInput):
        await local.presigned_url(key, timedelta(minutes=1))


async def test_a_local_link_opens_its_file_and_no_other(tmp_path: Path) -> None:
    """Key, time and signature belong together: changing any of them closes the link, and so does its hour."""
    clock = FakeClock()
    store = LocalObjectStore(tmp_path, links_url="http://127.0.0.1:8000/files", clock=clock)
    await store.put(KEY, b"%PDF-", "application/pdf")
    expires, signature = parts_of(await store.presigned_url(KEY, timedelta(minutes=15)))
    assert store.open_signed(KEY, expires, signature).place.read_bytes() == b"%PDF-"
    for key, until, signed in ((KEY + "x", expires, signature), (KEY, expires + 1, signature), (KEY, expires, "ọ")):
        with pytest.raises(NotPermitted, match="changed"):
            store.open_signed(key, until, signed)
    clock.advance(timedelta(minutes=15))
    with pytest.raises(NotPermitted, match="expired"):
        store.open_signed(KEY, expires, signature)


async def test_every_process_signs_alike(tmp_path: Path) -> None:
    """A link made by one process is honoured by another over the same folder."""
    one, other = (LocalObjectStore(tmp_path, links_url="http://x", clock=SystemClock()) for _ in range(2))
    await one.put(KEY, b"x", "text/csv")
    expires, signature = parts_of(await one.presigned_url(KEY, timedelta(minutes=1)))
    assert other.open_signed(KEY, expires, signature).content_type == "text/csv"


async def test_the_route_serves_what_a_link_names(local: LocalObjectStore) -> None:
    """The link itself works in a browser; a changed one is refused, and nothing runs in the page it opens."""
    await local.put(KEY, b"<script>", "text/html")
    link = await local.presigned_url(KEY, timedelta(minutes=1))
    async with browser(local) as client:
        answer = await client.get(link)
        assert (answer.status_code, answer.content) == (200, b"<script>")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await client.get(link, headers={"Range": "bytes=1-3"})).content == b"scr"
        assert (await client.get(link + "0")).status_code == 403


@asynccontextmanager
async def browser(store: LocalObjectStore) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an app that serves the store's links."""
    app = FastAPI()
    install_problems(app)
    app.include_router(files.router)
    app.state.services = SimpleNamespace(signed_files=store)  # the one use case that this route asks
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield client


def parts_of(link: str) -> tuple[int, str]:
    """Return a link's time and signature."""
    query = parse_qs(urlsplit(link).query)
    return int(query["expires"][0]), query["signature"][0]
