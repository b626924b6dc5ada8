"""Fees, what was paid, and who is reminded."""
