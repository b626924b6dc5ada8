"""All use cases of the records, as the routes are handed them."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.ports import Database
from core.school.records.calendar import Closures, Sessions, Terms
from core.school.records.guardians import Guardians
from core.school.records.links import Guardianships
from core.school.records.loads import Electives, Enrolments, TeachingLoads
from core.school.records.policies import Policies
from core.school.records.profile import SchoolProfile
from core.school.records.staff import StaffRecords
from core.school.records.structure import ClassArms, Departments, Levels, Subjects
from core.school.records.students import Students


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The use cases of each family of records."""

    profile: SchoolProfile
    sessions: Sessions
    terms: Terms
    closures: Closures
    levels: Levels
    class_arms: ClassArms
    departments: Departments
    subjects: Subjects
    students: Students
    guardians: Guardians
    guardianships: Guardianships
    staff: StaffRecords
    teaching_loads: TeachingLoads
    enrolments: Enrolments
    electives: Electives
    policies: Policies

    @classmethod
    def over(cls, db: Database, clock: Clock) -> Self:
        """Return the use cases over a database."""
        return cls(
            profile=SchoolProfile(db, clock),
            sessions=Sessions(db, clock),
            terms=Terms(db, clock),
            closures=Closures(db, clock),
            levels=Levels(db, clock),
            class_arms=ClassArms(db, clock),
            departments=Departments(db, clock),
            subjects=Subjects(db, clock),
            students=Students(db, clock),
            guardians=Guardians(db, clock),
            guardianships=Guardianships(db, clock),
            staff=StaffRecords(db, clock),
            teaching_loads=TeachingLoads(db, clock),
            enrolments=Enrolments(db, clock),
            electives=Electives(db, clock),
            policies=Policies(db, clock),
        )
