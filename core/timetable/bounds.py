"""How large a cycle may be; what rules count in it is bounded by that."""

MOST_DAYS = 56
"""Eight weeks: examples of FET have 34 days, those of its variant with terms more."""
MOST_PERIODS = 48
"""Of a day: one every half hour."""
MOST_SLOTS = MOST_DAYS * MOST_PERIODS
