"""How fast medcost is: shapes of books, phases of a run, rivals on the same book."""
