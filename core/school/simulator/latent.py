"""What no teacher sees: ability and engagement, how they move, and the marks and absences that come of them.

The chain runs one way. Traits and chance give a term's state; the state, teachers, subjects and chance give marks;
engagement and illness give absence and missing work. Nothing is derived from a mark, so that marks, absence and
missing work tell of the state only as far as they really do.
"""

from dataclasses import dataclass

import numpy as np

from core.school.simulator.catalogue import COMPONENTS, SUBJECTS
from core.school.simulator.dice import Bools, Dice, Floats, Ints, logistic
from core.school.simulator.worlds import World

PRESENT, ABSENT, LATE, EXCUSED = range(4)
MISSING = -1
_DIFFICULTY = np.array([subject.difficulty for subject in SUBJECTS])
_LOADINGS = np.array([[subject.numerate, subject.verbal] for subject in SUBJECTS])
_MAXIMA = np.array([component.maximum for component in COMPONENTS])
_NOISE = np.array([component.noise for component in COMPONENTS])
_EFFORT = np.array([component.engagement for component in COMPONENTS])
_MISSING_LOGIT = np.array([component.missing_logit for component in COMPONENTS])
_STATE_ENGAGEMENT = 0.25
"""What a standard deviation of engagement is worth in every mark."""


@dataclass(slots=True)
class Minds:
    """Traits and present state of students, a row each; shapes in brackets, n = students, s = subjects."""

    ability: Floats
    """Trait, numerate and verbal [n, 2]."""
    ability_now: Floats
    """Deviation from it [n, 2]."""
    engagement: Floats
    engagement_now: Floats
    aptitude: Floats
    """For each subject alone [n, s]."""
    frailty: Floats
    """How readily they fall ill, a log factor [n]."""
    distance: Floats
    """How long the way to school is [n]."""

    def rows(self, keep: Ints) -> "Minds":
        """Return the minds of some students."""
        return Minds(*(getattr(self, name)[keep] for name in self.__slots__))

    def with_new(self, other: "Minds") -> "Minds":
        """Return these and others after them."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return Minds(*(np.concatenate(pair) for pair in pairs))


def new_minds(world: World, dice: Dice, count: int) -> Minds:
    """Return students as they arrive, in the steady state of the drift."""
    general = dice.normal(count)
    rho = world.ability_engagement
    return Minds(
        ability=0.75 * general[:, None] + np.sqrt(1 - 0.75**2) * dice.normal(count, 2),
        ability_now=world.ability_drift_sd * dice.normal(count, 2),
        engagement=rho * general + np.sqrt(1 - rho**2) * dice.normal(count),
        engagement_now=world.engagement_drift_sd * dice.normal(count),
        aptitude=0.5 * dice.normal(count, len(SUBJECTS)),
        frailty=0.5 * dice.normal(count),
        distance=0.6 * dice.normal(count),
    )


def drift(world: World, dice: Dice, minds: Minds, term: int) -> None:
    """Carry the state into the next term: AR(1) around the trait, and shocks that fade as the drift does."""
    count = len(minds.engagement)
    fresh = np.sqrt(1 - world.drift**2)
    rate = world.shock_rate * (10 if term in world.shock_terms else 1)
    shock = (dice.uniform(count) < rate) * (0.8 + 0.4 * np.abs(dice.normal(count)))
    step = world.ability_drift_sd * dice.normal(count, 2)
    minds.ability_now = world.drift * minds.ability_now + fresh * step - 0.5 * shock[:, None]
    step = world.engagement_drift_sd * dice.normal(count)
    minds.engagement_now = world.drift * minds.engagement_now + fresh * step - 1.4 * shock


def term_marks(world: World, dice: Dice, minds: Minds, *, taken: Bools, leniency: Floats, term_effect: float) -> Ints:
    """Return marks [n, s, components]; MISSING where the work was not done or the subject is not taken.

    ``taken`` is who takes what [n, s], ``leniency`` what each student's teacher of the subject adds [n, s], and
    ``term_effect`` how easy the term's papers are for all.
    """
    count, subjects = taken.shape
    engagement = minds.engagement + minds.engagement_now
    level = (minds.ability + minds.ability_now) @ _LOADINGS.T + minds.aptitude - _DIFFICULTY + leniency
    level += _STATE_ENGAGEMENT * engagement[:, None] + term_effect
    pieces = level[:, :, None] + _EFFORT * engagement[:, None, None]
    pieces += _NOISE * dice.normal(count, subjects, len(COMPONENTS))
    percent = np.clip(world.mean_percent + world.percent_per_sd * pieces, 0, 100)
    marks = np.rint(percent / 100 * _MAXIMA).astype(np.int64)
    undone = logistic(world.missing_logit + _MISSING_LOGIT - 0.9 * engagement[:, None, None])
    missing = dice.uniform(count, subjects, len(COMPONENTS)) < undone
    return np.where(missing | ~taken[:, :, None], MISSING, marks)


def term_attendance(world: World, dice: Dice, minds: Minds, days: int, *, wave: bool) -> Ints:
    """Return a status [n, days]: illness comes in spells, truancy of low engagement, lateness also of a long way."""
    count = len(minds.engagement)
    engagement = (minds.engagement + minds.engagement_now)[:, None]
    ill = _illness(world, dice, minds, days, wave=wave)
    excused = dice.uniform(count, days) < 0.55
    truant = dice.uniform(count, days) < logistic(world.truancy_logit - 0.85 * engagement)
    late = dice.uniform(count, days) < logistic(world.lateness_logit - 0.6 * engagement + minds.distance[:, None])
    status = np.where(late, LATE, PRESENT)
    status = np.where(truant, ABSENT, status)
    return np.where(ill, np.where(excused, EXCUSED, ABSENT), status).astype(np.int64)


def _illness(world: World, dice: Dice, minds: Minds, days: int, *, wave: bool) -> Bools:
    count = len(minds.frailty)
    risk = world.illness_per_day * np.exp(minds.frailty)[:, None] * np.ones(days)
    if wave:
        risk[:, days // 3 : days // 3 + 15] *= 12
    falls = dice.uniform(count, days) < np.minimum(risk, 0.6)
    stays = dice.uniform(count, days) < 0.5
    ill = np.zeros((count, days), dtype=np.bool_)
    for day in range(days):
        before = ill[:, day - 1] if day else np.zeros(count, dtype=np.bool_)
        ill[:, day] = falls[:, day] | (before & stays[:, day])
    return ill
