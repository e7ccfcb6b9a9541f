"""Consortium statements: the members' sum less what they did with each other."""
