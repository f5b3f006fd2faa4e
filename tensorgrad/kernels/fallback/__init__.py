"""The kernels in plain NumPy: what runs where numba may not compile, and gradients of weights that are infinite.

Same arguments, same results; the last bits may differ, since sums may be taken in another order. Tests hold these
functions to definitions in plain loops (tests/definitions.py), and kernels to these functions.
"""

from tensorgrad.kernels.fallback.convolution import conv_forward, conv_grad_input, conv_grad_weight, product
from tensorgrad.kernels.fallback.elementwise import (
    channel_sums,
    cross_entropy,
    cross_entropy_gradient,
    log_softmax,
    log_softmax_gradient,
    loop,
    relu,
    relu_gradient,
    softmax,
    softmax_gradient,
)
from tensorgrad.kernels.fallback.normalization import (
    batch_norm_grad_input,
    gradient_sums,
    moments,
    normalize,
    normalize_grad_input,
    normalize_grad_weights,
    scale_and_shift,
)
from tensorgrad.kernels.fallback.pooling import avg_backward, avg_forward, divisors, gather, max_forward, scatter
from tensorgrad.kernels.fallback.sampling import (
    add_rows,
    bilinear,
    bilinear_adjoint,
    bilinear_slopes,
    pixels,
    resample,
    sample,
    sample_adjoint,
    sample_dots,
    select,
    window_max_indices,
)
