"""The only place that builds adapters and hands them to the nouns; ``wiring_*`` do it for the pools."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from cluster.garbage import rarely_collecting
from cluster.settings import Settings
from cluster.version import version
from cluster.wiring_ground import begin_telemetry, database_url, open_database
from cluster.wiring_keys import installation_key
from cluster.wiring_objects import open_objects
from cluster.wiring_senders import make_devices, receipt_keys
from core.access.oidc import OidcTokens
from core.access.tokens import LocalTokens, TokenVerifier
from core.access.use_cases import AccessUseCases
from core.adapters.jwks import HttpJwks
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres_signal import PostgresNotices
from core.adapters.sns import HttpSns
from core.clock import Clock, SystemClock
from core.errors import InvalidInput
from core.jobs.service import Jobs
from core.notifications.absence_link import AbsenceLinks
from core.notifications.absence_link_reasons import AbsenceReasons
from core.notifications.receiving import DeliveryReports
from core.notifications.service import Notifications
from core.notifications.webhooks import Webhooks
from core.notifications.webhooks_signing import WebhookSecrets
from core.ports import Database
from core.reports.batches import Batches
from core.reports.faces import css
from core.reports.handouts import Handouts
from core.reports.previews import Previews
from core.reports.printing_queue import PRINTED_CHANNEL, PrintQueue
from core.reports.snapshots import Snapshots
from core.reports.splitting import merge
from core.reports.use_cases import ReportRecords
from core.school.attendance.service import Attendance
from core.school.fees.service import Fees
from core.school.founding import Founding
from core.school.importing.service import Imports
from core.school.marks.service import MarkUseCases
from core.school.records.service import Records
from core.timetable.calendar_tokens import CalendarTokens
from core.timetable.sheets import SheetsBy
from core.timetable.use_cases import Timetables
from deployments.app import AppOptions
from deployments.services import Services

__all__ = [
    "app_options",
    "make_tokens",
    "make_verifier",
    "open_database",
    "open_objects",
    "open_replica",
    "open_services",
]


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


def make_verifier(settings: Settings, db: Database, clock: Clock) -> tuple[TokenVerifier, LocalTokens | None]:
    """Return who verifies tokens, and who issues them: we ourselves, unless an identity provider is named."""
    auth = settings.auth
    if auth.oidc_issuer is None:
        own = make_tokens(settings, clock)
        return own, own
    source = HttpJwks(auth.oidc_issuer, auth.oidc_jwks_url)
    return OidcTokens(source, db, clock, issuer=auth.oidc_issuer, audience=auth.oidc_audience), None


@asynccontextmanager
async def open_services(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """Open everything the routes need, in order; close in reverse."""
    begin_telemetry(settings, "http")
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos http"))
        objects = await stack.enter_async_context(open_objects(settings))
        printed = PostgresNotices(database_url(settings), PRINTED_CHANNEL, application_name="schoolos http listener")
        stack.push_async_callback(printed.close)
        prints = PrintQueue(db, clock, printed)
        tokens, own = make_verifier(settings, db, clock)
        access = stack.enter_context(AccessUseCases.over(db, clock, tokens=own, refresh_ttl=settings.auth.refresh_ttl))
        yield Services(
            tokens=tokens,
            probes={"database": db.ping, "objects": objects.ping},
            access=access,
            founding=Founding(db, clock, access.invitations),
            jobs=Jobs(db, clock),
            records=Records.over(db, clock),
            imports=Imports(db, clock, objects),
            marks=MarkUseCases.over(db, objects, clock),
            attendance=Attendance(db, clock),
            fees=Fees.over(db, clock),
            report_records=ReportRecords.over(db, objects, clock),
            prints=prints,
            batches=Batches(db, clock),
            previews=Previews(db, Snapshots(db, clock), prints, objects),
            handouts=Handouts.over(
                db,
                objects,
                clock,
                prints,
                verify_url=f"{settings.http.url}/verify",
            ),
            timetables=Timetables.over(
                db,
                clock,
                calendar_tokens=make_calendar_tokens(settings),
                sheets=SheetsBy(printer=prints, fonts_css=partial(css, "sans"), merge=merge),
            ),
            notifications=Notifications.over(db, clock),
            devices=make_devices(settings, db, clock),
            delivery_reports=DeliveryReports(db, clock, receipt_keys(settings), HttpSns()),
            absences=make_absences(settings, db, clock),
            webhooks=make_webhooks(settings, db, clock),
            signed_files=objects if isinstance(objects, LocalObjectStore) else None,
        )


def make_absences(settings: Settings, db: Database, clock: Clock) -> AbsenceReasons | None:
    """Return what is behind the links of absence messages; None without a key to check them with."""
    key = installation_key(settings)
    return AbsenceReasons(db, clock, AbsenceLinks(key, settings.http.url)) if key else None


def make_calendar_tokens(settings: Settings) -> CalendarTokens | None:
    """Return what signs the addresses of calendars; None without a key."""
    key = installation_key(settings)
    return CalendarTokens(key, settings.http.url) if key else None


def make_webhooks(settings: Settings, db: Database, clock: Clock) -> Webhooks:
    """Return the use cases of webhooks out."""
    key = installation_key(settings)
    return Webhooks(db, clock, WebhookSecrets(key) if key else None, loopback=settings.webhook.allow_loopback)


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


@asynccontextmanager
async def open_replica(settings: Settings) -> AsyncIterator[Services]:
    """Open everything the routes need in a process that serves them and does nothing else.

    Over 200,000 objects are there by then. Python would look through them all every few dozen requests, which takes a
    fifth of a second in which nobody is answered.
    """
    async with open_services(settings) as services:
        with rarely_collecting():
            yield services
