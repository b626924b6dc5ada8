"""A demo school that behaves like one: seeded, honest, and frozen by name."""
