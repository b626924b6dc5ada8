"""How a school's cards look: its colours, layout and pictures."""

import asyncio
import base64
import hashlib

from core.access.principal import Principal, Scope
from core.errors import Fault, InvalidInput, NotFound, Stale
from core.ids import SchoolId, StudentId
from core.ports import Database, ObjectStore
from core.reports import style_store
from core.reports.card import CardStyle
from core.reports.images import data_uri
from core.reports.style_store import KeptStyle
from core.telemetry import get_logger

log = get_logger("reports")


class Styling:
    """Keeps a school's style, and the pictures that it and the students' records name."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    async def style(self, principal: Principal) -> KeptStyle:
        """Return the school's style; version 0 where it goes by the built-in one."""
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await style_store.style_of(tx)

    async def save(self, principal: Principal, style: CardStyle, *, version: int) -> KeptStyle:
        """Replace the style at the version the caller saw. Raises ``Stale``, ``InvalidInput`` for foreign pictures."""
        principal.require(Scope.REPORTS_MANAGE)
        require_own_pictures(principal.school, style)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            saved = await style_store.save(tx, principal.school, style, version)
            if saved is None:
                current = await style_store.style_of(tx)
                raise Stale(f"the style is at version {current.version} by now; read it again")
        log.info("style_saved", version=saved)
        return KeptStyle(style, saved)

    async def add_picture(self, principal: Principal, content: bytes) -> str:
        """Keep a logo or signature and return its key. Raises ``InvalidInput`` for what is no usable picture."""
        principal.require(Scope.REPORTS_MANAGE)
        return await self._keep(principal.school, content)

    async def set_photo(self, principal: Principal, student_id: StudentId, content: bytes) -> str:
        """Keep a student's photo and name it in the record: by leaders. Raises ``NotFound``, ``InvalidInput``."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            if not await style_store.has_student(tx, student_id):
                raise NotFound("there is no such student")
        key = await self._keep(principal.school, content)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await style_store.set_photo(tx, student_id, key)
        return key

    async def remove_photo(self, principal: Principal, student_id: StudentId) -> None:
        """Take a student's photo out of the record; cards finalised with it keep it. Raises ``NotFound``."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not await style_store.set_photo(tx, student_id, None):
                raise NotFound("there is no such student")

    async def _keep(self, school_id: SchoolId, content: bytes) -> str:
        redrawn, content_type = await asyncio.to_thread(redraw, content)
        key = picture_key(school_id, redrawn, content_type)
        await self._objects.put(key, redrawn, content_type)
        return key


def redraw(content: bytes) -> tuple[bytes, str]:
    """Return a picture drawn anew, so that nothing but its pixels is kept, and its type."""
    head, _, body = data_uri(content).partition(",")
    return base64.b64decode(body), head.removeprefix("data:").removesuffix(";base64")


def picture_key(school_id: SchoolId, content: bytes, content_type: str) -> str:
    """Return where a picture lies: named by its content, so that a key always shows what it showed."""
    ending = content_type.removeprefix("image/")
    return f"{school_id}/report-images/{hashlib.sha256(content).hexdigest()}.{ending}"


def require_own_pictures(school_id: SchoolId, style: CardStyle) -> None:
    """Raise ``InvalidInput`` where a picture is not one of the school's own uploads."""
    named = [("/logoKey", style.logo_key)]
    named += [(f"/signatureLines/{place}/imageKey", line.image_key) for place, line in enumerate(style.signature_lines)]
    what = "upload the picture first, and send the key that came back"
    faults = [
        Fault(where, what, "unknown")
        for where, key in named
        if key and not key.startswith(f"{school_id}/report-images/")
    ]
    if faults:
        raise InvalidInput(what, faults)
