"""Ops along an axis that are more than sums: cumulative products and extremes, moments, integrals."""
