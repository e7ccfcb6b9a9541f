"""A slow, obvious implementation of the costing contract, to test the engine against.

It reads nothing from the engine: plain dicts in, plain dicts out, `fractions.Fraction` between.
"""
