"""What the routes call: the use cases of each noun, opened once in the process that serves them."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from core.access.tokens import TokenVerifier
from core.access.use_cases import AccessUseCases
from core.jobs.service import Jobs
from core.notifications.absence_link_reasons import AbsenceReasons
from core.notifications.receiving import DeliveryReports
from core.notifications.registering import Devices
from core.notifications.service import Notifications
from core.notifications.webhooks import Webhooks
from core.ports import SignedFiles
from core.reports.batches import Batches
from core.reports.handouts import Handouts
from core.reports.previews import Previews
from core.reports.printing_queue import PrintQueue
from core.reports.use_cases import ReportRecords
from core.school.attendance.service import Attendance
from core.school.fees.service import Fees
from core.school.founding import Founding
from core.school.importing.service import Imports
from core.school.marks.service import MarkUseCases
from core.school.records.service import Records
from core.timetable.use_cases import Timetables


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every use case a route may call. Built by ``cluster.wiring``; tests build their own."""

    tokens: TokenVerifier
    probes: Mapping[str, Callable[[], Awaitable[None]]]
    """What ``/readyz`` asks, by name; each raises where its dependency does not answer."""

    access: AccessUseCases
    founding: Founding
    jobs: Jobs
    records: Records
    imports: Imports
    marks: MarkUseCases
    attendance: Attendance
    fees: Fees
    report_records: ReportRecords
    prints: PrintQueue
    batches: Batches
    previews: Previews
    handouts: Handouts
    timetables: Timetables
    notifications: Notifications
    devices: Devices
    delivery_reports: DeliveryReports
    webhooks: Webhooks
    absences: AbsenceReasons | None = None
    """Behind the links of absence messages; None where the installation has no key to sign them with."""

    signed_files: SignedFiles | None = None
    """The local object store, whose links lead back here; None where files lie in S3."""


OpenServices = Callable[[], AbstractAsyncContextManager[Services]]
"""A picklable factory: connections are opened in the process that uses them, and closed in reverse order."""


async def _services(request: Request) -> Services:  # async, as every dependency: FastAPI sends others to a thread
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]
"""A route's parameter for the use cases."""
