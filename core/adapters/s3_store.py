"""Files in an S3 bucket, or in anything that speaks its API."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import Broken, NotFound, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES = 256 * 1024
_PART_BYTES = 8 * 1024 * 1024
"""From this size on a file goes up in parts, so that a broken connection costs one part (S3's own minimum is 5 MiB)."""
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
                retries={"mode": "standard", "max_attempts": 3},
                s3={"addressing_style": "path" if endpoint else "auto"},  # other servers know no bucket host names
            ),
        )
        self._transfer = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES)

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file whole; a reader sees the old or the new one, never a part."""
        with _translated(key):
            await asyncio.to_thread(
                self._client.upload_fileobj,
                io.BytesIO(content),
                self._bucket,
                key,
                ExtraArgs={"ContentType": content_type},
                Config=self._transfer,
            )

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

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the bucket does not answer."""
        try:
            await asyncio.to_thread(self._client.head_bucket, Bucket=self._bucket)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"the bucket {self._bucket} does not answer: {error}", 5.0) from error

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


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
