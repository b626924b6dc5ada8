"""What every policy body is: frozen, camelCase on the wire, and strict about its fields."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class PolicyBase(BaseModel):
    """Base of every policy body; an unknown field is refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", str_strip_whitespace=True
    )


def refuse_repeats(what: str, values: list[str]) -> None:
    """Raise ``ValueError`` where one of the values stands twice."""
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"each {what} may stand once; repeated: {', '.join(repeated)}")
