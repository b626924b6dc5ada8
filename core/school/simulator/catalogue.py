"""What a Nigerian secondary school teaches, grades by and charges, as data."""

from dataclasses import dataclass

LEVELS = ("JSS 1", "JSS 2", "JSS 3", "SSS 1", "SSS 2", "SSS 3")
ARM_NAMES = ("Ruby", "Emerald", "Diamond", "Sapphire", "Topaz", "Amber", "Pearl", "Jasper", "Onyx", "Opal", "Garnet",
             "Coral")  # fmt: skip
DEPARTMENTS = ("Languages", "Mathematics and Computing", "Sciences", "Humanities", "Vocational Studies")
JSS, SSS = "JSS", "SSS"
STREAMS = (("science", 0.45), ("arts", 0.3), ("commercial", 0.25))
"""What a student of SSS goes for, and how many do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject, and how it loads on the two faces of ability."""

    code: str
    name: str
    department: str
    periods: dict[str, int]
    """Periods a week in the stages that teach it."""
    difficulty: float
    numerate: float
    verbal: float
    streams: tuple[str, ...] = ()
    """In SSS, the streams that take it as an option; empty where the whole class takes it."""

    def is_elective(self, stage: str) -> bool:
        """Tell whether students of the stage choose it."""
        return stage == SSS and bool(self.streams)

    def is_taken(self, stage: str, stream: str) -> bool:
        """Tell whether a student of this stage and stream takes it."""
        return stage in self.periods and (not self.is_elective(stage) or stream in self.streams)


SUBJECTS = (
    Subject("ENG", "English Language", DEPARTMENTS[0], {JSS: 5, SSS: 5}, 0.10, 0.15, 0.85),
    Subject("MTH", "Mathematics", DEPARTMENTS[1], {JSS: 5, SSS: 5}, 0.45, 0.95, 0.10),
    Subject("CIV", "Civic Education", DEPARTMENTS[3], {JSS: 3, SSS: 2}, -0.35, 0.10, 0.70),
    Subject("ICT", "Computer Studies", DEPARTMENTS[1], {JSS: 3, SSS: 3}, -0.15, 0.65, 0.25),
    Subject("BSC", "Basic Science", DEPARTMENTS[2], {JSS: 3}, 0.15, 0.60, 0.40),
    Subject("BTE", "Basic Technology", DEPARTMENTS[4], {JSS: 3}, 0.20, 0.60, 0.25),
    Subject("SOS", "Social Studies", DEPARTMENTS[3], {JSS: 3}, -0.30, 0.10, 0.75),
    Subject("AGR", "Agricultural Science", DEPARTMENTS[4], {JSS: 3}, -0.10, 0.35, 0.45),
    Subject("HEC", "Home Economics", DEPARTMENTS[4], {JSS: 3}, -0.25, 0.20, 0.50),
    Subject("BUS", "Business Studies", DEPARTMENTS[4], {JSS: 3}, 0.05, 0.45, 0.45),
    Subject("FRE", "French", DEPARTMENTS[0], {JSS: 3}, 0.40, 0.10, 0.85),
    Subject("CRK", "Religion and National Values", DEPARTMENTS[3], {JSS: 3}, -0.40, 0.05, 0.65),
    Subject("BIO", "Biology", DEPARTMENTS[2], {SSS: 4}, 0.20, 0.45, 0.55),
    Subject("ECO", "Economics", DEPARTMENTS[3], {SSS: 3}, 0.10, 0.50, 0.45),
    Subject("PHY", "Physics", DEPARTMENTS[2], {SSS: 5}, 0.40, 0.95, 0.10, ("science",)),
    Subject("CHM", "Chemistry", DEPARTMENTS[2], {SSS: 5}, 0.40, 0.80, 0.25, ("science",)),
    Subject("LIT", "Literature in English", DEPARTMENTS[0], {SSS: 5}, 0.15, 0.0, 0.95, ("arts",)),
    Subject("GOV", "Government", DEPARTMENTS[3], {SSS: 5}, -0.05, 0.10, 0.80, ("arts",)),
    Subject("ACC", "Financial Accounting", DEPARTMENTS[4], {SSS: 5}, 0.25, 0.80, 0.15, ("commercial",)),
    Subject("CMM", "Commerce", DEPARTMENTS[4], {SSS: 5}, -0.05, 0.35, 0.60, ("commercial",)),
)


@dataclass(frozen=True, slots=True)
class Component:
    """A piece of assessment: what it can give, how noisy it is, and how much plain effort counts in it."""

    code: str
    name: str
    maximum: int
    noise: float
    engagement: float
    missing_logit: float
    """Added to the world's log-odds that it is not handed in."""


COMPONENTS = (
    Component("assignment", "Assignment", 10, 1.10, 0.50, 0.4),
    Component("note", "Note", 10, 1.00, 0.70, 0.0),
    Component("ca", "CA", 20, 0.90, 0.15, -0.9),
    Component("exam", "Exam", 60, 0.65, 0.05, -2.2),
)

DEMO_SUBJECT = "MTH"
DEMO_ARM = "JSS 2 Ruby"
"""The demo's open sheet: a draft of this subject in this arm waits for its workbook in the current term."""

FEES_KOBO = (("School fees", {JSS: 8_500_000, SSS: 9_800_000}), ("PTA levy", {JSS: 500_000, SSS: 500_000}))
