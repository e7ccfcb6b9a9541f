"""The consortium: sharing cost, lending from the pool, allocating funds and equipment."""
