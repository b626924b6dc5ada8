"""Names, phones, emails and usernames."""

import unicodedata
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access.principal import Role
from core.errors import InvalidInput
from core.ids import GuardianId, StaffId, StudentId, new_id
from core.school.accounts import choose_usernames, guardian_account, staff_account, student_account
from core.school.contacts import e164, email_address, tidy


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0803 123 4567", "+2348031234567"),
        ("08031234567", "+2348031234567"),
        ("+234 (0) 803 123 4567", "+2348031234567"),
        ("2348031234567", "+2348031234567"),
        ("+44 20 7946 0958", "+442079460958"),
        ("0803-123-4567", "+2348031234567"),
    ],
)
def test_a_phone_number_is_kept_as_e164(written: str, kept: str) -> None:
    """However a number is written, one form is kept; without a country code it is Nigerian."""
    assert e164(written) == kept


@pytest.mark.parametrize(
    "written", ["", "12345", "not a phone", "0803 123 456", "+999 1234567890", "08031234567890123"]
)
def test_what_is_no_phone_number_is_refused(written: str) -> None:
    """A number that can't be dialled is refused with how to write one."""
    with pytest.raises(ValueError, match="write it like 0803 123 4567"):
        e164(written)


def test_an_email_address_is_normal_and_refused_where_it_is_none() -> None:
    """The domain is lower case, and what is no address is refused."""
    assert email_address("Ngozi.Ade@Example.COM") == "Ngozi.Ade@example.com"
    for wrong in ("ngozi", "a@b@c.ng", "a b@c.ng", ""):
        with pytest.raises(ValueError, match="no email address"):
            email_address(wrong)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_tidying_is_done_once(text: str) -> None:
    """Tidied text is composed and tidying it again changes nothing."""
    tidied = tidy(text)
    assert tidied == unicodedata.normalize("NFC", tidied)
    assert tidy(tidied) == tidied


def test_diacritics_stay_and_control_characters_do_not() -> None:
    """A decomposed name is composed with its marks, and a NUL is refused."""
    assert tidy("  Adé  Tọ́lá ") == unicodedata.normalize("NFC", "Adé Tọ́lá")
    with pytest.raises(ValueError, match="control characters"):
        tidy("Ad\x00e")


def test_parents_who_share_a_mailbox_get_a_username_each() -> None:
    """The second takes the phone, the third an ending; none is taken twice."""
    first, second, third = (GuardianId(new_id()) for _ in range(3))
    shared = [
        guardian_account(who, name="A B", email="Home@x.ng", phone="+2348031234567") for who in (first, second, third)
    ]
    chosen = choose_usernames(shared, taken=[])
    assert chosen[first] == "home@x.ng"
    assert chosen[second] == "+2348031234567"
    assert chosen[third].startswith("guardian")
    assert len(set(chosen.values())) == 3


def test_a_username_of_the_school_is_not_taken_again() -> None:
    """What another account of the school has is passed over."""
    staff = staff_account(StaffId(new_id()), name="A B", staff_no="T/001", email="a@x.ng", phone=None)
    assert choose_usernames([staff], taken=["a@x.ng"])[staff.owner_id] == "t/001"
    student_id = UUID(int=0xABCDEF12)
    student = student_account(StudentId(student_id), name="A B", student_no="S/1")
    assert choose_usernames([student], taken=["s/1"])[student_id] == "s/1-abcdef12"


def test_staff_teach_by_default_and_are_never_guardians() -> None:
    """Roles of staff are given by name; without one it is subject teacher; a guardian's role is refused."""
    who = StaffId(new_id())
    assert staff_account(who, name="A", staff_no="1", email=None, phone=None).roles == (Role.SUBJECT_TEACHER,)
    with pytest.raises(InvalidInput, match="guardian"):
        staff_account(who, name="A", staff_no="1", email=None, phone=None, roles=[Role.GUARDIAN])
