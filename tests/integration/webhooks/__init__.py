"""Webhooks out, on a real database and with a real receiver."""
