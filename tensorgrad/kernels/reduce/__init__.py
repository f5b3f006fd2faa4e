"""Sums in float64 over any axes."""
