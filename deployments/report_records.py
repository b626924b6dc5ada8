"""Ratings and remarks over HTTP: of one student, or of a class at once."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from core.access.principal import Principal
from core.ids import ClassArmId, StudentId, SubjectId, TermId
from core.reports.comments import RemarkKind
from core.reports.entering import Entering, NewRating, NewRemark
from deployments import report_cards, report_setup
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.report_wire import (
    ClassEntriesOut,
    ClassRatingsIn,
    ClassRemarksIn,
    RatingsIn,
    RatingsOut,
    RemarkIn,
    RemarkOut,
    SuggestionsOut,
)
from deployments.services import ServicesDep

router = APIRouter(tags=["report cards"], responses=PROBLEMS)

_CLASS = "/api/reports/terms/{term_id}/class-arms/{class_arm_id}"
_STUDENT = "/api/reports/terms/{term_id}/students/{student_id}"
About = tuple[RemarkKind, SubjectId | None]
_CLASS_TEACHER: About = (RemarkKind.CLASS_TEACHER, None)
_PRINCIPAL: About = (RemarkKind.PRINCIPAL, None)


@router.get(_CLASS + "/entries", operation_id="getClassEntries", summary="Read a class's ratings and remarks")
async def get_class_entries(
    caller: Caller, services: ServicesDep, term_id: UUID, class_arm_id: UUID
) -> ClassEntriesOut:
    """Return everyone in the class with what is entered, and the traits that are rated."""
    found = await services.report_records.entering.of_class(
        caller, term_id=TermId(term_id), class_arm_id=ClassArmId(class_arm_id)
    )
    return ClassEntriesOut.of(found)


@router.put(_CLASS + "/ratings", operation_id="rateClass", summary="Rate students of a class")
async def rate_class(
    caller: Caller, services: ServicesDep, term_id: UUID, class_arm_id: UUID, body: ClassRatingsIn
) -> list[RatingsOut]:
    """Write all ratings or none; each takes the place of the student's former ones."""
    written = await services.report_records.entering.rate(
        caller,
        term_id=TermId(term_id),
        class_arm_id=ClassArmId(class_arm_id),
        ratings=[each.to_rating() for each in body.ratings],
    )
    return [RatingsOut.of(each) for each in written]


@router.get(_STUDENT + "/ratings", operation_id="getRatings", summary="Read a student's ratings")
async def get_ratings(
    caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID, response: Response
) -> RatingsOut:
    """Return the ratings; the `ETag` is what changing them asks for, "0" the first time."""
    rated = await services.report_records.entering.ratings_of(
        caller, term_id=TermId(term_id), student_id=StudentId(student_id)
    )
    set_etag(response, rated.version)
    return RatingsOut.of(rated)


@router.put(_STUDENT + "/ratings", operation_id="rateStudent", summary="Rate a student")
async def rate_student(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    body: RatingsIn,
    if_match: IfMatch,
    response: Response,
) -> RatingsOut:
    """Write a student's ratings; the class teacher's to give."""
    entering, term, student = services.report_records.entering, TermId(term_id), StudentId(student_id)
    new = NewRating(student_id=student, scores=body.scores, version=require_match(if_match))
    arm = await entering.arm_of(caller, term_id=term, student_id=student)
    (rated,) = await entering.rate(caller, term_id=term, class_arm_id=arm, ratings=[new])
    set_etag(response, rated.version)
    return RatingsOut.of(rated)


@router.put(
    _CLASS + "/class-teacher-remarks", operation_id="remarkOnClass", summary="Write the class teacher's remarks"
)
async def put_class_teacher_remarks(
    caller: Caller, services: ServicesDep, term_id: UUID, class_arm_id: UUID, body: ClassRemarksIn
) -> list[RemarkOut]:
    """Write all remarks or none; warnings say where one may be about somebody else."""
    return await _write_all(services.report_records.entering, caller, (term_id, class_arm_id), _CLASS_TEACHER, body)


@router.put(_CLASS + "/principal-remarks", operation_id="remarkAsPrincipal", summary="Write the principal's remarks")
async def put_principal_remarks(
    caller: Caller, services: ServicesDep, term_id: UUID, class_arm_id: UUID, body: ClassRemarksIn
) -> list[RemarkOut]:
    """Write all remarks or none."""
    return await _write_all(services.report_records.entering, caller, (term_id, class_arm_id), _PRINCIPAL, body)


@router.put(
    _CLASS + "/subjects/{subject_id}/remarks", operation_id="remarkOnSubject", summary="Write a subject's remarks"
)
async def put_subject_remarks(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    class_arm_id: UUID,
    subject_id: UUID,
    body: ClassRemarksIn,
) -> list[RemarkOut]:
    """Write all remarks or none; for who teaches the subject in this class."""
    about = (RemarkKind.SUBJECT, SubjectId(subject_id))
    return await _write_all(services.report_records.entering, caller, (term_id, class_arm_id), about, body)


