"""Function transforms: gradients and Jacobians as functions of functions, which nest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.autograd import modes
from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.func.trees import flatten, mapped, rebuilt
from tensorgrad.ops.joining import stack
from tensorgrad.ops.operands import flag
from tensorgrad.tensor import Tensor

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]

Argnums = int | tuple[int, ...]


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the gradient of `func`, which must return one number.

    Args:
        func: a function of tensors, or of dicts, lists and tuples of them, that returns a scalar tensor.
        argnums: the argument to differentiate for, by position, or a tuple of several.
        has_aux: `func` returns (scalar, anything else), and the gradient comes as (gradient, anything else).

    Raises:
        ShapeError: `func` doesn't return a scalar. ArgumentError: an argument that the call doesn't have.

    >>> import tensorgrad as tg
    >>> tg.func.grad(lambda x: (x ** 3).sum())(tg.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """

    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, (_, aux) = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return (found, aux) if has_aux else found

    return gradient


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns (gradient, value) of `func`; with `has_aux` (gradient, (value, anything else)).

    Args:
        func: a function of tensors, or of dicts, lists and tuples of them, that returns a scalar tensor.
        argnums: the argument to differentiate for, by position, or a tuple of several.
        has_aux: `func` returns (scalar, anything else).

    Raises:
        ShapeError: `func` doesn't return a scalar. ArgumentError: an argument that the call doesn't have.

    >>> import tensorgrad as tg
    >>> tg.func.grad_and_value(lambda x: x ** 2)(tg.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    def both(*args: Any, **kwargs: Any) -> Any:
        found, (value, aux) = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return found, (value, aux) if has_aux else value

    return both


def _grad_and_value(func: Any, argnums: Argnums, has_aux: bool, args: tuple, kwargs: dict) -> Any:
    traced = Traced(func, argnums, has_aux, args, kwargs, "grad")
    value = traced.outputs[0] if len(traced.outputs) == 1 else None
    if value is None or value.shape != ():
        given: dict[str, Any] = {"output": traced.output}
        raise ShapeError(restate("grad", "the function must return one scalar tensor", **given))
    (found,) = traced.pull([None])
    traced.finish()
    return found, (traced.released(value), mapped(traced.released, traced.aux))


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """func(*primals), and the function v ↦ vᵀ · ∂func/∂primals, the vector–Jacobian product.

    Args:
        func: a function of tensors, or of dicts, lists and tuples of them.
        primals: its arguments.
        has_aux: `func` returns (output, anything else), and the result has that as third part.

    Returns:
        (output, function). The function takes one cotangent per output, and returns a tuple with one gradient per
        argument, or the gradient itself where there is one argument.

    >>> import tensorgrad as tg
    >>> y, pull = tg.func.vjp(lambda x: x * x, tg.tensor([1.0, 2.0]))
    >>> pull(tg.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    traced = Traced(func, tuple(range(len(primals))), has_aux, primals, {}, "vjp")

    def pull(*cotangents: Any) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        return tuple(traced.pull(flatten(given)[0])[0])

    traced.finish()
    output, aux = mapped(traced.released, traced.output), mapped(traced.released, traced.aux)
    return (output, pull, aux) if has_aux else (output, pull)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """func(*primals), and ∂func/∂primals · tangents, the Jacobian–vector product.

    Computed by two reverse passes: v ↦ vᵀ · J is linear in v, and the gradient of ⟨vᵀ · J, t⟩ for v is J · t.

    Args:
        func: a function of tensors.
        primals: a tuple of its arguments.
        tangents: a tuple of the directions, of the shapes of the arguments.
        strict: must be False.
        has_aux: `func` returns (output, anything else), and the result has that as third part.

    Returns:
        (output, product).

    Raises:
        ShapeError: tangents of other shapes than the primals.

    >>> import tensorgrad as tg
    >>> tg.func.jvp(lambda x: x * x, (tg.tensor([1.0, 2.0]),), (tg.tensor([1.0, 0.5]),))
    (tensor([1., 4.]), tensor([2., 2.]))
    """
    if flag("jvp", "strict", strict):
        raise ArgumentError(restate("jvp", "strict must be False"))
    directions = flatten(tangents)[0]
    traced = Traced(func, tuple(range(len(primals))), has_aux, tuple(primals), {}, "jvp")
    if [t.shape for t in directions] != [x.shape for x in traced.inputs]:
        shapes = [x.shape for x in traced.inputs]
        problem = f"tangents must have the shapes of the primals, {shapes}, got {[t.shape for t in directions]}"
        raise ShapeError(restate("jvp", problem))
    product = rebuilt(traced.output, traced.push(directions))
    traced.finish()
    output, aux = mapped(traced.released, traced.output), mapped(traced.released, traced.aux)
    return (output, product, aux) if has_aux else (output, product)


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """The function that returns the Jacobian of `func`, by one backward pass per element of the output.

    Args:
        func: a function of tensors, or of dicts, lists and tuples of them.
        argnums: the argument to differentiate for, by position, or a tuple of several.
        has_aux: `func` returns (output, anything else), and the Jacobian comes as (Jacobian, anything else).
        chunk_size: accepted for PyTorch's sake.

    Returns:
        A function whose result has the structure of the output, in each place that of the argument, with tensors of
        shape `(*output.shape, *input.shape)`.

    >>> import tensorgrad as tg
    >>> tg.func.jacrev(lambda x: x * x)(tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        traced = Traced(func, argnums, has_aux, args, kwargs, "jacrev")
        blocks = []
        for k, y in enumerate(traced.outputs):
            rows = [traced.gradients_for(k, unit) for unit in _units(y)]
            found = [_stacked([row[j] for row in rows], y.shape, x) for j, x in enumerate(traced.inputs)]
            blocks.append(traced.arranged(found))
        result = rebuilt(traced.output, blocks)
        traced.finish()
        return (result, mapped(traced.released, traced.aux)) if has_aux else result

    return jacobian


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """The function that returns the Jacobian of `func`, by one Jacobian–vector product per element of the input.

    Args:
        func: a function of tensors, or of dicts, lists and tuples of them.
        argnums: the argument to differentiate for, by position, or a tuple of several.
        has_aux: `func` returns (output, anything else), and the Jacobian comes as (Jacobian, anything else).
        randomness: accepted for PyTorch's sake: the function runs once.

    Returns:
        A function with the result of `jacrev`.

    >>> import tensorgrad as tg
    >>> tg.func.jacfwd(lambda x: x * x)(tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        traced = Traced(func, argnums, has_aux, args, kwargs, "jacfwd")
        zeros: list[Any] = [Tensor(np.zeros(x.shape, x.dtype)) for x in traced.inputs]
        found: list[list[Any]] = [[] for _ in traced.outputs]
        for j, x in enumerate(traced.inputs):
            columns = [traced.push([*zeros[:j], unit, *zeros[j + 1 :]]) for unit in _units(x)]
            for k, y in enumerate(traced.outputs):
                # (elements of x, *y.shape) -> (*y.shape, *x.shape)
                block = _stacked([column[k] for column in columns], (math.prod(x.shape),), y)
                order = (*range(1, y.ndim + 1), 0)
                found[k].append(block.permute(order).reshape((*y.shape, *x.shape)))
        result = rebuilt(traced.output, [traced.arranged(blocks) for blocks in found])
        traced.finish()
        return (result, mapped(traced.released, traced.aux)) if has_aux else result

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that returns the second derivatives of `func`, `(*output.shape, *input.shape, *input.shape)`.

    Args:
        func: a function of tensors.
        argnums: the argument to differentiate for, by position, or a tuple of several.

    >>> import tensorgrad as tg
    >>> tg.func.hessian(lambda x: (x ** 3).sum())(tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def _units(y: Tensor) -> list[Tensor]:
    """The unit vectors of the shape of y."""
    n = math.prod(y.shape)
    return [Tensor(unit) for unit in np.eye(n, dtype=y.dtype).reshape((n, *y.shape))]


def _stacked(rows: list[Any], lead: tuple[int, ...], like: Tensor) -> Any:
    """The rows in one tensor of shape `(*lead, *like.shape)`."""
    if not rows:
        return Tensor(np.zeros((*lead, *like.shape), like.dtype))
    return stack(rows).reshape((*lead, *like.shape))


class Leaf(Tensor):
    """An input of a transform; once this is done, a graph that still holds the leaf matters to nobody."""

    __slots__ = ("done",)
    done: bool


class Traced:
    """A call of a function whose arguments are recorded: the inputs, the outputs, and their derivatives."""

    def __init__(self, func: Any, argnums: Argnums, has_aux: bool, args: tuple, kwargs: dict, op: str) -> None:
        self.argnums, self.op = argnums, op
        has_aux = flag(op, "has_aux", has_aux)
        positions = _positions(op, argnums, len(args))
        arguments = list(args)
        self.inputs: list[Any] = []
        self.trees = []
        with modes.enable_grad():
            for position in positions:
                leaves, _ = flatten(args[position])
                inside = [_input(op, x) for x in leaves]
                self.inputs += inside
                arguments[position] = rebuilt(args[position], inside)
                self.trees.append(arguments[position])
            returned = func(*arguments, **kwargs)
        self.output: Any = returned[0] if has_aux else returned
        self.aux: Any = returned[1] if has_aux else None
        self.outputs: list[Any] = flatten(self.output)[0]
        for y in self.outputs:
            if not isinstance(y, Variable):
                raise DTypeError(restate(op, f"the function must return tensors, got {type(y).__name__}"))
        # Whether someone else differentiates too: an outer transform, or leaves that the function reads.
        own = {id(x) for x in self.inputs if isinstance(x, Leaf)}
        self.nested = any(id(leaf) not in own for leaf in _leaves(self.outputs))

    def finish(self) -> None:
        """Note that the transform is done."""
        for x in self.inputs:
            if isinstance(x, Leaf):
                x.done = True

    def released(self, x: Any) -> Any:
        """x for the caller: without the graph, where only this transform needed it."""
        return x if self.nested or not isinstance(x, Variable) else x.detach()  # type: ignore[attr-defined]

    def gradients_for(self, k: int, seed: Any) -> list[Any]:
        """The gradients of output k for the inputs."""
        return self._gradients([self.outputs[k]], [seed], self.nested)

    def pull(self, seeds: list[Any]) -> list[Any]:
        """The gradients of all outputs for the inputs, in the structure of the arguments, in a list."""
        if len(seeds) != len(self.outputs):
            problem = f"there must be one cotangent per output, {len(self.outputs)}, got {len(seeds)}"
            raise ArgumentError(restate(self.op, problem))
        return [self.arranged(self._gradients(self.outputs, seeds, self.nested))]

    def _gradients(self, outputs: list[Any], seeds: list[Any], recorded: bool) -> list[Any]:
        pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.requires_grad]
        found: list[Any] = [None] * len(self.inputs)
        if pairs:
            ys, given = zip(*pairs, strict=True)
            found = gradients(list(ys), self.inputs, list(given), recorded, True)
        return [Tensor(np.zeros(x.shape, x.dtype)) if g is None else g for x, g in zip(self.inputs, found, strict=True)]

    def push(self, directions: list[Any]) -> list[Any]:
        """The Jacobian of each output times the directions."""
        found = []
        for y in self.outputs:
            probe = Tensor(np.zeros(y.shape, y.dtype), requires_grad=True)
            with modes.enable_grad():
                rows = self._gradients([y], [probe], True)
                total: Any = sum((row * t).sum() for row, t in zip(rows, directions, strict=True))
            product = gradients([total], [probe], [None], self.nested, True)[0] if total.requires_grad else None
            found.append(Tensor(np.zeros(y.shape, y.dtype)) if product is None else product)
        return found

    def arranged(self, tensors: list[Any]) -> Any:
        """One tensor per input in the structure of the arguments: a tuple where argnums is one."""
        found, start = [], 0
        for tree in self.trees:
            count = len(flatten(tree)[0])
            found.append(rebuilt(tree, tensors[start : start + count]))
            start += count
        return tuple(found) if isinstance(self.argnums, tuple) else found[0]


def _positions(op: str, argnums: Any, count: int) -> list[int]:
    found = []
    for k in argnums if isinstance(argnums, tuple) else (argnums,):
        if isinstance(k, bool) or not isinstance(k, int) or not -count <= k < count:
            problem = f"argnums must name arguments by position, in [{-count}, {count}), got {k!r}"
            raise ArgumentError(restate(op, problem, argnums=argnums))
        found.append(k % count)
    return found


def _input(op: str, x: Any) -> Any:
    """The tensor that the function sees: a leaf, or where someone else differentiates too, a copy with its history."""
    if not isinstance(x, Variable):
        raise DTypeError(restate(op, f"arguments to differentiate for must be tensors, got {type(x).__name__}"))
    if x._data.dtype.kind != "f":
        raise DTypeError(restate(op, f"arguments to differentiate for must be floats, got {x._data.dtype}", x=x))
    given: Any = x
    return given.clone() if x._requires_grad else Leaf(given.detach(), requires_grad=True)


def _leaves(outputs: list[Any]) -> list[Variable]:
    """The leaves that tensors depend on."""
    waiting: list[Any] = [y._node or y for y in outputs if y._requires_grad]
    seen, found = set(), []
    while waiting:
        x = waiting.pop()
        if x is None or id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, Node):
            waiting.extend(x.edges)
        elif not getattr(x, "done", False):
            found.append(x)
    return found
