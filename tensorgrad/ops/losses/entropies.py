"""The ops of entropies: cross-entropies with one loss per example, and the divergence of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import equal, fenced, function, summed, words
from tensorgrad.ops.elementwise.choice import maximum, where
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.elementwise.transcendental import log, log1p
from tensorgrad.ops.indexing import one_hot
from tensorgrad.ops.operands import quiet, widened
from tensorgrad.ops.softmax import softmax

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

LN = function("ln")


class CrossEntropy(Op):
    """z = −ln softmax(x)[y] = ln Σⱼ e^xⱼ − x[y] per row: softmax, logarithm and selection in one kernel."""

    symbol, formula = "cross-entropy", lambda x, y, j, e: LN(summed(e ** x[j], j)) - words(x, fenced("[", y, "]"))
    derivatives = (lambda x, y, i: function("softmax")(x)[i] - equal(i, y), "")

    @widened
    def forward(self, x, y):
        z, self.residuals = kernels.losses.cross_entropy(x, y)
        return z

    def backward_x(self, grad, x, y, residuals):
        if not is_grad_enabled():
            return apply(CrossEntropyGradient, grad, y, probabilities=residuals)
        # Differentiable, for second derivatives. (N,) -> (N, 1), to broadcast to (N, C)
        return (softmax(x, 1) - one_hot(y, x.shape[1])) * grad.unsqueeze(1)


class CrossEntropyGradient(Op):
    """z = (softmax(x) − [i = y]) · g per row, for a backward pass that isn't recorded."""

    symbol = "softmax − [i = y]"
    formula = lambda x, y, i, g: (function("softmax")(x)[i] - equal(i, y)) * g
    probabilities: np.ndarray

    @widened
    def forward(self, g, y):
        return kernels.losses.cross_entropy_gradient(g, self.probabilities, y)


class BinaryCrossEntropy(Op):
    """z = −(t · ln x + (1 − t) · ln(1 − x)), both logarithms at least −100."""

    symbol, formula = "BCE", lambda x, t: -(t * LN(x) + (1 - t) * LN(1 - x))
    derivatives = (lambda x, t: (x - t) / (x * (1 - x)), lambda x: LN(1 - x) - LN(x))

    @quiet
    @widened
    def forward(self, x, t):
        yes, no = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
        return -(t * yes + (1 - t) * no)

    def backward_x(self, grad, x, t):
        # PyTorch's lower bound 1e-12 keeps the derivative finite where the logarithms are clamped.
        return grad * (x - t) / maximum(x * (1 - x), 1e-12)

    def backward_t(self, grad, x):
        return grad * (maximum(log1p(-x), -100) - maximum(log(x), -100))


class Weighted(Op):
    """z = t · x, but 0 where t = 0 even if x = ∞: a class of probability 0 adds nothing to a cross-entropy."""

    symbol, formula = "×", lambda t, x: words(t * x, ", 0 where", t, "= 0")
    derivatives = (lambda t, x: words(x, ", 0 where", t, "= 0 and", x, "= ±∞"), lambda t: t)

    @quiet
    def forward(self, t, x):
        z = np.asarray(t * x)
        np.copyto(z, 0, where=(t == 0) & np.isinf(x))
        return z

    def backward_t(self, grad, t, x):
        return grad * where((t == 0) & ((x == np.inf) | (x == -np.inf)), 0.0, x)

    def backward_x(self, grad, t):
        return grad * t


class Divergence(Elementwise):
    """A term of the Kullback-Leibler divergence of the probability t from one whose logarithm is x; 0 ln 0 is 0."""

    symbol = "KL"
    formula = lambda x, t: where(equal(t, 0), 0, t * log(t)) - t * x  # type: ignore[arg-type]
    derivatives = (lambda t: -t, lambda x, t: log(t) + 1 - x)


def weighted(t: Tensor, x: Tensor) -> Tensor:
    """z = t · x for probabilities t and losses x of one shape and dtype; 0 where t = 0 even if x = ∞.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.losses.entropies import weighted
    >>> weighted(tg.tensor([0.0, 1.0]), tg.tensor([float("inf"), 2.0]))
    tensor([0., 2.])
    """
    return apply(Weighted, t, x)


def cross_entropy(x: Tensor, y: Tensor) -> Tensor:
    """z = −ln softmax(x)[y] for logits x `(N, C)` and labels y `(N,)`, integers from 0 to C − 1 -> `(N,)`.

    `tg.nn.cross_entropy` is the public function; it checks the labels and accepts what PyTorch's accepts.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.losses.entropies import cross_entropy
    >>> cross_entropy(tg.tensor([[0.0, 0.0], [1e4, -1e4]]), tg.tensor([1, 0]))
    tensor([0.6931, 0.    ])
    """
    return apply(CrossEntropy, x, y)


def binary_cross_entropy(x: Tensor, t: Tensor) -> Tensor:
    """z = −(t · ln x + (1 − t) · ln(1 − x)) for probabilities x and targets t of one shape and float dtype.

    Both logarithms are clamped at −100, as in PyTorch, so the loss is at most 100.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.losses.entropies import binary_cross_entropy
    >>> binary_cross_entropy(tg.tensor([0.5, 0.0]), tg.tensor([1.0, 1.0]))
    tensor([  0.6931, 100.    ])
    """
    return apply(BinaryCrossEntropy, x, t)


def divergence(x: Tensor, t: Tensor) -> Tensor:
    """z = t · (ln t − x) for log-probabilities x and probabilities t of one float dtype; −t · x where t = 0.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.losses.entropies import divergence
    >>> divergence(tg.tensor([0.0, -1.0]), tg.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    return apply(Divergence, x, t)
