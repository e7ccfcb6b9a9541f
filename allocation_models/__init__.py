"""Policy as dated data: the allocation models that ship with medcost. No logic."""
