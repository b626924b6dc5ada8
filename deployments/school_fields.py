"""Field types that the routes of the records share."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import Field

Line = Annotated[str, Field(min_length=1, max_length=80)]
"""A short text, such as a name."""
Code = Annotated[str, Field(min_length=1, max_length=40)]
"""A number or code by which the school knows something."""
Contact = Annotated[str | None, Field(max_length=254)]
"""A phone number or an email address; empty for none. It is brought to its one form where it is kept."""
Title = Annotated[str, Field(max_length=20)]

UNSET: Any = None
"""The default of a field that may be left out but may not be null."""

SessionFilter = Annotated[UUID | None, Query(alias="sessionId")]
ClassArmFilter = Annotated[UUID | None, Query(alias="classArmId")]
StudentFilter = Annotated[UUID | None, Query(alias="studentId")]
GuardianFilter = Annotated[UUID | None, Query(alias="guardianId")]
SubjectFilter = Annotated[UUID | None, Query(alias="subjectId")]
StaffFilter = Annotated[UUID | None, Query(alias="staffId")]
SearchFilter = Annotated[
    str | None,
    Query(
        alias="search", max_length=100, description="Words of the name, or of the number; accents and case don't count."
    ),
]
