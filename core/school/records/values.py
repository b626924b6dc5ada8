"""What is written into records, brought to the form in which it is kept."""

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import Fault, InvalidInput
from core.school.contacts import e164, email_address, tidy


def cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with texts tidied, phones as E.164 and emails normal; what is empty there is None.

    Raises ``InvalidInput`` with a fault for each field.
    """
    kept: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in values.items():
        try:
            kept[name] = _FORMS.get(name, tidy)(value) if type(value) is str else value
        except ValueError as error:
            faults.append(Fault(pointer(name), str(error)))
    if faults:
        raise InvalidInput(faults[0].what, faults)
    return kept


def pointer(name: str) -> str:
    """Return the JSON pointer of a field: ``date_of_birth`` is ``/dateOfBirth``."""
    first, *others = name.split("_")
    return "/" + first + "".join(word.capitalize() for word in others)


def refuse(name: str, what: str, code: str = "invalid") -> InvalidInput:
    """Return the error of one field."""
    return InvalidInput(what, [Fault(pointer(name), what, code)])


_FORMS: Mapping[str, Callable[[str], str | None]] = {
    "phone": lambda text: e164(text) if text.strip() else None,
    "email": lambda text: email_address(text.strip()) if text.strip() else None,
}
