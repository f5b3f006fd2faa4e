"""Plots of a training: curves, comparisons, gradient flow."""
