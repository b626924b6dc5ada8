"""Keeps personal data and secrets out of logs. Code must not log any; this is the net under it."""

import re
import sys
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "[redacted]"

_ONE = (
    "name|surname|phone|mobile|msisdn|email|mail|address|body|text|message|subject|content|mark|score|grade|remark"
    "|birth|dob|gender|photo|payload|fields|recipient|username|password|secret|token|authorization|cookie"
)
_PERSONAL = re.compile(rf"(^|_)({_ONE})(_value)?$")
_SEVERAL = re.compile(rf"(^|_)({_ONE}|addresse|birthday)s$")
_EMAIL = re.compile(r"[^\s@<>\"'/:]+@[^\s@<>\"']+\.[^\s@<>\"']{2,}")
_PHONE = re.compile(r"\+\d{8,15}\b")
_FRAMES = 8


def redact(_: Any, __: str, event: Any) -> Any:
    """Mask what must not be logged: by the key's name, and addresses and numbers wherever they stand in a text."""
    return {key: value if key == "event" else _clean(key, value) for key, value in event.items()}


def describe_exception(_: Any, __: str, event: Any) -> Any:
    """Replace an exception by its kind and places. Its message stays out: it may hold a name or a mark."""
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()[1]
    elif isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        event["exception"] = _kinds(raised)
        frames = traceback.extract_tb(raised.__traceback__)[-_FRAMES:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _kinds(raised: BaseException) -> list[str]:
    """Return the kinds of an exception, of what it was raised from, and of those in a group."""
    kinds = [f"{type(raised).__module__}.{type(raised).__qualname__}"]
    if isinstance(raised, BaseExceptionGroup):
        for each in raised.exceptions:
            kinds += _kinds(each)
    if raised.__cause__ is not None:
        kinds += _kinds(raised.__cause__)
    return kinds


def _clean(key: str, value: Any) -> Any:
    if _is_personal(key) or (_are_personal(key) and not isinstance(value, int)):
        return MASK
    if isinstance(value, str):
        return _PHONE.sub(MASK, _EMAIL.sub(MASK, value)) if "@" in value or "+" in value else value
    if isinstance(value, Mapping):
        return {inner: _clean(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", each) for each in value]
    return value


@lru_cache(maxsize=1024)
def _is_personal(key: str) -> bool:
    return _PERSONAL.search(key.lower()) is not None


@lru_cache(maxsize=1024)
def _are_personal(key: str) -> bool:
    """Tell whether a key holds several personal values; a number under it only counts them."""
    return _SEVERAL.search(key.lower()) is not None
