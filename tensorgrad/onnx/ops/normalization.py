"""Normalizations."""

from typing import Any

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.ops.shapes import axis_of
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.table import Buffer, Ints, Outputs, Training, op


@op("BatchNormalization")
def batch_normalization(
    x,
    scale,
    bias,
    mean: Buffer,
    var: Buffer,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
    is_test: int = 1,
    training: Training,
):
    if not spatial:
        raise OnnxError("BatchNormalization with spatial = 0, a norm of each pixel by itself, isn't known")
    return F.batch_norm(x, mean, var, scale, bias, bool(training), 1 - momentum, epsilon)


@op("BatchNormalization", since=14)
def batch_normalization_in_mode(
    x,
    scale,
    bias,
    mean: Buffer,
    var: Buffer,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    training: Training,
    outputs: Outputs,
):
    if not training_mode:
        return F.batch_norm(x, mean, var, scale, bias, bool(training), 1 - momentum, epsilon)
    axes = (0, *range(2, x.ndim))
    z = F.batch_norm(x, None, None, scale, bias, True, 1 - momentum, epsilon)
    now = x.mean(axes).detach(), x.var(axes, correction=0).detach()
    return (z, *(old * momentum + new * (1 - momentum) for old, new in zip((mean, var), now, strict=True)))


@op("InstanceNormalization")
def instance_normalization(x, scale, bias, *, epsilon: float = 1e-5):
    return F.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


@op("LayerNormalization")
def layer_normalization(
    x, scale, bias=None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1, outputs: Outputs
):
    axis = axis_of(axis, x.ndim)
    shape, axes = x.shape[axis:], tuple(range(axis, x.ndim))
    scale, bias = (t if t is None else t.broadcast_to(shape) for t in (scale, bias))
    z = F.layer_norm(x, shape, scale, bias, epsilon)
    if outputs == 1:
        return z
    mean = x.mean(axes, True)
    return z, mean, tg.rsqrt(x.var(axes, correction=0, keepdim=True) + epsilon)


@op("RMSNormalization")
def rms_normalization(x, scale, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1):
    shape = x.shape[axis_of(axis, x.ndim) :]
    return F.rms_norm(x, shape, scale.broadcast_to(shape), epsilon)


@op("GroupNormalization", since=21)
def group_normalization(x, scale, bias, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1):
    return F.group_norm(x, num_groups, scale, bias, epsilon)


@op("GroupNormalization", since=18)
def group_normalization_by_group(x, scale, bias, *, num_groups: int, epsilon: float = 1e-5):
    each = x.shape[1] // num_groups
    return F.group_norm(x, num_groups, scale.repeat_interleave(each), bias.repeat_interleave(each), epsilon)


@op("LpNormalization")
def lp_normalization(x, *, axis: int = -1, p: int = 2):
    norm = tg.abs(x).sum(axis, True) if p == 1 else tg.sqrt((x * x).sum(axis, True))
    return tg.where(norm == 0, 0 * x, x / tg.where(norm == 0, 1 + 0 * norm, norm))


@op("MeanVarianceNormalization")
def mean_variance_normalization(x, *, axes: Ints = (0, 2, 3)):
    centred = x - x.mean(axes, True)
    return centred / (tg.sqrt((centred * centred).mean(axes, True)) + 1e-9)


@op("LRN")
def lrn(x, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0):
    if size % 2:
        return F.local_response_norm(x, size, alpha, beta, bias)
    squares = F.pad((x * x).movedim(1, -1), ((size - 1) // 2, size // 2))
    sums: Any = squares.unfold(-1, size, 1).sum(-1).movedim(-1, 1)
    return x / (bias + alpha / size * sums) ** beta
