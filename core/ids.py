"""Ids as types, so that a student's can't be handed in where a guardian's is meant."""

from typing import NewType
from uuid import UUID

import uuid_utils.compat

SchoolId = NewType("SchoolId", UUID)
UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
TermId = NewType("TermId", UUID)
ClosureId = NewType("ClosureId", UUID)
LevelId = NewType("LevelId", UUID)
ClassArmId = NewType("ClassArmId", UUID)
DepartmentId = NewType("DepartmentId", UUID)
SubjectId = NewType("SubjectId", UUID)
StudentId = NewType("StudentId", UUID)
GuardianId = NewType("GuardianId", UUID)
StaffId = NewType("StaffId", UUID)
TeachingLoadId = NewType("TeachingLoadId", UUID)
ConsentId = NewType("ConsentId", UUID)
PolicyId = NewType("PolicyId", UUID)
MarkSheetId = NewType("MarkSheetId", UUID)
MarkUploadId = NewType("MarkUploadId", UUID)
RegisterId = NewType("RegisterId", UUID)
FeeId = NewType("FeeId", UUID)
PaymentId = NewType("PaymentId", UUID)
ImportId = NewType("ImportId", UUID)
EventId = NewType("EventId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
NotificationId = NewType("NotificationId", UUID)
PushDeviceId = NewType("PushDeviceId", UUID)
WebhookEndpointId = NewType("WebhookEndpointId", UUID)
WebhookMessageId = NewType("WebhookMessageId", UUID)
ReportSnapshotId = NewType("ReportSnapshotId", UUID)
ReportChunkId = NewType("ReportChunkId", UUID)
PrintId = NewType("PrintId", UUID)
BankedCommentId = NewType("BankedCommentId", UUID)
TimetableId = NewType("TimetableId", UUID)
CalendarLinkId = NewType("CalendarLinkId", UUID)
JobId = NewType("JobId", UUID)


def new_id() -> UUID:
    """Return a new UUID of version 7, so that rows made together lie together in their index (RFC 9562)."""
    return uuid_utils.compat.uuid7()
