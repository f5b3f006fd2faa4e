"""Convolution and matrix products in plain NumPy.

The letters of `einsum`: n sample, g group, k filter and c channel within a group, p and q the output's row and column,
i and j the filter's.
"""

import numpy as np

from tensorgrad.kernels.fallback.windows import NO_PADDING, cropped, padded, windows_of
from tensorgrad.windows import Pads, Sizes


def conv_forward(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Each output pixel is the dot product of its window with its filter: see `convolution.forward`."""
    windows = windows_of(padded(x, padding), w.shape[2:], stride, dilation)
    # (N, C, OH, OW, KH, KW) -> (N, groups, C/groups, OH, OW, KH, KW); (K, …) -> (groups, K/groups, …)
    windows = windows.reshape(x.shape[0], groups, w.shape[1], *windows.shape[2:])
    filters = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    y = np.einsum("ngcpqij,gkcij->ngkpq", windows, filters, optimize=True)
    # (N, groups, K/groups, OH, OW) -> (N, K, OH, OW)
    y = y.reshape(x.shape[0], w.shape[0], *y.shape[3:])
    return y if bias is None else y + bias[:, None, None]


def conv_grad_input(
    g: np.ndarray,
    w: np.ndarray,
    input_size: Sizes,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Filter element by filter element, g is added to the pixels that it met: see `convolution.grad_input`."""
    n, _, oh, ow = g.shape
    # (N, K, OH, OW) -> (N, groups, K/groups, OH, OW); (K, …) -> (groups, K/groups, …)
    g = g.reshape(n, groups, w.shape[0] // groups, oh, ow)
    filters = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    height, width = (size + before + after for size, (before, after) in zip(input_size, padding, strict=True))
    x = np.zeros((n, w.shape[1] * groups, height, width), g.dtype)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            # filters[..., i, j] (groups, K/groups, C/groups); (N, groups, C/groups, OH, OW) -> (N, C, OH, OW)
            part = np.einsum("ngkpq,gkc->ngcpq", g, filters[..., i, j], optimize=True).reshape(n, x.shape[1], oh, ow)
            top, left = i * dilation[0], j * dilation[1]
            x[:, :, top : top + oh * stride[0] : stride[0], left : left + ow * stride[1] : stride[1]] += part
    return cropped(x, padding, input_size)


def conv_grad_weight(
    x: np.ndarray,
    g: np.ndarray,
    kernel_size: Sizes,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Each weight's gradient is the dot product of g with the pixels the weight met: see `convolution.grad_weight`."""
    windows = windows_of(padded(x, padding), kernel_size, stride, dilation)
    # (N, C, OH, OW, KH, KW) -> (N, groups, C/groups, OH, OW, KH, KW)
    windows = windows.reshape(x.shape[0], groups, x.shape[1] // groups, *windows.shape[2:])
    # (N, K, OH, OW) -> (N, groups, K/groups, OH, OW)
    grads = g.reshape(g.shape[0], groups, g.shape[1] // groups, *g.shape[2:])
    dw = np.einsum("ngcpqij,ngkpq->gkcij", windows, grads, optimize=True)
    # (groups, K/groups, C/groups, KH, KW) -> (K, C/groups, KH, KW)
    return dw.reshape(g.shape[1], x.shape[1] // groups, *kernel_size)


def product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """a (M, K), b (K, N), bias (N,) or None -> (M, N): see `matmul.product`."""
    z = np.einsum("mk,kn->mn", a, b)
    return z if bias is None else z + bias
