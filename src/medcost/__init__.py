"""medcost: from the month's ledger to departments, service items, cases and DRG groups."""

__version__ = "0.1.0"
