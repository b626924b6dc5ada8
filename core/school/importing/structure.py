"""Sessions and terms, staff, classes and subjects of an import."""

from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise

from core.school.importing import tables
from core.school.importing.cells import class_key, fold, fold_number, parse_level, shown
from core.school.importing.drafting import RowDiff
from core.school.importing.planning import Planning
from core.school.importing.rows import ClassRow, Place, StaffRow, SubjectRow, TermRow
from core.school.importing.tables import Record

_TERM_NAMES = {1: "First Term", 2: "Second Term", 3: "Third Term"}


def plan_terms(planning: Planning) -> None:
    """Plan the sessions and terms of the file; without any, the usual three terms of the sessions it speaks of."""
    rows = [
        row
        for row in planning.book.terms
        if planning.is_first(row.place, "term", f"{row.session} term {row.term}") and _is_in_order(planning, row)
    ]
    if not planning.book.terms and not planning.draft.all(tables.SESSIONS):
        rows = _usual_rows(planning)
    by_session: dict[str, list[TermRow]] = defaultdict(list)
    for row in rows:
        by_session[row.session].append(row)
    for name, terms in by_session.items():
        _plan_session(planning, name, terms)
    _check_overlaps(planning)


def _is_in_order(planning: Planning, row: TermRow) -> bool:
    first_year = int(row.session[:4])
    if row.ends_on <= row.starts_on:
        planning.findings.fault(row.place.of("ends_on"), "the term ends before it starts", "out_of_range")
        return False
    if not first_year <= row.starts_on.year <= row.ends_on.year <= first_year + 1:
        what = f"a term of {row.session} lies in {first_year} or {first_year + 1}"
        planning.findings.fault(row.place.of("starts_on"), what, "out_of_range")
        return False
    return True


def _plan_session(planning: Planning, name: str, rows: list[TermRow]) -> None:
    """Plan a session that reaches over all its terms, and those."""
    diffs = [planning.draft.row(row.place, f"{row.session}, term {row.term}") for row in rows]
    known = planning.draft.find(tables.SESSIONS, name)
    starts = [row.starts_on.isoformat() for row in rows] + ([known["starts_on"]] if known else [])
    ends = [row.ends_on.isoformat() for row in rows] + ([known["ends_on"]] if known else [])
    values = {"name": name, "starts_on": min(starts), "ends_on": max(ends)}
    session = planning.draft.put(tables.SESSIONS, diffs[0], values)
    for row, diff in zip(rows, diffs, strict=True):
        _plan_term(planning, row, session, diff)


def _plan_term(planning: Planning, row: TermRow, session: Record, diff: RowDiff) -> None:
    dates = {"starts_on": row.starts_on.isoformat(), "ends_on": row.ends_on.isoformat()}
    current = planning.draft.find(tables.TERMS, session["id"], row.term)
    if current and current.get("closed_at") and any(current[name] != value for name, value in dates.items()):
        planning.findings.fault(row.place.of("term"), "this term is closed; its dates stay", "closed")
        return
    values = {"session_id": session["id"], "number": row.term, **dates}
    planning.draft.put(tables.TERMS, diff, values, main=True, defaults={"name": _TERM_NAMES[row.term]})


def _usual_rows(planning: Planning) -> list[TermRow]:
    sessions = [row.session for row in planning.book.students] + [row.session for row in planning.book.loads]
    named = {name for name in sessions if name}
    if None in sessions and planning.only_session is None:
        year = planning.today.year if planning.today.month >= 8 else planning.today.year - 1
        named.add(f"{year}/{year + 1}")
    rows: list[TermRow] = []
    for name in sorted(named):
        what = f"there is no sheet Sessions: {name} gets three terms on the usual dates; change them where yours differ"
        planning.findings.warn("Sessions", what, "default")
        for number, (starts, weeks) in enumerate(_usual_terms(int(name[:4])), start=1):
            place = Place("Sessions", "Sessions", number + 1, {})
            ends = starts + timedelta(weeks=weeks, days=-3)
            rows.append(TermRow(place=place, session=name, term=number, starts_on=starts, ends_on=ends))
    return rows


