"""The only place that builds adapters and hands them to the nouns."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from cluster.settings import Settings
from cluster.version import version
from core.access.tokens import LocalTokens
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.adapters.s3_store import S3ObjectStore
from core.clock import Clock, SystemClock
from core.errors import InvalidInput
from core.school.records.service import Records
from deployments.app import AppOptions
from deployments.services import Services


@asynccontextmanager
async def open_database(settings: Settings, *, application_name: str) -> AsyncIterator[PostgresDatabase]:
    """Open the database; its connections are made at first use."""
    if settings.database.url is None:
        raise InvalidInput("SCHOOLOS_DATABASE_URL is not set and no embedded database runs; start with `schoolos up`")
    database = PostgresDatabase(
        settings.database.url.get_secret_value(),
        application_name=application_name,
        pool_max=settings.database.pool_max,
    )
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator[LocalObjectStore | S3ObjectStore]:
    """Open the place for files: the bucket where one is named, else a folder of this machine."""
    s3 = settings.s3
    if s3.bucket is None:
        links_url = f"{settings.http.url}/files"
        yield LocalObjectStore(settings.state_dir / "objects", links_url=links_url, clock=SystemClock())
        return
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


def make_tokens(settings: Settings, clock: Clock) -> LocalTokens:
    """Return the issuer of this installation's own tokens."""
    if settings.auth.signing_key is None:
        raise InvalidInput("SCHOOLOS_AUTH_SIGNING_KEY is not set; `schoolos up` makes one at its first start")
    return LocalTokens(
        settings.auth.signing_key.get_secret_value(),
        issuer=settings.http.url,
        audience=settings.auth.oidc_audience,
        ttl=settings.auth.access_ttl,
        clock=clock,
    )


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """Open everything the routes need, in order; close in reverse."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos http"))
        objects = await stack.enter_async_context(open_objects(settings))
        yield Services(
            tokens=make_tokens(settings, clock),
            probes={"database": db.ping, "objects": objects.ping},
            records=Records.over(db, clock),
            signed_files=objects if isinstance(objects, LocalObjectStore) else None,
        )


def app_options(settings: Settings) -> AppOptions:
    """Return what the HTTP ground is told."""
    http = settings.http
    return AppOptions(
        version=version(),
        cors_origins=http.cors_origins,
        rate_per_s=http.rate_per_s,
        burst=http.burst,
        upload_max_bytes=http.upload_max_bytes,
        trust_loopback=http.host in ("127.0.0.1", "::1", "localhost"),
    )
