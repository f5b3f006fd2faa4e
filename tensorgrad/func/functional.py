"""Derivatives of a function at given inputs, as `torch.autograd.functional` finds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensorgrad.func import transforms
from tensorgrad.tensor import Tensor

Inputs = Tensor | Sequence[Tensor]


def jacobian(
    func: Callable[..., Any],
    inputs: Inputs,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """∂func/∂input of each input, `(*output.shape, *input.shape)`.

    Args:
        func: tensors -> a tensor, or a tuple of tensors.
        inputs: one tensor, or a tuple of them, one for each argument.
        create_graph: let the result be differentiated.
        strict: accepted.
        vectorize: accepted.
        strategy: accepted.

    Returns:
        A tensor for one input and one output; a tuple over several inputs; a tuple over several outputs of these.

    >>> import tensorgrad as tg
    >>> tg.autograd.functional.jacobian(lambda x: x**2, tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _derivative(transforms.jacrev, func, inputs, create_graph)


def hessian(
    func: Callable[..., Any],
    inputs: Inputs,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """∂²func/∂input² of a function with one element, `(*input.shape, *input.shape)`.

    Args:
        func: tensors -> a tensor with one element.
        inputs: one tensor, or a tuple of them, one for each argument.
        create_graph: let the result be differentiated.
        strict: accepted.
        vectorize: accepted.
        outer_jacobian_strategy: accepted.

    Returns:
        A tensor for one input; for several a tuple of tuples, whose entry [i][j] is ∂²func/∂inputᵢ∂inputⱼ.

    >>> import tensorgrad as tg
    >>> tg.autograd.functional.hessian(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def number(*xs: Tensor) -> Tensor:
        return func(*xs).reshape(())

    return _derivative(transforms.hessian, number, inputs, create_graph)


def _derivative(transform: Callable[..., Any], func: Callable[..., Any], inputs: Inputs, create_graph: bool) -> Any:
    if isinstance(inputs, Tensor):
        found = transform(func)(inputs)
    else:
        found = transform(func, argnums=tuple(range(len(inputs))))(*inputs)
    return found if create_graph else _detached(found)


def _detached(found: Any) -> Any:
    return found.detach() if isinstance(found, Tensor) else tuple([_detached(each) for each in found])
