"""How a deviation becomes a cost."""

from enum import StrEnum


class CostFunction(StrEnum):
    """How a deviation becomes a cost (XHSTT's names)."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"
    STEP = "step"

    def of(self, deviation: int) -> int:
        """Return the cost of a deviation of 0 or more, before the weight."""
        match self:
            case CostFunction.LINEAR:
                return deviation
            case CostFunction.QUADRATIC:
                return deviation * deviation
            case CostFunction.STEP:
                return min(deviation, 1)
