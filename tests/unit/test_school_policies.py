"""What each kind of policy may say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.school.defaults import DEFAULT_POLICIES
from core.school.model import PolicyKind
from core.school.policies import GradingPolicy, as_body, parse_policy

COMPONENTS = {"components": [{"code": "ca", "name": "CA", "max": 40}, {"code": "exam", "name": "Exam", "max": 60}]}
GRADING = {"bands": [{"grade": "P", "from": 50}, {"grade": "F", "from": 0}], "pass": 50}


def _with_components(*parts: tuple[str, str, int]) -> dict[str, Any]:
    return {"components": [{"code": code, "name": name, "max": top} for code, name, top in parts]}


def _with_bands(*bands: tuple[str, int]) -> dict[str, Any]:
    return {"bands": [{"grade": grade, "from": floor} for grade, floor in bands], "pass": 40}


@pytest.mark.parametrize(("kind", "body"), [(kind, as_body(body)) for kind, _, _, body in DEFAULT_POLICIES])
def test_the_defaults_are_policies(kind: PolicyKind, body: dict[str, Any]) -> None:
    """What a new school begins with passes its own rules and survives being stored."""
    assert as_body(parse_policy(kind, body)) == body


def test_waec_bands_are_the_ones_of_the_council() -> None:
    """The default of senior school is A1 from 75 down to F9 from 0."""
    bodies = {name: as_body(body) for _, _, name, body in DEFAULT_POLICIES}
    bands = {band["grade"]: band["from"] for band in bodies["WAEC A1-F9"]["bands"]}
    assert bands == {"A1": 75, "B2": 70, "B3": 65, "C4": 60, "C5": 55, "C6": 50, "D7": 45, "E8": 40, "F9": 0}


@pytest.mark.parametrize(
    ("kind", "body", "where", "what"),
    [
        ("assessment", _with_components(("ca", "CA", 40), ("exam", "Exam", 50)), "/body", "sum to 90"),
        ("assessment", _with_components(("ca", "CA", 40), ("ca", "Exam", 60)), "/body", "each code may stand once"),
        ("assessment", _with_components(("ca", "CA", 40), ("exam", "ca", 60)), "/body", "each name may stand once"),
        ("assessment", _with_components(("C A", "CA", 100)), "/body/components/0/code", "pattern"),
        ("assessment", _with_components(("ca", "CA", 0), ("e", "E", 100)), "/body/components/0/max", "greater"),
        ("assessment", {"components": []}, "/body/components", "at least 1"),
        ("assessment", COMPONENTS | {"bonus": 5}, "/body/bonus", "not permitted"),
        ("grading", _with_bands(("A", 50), ("B", 50), ("F", 0)), "/body/bands", "overlap"),
        ("grading", _with_bands(("B", 50), ("A", 70), ("F", 0)), "/body/bands", "overlap"),
        ("grading", _with_bands(("A", 50), ("F", 10)), "/body/bands", "no total is left out"),
        ("grading", _with_bands(("A", 50), ("A", 0)), "/body/bands", "each grade may stand once"),
        ("grading", _with_bands(("A", 101), ("F", 0)), "/body/bands/0/from", "less than or equal to 100"),
        ("grading", {"bands": GRADING["bands"]}, "/body/pass", "required"),
        ("approval", {"steps": []}, "/body/steps", "at least 1"),
        ("approval", {"steps": ["bursar"]}, "/body/steps", "can't approve marks"),
        ("approval", {"steps": ["headmaster"]}, "/body/steps/0", "Input should be"),
        ("approval", {"steps": ["principal", "principal"]}, "/body/steps", "may stand once"),
        ("fee_reminder", {"daysBefore": [7], "daysAfter": [], "atHour": 24}, "/body/atHour", "less than or equal"),
        ("sms_budget", {"monthlyKobo": -1}, "/body/monthlyKobo", "greater than or equal"),
        ("sms_budget", {"monthlyKobo": 1, "warnAtPercent": 101}, "/body/warnAtPercent", "less than or equal"),
        ("sms_pricing", {"prices": []}, "/body/prices", "at least 1"),
        ("sms_pricing", {"prices": [{"provider": "x", "segmentKobo": 1}] * 2}, "/body/prices", "may stand once"),
        ("sms_pricing", {"prices": [{"provider": "x", "segmentKobo": -1}]}, "/body/prices/0/segmentKobo", "greater"),
        ("sms_text", {"letters": "drop"}, "/body/letters", "Input should be"),
        ("fee_reminder", {"daysBefore": [7, 7], "daysAfter": [], "atHour": 9}, "/body/daysBefore", "may stand once"),
        ("fee_reminder", {"daysBefore": [], "daysAfter": [-1], "atHour": 9}, "/body/daysAfter", "0 to 90"),
    ],
)
def test_what_is_no_policy_is_refused_at_its_place(kind: str, body: dict[str, Any], where: str, what: str) -> None:
    """Each rule of a policy's body is told where it is broken."""
    with pytest.raises(InvalidInput) as refused:
        parse_policy(PolicyKind(kind), body)
    assert [fault.where for fault in refused.value.faults] == [where]
    assert what in refused.value.faults[0].what


@given(st.lists(st.integers(0, 100), min_size=2, max_size=20))
def test_bands_are_taken_if_and_only_if_they_cover_0_to_100_once(floors: list[int]) -> None:
    """Every whole total lies in exactly one band of a policy that is taken; any other list is refused."""
    body = {"bands": [{"grade": f"G{place}", "from": floor} for place, floor in enumerate(floors)], "pass": 40}
    tops = [101, *floors[:-1]]
    holders = [sum(floor <= total < top for floor, top in zip(floors, tops, strict=True)) for total in range(101)]
    falling = all(floor < top for floor, top in zip(floors, tops, strict=True))
    if falling and all(count == 1 for count in holders):
        assert isinstance(parse_policy(PolicyKind.GRADING, body), GradingPolicy)
    else:
        with pytest.raises(InvalidInput):
            parse_policy(PolicyKind.GRADING, body)
