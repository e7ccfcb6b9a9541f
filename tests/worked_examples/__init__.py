"""Published and constructed examples, and two real books."""
