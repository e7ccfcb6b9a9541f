"""The costing stages: pure functions from frozen inputs to frozen results, in fen."""
