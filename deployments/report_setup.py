"""What a school sets up once for its cards: the bank of remarks, the style, its pictures."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile, status

from core.ids import BankedCommentId, StudentId
from core.reports.banking import BankText
from core.reports.card import CardStyle
from core.reports.comments import RemarkKind
from core.reports.images import MAX_BYTES
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.uploads import bounded_upload
from deployments.report_wire import BankedOut, BankTextIn, PictureOut
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/reports", tags=["report cards"], responses=PROBLEMS)

Picture = Annotated[UploadFile, File(description="PNG or JPEG, at most 4 MiB")]
_BANKED = "/comment-bank/{comment_id}"
_PHOTO = "/students/{student_id}/photo"


@router.get("/comment-bank", operation_id="listCommentBank", summary="List the bank of remarks")
async def list_bank(
    *,
    caller: Caller,
    services: ServicesDep,
    request: Request,
    response: Response,
    page: PageParams,
    kind: Annotated[RemarkKind | None, Query()] = None,
    score: Annotated[int | None, Query(ge=0, le=100, description="An average that they shall suit.")] = None,
) -> Page[BankedOut]:
    """Return the school's remarks to choose from."""
    after = page.keys(UUID)
    found = await services.report_records.bank.listed(
        caller,
        kind=kind,
        score=score,
        after=BankedCommentId(after[0]) if after else None,
        limit=page.limit + 1,
    )
    items = [BankedOut.of(each) for each in found]
    return page_of(request, response, items, page, key=lambda each: (each.id,))


@router.post(
    "/comment-bank",
    operation_id="addBankedComment",
    summary="Add a remark to the bank",
    status_code=status.HTTP_201_CREATED,
)
async def add_banked(caller: Caller, services: ServicesDep, body: BankTextIn, response: Response) -> BankedOut:
    """Add a remark with places for name and pronouns."""
    added = await services.report_records.bank.add(caller, _text(body))
    response.headers["Location"] = f"/api/reports/comment-bank/{added.id}"
    set_etag(response, added.version)
    return BankedOut.of(added)


@router.put(_BANKED, operation_id="changeBankedComment", summary="Change a remark of the bank")
async def change_banked(
    *,
    caller: Caller,
    services: ServicesDep,
    comment_id: UUID,
    body: BankTextIn,
    if_match: IfMatch,
    response: Response,
) -> BankedOut:
    """Replace a remark of the bank; remarks made from it stay as they are."""
    changed = await services.report_records.bank.change(
        caller, BankedCommentId(comment_id), _text(body), version=require_match(if_match)
    )
    set_etag(response, changed.version)
    return BankedOut.of(changed)


@router.delete(
    _BANKED,
    operation_id="removeBankedComment",
    summary="Remove a remark from the bank",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def remove_banked(caller: Caller, services: ServicesDep, comment_id: UUID, if_match: IfMatch) -> None:
    """Remove a remark from the bank."""
    await services.report_records.bank.remove(caller, BankedCommentId(comment_id), version=require_match(if_match))


@router.get("/style", operation_id="getCardStyle", summary="Read how the school's cards look")
async def get_style(caller: Caller, services: ServicesDep, response: Response) -> CardStyle:
    """Return the style; the `ETag` is what changing it asks for, "0" while it is the built-in one."""
    kept = await services.report_records.styling.style(caller)
    set_etag(response, kept.version)
    return kept.style


@router.put("/style", operation_id="putCardStyle", summary="Change how the school's cards look")
async def put_style(
    caller: Caller, services: ServicesDep, body: CardStyle, if_match: IfMatch, response: Response
) -> CardStyle:
    """Replace the style; pictures are uploaded first."""
    kept = await services.report_records.styling.save(caller, body, version=require_match(if_match))
    set_etag(response, kept.version)
    return kept.style


@router.post(
    "/style/pictures",
    operation_id="addCardPicture",
    summary="Upload a logo or signature",
    status_code=status.HTTP_201_CREATED,
)
async def add_picture(caller: Caller, services: ServicesDep, file: Picture) -> PictureOut:
    """Keep a picture, drawn anew and made no larger than print needs."""
    content = await bounded_upload(file, MAX_BYTES)
    return PictureOut(key=await services.report_records.styling.add_picture(caller, content))


@router.put(_PHOTO, operation_id="putStudentPhoto", summary="Upload a student's photo")
async def put_photo(caller: Caller, services: ServicesDep, student_id: UUID, file: Picture) -> PictureOut:
    """Keep a photo and put it into the student's record."""
    content = await bounded_upload(file, MAX_BYTES)
    return PictureOut(key=await services.report_records.styling.set_photo(caller, StudentId(student_id), content))


@router.delete(
    _PHOTO,
    operation_id="removeStudentPhoto",
    summary="Remove a student's photo",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def remove_photo(caller: Caller, services: ServicesDep, student_id: UUID) -> None:
    """Take the photo out of the record; cards finalised with it keep it."""
    await services.report_records.styling.remove_photo(caller, StudentId(student_id))


def _text(body: BankTextIn) -> BankText:
    return BankText(kind=body.kind, from_score=body.from_score, to_score=body.to_score, text=body.text)
