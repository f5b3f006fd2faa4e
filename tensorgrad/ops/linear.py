"""Products that sum: matmul, the fully connected layer, and einsum."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS, is_float
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import summed, transposed, words
from tensorgrad.kernels.reduce.sums import TERMS, product_in_parts
from tensorgrad.ops.elementwise.activations import relu_gradient
from tensorgrad.ops.operands import (
    HALF,
    TensorLike,
    alike,
    floating_pair,
    holds_tensors,
    in_one_dtype,
    pair,
    quiet,
    widened,
)
from tensorgrad.ops.reductions import Sum

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["einsum", "linear", "matmul"]

FEW = 512
"""Multiply-adds that NumPy does as fast, and without numba."""


class MatMul(Op):
    """z = x · y: matrices in the last two axes, all before them are batches and broadcast."""

    name = "matmul"
    symbol, formula = "@", lambda x, y: x @ y
    derivatives = (lambda grad, y: grad @ transposed(y), lambda grad, x: transposed(x) @ grad)

    @staticmethod
    def forward(x, y):
        return _product(x, y)

    def backward_x(self, grad, y):
        return grad @ y.mT

    def backward_y(self, grad, x):
        return x.mT @ grad


class Linear(Op):
    """z = x · wᵀ + b, for x (N, I), w (O, I), b (O,)."""

    symbol, formula = "linear", lambda x, w, b: x @ transposed(w) + b
    derivatives = (lambda grad, w: grad @ w, lambda grad, x: transposed(grad) @ x, lambda grad: summed(grad))

    @staticmethod
    def forward(x, w, b=None):
        return _product(x, w.T, b)

    def backward_x(self, grad, w):
        return apply(MatMul, grad, w)

    def backward_w(self, grad, x):
        return apply(LinearGradWeight, grad, x)

    def backward_b(self, grad):
        # (N, O) -> (O,)
        return apply(Sum, grad, axis=(0,), keepdims=False)


class LinearGradWeight(Op):
    """z = gᵀ · x, for g (N, O), x (N, I): the gradient of a linear layer for its weight."""

    symbol, formula = "@ʷ", lambda g, x: transposed(g) @ x
    derivatives = (lambda grad, x: x @ transposed(grad), lambda grad, g: g @ grad)

    @staticmethod
    def forward(g, x):
        return _product(g.T, x)

    def backward_g(self, grad, x):
        return apply(Linear, x, grad)

    def backward_x(self, grad, g):
        return apply(MatMul, g, grad)


def gradients(g: np.ndarray, x: np.ndarray, w: np.ndarray, z: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """The arrays g · w, gᵀ · x and Σₙ g: a linear layer's gradients for its input, weight and bias, in one call.

    With z, the output of a rectifier behind the layer, g counts as 0 where z ≤ 0.
    """
    if _is_large(g, w):
        return kernels.linear.gradients(g, x, w, z)
    g = g if z is None else relu_gradient(g, z)
    return _product(g, w), _product(g.T, x), kernels.sums.total(g, (0,))


def _is_large(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether these are two large matrices of floats that our kernel takes."""
    return x.ndim == y.ndim == 2 and x.size * y.shape[1] > FEW and x.dtype in KERNEL_FLOATS


