"""What printed cards are called as files: safe on every system, and each by itself. Pure."""

import re
import unicodedata
from collections.abc import Iterable

from core.ids import JobId, SchoolId, StudentId
from core.reports.archive_store import PackedItem

_UNSAFE = re.compile(r'[\\/:*?"<>|\s_-]+')
"""What Windows, macOS or a shell reads as something else, and what parts the words of a name."""
_LONGEST = 60


def archive_key(school_id: SchoolId, job_id: JobId) -> str:
    """Return where a batch's archive lies."""
    return f"{school_id}/reports/{job_id}/report-cards.zip"


def file_names(items: Iterable[PackedItem], naming: str) -> dict[StudentId, str]:
    """Return each card's name in the archive: by student id (P5-13), or by number, family name and class."""
    if naming == "id":
        return {item.student_id: f"{item.student_id}-report-card.pdf" for item in items}
    names: dict[StudentId, str] = {}
    taken: set[str] = set()
    for item in items:
        words = "_".join(map(safe, (item.student_no, item.family_name, item.class_name)))
        name = f"{words}.pdf"
        if name.casefold() in taken:  # numbers that differ only in what is not safe in a file's name
            name = f"{words}_{item.student_id}.pdf"
        taken.add(name.casefold())
        names[item.student_id] = name
    return names


def safe(text: str) -> str:
    """Return words as a part of a file's name; letters keep their marks."""
    shown = "".join(char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char)[0] != "C")
    return _UNSAFE.sub("-", shown)[:_LONGEST].strip("-. ") or "x"
