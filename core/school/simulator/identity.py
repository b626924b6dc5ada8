"""By what the simulated are known: ids, numbers, names, addresses."""

from functools import cached_property

from core.school.simulator.batches import Ids
from core.school.simulator.names import ascii_word
from core.school.simulator.people import Parent, Student
from core.school.simulator.simulation import Recipe, School
from core.school.simulator.staffroom import Colleague

FIRST_PHONE = 2_347_000_000_000
"""Numbers are dealt from +234 700 000 0000 up. Nigeria keeps no range for fiction; 0700 is the range of corporate
universal numbers, never a person's mobile, and its lowest block spells no company's name."""
_STAFF_PHONES, _PARENT_PHONES = 1_000, 10_000
_OFFICES = {"principal": "principal", "school_admin": "admin", "bursar": "bursar"}
_PLACES = ("Ìkòròdú", "Enugu", "Zaria", "Ìjẹ̀bú", "Owerri", "Kano", "Calabar", "Ọ̀yọ́", "Awka", "Jos", "Warri", "Àkúrẹ́")
_SORTS = ("Community Secondary School", "Grammar School", "High School", "Comprehensive College", "Model College")


class Identity:
    """A simulated school with its names. Email addresses end in ``.example``, which no mail reaches (RFC 2606)."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.code = school.recipe.code
        self.prefix = self.code.replace("-", "").upper()
        self.ids = ids_of(school.recipe)

    def school_name_and_address(self) -> tuple[str, str]:
        """Return how the school is called and where it is."""
        if self.code == "kcl":
            return "Kings College Lagos", "3 Catholic Mission Street, Lagos Island, Lagos"
        dice = self.school.recipe.dice("school")
        place = dice.pick(_PLACES)
        return f"{place} {dice.pick(_SORTS)}", f"{1 + dice.below(90)} School Road, {place}"

    @cached_property
    def student_nos(self) -> tuple[str, ...]:
        """Numbers like ``KCL/S/25/0001``: counted within the year of admission."""
        counted: dict[int, int] = {}
        numbers = []
        for student in self.school.town.students:
            counted[student.admitted] = counted.get(student.admitted, 0) + 1
            numbers.append(f"{self.prefix}/S/{student.admitted % 100:02d}/{counted[student.admitted]:04d}")
        return tuple(numbers)

    def staff_no(self, colleague: Colleague) -> str:
        """Return the number of a member of staff."""
        return f"{self.prefix}/T/{colleague.number + 1:03d}"

    def staff_email(self, colleague: Colleague) -> str:
        """Return the mailbox of an office or of a person."""
        office = next((mailbox for role, mailbox in _OFFICES.items() if role in colleague.roles), None)
        person = f"{ascii_word(colleague.given)}.{ascii_word(colleague.family)}{colleague.number}"
        return f"{office or person}@{self.code}.example"

    def school_phone(self) -> str:
        """Return the number of the office."""
        return _phone(0)

    def staff_phone(self, colleague: Colleague) -> str:
        """Return a number of a member of staff."""
        return _phone(_STAFF_PHONES + colleague.number)

    def parent_phone(self, parent: Parent) -> str:
        """Return a number of a guardian."""
        return _phone(_PARENT_PHONES + parent.number)

    def parent_email(self, parent: Parent) -> str | None:
        """Return the mailbox of a guardian who has one."""
        if not parent.has_email:
            return None
        return f"{ascii_word(parent.given)}.{ascii_word(parent.family)}{parent.number}@mail.example"


def ids_of(recipe: Recipe) -> Ids:
    """Return the ids of the school of a recipe."""
    return Ids(recipe.world.name, recipe.seed, recipe.code, recipe.students)


def parent_name(parent: Parent) -> str:
    """Return how letters address a guardian."""
    return f"{parent.title} {parent.given.split()[0]} {parent.family}"


def student_name(student: Student) -> str:
    """Return a student's name, family name first."""
    return f"{student.family} {student.given}"


def _phone(number: int) -> str:
    return f"+{FIRST_PHONE + number}"
