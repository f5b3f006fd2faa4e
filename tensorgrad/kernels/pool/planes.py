"""What kernels of pooling share: the planes of images, and which windows and taps meet their pixels."""

from tensorgrad.kernels.jit.dispatch import helper


@helper
def count_planes(images):
    """How many planes (H, W) there are in (N, C, H, W)."""
    return images.shape[0] * images.shape[1]


@helper
def plane_of(images, k):
    """Plane k of (N, C, H, W)."""
    return images[k // images.shape[1], k % images.shape[1]]


@helper
def inside(offset, stride, size, count):
    """The positions r of 0 … count with 0 ≤ r · stride + offset < size, as a half-open range."""
    first = max(0, -(offset // stride))
    return first, max(first, min(count, -((offset - size) // stride)))


@helper
def taps(size_of_window, stride, before, size, count):
    """The taps of `count` windows that meet a pixel somewhere, as a half-open range."""
    return max(0, before - (count - 1) * stride), min(size_of_window, before + size)
