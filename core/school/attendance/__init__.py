"""Registers: who came on which day."""
