"""Convolution kernels: direct, Winograd, col2im, sparse gradients, and convolution fused with pooling."""
