"""The SQL of a school's profile."""

from uuid import UUID

from core.ids import SchoolId
from core.ports import Row
from core.school.model import School
from core.school.records.table import SortKey, Table


def _school(row: Row) -> School:
    return School(
        id=SchoolId(row["id"]),
        code=row["code"],
        name=row["name"],
        address=row["address"],
        phone=row["phone"],
        email=row["email"],
        time_zone=row["time_zone"],
        currency=row["currency"],
        version=row["version"],
    )


SCHOOLS = Table(
    name="schools",
    noun="school",
    select="SELECT r.* FROM schools r",
    order=(SortKey("r.id", "id", UUID),),
    build=_school,
)
