"""The loss functions as modules, which keep their settings: class weights, reduction, and others."""

from __future__ import annotations

from tensorgrad.nn.losses.functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    nll_loss,
    soft_margin_loss,
)
from tensorgrad.nn.losses.targets import check_reduction, refuse_legacy
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class Loss(Module):
    """The common base of the losses: `reduction`, and `weight`, a buffer."""

    weight: Tensor | None

    def __init__(
        self,
        weight: TensorLike | None = None,
        reduction: str = "mean",
        size_average: None = None,
        reduce: None = None,
    ) -> None:
        refuse_legacy(type(self).__name__, size_average, reduce)
        check_reduction(type(self).__name__, reduction)
        self.register_buffer("weight", weight)
        self.reduction = reduction


class CrossEntropyLoss(Loss):
    """`cross_entropy` as a module.

    Args:
        weight: one factor per class, `(C,)`; a buffer.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        ignore_index: elements whose target is this index are ignored.
        reduction: "mean", "sum" or "none".
        label_smoothing: ε in [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.CrossEntropyLoss()(tg.zeros(3, 2), tg.tensor([0, 1, 1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: TensorLike | None = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction, size_average, reduce)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of logits (N, C, ...) for a target."""
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Loss):
    """`nll_loss` as a module.

    Args:
        weight: one factor per class, `(C,)`; a buffer.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        ignore_index: elements whose target is this index are ignored.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.NLLLoss()(tg.log_softmax(tg.zeros(3, 2)), tg.tensor([0, 1, 1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: TensorLike | None = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction, size_average, reduce)
        self.ignore_index = ignore_index

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of log-probabilities (N, C, ...) for class indices."""
        return nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(Loss):
    """`mse_loss` as a module.

    Args:
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.MSELoss()(tg.tensor([1.0, 3.0]), tg.tensor([0.0, 1.0]))
    tensor(2.5)
    """

    def __init__(self, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        super().__init__(None, reduction, size_average, reduce)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The squared error."""
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """`l1_loss` as a module.

    Args:
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.L1Loss()(tg.tensor([1.0, 3.0]), tg.tensor([0.0, 1.0]))
    tensor(1.5)
    """

    def __init__(self, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        super().__init__(None, reduction, size_average, reduce)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The absolute error."""
        return l1_loss(input, target, reduction=self.reduction)


class BCELoss(Loss):
    """`binary_cross_entropy` as a module.

    Args:
        weight: a factor per element, of any shape that broadcasts; a buffer.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.BCELoss()(tg.tensor([0.5, 0.5]), tg.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: TensorLike | None = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction, size_average, reduce)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of probabilities."""
        return binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """`binary_cross_entropy_with_logits` as a module.

    Args:
        weight: a factor per element, of any shape that broadcasts; a buffer.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the positive examples, of any shape that broadcasts; a buffer.

    >>> import tensorgrad as tg
    >>> tg.nn.BCEWithLogitsLoss()(tg.zeros(2), tg.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: TensorLike | None = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
        pos_weight: TensorLike | None = None,
    ) -> None:
        super().__init__(weight, reduction, size_average, reduce)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of logits."""
        return binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class SoftMarginLoss(Loss):
    """`soft_margin_loss` as a module.

    Args:
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.SoftMarginLoss()(tg.tensor([0.0, 0.0]), tg.tensor([1.0, -1.0]))
    tensor(0.6931)
    """

    def __init__(self, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        super().__init__(None, reduction, size_average, reduce)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of logits for labels of ±1."""
        return soft_margin_loss(input, target, reduction=self.reduction)
