"""Solvers in machine code: one that constructs, one that improves."""

from core.timetable.solvers.native.annealing import Annealing
from core.timetable.solvers.native.ejection import EjectionChain

__all__ = ["Annealing", "EjectionChain"]
