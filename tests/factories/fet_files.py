"""Small .fet files by hand: two days of four hours, two teachers, a year of two groups."""

from core.timetable.formats.fet.xml_writing import Field, element

DAYS, HOURS = ("Mon", "Tue"), ("8", "9", "10", "11")


def constraint(name: str, *fields: Field | str, percentage: str = "100") -> str:
    """Return a constraint."""
    return element(f"Constraint{name}", ("Weight_Percentage", percentage), *fields, ("Active", "true"))


def activity(number: int, students: str = "Year", **fields: str) -> str:
    """Return an activity of Bello in Maths with the whole year, unless fields say otherwise."""
    split = fields.pop("split", "0")
    tags = [("Activity_Tag", tag) for tag in filter(None, [fields.pop("tag", "")])]
    teacher, subject, duration = (
        fields.get("teacher", "Bello"),
        fields.get("subject", "Maths"),
        fields.get("duration", "1"),
    )
    return element(
        "Activity",
        ("Teacher", teacher),
        ("Subject", subject),
        *tags,
        ("Students", students),
        ("Duration", duration),
        ("Total_Duration", duration),
        ("Id", str(number)),
        ("Activity_Group_Id", split),
        ("Active", "true"),
    )


def about(*numbers: int) -> list[Field]:
    """Return which activities a constraint names."""
    return [("Number_of_Activities", str(len(numbers))), *(("Activity_Id", str(number)) for number in numbers)]


def times(tag: str, *places: tuple[str, str], prefix: str = "") -> list[str]:
    """Return places as a constraint lists them."""
    return [element(tag, (f"{prefix}Day", day), (f"{prefix}Hour", hour)) for day, hour in places]


def fet_file(*activities: str, time: tuple[str, ...] = (), space: tuple[str, ...] = (), rooms: str = "") -> bytes:
    """Return a file of these activities and constraints."""
    groups = [element("Group", ("Name", name), ("Number_of_Students", "10")) for name in ("Red", "Blue")]
    parts = (
        element("Days_List", ("Number_of_Days", "2"), *(element("Day", ("Name", day)) for day in DAYS)),
        element("Hours_List", ("Number_of_Hours", "4"), *(element("Hour", ("Name", hour)) for hour in HOURS)),
        element("Subjects_List", *(element("Subject", ("Name", name)) for name in ("Maths", "PE"))),
        element("Activity_Tags_List", element("Activity_Tag", ("Name", "lab"))),
        element("Teachers_List", *(element("Teacher", ("Name", name)) for name in ("Bello", "Sani"))),
        element("Students_List", element("Year", ("Name", "Year"), ("Number_of_Students", "20"), *groups)),
        element("Activities_List", *activities),
        element("Buildings_List"),
        f"<Rooms_List>\n{rooms}</Rooms_List>\n",
        element("Time_Constraints_List", constraint("BasicCompulsoryTime"), *time),
        element("Space_Constraints_List", constraint("BasicCompulsorySpace"), *space),
    )
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<fet version="6.0.0">\n{"".join(parts)}</fet>\n'
    return text.encode()


def room(name: str, *sets: tuple[str, ...], capacity: int = 30) -> str:
    """Return a room; a virtual one where it has sets of real ones."""
    virtual = [element("Set_of_Real_Rooms", *(("Real_Room", real) for real in one)) for one in sets]
    is_virtual = ("Virtual", str(bool(sets)).lower())
    return element("Room", ("Name", name), ("Building", ""), ("Capacity", str(capacity)), is_virtual, *virtual)