def _product(x: np.ndarray, y: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """x · y + bias, in the kernel that suits; float16 is computed in float32 and rounded back."""
    if x.ndim == y.ndim == 2 and x.dtype in KERNEL_FLOATS:
        if x.size * y.shape[1] > FEW:
            return kernels.matmul.product(x, y, bias)
        return _dot(x, y) if bias is None else _dot_plus(x, y, bias)
    return _half_product(x, y, bias) if x.dtype.char == HALF else _numpy_product(x, y, bias)


@quiet
def _numpy_product(x: np.ndarray, y: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    z = np.matmul(x, y) if x.shape[-1] <= TERMS else product_in_parts(np.matmul, x, y)
    return z if bias is None else z + bias


_dot = quiet(np.ndarray.dot, 2)
"""The product of two matrices, in half the time of np.matmul."""


@quiet
def _dot_plus(x: np.ndarray, y: np.ndarray, bias: np.ndarray) -> np.ndarray:
    z = x.dot(y)
    return np.add(z, bias, z)


@quiet
def _half_product(x: np.ndarray, y: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    bias = None if bias is None else bias.astype(np.float32)
    return _product(x.astype(np.float32), y.astype(np.float32), bias).astype(np.float16)


class Einsum(Op):
    """z = Σ over the labels missing from the output, of the product of all operands.

    The gradient of one operand is an einsum again: of the upstream gradient, the other operands, a vector of ones for
    each label that only this operand has at its length, and an identity matrix for each label that it repeats.
    """

    symbol, formula = "einsum", lambda xs: words("Σ Π of", xs)
    derivatives = (lambda grad: words("Σ", grad, "· Π of the others"),)
    subscripts: str

    @quiet
    @widened
    def forward(self, *xs):
        z = _einsum(self.subscripts, xs)
        return z.copy() if len(xs) == 1 and z.base is not None else z

    def backward_xs(self, grad, i, xs):
        labels, output = self.subscripts.split("->")
        labels = labels.split(",")
        own = labels[i]
        terms = [(output, grad)] + [(t, x) for k, (t, x) in enumerate(zip(labels, xs, strict=True)) if k != i]
        known = {(label, n) for t, x in terms for label, n in zip(t, x.shape, strict=True)}
        target = ""
        for axis, label in enumerate(own):
            n, dtype = xs[i].shape[axis], grad.dtype
            if label in target:
                fresh = next(c for c in string.ascii_letters if c not in self.subscripts + target)
                terms.append((label + fresh, constant(np.eye(n, dtype=dtype))))
                label = fresh
            elif (label, n) not in known:
                terms.append((label, constant(np.ones(n, dtype))))
            target += label
        subscripts = ",".join(t for t, _ in terms) + "->" + target
        return apply(Einsum, *[x for _, x in terms], subscripts=subscripts)


def _einsum(subscripts: str, xs: tuple[np.ndarray, ...]) -> np.ndarray:
    labels, _, output = subscripts.partition("->")
    lengths = dict(zip(labels.replace(",", ""), [n for x in xs for n in x.shape], strict=True))
    terms = math.prod([n for label, n in lengths.items() if label not in output])
    if terms <= TERMS or not is_float(xs[0].dtype):
        return np.einsum(subscripts, *xs, optimize=len(xs) > 2)
    # Long sums in float64: NumPy's einsum adds one by one.
    z = np.einsum(subscripts, *[x.astype(np.float64, copy=False) for x in xs], optimize=len(xs) > 2)
    return z.astype(xs[0].dtype, copy=False)


def matmul(input: TensorLike, other: TensorLike) -> Tensor:
    """Matrix product `(..., M, K) · (..., K, N) -> (..., M, N)`; batches broadcast, and a vector stands for a row or
    column.

    Raises ShapeError where the inner sizes differ or an operand is a scalar.

    >>> import tensorgrad as tg
    >>> tg.matmul(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    x, y = pair(input, other)
    left, right = x._data.shape, y._data.shape
    if not left or not right or left[-1] != right[-2 if len(right) > 1 else 0]:
        expected = "input (..., M, K) and other (..., K, N), or vectors (K,)"
        fix = "transpose one of them (t.mT), or use * for scalars"
        raise ShapeError(restate("matmul", "the inner sizes differ", expected=expected, fix=fix, input=x, other=y))
    if len(left) > 1 and len(right) > 1:
        return apply(MatMul, x, y)
    # (K,) -> (1, K) and (K,) -> (K, 1), and the 1 out of the result again
    rows, columns = x.reshape(1, -1) if len(left) == 1 else x, y.reshape(-1, 1) if len(right) == 1 else y
    z = apply(MatMul, rows, columns)
    return z.reshape(z.shape[: -2 if len(left) == 1 else -1] + (z.shape[-1:] if len(right) > 1 else ()))


def linear(input: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """z = x · wᵀ + b: the input x `(..., I)`, weight `(O, I)`, bias `(O,)` -> `(..., O)`.

    Raises ShapeError where the sizes don't fit.

    >>> import tensorgrad as tg
    >>> tg.linear(tg.tensor([1.0, 2.0]), tg.tensor([[3.0, 4.0]]), tg.tensor([0.5]))
    tensor([11.5])
    """
    a: Any = input
    w: Any = weight
    b: Any = bias
    if not alike(a, w, b):
        a, w, b = _promoted(a, w, b)
    shape, sizes = a._data.shape, w._data.shape
    if len(sizes) != 2 or not shape or shape[-1] != sizes[1]:
        expected, fix = "input (..., I) and weight (O, I)", ""
        if len(shape) > 2:
            fix = "flatten images first: nn.Flatten()"
        elif shape and len(sizes) == 2:
            fix = f"a weight ({sizes[0]}, {shape[-1]}), as nn.Linear({shape[-1]}, {sizes[0]}) has"
        problem = "input and weight must agree in the size of the last axis"
        raise ShapeError(restate("linear", problem, expected=expected, fix=fix, input=a, weight=w))
    if b is not None and b._data.shape != sizes[:1]:
        expected = f"bias ({sizes[0]},)"
        raise ShapeError(restate("linear", "one bias per output is needed", expected=expected, weight=w, bias=b))
    # (..., I) -> (N, I): one product of matrices, not one per batch, forward and backward
    rows = a if len(shape) == 2 else a.reshape(math.prod(shape[:-1]), shape[-1])
    z = apply(Linear, rows, w) if b is None else apply(Linear, rows, w, b)
    # (N, O) -> (..., O)
    return z if len(shape) == 2 else z.reshape(*shape[:-1], sizes[0])


def _promoted(x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """The operands of a linear layer in the one float dtype that they promote to."""
    x, weight = floating_pair(x, weight)
    if bias is not None:
        x, bias = floating_pair(x, bias)
        weight, bias = floating_pair(weight, bias)
    return x, weight, bias


def einsum(equation: str | TensorLike, *operands: TensorLike) -> Tensor:
    """Einstein summation, `einsum("nk,kc->nc", x, w)`: NumPy's subscripts, the ellipsis and repeated labels included.

    The operands may stand in one list; or a list of axes behind each operand, and one for the result, in place of the
    text: `einsum(x, [0, 1], w, [1, 2], [0, 2])`. Raises ShapeError where the subscripts don't fit the operands.

    >>> import tensorgrad as tg
    >>> tg.einsum("ii->", tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if not isinstance(equation, str) and operands:
        return einsum(*as_equation("einsum", (equation, *operands)))
    if not isinstance(equation, str):
        expected = 'einsum("nk,kc->nc", x, w)'
        raise DTypeError(restate("einsum", "the equation must be text", expected=expected, equation=equation))
    one_list = len(operands) == 1 and isinstance(operands[0], (list, tuple)) and holds_tensors(operands[0])
    tensors = in_one_dtype(operands[0] if one_list else operands)
    subscripts = _explicit(equation, tensors)
    labels, _, output = subscripts.partition("->")
    if len(tensors) == 1 and sorted({*labels}) == sorted(output):  # nothing is summed: a view
        return _rearranged(tensors[0], labels, output)
    return apply(Einsum, *tensors, subscripts=subscripts)


def _rearranged(x: Tensor, labels: str, output: str) -> Tensor:
    """x with the axes of these labels in the order of the output; those of one label become their diagonal."""
    while len({*labels}) < len(labels):
        label = next(label for label in labels if labels.count(label) > 1)
        one, other = [axis for axis, name in enumerate(labels) if name == label][:2]
        x = x.diagonal(0, one, other)
        labels = "".join(name for axis, name in enumerate(labels) if axis not in (one, other)) + label
    return x.permute(*[labels.index(label) for label in output]) if labels != output else x.view(x.shape)


def as_equation(call: str, operands: Sequence[Any]) -> tuple[Any, ...]:
    """The text and the operands of an einsum whose axes are given as lists behind the operands."""
    tensors, lists = operands[0 : len(operands) // 2 * 2 : 2], operands[1::2]
    output = operands[-1] if len(operands) % 2 else None

    def text(axes: Any) -> str:
        try:
            return "".join("..." if k is Ellipsis else LETTERS[k] for k in axes)
        except (TypeError, IndexError):
            expected = f"lists of axes from 0 to {len(LETTERS) - 1}"
            raise ArgumentError(restate(call, "the lists of axes are invalid", expected=expected, axes=axes)) from None

    subscripts = ",".join(text(axes) for axes in lists)
    return (subscripts if output is None else f"{subscripts}->{text(output)}", *tensors)


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _explicit(subscripts: str, operands: list[Tensor]) -> str:
    """The subscripts with an output, and with fresh labels in place of each ellipsis."""

    def refuse(problem: str) -> ShapeError:
        arguments: dict[str, Any] = {f"operands[{k}]": x for k, x in enumerate(operands)}
        return ShapeError(restate("einsum", problem, subscripts=subscripts, **arguments))

    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise refuse(f"{len(terms)} terms for {len(operands)} operands")
    if any(c not in string.ascii_letters for c in (inputs + output).replace("...", "").replace(",", "")):
        raise refuse("labels must be letters")
    hidden = [x.ndim - len(t.replace("...", "")) if "..." in t else 0 for t, x in zip(terms, operands, strict=True)]
    if min(hidden) < 0 or any("..." not in t and len(t) != x.ndim for t, x in zip(terms, operands, strict=True)):
        raise refuse("a term has another number of labels than its operand has axes")
    spare = [c for c in reversed(string.ascii_letters) if c not in inputs + output][: max(hidden)][::-1]
    fresh = "".join(spare)
    terms = [t.replace("...", fresh[len(fresh) - h :]) for t, h in zip(terms, hidden, strict=True)]
    if not arrow:
        everything = "".join(terms)
        single = sorted(c for c in set(everything) if everything.count(c) == 1 and c not in fresh)
        output = "..." + "".join(single) if "..." in inputs else "".join(single)
    return ",".join(terms) + "->" + output.replace("...", fresh)
