"""The bank of remarks: a school's own sentences, by kind and average, with places for names and pronouns."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Fault, InvalidInput, NotFound, Stale
from core.ids import BankedCommentId, StudentId, TermId
from core.ports import Database, Transaction
from core.reports import entry_store as store
from core.reports import record_store, rights
from core.reports.comments import RemarkKind, fill, require_known
from core.reports.entry_store import BankedComment
from core.reports.snapshots import current_cards
from core.school.grading import whole

_MOST_SUGGESTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BankText:
    """A remark for the bank."""

    kind: RemarkKind
    from_score: int
    to_score: int
    text: str


class CommentBank:
    """Keeps remarks to choose from."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def listed(
        self,
        principal: Principal,
        *,
        kind: RemarkKind | None,
        score: int | None,
        after: BankedCommentId | None,
        limit: int,
    ) -> Sequence[BankedComment]:
        """Return the bank, or its remarks of one kind, or those that suit an average."""
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await store.bank(tx, kind=kind, score=score, after=after, limit=limit)

    async def suggested(
        self, principal: Principal, *, term_id: TermId, student_id: StudentId, kind: RemarkKind, score: int | None
    ) -> Sequence[str]:
        """Return remarks for a student, filled in with name and pronouns; without a score those for the average now.

        Raises ``NotFound``.
        """
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await rights.class_of(tx, term_id, student_id)
            students = await record_store.students_of(tx, term_id, [student_id])
            if score is None:
                (card,) = await current_cards(tx, term_id=term_id, student_ids=[student_id])
                score = None if card.overall_average is None else whole(card.overall_average)
            found = await store.bank(tx, kind=kind, score=score, after=None, limit=_MOST_SUGGESTED)
        return [fill(each.text, students[0]) for each in found] if students else []

    async def add(self, principal: Principal, new: BankText) -> BankedComment:
        """Add a remark. Raises ``InvalidInput`` for a placeholder that is not known."""
        principal.require(Scope.REPORTS_MANAGE)
        _require_valid(new)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            return await store.add_banked(tx, principal.school, new.kind, (new.from_score, new.to_score), new.text)

    async def change(
        self, principal: Principal, comment_id: BankedCommentId, new: BankText, *, version: int
    ) -> BankedComment:
        """Replace a remark at the version the caller saw. Raises ``NotFound``, ``Stale``, ``InvalidInput``."""
        principal.require(Scope.REPORTS_MANAGE)
        _require_valid(new)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._locked(tx, comment_id, version)
            scores = (new.from_score, new.to_score)
            return await store.change_banked(
                tx, comment_id, kind=new.kind, scores=scores, text=new.text, at=self._clock.now()
            )

    async def remove(self, principal: Principal, comment_id: BankedCommentId, *, version: int) -> None:
        """Remove a remark from the bank; what was written with it stays. Raises ``NotFound``, ``Stale``."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._locked(tx, comment_id, version)
            await store.remove_banked(tx, comment_id)

    async def _locked(self, tx: Transaction, comment_id: BankedCommentId, version: int) -> None:
        found = await store.banked(tx, comment_id)
        if found is None:
            raise NotFound("there is no such remark in the bank")
        if found.version != version:
            raise Stale(f"the remark is at version {found.version} by now; read it again")


def _require_valid(new: BankText) -> None:
    require_known(new.text)
    if new.to_score < new.from_score:
        what = "the range of averages ends before it begins"
        raise InvalidInput(what, [Fault("/toScore", what, "out_of_range")])
