"""Students and the homes they come from."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from core.school.simulator.dice import Dice
from core.school.simulator.names import TRADITIONS, family_name, given_names
from core.school.simulator.worlds import World

AGE_IN_JSS_1 = 11
_CHANNEL_ORDERS = (
    (("sms", "email", "push"), 0.4),
    (("push", "sms", "email"), 0.3),
    (("email", "push", "sms"), 0.2),
    (("sms", "push"), 0.1),
)
_CONSENT = (("sms", 0.93), ("email", 0.75), ("push", 0.85))


@dataclass(frozen=True, slots=True)
class Parent:
    """A guardian."""

    number: int
    title: str
    family: str
    given: str
    relationship: str
    language: str
    channel_order: tuple[str, ...]
    consents: tuple[tuple[str, bool], ...]
    has_email: bool
    receives_messages: bool


@dataclass(slots=True)
class Home:
    """A household: its children share its guardians and its means."""

    tradition: str
    family: str
    parents: list[Parent]
    means: float
    """How easily the fees are paid; standard normal."""
    children: int = 0


@dataclass(slots=True)
class Student:
    """A student, from the first day to the last."""

    number: int
    family: str
    given: str
    gender: str
    born: date
    home: Home
    admitted: int
    """Year of the first session."""
    stream: str
    left_on: date | None = None


@dataclass(slots=True)
class Town:
    """Where the children come from; grows as they are admitted."""

    world: World
    dice: Dice
    streams: tuple[tuple[str, float], ...]
    homes: list[Home] = field(default_factory=list)
    students: list[Student] = field(default_factory=list)
    parents: list[Parent] = field(default_factory=list)

    def admit(self, level: int, session_year: int) -> Student:
        """Admit a child to a level, often the brother or sister of one who is here."""
        home = self._home()
        home.children += 1
        gender = "female" if self.dice.happens(0.51) else "male"
        child = Student(
            number=len(self.students),
            family=home.family,
            given=given_names(self.dice, home.tradition, gender),
            gender=gender,
            born=_birthday(self.dice, session_year - AGE_IN_JSS_1 - level),
            home=home,
            admitted=session_year - level,
            stream=self.dice.weighted(self.streams),
        )
        self.students.append(child)
        return child

    def _home(self) -> Home:
        if self.homes and self.dice.happens(self.world.sibling_share):
            home = self.dice.pick(self.homes)
            if home.children < 4:
                return home
        tradition = self.dice.weighted(self.world.traditions)
        home = Home(tradition, family_name(self.dice, tradition), [], float(self.dice.normal(1)[0]))
        for relationship in self._relationships():
            home.parents.append(self._parent(home, relationship))
        self.homes.append(home)
        self.parents += home.parents
        return home

    def _relationships(self) -> tuple[str, ...]:
        if self.dice.happens(self.world.two_parent_share):
            return ("mother", "father")
        return self.dice.weighted(
            ((("mother",), 0.6), (("father",), 0.15), (("aunt",), 0.1), (("uncle",), 0.05), (("grandmother",), 0.1))
        )

    def _parent(self, home: Home, relationship: str) -> Parent:
        dice = self.dice
        gender = "male" if relationship in {"father", "uncle"} else "female"
        own_language = dice.happens(0.45)
        return Parent(
            number=len(self.parents) + len(home.parents),
            title="Mr" if gender == "male" else "Mrs",
            family=home.family if relationship in {"mother", "father"} else family_name(dice, home.tradition),
            given=given_names(dice, home.tradition, gender),
            relationship=relationship,
            language=TRADITIONS[home.tradition].language if own_language else "en",
            channel_order=dice.weighted(_CHANNEL_ORDERS),
            consents=tuple((channel, dice.happens(share)) for channel, share in _CONSENT),
            has_email=dice.happens(0.8),
            receives_messages=relationship == "mother" or dice.happens(0.85) or len(home.parents) == 0,
        )


def _birthday(dice: Dice, year: int) -> date:
    return date(year, 1, 1) + timedelta(days=dice.below(365))
