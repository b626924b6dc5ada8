"""The named worlds. Each is frozen: what it makes never changes, so figures quoted on it stay comparable.

New behaviour is a new world, never a change of one that is here; ``tests/unit/test_simulator_frozen.py`` holds that.
"""

from dataclasses import dataclass, field

from core.errors import Fault, InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How a school's children, teachers and terms behave. Effects are in standard deviations of ability."""

    name: str
    what: str
    """What sets this world apart, in a sentence."""
    mean_percent: float = 57.0
    """The average mark of an average student, per cent."""
    percent_per_sd: float = 10.0
    ability_engagement: float = 0.45
    """Correlation of the traits."""
    drift: float = 0.65
    """AR(1) coefficient of the term-to-term deviations from a student's trait."""
    ability_drift_sd: float = 0.50
    engagement_drift_sd: float = 0.80
    shock_rate: float = 0.03
    """Share of students whom something befalls in a term: a loss in the family, a move, an illness."""
    shock_terms: tuple[int, ...] = ()
    """Terms, counted from 0 over the three sessions, in which ten times as many are shaken."""
    teacher_sd: float = 0.25
    teacher_severity: float = 0.0
    """Taken off every mark of a third of the teachers."""
    term_sd: float = 0.08
    illness_per_day: float = 0.008
    waves: tuple[int, ...] = ()
    """Terms with an epidemic: in three weeks of them illness is twelve times as likely."""
    truancy_logit: float = -4.3
    lateness_logit: float = -3.2
    missing_logit: float = -3.1
    """Log-odds that an average student leaves a piece of work undone."""
    arm_size: int = 34
    two_parent_share: float = 0.7
    sibling_share: float = 0.25
    fee_scale: float = 1.0
    traditions: tuple[tuple[str, float], ...] = field(
        default=(("yoruba", 0.45), ("igbo", 0.30), ("hausa", 0.13), ("southern", 0.12))
    )


_WORLDS = (
    World(name="steady", what="An ordinary city school: no epidemic, no unusual term."),
    World(name="absence-wave", what="An epidemic empties the classes in two of the nine terms.", waves=(2, 6)),
    World(
        name="hard-markers",
        what="A third of the teachers mark far more strictly than their colleagues, and differ more among themselves.",
        teacher_sd=0.45,
        teacher_severity=0.9,
    ),
    World(
        name="shock-term",
        what="In two terms a third of the families is shaken, and engagement breaks.",
        shock_terms=(4, 7),
        shock_rate=0.035,
    ),
    World(
        name="small-rural",
        what="One arm a level, longer ways to school, more farm work, fewer means.",
        mean_percent=52.0,
        lateness_logit=-2.3,
        truancy_logit=-3.6,
        missing_logit=-2.6,
        arm_size=60,
        sibling_share=0.4,
        fee_scale=0.35,
        traditions=(("hausa", 0.7), ("yoruba", 0.1), ("igbo", 0.05), ("southern", 0.15)),
    ),
)
WORLDS = {world.name: world for world in _WORLDS}


def world_named(name: str) -> World:
    """Return a world. Raises ``InvalidInput`` with the names there are."""
    if name not in WORLDS:
        known = ", ".join(WORLDS)
        raise InvalidInput(f"there is no world {name!r}; choose one of {known}", [Fault("/world", known, "unknown")])
    return WORLDS[name]
