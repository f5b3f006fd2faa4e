"""Derivatives as functions: grad, vjp, hvp, jacobian, hessian; and gradcheck, a check by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np

from tensorgrad.arrays.differences import numeric_gradient
from tensorgrad.arrays.dtypes import check_memory, is_float
from tensorgrad.autograd import backward_pass, modes, variable
from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, TensorgradError, restate
from tensorgrad.ops.joining import stack
from tensorgrad.ops.operands import TensorLike, as_tensor, flag
from tensorgrad.tensor import Tensor


class GradientError(TensorgradError, AssertionError):
    """A gradient that differs from finite differences."""


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: TensorLike | Sequence[TensorLike | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """∂(Σ outputs · grad_outputs)/∂input for each input, as a tuple. No `.grad` changes.

    Args:
        outputs: one tensor or several.
        inputs: one tensor or several, leaves or interior; `model.parameters()` too.
        grad_outputs: the upstream gradients, of the outputs' shapes; by default 1 for scalars.
        retain_graph: keep the graph for another backward pass; by default only if `create_graph`.
        create_graph: record the backward pass, so that the result can be differentiated.
        only_inputs: must be True, as in PyTorch.
        allow_unused: return None for an input that the outputs don't depend on, instead of raising.
        is_grads_batched: must be False; `tg.func.vmap` maps over upstream gradients.
        materialize_grads: return zeros for an input that the outputs don't depend on.

    Raises:
        GraphError: no graph, or a freed one; a saved value was changed in place; an input that doesn't require a
            gradient, or that the outputs don't depend on.
        DTypeError: an output or input that isn't a tensor.
        ArgumentError: another number of upstream gradients than outputs.
        ShapeError: an upstream gradient of another shape than its output.

    >>> import tensorgrad as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> (first,) = tg.grad(x ** 3, x, create_graph=True)
    >>> (second,) = tg.grad(first, x)
    >>> first.item(), second.item()
    (12.0, 12.0)
    """
    create_graph, only_inputs = flag("grad", "create_graph", create_graph), flag("grad", "only_inputs", only_inputs)
    retain_graph = None if retain_graph is None else flag("grad", "retain_graph", retain_graph)
    allow_unused = None if allow_unused is None else flag("grad", "allow_unused", allow_unused)
    is_grads_batched = flag("grad", "is_grads_batched", is_grads_batched)
    materialize_grads = flag("grad", "materialize_grads", materialize_grads)
    if not only_inputs or is_grads_batched:
        problem = "only_inputs must be True, and is_grads_batched False"
        raise ArgumentError(restate("grad", problem, only_inputs=only_inputs, is_grads_batched=is_grads_batched))
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    seeds = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    if len(seeds) != len(outputs):
        problem = f"grad_outputs must have one entry per output, {len(outputs)}, got {len(seeds)}"
        raise ArgumentError(restate("grad", problem, outputs=outputs))
    given: dict[str, Any] = {"outputs": outputs, "inputs": inputs}
    for name, tensors in given.items():
        if not all(isinstance(x, Tensor) for x in tensors):
            raise DTypeError(restate("grad", f"{name} must be tensors", **{name: tensors}))
    for x in inputs:
        if not x.requires_grad:
            problem, fix = "inputs must require a gradient", "call x.requires_grad_() before the forward pass"
            raise GraphError(restate("grad", problem, fix=fix, input=x))
    found: list[Any] = gradients(outputs, inputs, seeds, create_graph, retain_graph)
    for x, g in zip(inputs, found, strict=True):
        if g is None and not (allow_unused or materialize_grads):
            fix = "pass allow_unused=True to get None for it"
            raise GraphError(restate("grad", "the outputs don't depend on an input", fix=fix, input=x))
    if materialize_grads:
        found = [variable.wrap(np.zeros_like(x._data)) if g is None else g for x, g in zip(inputs, found, strict=True)]
    return tuple(found)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: TensorLike | Sequence[TensorLike | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: TensorLike | Sequence[TensorLike | None] | None = None,
    inputs: Tensor | Iterable[Tensor] | None = None,
) -> None:
    """Add ∂(Σ tensors · grad_tensors)/∂leaf to the `.grad` of every leaf, in one pass: `tg.autograd.backward`.

    Args:
        tensors: one tensor or several.
        grad_tensors: the upstream gradients, of the tensors' shapes; by default 1 for scalars.
        retain_graph: keep the graph for another backward pass; by default only if `create_graph`.
        create_graph: record the backward pass, so that the gradients can be differentiated.
        grad_variables: the older name of `grad_tensors`.
        inputs: add to the `.grad` of these tensors alone, leaves or interior.

    Raises:
        GraphError: no graph, or a freed one; no upstream gradient for an array; a saved value was changed in place.
        DTypeError: one of `tensors` or `inputs` isn't a tensor.
        ArgumentError: another number of upstream gradients than tensors; no inputs; both names of the gradients.
        ShapeError: an upstream gradient of another shape than its tensor.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> tg.autograd.backward([x.sum(), x * x], [None, tg.tensor([1.0, 0.5])])
    >>> x.grad
    tensor([3., 3.])
    """
    create_graph = flag("backward", "create_graph", create_graph)
    retain_graph = None if retain_graph is None else flag("backward", "retain_graph", retain_graph)
    if grad_variables is not None:
        if grad_tensors is not None:
            raise ArgumentError(
                restate("backward", "grad_variables is the older name of grad_tensors: pass one of them")
            )
        grad_tensors = grad_variables
    outputs = _sequence(tensors)
    given: dict[str, Any] = {"tensors": outputs} | ({} if inputs is None else {"inputs": _sequence(inputs)})
    for name, found in given.items():
        if not found:
            raise ArgumentError(restate("backward", f"{name} must hold at least one tensor", **{name: found}))
        if not all(isinstance(x, Tensor) for x in found):
            raise DTypeError(restate("backward", f"{name} must be tensors", **{name: found}))
    seeds = [None] * len(outputs) if grad_tensors is None else _sequence(grad_tensors)
    if len(seeds) != len(outputs):
        problem = f"grad_tensors must have one entry per tensor, {len(outputs)}, got {len(seeds)}"
        raise ArgumentError(restate("backward", problem, tensors=outputs))
    if inputs is None:
        backward_pass.backward(outputs, seeds, create_graph, retain_graph)
    else:
        outputs[0]._host_read("backward(inputs=...)")
        backward_pass.backward_into(given["inputs"], outputs, seeds, create_graph, retain_graph)


def vjp(f: Callable[..., Tensor], *inputs: TensorLike) -> tuple[Tensor, Callable[[TensorLike], tuple[Tensor, ...]]]:
    """f(*inputs), and the function v ↦ vᵀ · ∂f/∂inputs, the vector-Jacobian product of reverse mode.

    Args:
        f: a function of tensors that returns one tensor.
        inputs: tensors or arrays; they count as constants in an outer graph.

    >>> import tensorgrad as tg
    >>> y, pull = tg.vjp(lambda x: x * x, tg.tensor([1.0, 2.0]))
    >>> pull(tg.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    xs = _fresh(inputs)
    with modes.enable_grad():
        output = f(*xs)

    def pull(v: TensorLike) -> tuple[Tensor, ...]:
        found: list[Any] = [None] * len(xs)
        if output.requires_grad:
            found = gradients([output], xs, [v], retain_graph=True)
        return tuple(Tensor(np.zeros_like(x.data)) if g is None else g for x, g in zip(xs, found, strict=True))

    return output.detach(), pull


def hvp(f: Callable[[Tensor], Tensor], x: TensorLike, v: TensorLike) -> Tensor:
    """The Hessian of the scalar f at x times v, computed as ∇(∇f · v). Pearlmutter, Neural Computation 6, 1994.

    Args:
        f: a function of one tensor that returns a scalar.
        x: where.
        v: the vector, of the shape of x.

    Raises:
        ShapeError: v has another shape than x.

    >>> import tensorgrad as tg
    >>> tg.hvp(lambda x: (x ** 3).sum(), tg.tensor([1.0, 2.0]), tg.tensor([1.0, 1.0]))
    tensor([ 6., 12.])
    """
    (leaf,) = _fresh([x])
    if np.shape(v) != leaf.shape:
        raise ShapeError(restate("hvp", "v must have the shape of x", x=x, v=v))
    found: list[Any] = [None]
    with modes.enable_grad():
        g = _gradient(f(leaf), leaf)
        if g.requires_grad:
            found = gradients([(g * v).sum()], [leaf], [None])
    return Tensor(np.zeros_like(leaf.data)) if found[0] is None else found[0]


def jacobian(f: Callable[[Tensor], Tensor], x: TensorLike) -> Tensor:
    """The Jacobian ∂f/∂x, by one backward pass per element of the output.

    Args:
        f: a function of one tensor that returns a tensor of any shape.
        x: where to differentiate, of any shape.

    Returns:
        A tensor of shape `(*f(x).shape, *x.shape)`.

    Raises:
        OutOfMemoryError: the result doesn't fit into this machine's memory; raised before the first backward pass.

    >>> import tensorgrad as tg
    >>> tg.jacobian(lambda x: x * x, tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    y, pull = vjp(f, x)
    count = y.numel()
    check_memory("jacobian", (count, max(count, np.size(x))), y.dtype, x=x, y=y)
    units = np.eye(count, dtype=y.dtype).reshape(count, *y.shape)
    shape = y.shape + np.shape(x)
    return stack([pull(unit)[0] for unit in units]).reshape(shape) if count else Tensor(np.zeros(shape, y.dtype))


def hessian(f: Callable[[Tensor], Tensor], x: TensorLike) -> Tensor:
    """The second derivatives of the scalar f at x, of shape `(*x.shape, *x.shape)`. Raises as `jacobian` does.

    >>> import tensorgrad as tg
    >>> tg.hessian(lambda x: (x ** 3).sum(), tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacobian(lambda x: _gradient(f(x), x), x)


def _gradient(output: Tensor, x: Tensor) -> Tensor:
    """∂output/∂x, recorded. Raises GraphError where the output doesn't depend on x."""
    gradient: Any = grad(output, x, create_graph=True)[0]
    return gradient


def gradcheck(
    f: Callable[..., Tensor],
    inputs: TensorLike | Sequence[TensorLike],
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    seed: int = 0,
) -> bool:
    """Compare the gradients of f with central differences (f(x + ε) − f(x − ε)) / 2ε, for a random upstream gradient.

    Each element of each float input that requires a gradient is moved by itself, in float64. A gradient is right where
    |analytic − numeric| ≤ atol + rtol · |numeric|.

    Args:
        f: a function of tensors that returns one tensor; it must return the same for the same inputs.
        inputs: one float64 tensor or several; those with `requires_grad` are checked, all of them if none has it.
        eps: the step ε.
        atol: the absolute tolerance.
        rtol: the relative tolerance.
        seed: of the random upstream gradient.

    Returns:
        True.

    Raises:
        GradientError: a gradient is wrong; it names the input, the worst element, and both values.
        DTypeError: an input to check isn't float64.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.gradcheck(lambda x: x.sin() * x, [np.array([0.1, 0.2])])
    True
    """
    single = isinstance(inputs, (Tensor, np.ndarray, float, int))
    given: list[Any] = [inputs] if single else [*cast(Sequence, inputs)]
    xs = [Tensor(x.data.copy() if isinstance(x, Tensor) else np.array(x)) for x in given]
    asked = [isinstance(x, Tensor) and x.requires_grad for x in given]
    for k, x in enumerate(xs):
        x.requires_grad = asked[k] if any(asked) else is_float(x.dtype)
        if x.requires_grad and x.dtype != np.float64:
            fix = "finite differences need float64: x.astype('float64')"
            raise DTypeError(restate("gradcheck", f"inputs must be float64, got {x.dtype}", fix=fix, input=x))
    with modes.enable_grad():
        output = f(*xs)
    upstream = np.random.default_rng(seed).standard_normal(output.shape)
    checked = [x for x in xs if x.requires_grad]
    analytic: Any = gradients([output], checked, [upstream])
    for k, (x, g) in enumerate(zip(checked, analytic, strict=True)):
        numeric = _numeric(lambda: np.vdot(upstream, f(*xs).data), x, eps)
        _compare(k, x, np.zeros(x.shape) if g is None else g.data, numeric, atol, rtol)
    return True


def _numeric(f: Callable[[], Any], x: Tensor, eps: float) -> np.ndarray:
    """∂f/∂x by central differences: f reads x, whose values are moved in place and put back."""
    before = x.data.copy()

    def moved(values: np.ndarray) -> Any:
        x.data[...] = values
        return f()

    with modes.enable_grad():  # f itself may differentiate
        numeric = numeric_gradient(moved, before, eps)
    x.data[...] = before
    return numeric


def _compare(k: int, x: Tensor, analytic: np.ndarray, numeric: np.ndarray, atol: float, rtol: float) -> None:
    wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))
    if wrong.any():
        error = np.where(np.isnan(analytic - numeric), np.inf, np.abs(analytic - numeric))
        worst = np.unravel_index(np.argmax(error), error.shape)
        at = tuple(int(i) for i in worst)
        problem = f"{wrong.sum()} of {wrong.size} gradients of input {k} are wrong; worst at {at}"
        values: dict[str, Any] = {"analytic": float(analytic[worst]), "numeric": float(numeric[worst])}
        raise GradientError(restate("gradcheck", problem, expected=f"atol {atol}, rtol {rtol}", input=x, **values))


def _sequence(x: Any) -> list:
    """The tensors of a list, of a dict's values, of a generator; or the only one."""
    several = isinstance(x, Iterable) and not isinstance(x, (Tensor, np.ndarray))
    return list(x) if several else [x]


def _fresh(inputs: Sequence[TensorLike]) -> list[Tensor]:
    """New leaves with the inputs' values."""
    return [Tensor(as_tensor(x).detach(), requires_grad=True) for x in inputs]
