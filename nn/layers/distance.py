"""Layers that compare two inputs: CosineSimilarity and PairwiseDistance."""

from __future__ import annotations

from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.products.distances import cosine_similarity, pairwise_distance
from tensorgrad.tensor import Tensor


class CosineSimilarity(Module):
    """x₁ · x₂ / (‖x₁‖ · ‖x₂‖) along one axis, `F.cosine_similarity`.

    Args:
        dim: the axis, of the inputs broadcast together.
        eps: the least norm to divide by.

    >>> import tensorgrad as tg
    >>> tg.nn.CosineSimilarity()(tg.tensor([[1.0, 0.0]]), tg.tensor([[3.0, 4.0]]))
    tensor([0.6])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim, self.eps = dim, eps

    def forward(self, x1: TensorLike, x2: TensorLike) -> Tensor:
        """The cosine of the angle."""
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x₁ − x₂ + ε‖ along the last axis, `F.pairwise_distance`.

    Args:
        p: of the p-norm.
        eps: ε, which keeps the distance away from 0.
        keepdim: keep the last axis, with the size 1.

    >>> import tensorgrad as tg
    >>> tg.nn.PairwiseDistance()(tg.tensor([[1.0, 0.0]]), tg.tensor([[4.0, 4.0]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: TensorLike, x2: TensorLike) -> Tensor:
        """The distance."""
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
