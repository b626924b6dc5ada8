"""Every rule there is, found by its module, so that a new rule is one new module and nothing else."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from core.timetable import rules
from core.timetable.rules.base import Rule


def _find() -> Iterator[type[Rule]]:
    for module in pkgutil.iter_modules(rules.__path__):
        if module.name in {"base", "registry", "selecting"}:
            continue
        found = importlib.import_module(f"{rules.__name__}.{module.name}")
        for value in vars(found).values():
            if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == found.__name__:
                yield value


RULES: dict[str, type[Rule]] = {rule.model_fields["kind"].default: rule for rule in _find()}
"""The rules by their kind."""

if TYPE_CHECKING:
    AnyRule = Rule
else:
    _union: Any = reduce(or_, RULES.values())
    AnyRule = Annotated[_union, Field(discriminator="kind")]
