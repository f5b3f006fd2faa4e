"""Layers of images: transposed convolution, padding, unpooling, resampling."""
