"""Reads and writes timetables in the forms that schools and programs have."""
