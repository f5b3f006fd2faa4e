"""`Function`: an operation with a gradient of its own, which a program states, as in PyTorch's `autograd.Function`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import mode, no_grad, observers
from tensorgrad.autograd.op import OUTPUT, POSITION, Op, Rule
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.formulas.symbolic import function as named_function, words

FLOAT = "f"


class Context:
    """What `forward` hands to `backward`: saved tensors, and any attributes."""

    def __init__(self, needs: tuple[bool, ...] = ()) -> None:
        self.needs_input_grad = needs
        self._to_save: tuple[Any, ...] = ()
        self._constant: tuple[int, ...] = ()
        self._read: Callable[[], tuple[Any, ...]] | None = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `backward`: inputs, outputs, or others; None stands for a missing one.

        Raises DTypeError for anything else.
        """
        for x in tensors:
            if x is not None and not isinstance(x, Variable):
                fix = "assign other values to attributes of ctx"
                raise DTypeError(restate("save_for_backward", "only tensors can be saved", fix=fix, value=x))
        self._to_save = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Declare outputs through which no gradient flows; integers and bools have none anyway."""
        self._constant = tuple(id(x) for x in tensors)

    def mark_dirty(self, *tensors: Any) -> None:
        """Refused: `forward` must not change its inputs."""
        fix = "change a copy: x.clone()"
        raise GraphError(restate("mark_dirty", "forward must not change its inputs in place", fix=fix))

    def set_materialize_grads(self, value: bool) -> None:
        """Accepted for PyTorch's sake: the gradient of an unused output always is a tensor of zeros."""

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given: inputs and outputs come with their history.

        Raises GraphError where a saved tensor was changed in place since.
        """
        return self._to_save if self._read is None else self._read()


class CustomOp(Op):
    """The base class of the ops that stand for Functions: all tensors among the arguments are inputs."""

    owner: ClassVar[type[Function]]
    arguments: tuple[Any, ...]
    places: tuple[int, ...]
    """Where the tensors stand among the arguments."""
    needs: tuple[bool, ...]
    """Which of these tensors require a gradient."""
    shapes: tuple[tuple[int, ...], ...]
    """The shapes of these tensors."""
    returned: list[Outputs]
    """Where the outputs are handed back to the caller."""
    sources: tuple[int, ...] = ()
    memo: dict[str, Any]
    outputs: Outputs

    def backward_xs(self, grad, i):
        """The rule that a graph reads; `run` replaces it by one that asks for what was saved."""
        raise GraphError(restate(self.name, "the op has not been run"))

    @property
    def params(self) -> dict[str, Any]:
        """The arguments that aren't tensors, by position."""
        return {f"args[{k}]": x for k, x in enumerate(self.arguments) if k not in self.places}

    @property
    def keywords(self) -> dict[str, Any]:
        """What `apply` needs to call the Function again."""
        names = ("arguments", "places", "needs", "shapes")
        return {name: getattr(self, name) for name in names} | {"returned": []}

    def kept(self, needs: tuple[bool, ...]) -> tuple[int, ...]:  # type: ignore[override]
        """The inputs and the output that were saved."""
        return self.sources

    def run(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Call the user's forward on tensors around the arrays; several outputs stand side by side in one array."""
        needs = [False] * len(self.arguments)
        for place, needed in zip(self.places, self.needs, strict=False):
            needs[place] = needed
        ctx, inputs = Context(tuple(needs)), [wrap(x) for x in arrays]
        arguments = list(self.arguments)
        for place, x in zip(self.places, inputs, strict=True):
            arguments[place] = x
        outputs = self._call(ctx, arguments)
        self.outputs = Outputs(self.name, outputs, ctx._constant)
        self.returned.append(self.outputs)
        self.residuals, self.memo = ctx, {}
        self._note_saved(ctx, inputs)
        return self.outputs.packed(arrays)

    def forward_again(self, *arrays: np.ndarray) -> np.ndarray:
        """The forward at other inputs, which leaves alone what was saved."""
        other: Any = type(self).of(**self.keywords)
        return other.run(arrays)

    def _call(self, ctx: Context, arguments: list[Any]) -> Any:
        before, mode.observers = mode.observers, ()  # who watches hears of the op as a whole
        try:
            with no_grad():
                if self.owner.setup_context is Function.setup_context:
                    return self.owner.forward(ctx, *arguments)
                outputs = self.owner.forward(*arguments)
                self.owner.setup_context(ctx, tuple(arguments), outputs)
                return outputs
        finally:
            mode.observers = before

    def _note_saved(self, ctx: Context, inputs: list[Any]) -> None:
        """Where each saved tensor comes from: an input and the output are kept by the graph, others here."""
        places: dict[int, int] = {id(x): k for k, x in enumerate(inputs)}
        outputs = {id(x): k for k, x in enumerate(self.outputs.tensors) if k in self.outputs.flowing}
        self.saved: list[tuple[str, Any]] = []
        for x in ctx._to_save:
            if id(x) in places:
                self.saved.append(("input", places[id(x)]))
            elif id(x) in outputs:
                self.saved.append(("output", outputs[id(x)]))
            else:
                self.saved.append(("value", x))
        ctx._to_save = ()
        found = {k for kind, k in self.saved if kind == "input"}
        self.sources = (*sorted(found), *((OUTPUT,) if any(kind == "output" for kind, _ in self.saved) else ()))
        self.rules = (Rule(_backward, (POSITION, *self.sources)),)  # type: ignore[misc]


def _backward(op: Any, grad: Any, position: int, *values: Any) -> Any:
    """The gradient for one input; the user's backward is called once for all of them."""
    if op.memo.get("grad") is not grad:
        op.memo = {"grad": grad, "found": _all_gradients(op, grad, dict(zip(op.sources, values, strict=True)))}
    found = op.memo["found"].pop(op.places[position], None)
    if not any(op.needs[k] and op.places[k] in op.memo["found"] for k in range(len(op.places))):
        op.memo = {}
    return wrap(np.zeros(op.shapes[position], grad._data.dtype)) if found is None else found


def _all_gradients(op: Any, grad: Any, values: dict[int, Any]) -> dict[int, Any]:
    """By position among the arguments, the gradients that the user's backward returns."""
    ctx, outputs = op.residuals, op.outputs

    def read() -> tuple[Any, ...]:
        found = []
        for kind, x in op.saved:
            at = values[x] if kind == "input" else outputs.part(values[OUTPUT], x) if kind == "output" else x
            found.append(at)
        return tuple(found)

    ctx._read = read
    try:
        returned = op.owner.backward(ctx, *outputs.gradients(grad))
    finally:
        ctx._read = None
    gradients = returned if isinstance(returned, tuple) else (returned,)
    if len(gradients) != len(op.arguments):
        problem = (
            f"backward must return one gradient per argument of forward, {len(op.arguments)}, got {len(gradients)}"
        )
        raise GraphError(restate(op.name, problem, fix="return None for arguments without a gradient"))
    for k, g in enumerate(gradients):
        if g is not None and not isinstance(g, Variable):
            problem = f"backward must return tensors and None, got {type(g).__name__} for argument {k}"
            raise DTypeError(restate(op.name, problem))
        if g is not None and k not in op.places:
            problem = f"backward returned a gradient for argument {k}, which isn't a tensor"
            raise GraphError(restate(op.name, problem, fix="return None for it"))
    return {k: g for k, g in enumerate(gradients) if g is not None}


class Outputs:
    """What a user's forward returned: one tensor, or several that an op returns side by side in one array."""

    def __init__(self, call: str, returned: Any, constant: tuple[int, ...]) -> None:
        self.single = not isinstance(returned, (tuple, list))
        self.tensors: list[Any] = [returned] if self.single else [*returned]
        for x in self.tensors:
            if not isinstance(x, Variable):
                problem = f"forward must return tensors, got {type(x).__name__}"
                raise DTypeError(restate(call, problem))
        kinds = [x._data.dtype.kind for x in self.tensors]
        self.flowing = [k for k, x in enumerate(self.tensors) if kinds[k] == FLOAT and id(x) not in constant]
        """Which outputs a gradient flows through."""
        self.shapes = [x._data.shape for x in self.tensors]
        self.dtypes = [x._data.dtype for x in self.tensors]

    @property
    def alone(self) -> bool:
        """Whether the op's array is the one output that a gradient flows through."""
        return len(self.flowing) == 1

    def packed(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The outputs with a gradient in one array, which shares no memory with the inputs."""
        arrays = [self.tensors[k]._data for k in self.flowing]
        if self.alone:
            return arrays[0].copy() if any(np.may_share_memory(arrays[0], x) for x in inputs) else arrays[0]
        return np.concatenate([x.reshape(-1) for x in arrays]) if arrays else np.zeros(0, np.float32)

    def part(self, packed: Any, k: int) -> Any:
        """The output k out of the op's array."""
        if self.alone:
            return packed
        sizes = [math.prod(self.shapes[j]) for j in self.flowing]
        start = sum(sizes[: self.flowing.index(k)])
        x = packed[start : start + math.prod(self.shapes[k])].reshape(self.shapes[k])
        return x if x._data.dtype == self.dtypes[k] else x.astype(self.dtypes[k])

    def gradients(self, grad: Any) -> list[Any]:
        """The gradient for each output: zeros where none flows."""
        return [
            self.part(grad, k) if k in self.flowing else wrap(np.zeros(self.shapes[k], grad._data.dtype))
            for k in range(len(self.tensors))
        ]

    def results(self, packed: Any) -> Any:
        """What `Function.apply` returns."""
        found = [
            self.part(packed, k) if k in self.flowing else wrap(np.array(x._data)) for k, x in enumerate(self.tensors)
        ]
        self.tensors = [None] * len(self.tensors)  # only their number counts from here on
        return found[0] if self.single else tuple(found)


class Function:
    """An operation whose gradient the program states: a subclass defines static `forward` and `backward`.

    `forward(ctx, *args)` computes the outputs from tensors and other values, without a graph. What `backward` needs it
    keeps by `ctx.save_for_backward(...)`, or as attributes of ctx where it isn't a tensor. `backward(ctx, *grads)` gets
    one gradient per output, and returns one per argument of `forward`, None where there is none. Where it is written
    with tensors, it can be differentiated in turn. Or `forward(*args)` has no ctx, and `setup_context(ctx, inputs,
    output)` keeps what is needed. The function is called by `apply`.

    Drawings show it as one op with the name of the class; `tg.gradcheck` checks its gradient. A function compiled by
    `tg.compile` runs op by op where it applies one, since nobody knows what its Python code reads.

    >>> import tensorgrad as tg
    >>> class Cube(tg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * 3 * x * x
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    _op: ClassVar[type[CustomOp]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        name = cls.__name__

        def forward(self, *xs):
            return self.run(xs)

        said = {
            "forward": forward,
            "symbol": name,
            "name": name,
            "owner": cls,
            "formula": staticmethod(lambda xs: named_function(name)(xs)),
            "derivatives": (lambda grad: words(name, "backward of", grad),),
            "__doc__": f"z = {name}(x₀, x₁, …), of a Function.",
            "__module__": cls.__module__,
        }
        cls._op = type(name, (CustomOp,), said)

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. A subclass defines it."""
        raise ArgumentError(restate("Function", "a subclass must define a static method forward(ctx, ...)"))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what `backward` needs, where `forward` has no ctx."""

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments. A subclass defines it."""
        problem = "a subclass must define a static method backward(ctx, ...) to be differentiated"
        raise GraphError(restate("Function", problem))

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward`, and record it when a gradient is wanted.

        Args:
            args: the arguments of `forward`; tensors inside lists and dicts get no gradient.

        Returns:
            What `forward` returns: a tensor, or a tuple of tensors.
        """
        if cls is Function:
            raise ArgumentError(restate("Function.apply", "call apply of a subclass that defines forward and backward"))
        places = tuple(k for k, x in enumerate(args) if isinstance(x, Variable))
        if not places:
            fix = "pass one: tg.tensor(...)"
            raise ArgumentError(restate(cls.__name__, "one argument must be a tensor", fix=fix))
        for observer in observers():
            observer.engine_bypassed(f"apply of the Function {cls.__name__}, whose code may do anything", None)
        inputs = [args[k] for k in places]
        rest = tuple(None if k in places else x for k, x in enumerate(args))
        shapes, returned = tuple(x._data.shape for x in inputs), list[Outputs]()
        needs = tuple(x._requires_grad and mode.recording for x in inputs)
        z = apply(cls._op, *inputs, arguments=rest, places=places, needs=needs, shapes=shapes, returned=returned)
        return returned.pop().results(z)
