"""All parameters as one vector, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.joining import concatenate
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other: `(n,)`. Gradients flow to the parameters.

    Raises:
        ArgumentError: no parameters.

    >>> import tensorgrad as tg
    >>> tg.nn.utils.parameters_to_vector([tg.ones(1, 2), tg.zeros(2)])
    tensor([1., 1., 0., 0.])
    """
    parts = [p.reshape(-1) for p in parameters]
    if not parts:
        raise ArgumentError(restate("parameters_to_vector", "parameters must hold at least one tensor"))
    return concatenate(parts, 0)


def vector_to_parameters(vec: TensorLike, parameters: Iterable[Tensor]) -> None:
    """Copy the elements of a vector into parameters, in place; the inverse of `parameters_to_vector`.

    Args:
        vec: `(n,)`, with as many elements as the parameters have.
        parameters: the parameters.

    Raises:
        ShapeError: another number of elements.

    >>> import tensorgrad as tg
    >>> w = tg.zeros(1, 2)
    >>> tg.nn.utils.vector_to_parameters(tg.tensor([3.0, 4.0]), [w])
    >>> w
    tensor([[3., 4.]])
    """
    vector, targets, start = as_tensor(vec).detach(), list(parameters), 0
    count = sum(math.prod(p.shape) for p in targets)
    if vector.shape != (count,):
        problem = f"vec must be ({count},), as many elements as the parameters have, got {vector.shape}"
        raise ShapeError(restate("vector_to_parameters", problem, vec=vector))
    with no_grad():
        for p in targets:
            end = start + math.prod(p.shape)
            p[...] = vector[start:end].reshape(p.shape)
            start = end
