"""Elements as FET writes them: a field a line."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

Field = tuple[str, str]
"""A name and its text."""


def element(tag: str, *content: Field | str) -> str:
    """Return an element of fields, and of elements that are written already."""
    lines = (
        each if isinstance(each, str) else f"<{each[0]}>{escape(_plain(each[1]))}</{each[0]}>\n" for each in content
    )
    return f"<{tag}>\n{''.join(lines)}</{tag}>\n"


def _plain(text: str) -> str:
    """Return text without the control characters that XML has no way to write."""
    return "".join(letter for letter in text if letter in "\t\n" or letter >= " ")


def time_lock(activity: str, day: str, hour: str) -> str:
    """Return the lock of an activity in its time."""
    return element(
        "ConstraintActivityPreferredStartingTime",
        ("Weight_Percentage", "100"),
        ("Activity_Id", activity),
        ("Preferred_Day", day),
        ("Preferred_Hour", hour),
        ("Permanently_Locked", "false"),
        ("Active", "true"),
        ("Comments", ""),
    )


def room_lock(activity: str, room: str, real: Sequence[str] = ()) -> str:
    """Return the lock of an activity in its room; a virtual one with the real rooms that it stands for."""
    fields: list[Field] = [("Weight_Percentage", "100"), ("Activity_Id", activity), ("Room", room)]
    if real:
        fields += [("Number_of_Real_Rooms", str(len(real))), *(("Real_Room", name) for name in real)]
    fields += [("Permanently_Locked", "false"), ("Active", "true"), ("Comments", "")]
    return element("ConstraintActivityPreferredRoom", *fields)
