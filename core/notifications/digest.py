"""What a message tells of several children and subjects: the values its templates are written with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Child:
    """What a message tells of one child."""

    student: str
    class_arm: str
    term: str
    subjects: tuple[str, ...]
    """In the order of the alphabet."""

    @property
    def count(self) -> int:
        """How many subjects there are."""
        return len(self.subjects)


def values_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a message's templates. What it tells of several children is gathered child by child.

    Raises ``KeyError`` where a child's part is not whole.
    """
    values = {"link": "", **content}  # the page where a guardian says why a child is away, where there is one
    if "subject" not in content:
        return {**values, **_names(content)}
    children = _children(content)
    return {
        **values,
        "children": children,
        "student": ", ".join(dict.fromkeys(child.student for child in children)),
        "class_arm": ", ".join(dict.fromkeys(child.class_arm for child in children)),
        "term": ", ".join(dict.fromkeys(child.term for child in children)),
        "subject": children[0].subjects[0],
        "subjects": ", ".join(dict.fromkeys(subject for child in children for subject in child.subjects)),
        "count": sum(child.count for child in children),
    }


def _names(content: Mapping[str, Any]) -> Mapping[str, str]:
    """Return whose cards and of which terms a message tells, where there are several."""
    results: Sequence[Mapping[str, Any]] = list(content.get("results", {}).values())
    return {name: ", ".join(sorted({str(each[name]) for each in results})) for name in ("student", "term") if results}


def _children(content: Mapping[str, Any]) -> Sequence[Child]:
    results: Mapping[str, Mapping[str, Any]] = content.get("results") or {"": content}
    by_student: dict[str, list[Mapping[str, Any]]] = {}
    for key, result in results.items():
        by_student.setdefault(key.partition(":")[0], []).append(result)
    children = [
        Child(
            student=of[0]["student"],
            class_arm=of[0]["class_arm"],
            term=", ".join(dict.fromkeys(str(each["term"]) for each in of)),
            subjects=tuple(sorted(str(each["subject"]) for each in of)),
        )
        for of in by_student.values()
    ]
    return sorted(children, key=lambda child: (child.student, child.class_arm))
