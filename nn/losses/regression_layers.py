"""The losses of `regression.py` and `sequences.py` as modules."""

from __future__ import annotations

from tensorgrad.nn.losses.layers import Loss
from tensorgrad.nn.losses.regression import (
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    poisson_nll_loss,
    smooth_l1_loss,
)
from tensorgrad.nn.losses.sequences import ctc_loss
from tensorgrad.nn.losses.targets import check_reduction, refuse_legacy
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class SmoothL1Loss(Loss):
    """`smooth_l1_loss` as a module.

    Args:
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".
        beta: where the square becomes a straight line, ≥ 0.

    >>> import tensorgrad as tg
    >>> tg.nn.SmoothL1Loss()(tg.tensor([0.5, 3.0]), tg.tensor([0.0, 0.0]))
    tensor(1.3125)
    """

    def __init__(
        self, size_average: None = None, reduce: None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(None, reduction, size_average, reduce)
        self.beta = beta

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The smooth absolute error."""
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """`huber_loss` as a module.

    Args:
        reduction: "mean", "sum" or "none".
        delta: where the square becomes a straight line, > 0.

    >>> import tensorgrad as tg
    >>> tg.nn.HuberLoss(delta=2.0)(tg.tensor([0.5, 3.0]), tg.tensor([0.0, 0.0]))
    tensor(2.0625)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(None, reduction)
        self.delta = delta

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """Huber's error."""
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class KLDivLoss(Module):
    """`kl_div` as a module.

    Args:
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum", "none" or "batchmean".
        log_target: the target holds logarithms.

    >>> import tensorgrad as tg
    >>> p = tg.tensor([[0.5, 0.5]])
    >>> tg.nn.KLDivLoss(reduction="batchmean")(p.log(), tg.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def __init__(
        self, size_average: None = None, reduce: None = None, reduction: str = "mean", log_target: bool = False
    ) -> None:
        refuse_legacy("KLDivLoss", size_average, reduce)
        check_reduction("KLDivLoss", reduction, also="batchmean")
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The divergence of the target from log-probabilities."""
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(Loss):
    """`poisson_nll_loss` as a module.

    Args:
        log_input: whether the input is the logarithm of the rate.
        full: add Stirling's approximation of ln t!.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        eps: ε of ln(λ + ε), if the input is the rate λ.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.PoissonNLLLoss()(tg.tensor([0.0, 1.0]), tg.tensor([2.0, 1.0]))
    tensor(1.3591)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: None = None,
        eps: float = 1e-8,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(None, reduction, size_average, reduce)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of rates for counts."""
        return poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """`gaussian_nll_loss` as a module.

    Args:
        full: add the constant ½ ln 2π.
        eps: the least variance, > 0.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.GaussianNLLLoss()(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0]), tg.tensor([1.0, 1.0]))
    tensor(1.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, reduction)
        self.full, self.eps = full, eps

    def forward(self, input: TensorLike, target: TensorLike, var: TensorLike) -> Tensor:
        """The loss of expected values and variances."""
        return gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class CTCLoss(Loss):
    """`ctc_loss` as a module.

    Args:
        blank: the class that emits nothing.
        reduction: "mean", "sum" or "none".
        zero_infinity: 0 in place of ∞ where the input is too short for the target.

    >>> import tensorgrad as tg
    >>> x = tg.log_softmax(tg.zeros(2, 1, 2))
    >>> tg.nn.CTCLoss()(x, tg.tensor([[1]]), tg.tensor([2]), tg.tensor([1]))
    tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(None, reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self, log_probs: TensorLike, targets: TensorLike, input_lengths: TensorLike, target_lengths: TensorLike
    ) -> Tensor:
        """The loss of log-probabilities (T, N, C) for sequences."""
        return ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
