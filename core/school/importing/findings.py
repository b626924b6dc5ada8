"""What an import finds wrong, and what it would merely point out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import Fault

_COLUMN = re.compile(r"![A-Z]+(?=\d+$)")
MOST = 1_000
"""Faults and warnings that are listed; past them they are counted."""


@dataclass(slots=True)
class Findings:
    """Faults, which stop an import, and warnings, which don't."""

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    rows: set[str] = field(default_factory=set)
    """The rows with faults, as ``Place.row_address`` has them."""

    def fault(self, where: str, what: str, code: str = "invalid") -> None:
        """Note a fault."""
        self.fault_count += 1
        self.rows.add(_COLUMN.sub("!", where))
        if len(self.faults) < MOST:
            self.faults.append(Fault(where, what, code))

    def faults_of(self, faults: Iterable[Fault]) -> None:
        """Note several faults."""
        for fault in faults:
            self.fault(fault.where, fault.what, fault.code)

    def warn(self, where: str, what: str, code: str) -> None:
        """Note a warning."""
        if len(self.warnings) < MOST:
            self.warnings.append(Fault(where, what, code))
