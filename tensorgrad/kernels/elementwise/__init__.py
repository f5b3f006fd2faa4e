"""Kernels that visit each element or row once: activations, softmax, losses, normalization."""
