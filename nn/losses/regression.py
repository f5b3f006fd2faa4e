"""Losses of numbers and distributions: robust errors, Poisson and Gaussian likelihoods, the divergence."""

from __future__ import annotations

import math

import numpy as np

import tensorgrad as tg
from tensorgrad.autograd.engine import guard, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import ArgumentError, RangeError, ShapeError, restate
from tensorgrad.nn.losses.targets import (
    alike,
    check_reduction,
    in_dtype_of,
    joined,
    reduced,
    refuse_legacy,
    weighed_each,
)
from tensorgrad.ops.losses import distances, entropies
from tensorgrad.ops.operands import TensorLike, flag, number
from tensorgrad.tensor import Tensor


def smooth_l1_loss(
    input: TensorLike,
    target: TensorLike,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """½ d² / β where |d| < β, else |d| − ½ β, for d = input − target: a square near 0, a straight line elsewhere.

    Args:
        input: the predictions, of any shape.
        target: the targets, of the same shape.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".
        beta: β ≥ 0; with 0 it is `l1_loss`.

    Raises:
        ShapeError: a target of another shape.
        ArgumentError: a negative β.

    Girshick, Fast R-CNN, ICCV 2015.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.smooth_l1_loss(tg.tensor([0.5, 3.0]), tg.tensor([0.0, 0.0]), reduction="none")
    tensor([0.125, 2.5  ])
    """
    call = "smooth_l1_loss"
    refuse_legacy(call, size_average, reduce)
    x, t = alike(call, input, target, reduction)
    beta = number(call, "beta", beta)
    if not beta >= 0:
        raise ArgumentError(restate(call, f"beta must be ≥ 0, got {beta}", input=x, target=t, beta=beta))
    return reduced(distances.smooth_l1(x - t, float(beta)) if beta else (x - t).abs(), reduction)


def huber_loss(
    input: TensorLike,
    target: TensorLike,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: TensorLike | None = None,
) -> Tensor:
    """½ d² where |d| ≤ δ, else δ (|d| − ½ δ), for d = input − target: δ times `smooth_l1_loss` with β = δ.

    Args:
        input: the predictions, of any shape.
        target: the targets, of the same shape.
        reduction: "mean" over the elements, "sum" or "none".
        delta: δ > 0.
        weight: a factor per element, of the same shape.

    Raises:
        ShapeError: a target or weight of another shape.
        ArgumentError: a δ that isn't above 0.

    Huber, Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35, 1964.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.huber_loss(tg.tensor([0.5, 3.0]), tg.tensor([0.0, 0.0]), reduction="none", delta=2.0)
    tensor([0.125, 4.   ])
    """
    call = "huber_loss"
    x, t = alike(call, input, target, reduction)
    delta = number(call, "delta", delta)
    if not delta > 0:
        raise ArgumentError(restate(call, f"delta must be > 0, got {delta}", input=x, target=t, delta=delta))
    losses, _ = weighed_each(call, distances.huber(x - t, float(delta)), weight)
    return reduced(losses, reduction)


def kl_div(
    input: TensorLike,
    target: TensorLike,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t · (ln t − input), the terms of the Kullback-Leibler divergence of t from the distribution e^input.

    Args:
        input: log-probabilities, of any shape.
        target: t, probabilities; a shape that broadcasts.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean" over the elements, "sum", "none", or "batchmean": the sum divided by the length of the first
            axis, which is the divergence itself.
        log_target: `target` holds ln t.

    Raises:
        ShapeError: shapes that don't broadcast.
        ArgumentError: another reduction.

    Kullback and Leibler, On Information and Sufficiency, Annals of Mathematical Statistics 22, 1951.

    >>> import tensorgrad as tg
    >>> p = tg.tensor([[0.5, 0.5]])
    >>> tg.nn.functional.kl_div(p.log(), tg.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931)
    """
    call = "kl_div"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction, also="batchmean")
    x, t = joined(call, input=input, target=target)
    losses = t.exp() * (t - x) if flag(call, "log_target", log_target) else entropies.divergence(x, t)
    if reduction == "batchmean":
        return losses.sum() / x.shape[0] if x.ndim else losses.sum()
    return reduced(losses, reduction)


def poisson_nll_loss(
    input: TensorLike,
    target: TensorLike,
    log_input: bool = True,
    full: bool = False,
    size_average: None = None,
    eps: float = 1e-8,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """λ − t · ln λ, up to a constant the negative log-likelihood of counts t that follow a Poisson distribution.

    Args:
        input: ln λ, or λ itself if not `log_input`; of any shape.
        target: the counts t; a shape that broadcasts.
        log_input: whether `input` is ln λ.
        full: add Stirling's approximation of ln t!, which is t ln t − t + ½ ln 2πt, where t > 1.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        eps: ε of ln(λ + ε), if `input` is λ.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.poisson_nll_loss(tg.tensor([0.0, 1.0]), tg.tensor([2.0, 1.0]), reduction="none")
    tensor([1.    , 1.7183])
    """
    call = "poisson_nll_loss"
    refuse_legacy(call, size_average, reduce)
    check_reduction(call, reduction)
    x, t = joined(call, input=input, target=target)
    losses = x.exp() - t * x if flag(call, "log_input", log_input) else x - t * (x + number(call, "eps", eps)).log()
    if flag(call, "full", full):
        # ln 1 in place of the logarithm of what isn't above 1.
        above = tg.where(t > 1, t, 1.0)
        stirling = t * above.log() - t + 0.5 * (2 * math.pi * above).log()
        losses = losses + tg.where(t > 1, stirling, 0.0)
    return reduced(losses, reduction)


def gaussian_nll_loss(
    input: TensorLike,
    target: TensorLike,
    var: TensorLike,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """½ (ln v + (input − target)² / v) with v = max(var, ε), up to a constant a Gaussian's negative log-likelihood.

    Args:
        input: the expected values, of any shape.
        target: the targets; a shape that broadcasts.
        var: the variances ≥ 0: a number; the shape of the input; or without its last axis, or with one axis of
            length 1, for several values of one variance.
        full: add the constant ½ ln 2π.
        eps: ε > 0, the least variance. The gradient for `var` passes through as if it weren't bounded.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: a `var` of another shape.
        RangeError: a negative variance.
        ArgumentError: an ε that isn't above 0.

    Nix and Weigend, Estimating the Mean and Variance of the Target Probability Distribution, ICNN 1994.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.gaussian_nll_loss(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0]), tg.tensor([1.0, 1.0]))
    tensor(1.)
    """
    call = "gaussian_nll_loss"
    check_reduction(call, reduction)
    x, t = joined(call, input=input, target=target)
    eps = number(call, "eps", eps)
    if not eps > 0:
        raise ArgumentError(restate(call, f"eps must be > 0, got {eps}", input=x, target=t, eps=eps))
    v = in_dtype_of(x, var)
    if not guard(_are_variances, v._data):
        raise RangeError(restate(call, "variances must be ≥ 0", input=x, target=t, var=v))
    v = _beside(call, v, x)
    v = v + wrap(host_call(_shortfall, v._data, eps))
    losses = 0.5 * (v.log() + (x - t).square() / v)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if flag(call, "full", full) else losses, reduction)


def _beside(call: str, var: Tensor, x: Tensor) -> Tensor:
    """The variances in a shape that broadcasts to that of `x`."""
    if var.ndim == 0 or var.shape == x.shape:
        return var
    if var.shape == x.shape[:-1]:
        return var.unsqueeze(-1)
    other = [n for n, m in zip(var.shape, x.shape, strict=False) if n != m]
    if var.ndim != x.ndim or other != [1]:
        problem = "var must be a number, or have the shape of input, without its last axis or with one axis of 1"
        raise ShapeError(restate(call, problem, input=x, var=var))
    return var


def _are_variances(values: np.ndarray) -> bool:
    return not (values < 0).any()


def _shortfall(values: np.ndarray, eps: float) -> np.ndarray:
    """What must be added so that none is below ε."""
    return np.maximum(values.dtype.type(eps) - values, 0)
