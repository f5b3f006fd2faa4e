"""Convolution in groups of few channels: how planes are laid out, and the kernels."""
