"""Sharing the cost of what is shared: rules, and fair division as check or as the rule."""
