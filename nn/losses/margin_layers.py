"""The losses of `margins.py` and `embeddings.py` as modules."""

from __future__ import annotations

from tensorgrad.nn.losses.embeddings import (
    Distance,
    cosine_embedding_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from tensorgrad.nn.losses.layers import Loss
from tensorgrad.nn.losses.margins import (
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
)
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class _MarginLoss(Loss):
    """The common base of the losses whose first setting is a margin."""

    def __init__(self, margin: float, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        super().__init__(None, reduction, size_average, reduce)
        self.margin = margin


class MarginRankingLoss(_MarginLoss):
    """`margin_ranking_loss` as a module.

    Args:
        margin: the difference of the scores that costs nothing.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.MarginRankingLoss(1.0)(tg.tensor([3.0, 1.0]), tg.tensor([1.0, 1.5]), tg.tensor([1, 1]))
    tensor(0.75)
    """

    def __init__(
        self, margin: float = 0.0, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input1: TensorLike, input2: TensorLike, target: TensorLike) -> Tensor:
        """The loss of two scores, of which the first is to be larger where the target is 1."""
        return margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(_MarginLoss):
    """`hinge_embedding_loss` as a module.

    Args:
        margin: the distance from which on a pair with target −1 costs nothing.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.HingeEmbeddingLoss()(tg.tensor([0.2, 0.2]), tg.tensor([1, -1]))
    tensor(0.5)
    """

    def __init__(
        self, margin: float = 1.0, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of distances."""
        return hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """`cosine_embedding_loss` as a module.

    Args:
        margin: the cosine that costs nothing where the target is −1.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.CosineEmbeddingLoss()(tg.tensor([[1.0, 0.0]]), tg.tensor([[0.0, 2.0]]), tg.tensor([1]))
    tensor(1.)
    """

    def __init__(
        self, margin: float = 0.0, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input1: TensorLike, input2: TensorLike, target: TensorLike) -> Tensor:
        """The loss of pairs of embeddings."""
        return cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(_MarginLoss):
    """`triplet_margin_loss` as a module.

    Args:
        margin: by how much the positive is to lie closer than the negative, > 0.
        p: of the p-norm.
        eps: ε, which keeps the gradient finite where two embeddings are equal.
        swap: take the distance of positive and negative where it is smaller than that of anchor and negative.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> a, p, n = tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0]]), tg.tensor([[0.0, 5.5]])
    >>> tg.nn.TripletMarginLoss()(a, p, n)
    tensor(0.5)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)
        self.p, self.eps, self.swap = p, eps, swap

    def forward(self, anchor: TensorLike, positive: TensorLike, negative: TensorLike) -> Tensor:
        """The loss of triplets of embeddings."""
        return triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(_MarginLoss):
    """`triplet_margin_with_distance_loss` as a module.

    Args:
        distance_function: a function of two tensors; by default the Euclidean distance.
        margin: by how much the positive is to lie closer than the negative, > 0.
        swap: take the distance of positive and negative where it is smaller than that of anchor and negative.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> a, p, n = tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0]]), tg.tensor([[0.0, 5.5]])
    >>> tg.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))(a, p, n)
    tensor(2.5)
    """

    def __init__(
        self,
        *,
        distance_function: Distance | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, reduction=reduction)
        self.distance_function, self.swap = distance_function, swap

    def forward(self, anchor: TensorLike, positive: TensorLike, negative: TensorLike) -> Tensor:
        """The loss of triplets of embeddings."""
        return triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class MultiMarginLoss(Loss):
    """`multi_margin_loss` as a module.

    Args:
        p: 1 or 2.
        margin: the lead of the right class that costs nothing.
        weight: one factor per class, `(C,)`; a buffer.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.MultiMarginLoss()(tg.tensor([[0.1, 0.2, 0.4, 0.8]]), tg.tensor([3]))
    tensor(0.325)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: TensorLike | None = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction, size_average, reduce)
        self.p, self.margin = p, margin

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of scores (N, C) for class indices."""
        return multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """`multilabel_margin_loss` as a module.

    Args:
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.MultiLabelMarginLoss()(tg.tensor([[0.1, 0.2, 0.4, 0.8]]), tg.tensor([[3, 0, -1, 1]]))
    tensor(0.85)
    """

    def __init__(self, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        super().__init__(None, reduction, size_average, reduce)

    def forward(self, input: TensorLike, target: TensorLike) -> Tensor:
        """The loss of scores (N, C) for lists of class indices that end with −1."""
        return multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(Loss):
    """`multilabel_soft_margin_loss` as a module.

    Args:
        weight: one factor per class, `(C,)`; a buffer.
        size_average, reduce: PyTorch's older spelling of `reduction`; only None is accepted.
        reduction: "mean", "sum" or "none".

    >>> import tensorgrad as tg
    >>> tg.nn.MultiLabelSoftMarginLoss()(tg.zeros(1, 2), tg.tensor([[0, 1]]))
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
        """The loss of logits (N, C) for labels from 0 to 1."""
        return multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)
