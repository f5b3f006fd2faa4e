"""Tensors filled with one value or with random numbers."""
