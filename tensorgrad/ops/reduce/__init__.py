"""Reductions beyond sums: variances, and extremes with their positions."""
