"""Opens the places for files and typefaces; apart from ``wiring_ground``, because most workers need none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cluster.settings import Settings
from core.adapters.local_store import LocalObjectStore
from core.clock import SystemClock

if TYPE_CHECKING:
    from core.adapters.s3_store import S3ObjectStore
    from core.reports.fonts import Fonts


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator["LocalObjectStore | S3ObjectStore"]:
    """Open the place for files: the bucket where one is named, else a folder of this machine."""
    s3 = settings.s3
    if s3.bucket is None:
        links_url = f"{settings.http.url}/files"
        yield LocalObjectStore(settings.state_dir / "objects", links_url=links_url, clock=SystemClock())
        return
    from core.adapters.s3_store import S3ObjectStore  # noqa: PLC0415 - 40 MB that who has no bucket does not need

    store = S3ObjectStore(
        s3.bucket,
        endpoint=s3.endpoint,
        region=s3.region,
        access_key=s3.access_key.get_secret_value() if s3.access_key else None,
        secret_key=s3.secret_key.get_secret_value() if s3.secret_key else None,
    )
    try:
        yield store
    finally:
        store.close()


def fonts_of(settings: Settings) -> "Fonts":
    """Return the typefaces, cut once for all processes of a machine."""
    from core.reports.fonts import Fonts  # noqa: PLC0415 - 16 MB that who prints nothing does not need

    return Fonts(settings.state_dir.absolute() / "fonts")
