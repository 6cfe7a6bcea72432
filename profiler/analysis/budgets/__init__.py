"""Budgets: what a scenario may need, and whether it keeps to that."""
