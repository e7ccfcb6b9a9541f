"""One module of medcost at a time."""
