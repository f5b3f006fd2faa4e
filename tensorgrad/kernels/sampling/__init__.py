"""Kernels that read images at other places: padding, interpolation, grids."""