def _usual_terms(year: int) -> tuple[tuple[date, int], ...]:
    """Return the first Monday and the weeks of each term, as the Lagos State calendar has them within a week or so."""
    return (
        (_monday_from(date(year, 9, 8)), 14),
        (_monday_from(date(year + 1, 1, 5)), 13),
        (_monday_from(date(year + 1, 4, 20)), 14),
    )


def _monday_from(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)


def _check_overlaps(planning: Planning) -> None:
    terms = sorted(planning.draft.all(tables.TERMS), key=lambda term: str(term["starts_on"]))
    names = {session["id"]: session["name"] for session in planning.draft.all(tables.SESSIONS)}
    changed = planning.draft.changes[tables.TERMS.name]
    for earlier, later in pairwise(terms):
        touched = tables.TERMS.key_of(earlier) in changed or tables.TERMS.key_of(later) in changed
        if touched and later["starts_on"] <= earlier["ends_on"]:
            which = " and ".join(f"{names[term['session_id']]} term {term['number']}" for term in (earlier, later))
            planning.findings.fault("Sessions", f"{which} overlap", "overlap")


def plan_staff(planning: Planning) -> list[tuple[StaffRow, Record, RowDiff]]:
    """Plan the staff; return each row with its record, for the accounts."""
    planned: list[tuple[StaffRow, Record, RowDiff]] = []
    for row in planning.book.staff:
        if planning.is_first(row.place, "staff_no", fold_number(row.staff_no)):
            diff = planning.draft.row(row.place, f"{row.staff_no} {row.family_name} {row.given_names}")
            columns = {name: getattr(row, name) for name in tables.STAFF.columns}
            planned.append(
                (row, planning.draft.put(tables.STAFF, diff, columns, main=True, defaults={"title": ""}), diff)
            )
    return planned


def plan_heads(planning: Planning, staff: list[tuple[StaffRow, Record, RowDiff]]) -> None:
    """Plan who heads which department."""
    for row, record, diff in staff:
        for name in row.heads or ():
            planning.draft.put(tables.DEPARTMENTS, diff, {"name": name, "head_id": record["id"]})


def plan_classes(planning: Planning) -> None:
    """Plan levels and class arms."""
    for row in planning.book.classes:
        full_name = f"{row.level} {row.arm}"
        if not planning.is_first(row.place, "arm", class_key(full_name)):
            continue
        diff = planning.draft.row(row.place, full_name)
        level, teacher = _level(planning, row, diff), None
        if row.class_teacher is not None:
            teacher = planning.find_staff(row.place, "class_teacher", row.class_teacher)
        if level is not None:
            values = {"level_id": level["id"], "name": row.arm, "class_teacher_id": teacher and teacher["id"]}
            planning.draft.put(tables.CLASS_ARMS, diff, values, main=True)


def _level(planning: Planning, row: ClassRow, diff: RowDiff) -> Record | None:
    found = planning.find_level(row.level)
    if found is not None:
        return found
    parsed = parse_level(row.level)
    if parsed is None or parsed[1]:
        what = f"Level: {shown(row.level)} is unknown; write JSS 1 to JSS 3 or SSS 1 to SSS 3"
        planning.findings.fault(row.place.of("level"), what, "unknown")
        return None
    level = parsed[0]
    values = {"name": level.name, "stage": level.stage.value, "rank": level.rank}
    return planning.draft.put(tables.LEVELS, diff, values)


def plan_subjects(planning: Planning) -> None:
    """Plan departments and subjects."""
    for row in planning.book.subjects:
        if planning.is_first(row.place, "code", fold(row.code)):
            _plan_subject(planning, row)


def _plan_subject(planning: Planning, row: SubjectRow) -> None:
    diff = planning.draft.row(row.place, f"{row.code} {row.name}")
    of_code = planning.draft.find(tables.SUBJECTS, "code", fold(row.code))
    of_name = planning.draft.find(tables.SUBJECTS, "name", fold(row.name))
    if of_name is not None and of_name is not of_code:
        what = f"the subject {of_name['code']} is called {shown(row.name)} already"
        planning.findings.fault(row.place.of("name"), what, "duplicate")
        return
    department = None
    if row.department is not None:
        department = planning.draft.put(tables.DEPARTMENTS, diff, {"name": row.department})["id"]
    values = {"code": row.code, "name": row.name, "department_id": department}
    planning.draft.put(tables.SUBJECTS, diff, values, main=True)
