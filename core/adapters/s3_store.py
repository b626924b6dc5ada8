"""Files in an S3 bucket, or in anything that speaks its API."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import Broken, NotFound, Unavailable
from core.ports import KEPT_FOR, expires
from core.telemetry import get_logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = get_logger("objects")

_PIECE_BYTES = 256 * 1024
_PART_BYTES = 8 * 1024 * 1024
"""From this size on a file goes up in parts, so that a broken connection costs one part (S3's own minimum is 5 MiB)."""
_CONNECTIONS = 32
"""Packing reads 16 files at a time, storing writes 8; with boto3's own 10, most would connect anew each time."""
_TAG = {"Key": "schoolos", "Value": "expires"}
"""What files that expire are marked with: a rule by prefix could not name them, since keys begin with the school."""
_RULES: tuple[Any, ...] = (
    {
        "ID": "schoolos-expiry",
        "Status": "Enabled",
        "Filter": {"Tag": _TAG},
        "Expiration": {"Days": KEPT_FOR.days},
    },
    {
        "ID": "schoolos-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    },
)
_CHECKSUMS = {"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"}
_GONE = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket"}


class S3ObjectStore:
    """The object store of a cluster. boto3 blocks, so each call runs in a thread; its client is safe in many."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        """Reach a bucket; what is left out boto3 finds the usual way (instance role, profile, environment)."""
        self._bucket = bucket
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                signature_version="s3v4",
                connect_timeout=5,
                read_timeout=30,
                max_pool_connections=_CONNECTIONS,
                retries={"mode": "standard", "max_attempts": 3},
                s3={"addressing_style": "path" if endpoint else "auto"},  # other servers know no bucket host names
            ),
        )
        self._transfer = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES)

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file whole; a reader sees the old or the new one, never a part."""
        with _translated(key):
            await asyncio.to_thread(self._put, key, content, _marks(key, content_type))

    def _put(self, key: str, content: bytes, marks: dict[str, Any]) -> None:
        if len(content) < _PART_BYTES:  # a transfer of its own takes a pool of threads for each small file
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, **marks)
        else:
            self._client.upload_fileobj(io.BytesIO(content), self._bucket, key, ExtraArgs=marks, Config=self._transfer)

    async def put_stream(self, key: str, pieces: AsyncIterator[bytes], content_type: str) -> int:
        """Store a file from its pieces and return its size; a reader sees the old or the new one, never a part."""
        parts = _in_parts(pieces)
        first = await anext(parts, b"")
        if len(first) < _PART_BYTES:
            await self.put(key, first, content_type)
            return len(first)
        with _translated(key):
            return await self._put_parts(key, first, parts, content_type)

    async def _put_parts(self, key: str, first: bytes, rest: AsyncIterator[bytes], content_type: str) -> int:
        begun = await asyncio.to_thread(
            self._client.create_multipart_upload, Bucket=self._bucket, Key=key, **_marks(key, content_type)
        )
        upload_id = begun["UploadId"]
        try:
            done, size = [await self._put_part(key, upload_id, 1, first)], len(first)
            async for part in rest:
                done.append(await self._put_part(key, upload_id, len(done) + 1, part))
                size += len(part)
            await asyncio.to_thread(
                self._client.complete_multipart_upload,
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": done},
            )
        except BaseException:  # parts of what was never finished would be stored and paid for, and show nowhere
            await asyncio.shield(self._abort(key, upload_id))
            raise
        return size

    async def _put_part(self, key: str, upload_id: str, number: int, content: bytes) -> Any:
        """Upload a part, and return what S3 wants to hear of it at the end: its number, tag and checksum."""
        answer = await asyncio.to_thread(
            self._client.upload_part,
            Bucket=self._bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=content,
        )
        sums = {name: value for name, value in answer.items() if name in _CHECKSUMS}
        return {"PartNumber": number, "ETag": answer["ETag"], **sums}

    async def _abort(self, key: str, upload_id: str) -> None:
        try:
            await asyncio.to_thread(
                self._client.abort_multipart_upload, Bucket=self._bucket, Key=key, UploadId=upload_id
            )
        except (BotoCoreError, ClientError) as error:  # the rule for unfinished uploads removes it within a day
            log.warning("upload_not_aborted", error=type(error).__name__)

    async def get(self, key: str) -> bytes:
        """Return a file. Raises ``NotFound``."""
        return b"".join([piece async for piece in self.stream(key)])

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield a file in pieces. Raises ``NotFound`` at the first."""
        with _translated(key):
            answer = await asyncio.to_thread(self._client.get_object, Bucket=self._bucket, Key=key)
            body = answer["Body"]
            try:
                while piece := await asyncio.to_thread(body.read, _PIECE_BYTES):
                    yield piece
            finally:
                body.close()

    async def exists(self, key: str) -> bool:
        """Tell whether there is such a file."""
        try:
            with _translated(key):
                await asyncio.to_thread(self._client.head_object, Bucket=self._bucket, Key=key)
        except NotFound:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        with _translated(key):
            await asyncio.to_thread(self._client.delete_object, Bucket=self._bucket, Key=key)

    async def presigned_url(self, key: str, expires_in: timedelta) -> str:
        """Return a link by which a browser gets the file until it expires."""
        return self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=int(expires_in.total_seconds()),
        )

    async def expire(self) -> int:
        """See to it that the bucket removes what has expired, beside whatever other rules it has; return 0.

        Raises ``Broken`` where we may not: then whoever owns the bucket sets the rules.
        """
        with _translated("lifecycle"):
            known = await asyncio.to_thread(self._lifecycle)
            others = [rule for rule in known if rule.get("ID") not in {ours["ID"] for ours in _RULES}]
            if len(known) - len(others) < len(_RULES):
                await asyncio.to_thread(
                    self._client.put_bucket_lifecycle_configuration,
                    Bucket=self._bucket,
                    LifecycleConfiguration={"Rules": [*others, *_RULES]},
                )
        return 0

    def _lifecycle(self) -> Sequence[Any]:
        try:
            return self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket).get("Rules", [])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchLifecycleConfiguration":
                return []
            raise

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the bucket does not answer."""
        try:
            await asyncio.to_thread(self._client.head_bucket, Bucket=self._bucket)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"the bucket {self._bucket} does not answer: {error}", 5.0) from error

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def _marks(key: str, content_type: str) -> dict[str, Any]:
    """Return what S3 is told of a file."""
    tag = {"Tagging": f"{_TAG['Key']}={_TAG['Value']}"} if expires(key) else {}
    return {"ContentType": content_type, **tag}


async def _in_parts(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces of any size as parts of ``_PART_BYTES``; the last may be smaller."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        while len(waiting) >= _PART_BYTES:
            yield bytes(waiting[:_PART_BYTES])
            del waiting[:_PART_BYTES]
    if waiting:
        yield bytes(waiting)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn boto3's errors into ours."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in _REFUSED:
            raise Broken(f"the object store refuses us ({code}); check the SCHOOLOS_S3_ settings") from error
        if code in _GONE:
            raise NotFound(f"there is no file {key}") from error
        raise Unavailable(f"the object store failed ({code}); try again shortly", 5.0) from error
    except (BotoCoreError, S3UploadFailedError) as error:
        raise Unavailable("the object store does not answer; try again shortly", 5.0) from error
