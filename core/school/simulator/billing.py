"""Fees of every term that has begun, and what each home has paid by today."""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

from core.school.simulator.batches import Batch, Kind, batch
from core.school.simulator.catalogue import FEES_KOBO, LEVELS
from core.school.simulator.dice import Dice
from core.school.simulator.identity import Identity
from core.school.simulator.people import Student
from core.school.simulator.simulation import Year
from core.school.simulator.terms import Term

_DUE_AFTER = timedelta(days=21)
_NEVER_SETTLED = 0.02
_INSTALMENTS = 0.25


def billing_batches(identity: Identity) -> Iterator[Batch]:
    """Yield fees and payments, a term at a time."""
    for year in identity.school.years:
        for place in range(len(year.terms)):
            term = identity.school.calendar.terms[year.session * 3 + place]
            yield _fees(identity, term)
            yield _payments(identity, year, term)


def _fees(identity: Identity, term: Term) -> Batch:
    rows = [
        (
            _fee_id(identity, term, fee, level),
            identity.ids.of(Kind.TERM, term.number),
            identity.ids.of(Kind.LEVEL, level),
            FEES_KOBO[fee][0],
            _amount(identity, fee, level),
            term.starts_on + _DUE_AFTER,
        )
        for fee in range(len(FEES_KOBO))
        for level in range(len(LEVELS))
    ]
    return batch("fees", "id term_id level_id name amount_kobo due_on", rows)


def _fee_id(identity: Identity, term: Term, fee: int, level: int) -> UUID:
    return identity.ids.of(Kind.FEE, (term.number * len(FEES_KOBO) + fee) * len(LEVELS) + level)


def _amount(identity: Identity, fee: int, level: int) -> int:
    """Return a fee in kobo, rounded to a hundred naira."""
    full = FEES_KOBO[fee][1][LEVELS[level][:3]]
    return round(full * identity.school.recipe.world.fee_scale / 10_000) * 10_000


def _payments(identity: Identity, year: Year, term: Term) -> Batch:
    dice = identity.school.recipe.dice("payments", term.number)
    students, bursar = identity.school.town.students, identity.school.staffroom.bursar
    paid = [
        (_fee_id(identity, term, fee, int(level)), identity.ids.of(Kind.STUDENT, int(number)), amount, day)
        for number, level in zip(year.roll, year.level, strict=True)
        for fee in range(len(FEES_KOBO))
        for day, amount in _paid(dice, students[int(number)], term, _amount(identity, fee, int(level)))
        if day < identity.school.recipe.today
    ]
    rows = [
        (
            identity.ids.of(Kind.PAYMENT, term.number * 1_000_000 + n),
            *payment,
            f"{identity.prefix}/R/{term.number + 1}/{n + 1:06d}",
            identity.ids.of(Kind.STAFF_USER, bursar),
        )
        for n, payment in enumerate(paid)
    ]
    return batch("payments", "id fee_id student_id amount_kobo paid_on reference recorded_by", rows)


def _paid(dice: Dice, student: Student, term: Term, amount: int) -> list[tuple[date, int]]:
    """Return when a home pays how much: the better its means the sooner, some in two parts, a few never all."""
    lateness = -6 - 7 * student.home.means + 9 * float(dice.normal(1)[0])
    in_parts, settles = dice.happens(_INSTALMENTS), not dice.happens(_NEVER_SETTLED)
    first = max(term.starts_on, term.starts_on + _DUE_AFTER + timedelta(days=round(lateness)))
    if not in_parts and settles:
        return [(first, amount)]
    half = amount // 20_000 * 10_000
    parts = [(first, half)]
    return [*parts, (first + timedelta(days=28), amount - half)] if settles else parts
