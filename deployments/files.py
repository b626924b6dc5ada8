"""Files of the local object store, to whoever holds a signed link that has not expired."""

from typing import Annotated

from fastapi import APIRouter, Query, Security
from fastapi.responses import FileResponse
from fastapi.security import APIKeyQuery

from core.errors import NotAuthenticated, NotFound
from deployments.ground.problem import PROBLEMS
from deployments.services import ServicesDep

router = APIRouter(tags=["files"], responses=PROBLEMS)

_signature = APIKeyQuery(
    name="signature", scheme_name="signedLink", auto_error=False, description="Comes with the link that a route gave."
)
_SHOWN = {"application/pdf", "image/png", "image/jpeg"}
"""What a browser may show in its window; everything else is saved, so that no file of a user runs as our page."""


@router.get(
    "/files/{key:path}",
    operation_id="getFile",
    summary="Get a file by a signed link",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, 206: {"description": "A part of the file"}},
)
async def get_file(
    services: ServicesDep,
    key: str,
    expires: Annotated[int, Query(description="Seconds since 1970, UTC", ge=0, le=2**40)],
    signature: Annotated[str | None, Security(_signature)],
) -> FileResponse:
    """Send the file a link names. Where files lie in S3, links lead there and none leads here."""
    if services.signed_files is None:
        raise NotFound("files are not kept here")
    if not signature:
        raise NotAuthenticated("files are read by signed links; ask the route that names the file for one")
    found = services.signed_files.open_signed(key, expires, signature)
    return FileResponse(
        found.place,
        media_type=found.content_type,
        filename=key.rsplit("/", 1)[-1],
        content_disposition_type="inline" if found.content_type in _SHOWN else "attachment",
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer",
        },
    )
