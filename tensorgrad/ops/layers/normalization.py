"""Layer, group, instance and root-mean-square norm: rows are normalized, then scaled and shifted.

One op does all of them, on x as rows: see `row_normalization`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.ops.elementwise.arithmetic import square
from tensorgrad.ops.layers.row_normalization import GroupNorm, InstanceNorm, LayerNorm, RmsNorm, Rows
from tensorgrad.ops.normalization import batch_norm, follow
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, flag, floating, number
from tensorgrad.ops.pooling import avg_pool2d
from tensorgrad.ops.spelling import numpy_spellings
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["group_norm", "instance_norm", "layer_norm", "rms_norm"]

Sizes = int | tuple[int, ...] | list[int]


@numpy_spellings
def layer_norm(
    input: TensorLike,
    normalized_shape: Sizes,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """z = (x − μ) / √(σ² + ε) · w + b, with μ and σ² over the last axes of each example.

    Ba, Kiros and Hinton, Layer Normalization, arXiv:1607.06450.

    Args:
        input: floats `(..., *normalized_shape)`.
        normalized_shape: the sizes of the last axes, which are normalized together.
        weight: w, of `normalized_shape`; 1 if None.
        bias: b, of `normalized_shape`; 0 if None.
        eps: ε.

    Raises:
        ShapeError: an input that doesn't end with `normalized_shape`, or a weight or bias of another shape.
        DTypeError: sizes that aren't whole numbers.

    >>> import tensorgrad as tg
    >>> tg.layer_norm(tg.tensor([[1.0, 3.0], [5.0, 5.0]]), (2,))
    tensor([[-1.,  1.],
            [ 0.,  0.]])
    """
    x, rows, (w, b) = _last_axes("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    w = _all(1, x, rows) if w is None else w.reshape(-1)
    b = _all(0, x, rows) if b is None else b.reshape(-1)
    return apply(LayerNorm, x, w, b, rows=rows, eps=number("layer_norm", "eps", eps))


@numpy_spellings
def rms_norm(
    input: TensorLike, normalized_shape: Sizes, weight: TensorLike | None = None, eps: float | None = None
) -> Tensor:
    """z = x / √(mean of x² + ε) · w, with the mean over the last axes of each example.

    Zhang and Sennrich, Root Mean Square Layer Normalization, NeurIPS 2019.

    Args:
        input: floats `(..., *normalized_shape)`.
        normalized_shape: the sizes of the last axes, which are normalized together.
        weight: w, of `normalized_shape`; 1 if None.
        eps: ε; None for the smallest number that can be added to 1 in the input's dtype.

    Raises:
        ShapeError: an input that doesn't end with `normalized_shape`, or a weight of another shape.
        DTypeError: sizes that aren't whole numbers.

    >>> import tensorgrad as tg
    >>> tg.rms_norm(tg.tensor([[3.0, 4.0]]), (2,))
    tensor([[0.8485, 1.1314]])
    """
    x, rows, (w,) = _last_axes("rms_norm", input, normalized_shape, weight=weight)
    w = _all(1, x, rows) if w is None else w.reshape(-1)
    eps = float(np.finfo(x.dtype).eps) if eps is None else number("rms_norm", "eps", eps)
    return apply(RmsNorm, x, w, rows=rows, eps=eps)


@numpy_spellings
def group_norm(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """z = (x − μ) / √(σ² + ε) · w + b, with μ and σ² over each group of channels, and w and b per channel.

    Wu and He, Group Normalization, ECCV 2018.

    Args:
        input: floats `(N, C, ...)`.
        num_groups: the number of groups, a divisor of C.
        weight: w, `(C,)`; 1 if None.
        bias: b, `(C,)`; 0 if None.
        eps: ε.

    Raises:
        ShapeError: an input with one axis, a single value per group, or a weight or bias of another shape.
        ArgumentError: a C that the number of groups doesn't divide.

    >>> import tensorgrad as tg
    >>> tg.group_norm(tg.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    tensor([[-1.,  1.,  0.,  0.]])
    """
    x, (w, b) = _channels("group_norm", input, weight=weight, bias=bias)
    (groups,) = as_tuple(num_groups, 1, op="group_norm", name="num_groups", minimum=1)
    if x.shape[1] % groups:
        problem = f"num_groups must divide the {x.shape[1]} channels, got {groups}"
        raise ArgumentError(restate("group_norm", problem, input=x, num_groups=num_groups))
    if math.prod(x.shape) == groups:
        raise ShapeError(restate("group_norm", "a group needs more than one value", input=x, num_groups=num_groups))
    rows = Rows(x.shape[0] * groups, groups, x.shape[1] // groups, math.prod(x.shape[2:]))
    return apply(GroupNorm, x, w, b, rows=rows, eps=number("group_norm", "eps", eps))


@numpy_spellings
def instance_norm(
    input: TensorLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """z = (x − μ) / √(σ² + ε) · w + b, with μ and σ² of each channel of each example, and w and b per channel.

    Ulyanov, Vedaldi and Lempitsky, Instance Normalization, arXiv:1607.08022.

    Args:
        input: floats `(N, C, ...)`.
        running_mean: `(C,)` or None.
        running_var: `(C,)` or None.
        weight: w, `(C,)`; 1 if None.
        bias: b, `(C,)`; 0 if None.
        use_input_stats: normalize by the statistics of the input, and update the running ones in place by their mean
            over the examples, with the unbiased variance; False to normalize by the running statistics.
        momentum: the weight of the input in the running statistics.
        eps: ε.

    Raises:
        ShapeError: an input with one axis, a single value per channel, or other arguments that aren't `(C,)`.
        DTypeError: running statistics to update that aren't tensors.
        ArgumentError: one of the running statistics without the other, or none where they are needed.

    >>> import tensorgrad as tg
    >>> tg.instance_norm(tg.tensor([[[1.0, 3.0], [5.0, 5.0]]]))
    tensor([[[-1.,  1.],
             [ 0.,  0.]]])
    """
    call = "instance_norm"
    use_input_stats = flag(call, "use_input_stats", use_input_stats)
    given: dict[str, Any] = {"running_mean": running_mean, "running_var": running_var}
    if (running_mean is None) != (running_var is None) or (running_mean is None and not use_input_stats):
        problem = "running_mean and running_var must be given together" + ("" if use_input_stats else ", got neither")
        raise ArgumentError(restate(call, problem, **given, use_input_stats=use_input_stats))
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, 0.0, eps)
    x, (w, b) = _channels(call, input, weight=weight, bias=bias)
    size, momentum = math.prod(x.shape[2:]), number(call, "momentum", momentum)
    if size == 1:
        raise ShapeError(restate(call, "a channel needs more than one value", input=x))
    rows = Rows(x.shape[0] * x.shape[1], x.shape[1], 1, size)
    if running_mean is not None and math.prod(x.shape) > 0:
        _check_running(call, x, given)
        average, var = host_call(_moments, x._data)
        host_call(follow, running_mean, average, 1.0, momentum, effect=True)
        host_call(follow, running_var, var, size / (size - 1), momentum, effect=True)
    return apply(InstanceNorm, x, w, b, rows=rows, eps=number(call, "eps", eps))


@numpy_spellings
def local_response_norm(
    input: TensorLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """z = x / (k + α · a)^β, where a is the mean of x² over the `size` channels around each; 0 counts beyond the ends.

    Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Networks, NeurIPS 2012.

    Args:
        input: floats `(N, C, ...)`, with an axis after C.
        size: the number of channels.
        alpha: α.
        beta: β.
        k: the constant below.

    Raises:
        ShapeError: an input with fewer than three axes.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.local_response_norm(tg.ones(1, 2, 1), 2, alpha=2.0, beta=1.0).flatten()
    tensor([0.5   , 0.3333])
    """
    x, call = floating(input), "local_response_norm"
    (size,) = as_tuple(size, 1, op=call, name="size", minimum=1)
    if x.ndim < 3:
        raise ShapeError(restate(call, f"input must be (N, C, ...) with an axis after C, got {x.shape}", input=x))
    alpha, beta, k = (number(call, name, value) for name, value in (("alpha", alpha), ("beta", beta), ("k", k)))
    # (N, C, ...) -> (N, 1, C, pixels), over which a window of (size, 1) moves
    squares = square(x).reshape(x.shape[0], 1, x.shape[1], math.prod(x.shape[2:]))
    sums = avg_pool2d(squares, (size, 1), (1, 1), (size // 2, 0))[:, :, : x.shape[1]]
    return x / (sums.reshape(x.shape) * alpha + k) ** beta


# ------------------------------------------------------------------------------------------------------------ arguments


def _last_axes(call: str, input: TensorLike, normalized_shape: Sizes, **given: TensorLike | None) -> Any:
    """x, its rows, and the weights of a norm over the last axes, in the dtype of x."""
    x, count = floating(input), len(normalized_shape) if isinstance(normalized_shape, Sequence) else 1
    shape = as_tuple(normalized_shape, count, op=call, name="normalized_shape", minimum=0) if count else ()
    if not shape or x.shape[-len(shape) :] != shape:
        problem = f"input must end with the axes normalized_shape = {shape}, got {x.shape}"
        raise ShapeError(restate(call, problem, input=x, normalized_shape=normalized_shape))
    rows = Rows(math.prod(x.shape[: x.ndim - len(shape)]), 1, math.prod(shape), 1)
    return x, rows, _in_dtype(call, x, shape, given)


def _channels(call: str, input: TensorLike, **given: TensorLike | None) -> tuple[Tensor, list[Any]]:
    """x and the weights of a norm per channel, in the dtype of x; 1 and 0 where there are none."""
    x = floating(input)
    if x.ndim < 2:
        raise ShapeError(restate(call, f"input must be (N, C, ...), got {x.shape}", input=x))
    values = (np.ones(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype))
    found = zip(_in_dtype(call, x, x.shape[1:2], given), values, strict=True)
    return x, [constant(value) if t is None else t for t, value in found]


def _in_dtype(call: str, x: Tensor, shape: tuple[int, ...], given: dict[str, Any]) -> list[Any]:
    given = {name: t if t is None else as_tensor(t) for name, t in given.items()}
    for name, t in given.items():
        if t is not None and t.shape != shape:
            raise ShapeError(restate(call, f"{name} must be {shape}, got {t.shape}", input=x, **{name: t}))
    # A recorded cast to the dtype of x: each parameter's gradient is in the parameter's own dtype.
    return [t if t is None or t.dtype == x.dtype else astype(t, x.dtype) for t in given.values()]


def _all(value: float, x: Tensor, rows: Rows) -> Tensor:
    return constant(np.full(rows.blocks, value, x.dtype))


def _check_running(call: str, x: Tensor, given: dict[str, Any]) -> None:
    for name, running in given.items():
        if not isinstance(running, Variable):
            problem = f"{name} changes in place, so it must be a tensor"
            raise DTypeError(restate(call, problem, input=x, **given))
        if running._data.shape != x.shape[1:2]:
            problem = f"{name} must be (C,) = {x.shape[1:2]}, got {running._data.shape}"
            raise ShapeError(restate(call, problem, input=x, **given))


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the examples of each channel's mean and variance, `(C,)`."""
    planes = x.reshape(1, x.shape[0] * x.shape[1], -1)
    average, var = kernels.normalization.moments(planes.astype(np.float32) if x.dtype == np.float16 else planes)
    return average.reshape(x.shape[:2]).mean(0), var.reshape(x.shape[:2]).mean(0)
