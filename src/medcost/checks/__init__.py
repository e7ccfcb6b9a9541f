"""Faults of the user's data, gathered and returned together."""
