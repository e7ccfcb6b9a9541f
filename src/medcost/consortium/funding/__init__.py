"""Funds over a consortium's members: budgets by requests, the insurance package and its surplus."""