@router.get(
    _STUDENT + "/class-teacher-remark", operation_id="getClassTeacherRemark", summary="Read the class teacher's remark"
)
async def get_class_teacher_remark(
    caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID, response: Response
) -> RemarkOut:
    """Return the remark; the `ETag` is what changing it asks for, "0" the first time."""
    return await _read(services.report_records.entering, caller, (term_id, student_id), _CLASS_TEACHER, response)


@router.put(
    _STUDENT + "/class-teacher-remark", operation_id="putClassTeacherRemark", summary="Write the class teacher's remark"
)
async def put_class_teacher_remark(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    body: RemarkIn,
    if_match: IfMatch,
    response: Response,
) -> RemarkOut:
    """Write the remark, with its placeholders filled in."""
    new = _new(student_id, body, if_match)
    return await _write(services.report_records.entering, caller, term_id, _CLASS_TEACHER, new=new, response=response)


@router.get(_STUDENT + "/principal-remark", operation_id="getPrincipalRemark", summary="Read the principal's remark")
async def get_principal_remark(
    caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID, response: Response
) -> RemarkOut:
    """Return the remark."""
    return await _read(services.report_records.entering, caller, (term_id, student_id), _PRINCIPAL, response)


@router.put(_STUDENT + "/principal-remark", operation_id="putPrincipalRemark", summary="Write the principal's remark")
async def put_principal_remark(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    body: RemarkIn,
    if_match: IfMatch,
    response: Response,
) -> RemarkOut:
    """Write the remark, with its placeholders filled in."""
    new = _new(student_id, body, if_match)
    return await _write(services.report_records.entering, caller, term_id, _PRINCIPAL, new=new, response=response)


_SUBJECT = _STUDENT + "/subjects/{subject_id}/remark"


@router.get(_SUBJECT, operation_id="getSubjectRemark", summary="Read a subject teacher's remark")
async def get_subject_remark(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    subject_id: UUID,
    response: Response,
) -> RemarkOut:
    """Return the remark."""
    about = (RemarkKind.SUBJECT, SubjectId(subject_id))
    return await _read(services.report_records.entering, caller, (term_id, student_id), about, response)


@router.put(_SUBJECT, operation_id="putSubjectRemark", summary="Write a subject teacher's remark")
async def put_subject_remark(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    subject_id: UUID,
    body: RemarkIn,
    if_match: IfMatch,
    response: Response,
) -> RemarkOut:
    """Write the remark, with its placeholders filled in."""
    about = (RemarkKind.SUBJECT, SubjectId(subject_id))
    new = _new(student_id, body, if_match)
    return await _write(services.report_records.entering, caller, term_id, about, new=new, response=response)


@router.get(_STUDENT + "/remark-suggestions", operation_id="suggestRemarks", summary="Suggest remarks from the bank")
async def suggest_remarks(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    kind: RemarkKind,
    score: Annotated[
        int | None, Query(ge=0, le=100, description="The average that they shall suit; left out: the student's now.")
    ] = None,
) -> SuggestionsOut:
    """Return remarks with the student's name and pronouns in them; nothing is written."""
    texts = await services.report_records.bank.suggested(
        caller, term_id=TermId(term_id), student_id=StudentId(student_id), kind=kind, score=score
    )
    return SuggestionsOut(texts=list(texts))


def _new(student_id: UUID, body: RemarkIn, if_match: int | None) -> NewRemark:
    return NewRemark(student_id=StudentId(student_id), text=body.text, version=require_match(if_match))


async def _write_all(
    entering: Entering, caller: Principal, where: tuple[UUID, UUID], about: About, body: ClassRemarksIn
) -> list[RemarkOut]:
    term_id, class_arm_id = where
    kept = await entering.remark(
        caller,
        term_id=TermId(term_id),
        class_arm_id=ClassArmId(class_arm_id),
        about=about,
        remarks=[each.to_remark() for each in body.remarks],
    )
    return [RemarkOut.kept(each) for each in kept]


async def _read(
    entering: Entering, caller: Principal, whose: tuple[UUID, UUID], about: About, response: Response
) -> RemarkOut:
    term_id, student_id = whose
    found = await entering.remark_of(caller, term_id=TermId(term_id), student_id=StudentId(student_id), about=about)
    set_etag(response, found.version if found else 0)
    return RemarkOut.of(found) if found else _none(student_id, about)


def _none(student_id: UUID, about: About) -> RemarkOut:
    kind, subject_id = about
    return RemarkOut(
        student_id=student_id, kind=kind, subject_id=subject_id, text="", version=0, updated_at=None, warnings=[]
    )


async def _write(
    entering: Entering, caller: Principal, term_id: UUID, about: About, *, new: NewRemark, response: Response
) -> RemarkOut:
    term = TermId(term_id)
    arm = await entering.arm_of(caller, term_id=term, student_id=new.student_id)
    (kept,) = await entering.remark(caller, term_id=term, class_arm_id=arm, about=about, remarks=[new])
    set_etag(response, kept.remark.version)
    return RemarkOut.kept(kept)


router.include_router(report_cards.router)
router.include_router(report_setup.router)
