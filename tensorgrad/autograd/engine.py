"""`apply`, the function that runs every op, and the graph that it records.

The engine knows no particular op: ops import it, and call `apply` from their gradient rules too. The backward pass is
in `backward.py`.
"""

import functools
import inspect
import itertools
import threading
import types
import weakref
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from contextlib import ContextDecorator, contextmanager
from typing import Any, TypeVar

import numpy as np

from tensorgrad.autograd.observer import Observer, Scope
from tensorgrad.autograd.op import ALL_INPUTS, OUTPUT, RESIDUALS, Op
from tensorgrad.autograd.versions import Aliases, Version, add_detached, add_view, lies_within, version_of
from tensorgrad.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    OutOfMemoryError,
    RangeError,
    ShapeError,
    TensorgradError,
    describe,
    restate,
)
from tensorgrad.system.forks import wait_for

Hook = Callable[["Variable"], "Variable | None"]


class Variable:
    """An array in a graph: its data, its gradient, and the node that made it. `Tensor` adds operators and methods."""

    __slots__ = ("__weakref__", "_aliases", "_data", "_grad", "_hooks", "_node", "_requires_grad", "_version", "name")

    def __init__(self, data: np.ndarray, requires_grad: bool = False, node: "Node | None" = None) -> None:
        self._data = data
        self._requires_grad = requires_grad
        self._node = node
        self._version: Version | None = None  # until something asks for it
        self._aliases: Aliases | None = None  # until it shares its memory
        self._hooks: dict[int, Hook] | None = None
        self._grad: Variable | None = None  # `Tensor.grad` reads it for users
        self.name: str | None = None


V = TypeVar("V", bound=Variable)
F = TypeVar("F", bound=Callable[..., Any])
O = TypeVar("O", bound=Observer)

_result_class: type[Variable] = Variable
_new = object.__new__


def results_are(cls: type[V]) -> type[V]:
    """Class decorator: ops return instances of this class. `Tensor` imports the engine, so it registers itself."""
    global _result_class
    _result_class = cls
    return cls


def wrap(array: np.ndarray, requires_grad: bool = False, node: "Node | None" = None) -> Any:
    """A tensor around an array as it is, unchecked: what the engine and the ops make results with."""
    # What Variable.__init__ does, without the call: this runs once per op.
    tensor = _new(_result_class)
    tensor._data = array
    tensor._requires_grad = requires_grad
    tensor._node = node
    tensor._version = tensor._aliases = tensor._hooks = tensor._grad = tensor.name = None
    return tensor


# ---------------------------------------------------------------------------------------------------------------- modes


class Mode(threading.local):
    """What holds in one thread."""

    recording = True
    observers: tuple[Observer, ...] = ()


mode = Mode()
"""Of this thread: whether ops are recorded, and who observes it."""

# How many blocks that change the mode any thread is in: of `set_grad_enabled`, and of `observe`. While there is none,
# `apply` doesn't ask for the mode of its own thread, which takes ten times as long.
_blocks = 0
_watched = 0
_counting = threading.RLock()
wait_for(_counting)


def _count_blocks(change: int) -> None:
    global _blocks
    with _counting:
        _blocks += change


def _count_watched(change: int) -> None:
    global _watched
    with _counting:
        _watched += change


class set_grad_enabled(ContextDecorator):
    """Whether ops of this thread are recorded, as a context manager or a decorator; restored on the way out.

    Args:
        enabled: True to record, False not to.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.set_grad_enabled(False):
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._before: list[bool] = []

    def __enter__(self) -> None:
        _count_blocks(1)
        self._before.append(mode.recording)
        mode.recording = self.enabled

    def __exit__(self, *exc: object) -> None:
        mode.recording = self._before.pop()
        _count_blocks(-1)

    def __call__(self, function: F) -> F:
        """`function` in this mode. One that pauses, a generator or coroutine, is in it only while its own code runs."""
        if inspect.isasyncgenfunction(function):
            fix = "put `with tg.no_grad():` around what computes between two yields"
            raise DTypeError(restate(_mode_name(self.enabled), "an async generator can't be decorated", fix=fix))
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                return (yield from _in_steps(function(*args, **kwargs), self.enabled))

            return generate  # type: ignore[return-value]
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def work(*args: Any, **kwargs: Any) -> Any:
                return await _in_steps(function(*args, **kwargs), self.enabled)

            return work  # type: ignore[return-value]
        return super().__call__(function)

    def _recreate_cm(self) -> "set_grad_enabled":
        # A decorated function may run in several threads at once; each call needs its own stack.
        return set_grad_enabled(self.enabled)


def _mode_name(enabled: bool) -> str:
    return "enable_grad" if enabled else "no_grad"


@types.coroutine
def _in_steps(routine: Any, enabled: bool) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine; `enabled` holds from where it goes on to where it pauses, and not in its caller."""
    go_on, value = routine.send, None
    while True:
        try:
            with set_grad_enabled(enabled):
                paused_with = go_on(value)
        except StopIteration as end:
            return end.value
        try:
            go_on, value = routine.send, (yield paused_with)
        except GeneratorExit:
            with set_grad_enabled(enabled):
                routine.close()
            raise
        except BaseException as error:
            go_on, value = routine.throw, error


def no_grad() -> set_grad_enabled:
    """Record nothing inside, in this thread: `with tg.no_grad(): ...` or `@tg.no_grad()`.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.no_grad():
    ...     (w * 2).requires_grad
    False
    """
    return set_grad_enabled(False)


def inference_mode(mode: bool | Callable[..., Any] = True) -> Any:
    """Record nothing inside, in this thread: `no_grad` under PyTorch's other name, with its parentheses or without.

    Args:
        mode: False records again; a function is decorated.

    Raises:
        ArgumentError: neither a bool nor a function.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.inference_mode():
    ...     (w * 2).requires_grad
    False
    """
    if callable(mode):
        return set_grad_enabled(False)(mode)
    if not isinstance(mode, (bool, np.bool_)):
        problem = f"mode must be True, False or a function to decorate, got {describe(mode)}"
        raise ArgumentError(restate("inference_mode", problem))
    return set_grad_enabled(not mode)


def enable_grad() -> set_grad_enabled:
    """Record again inside a `no_grad` block, in this thread.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (w * 2).requires_grad
    True
    """
    return set_grad_enabled(True)


def is_grad_enabled() -> bool:
    """Whether ops of this thread are being recorded.

    >>> import tensorgrad as tg
    >>> tg.is_grad_enabled()
    True
    """
    return mode.recording


def observers() -> tuple[Observer, ...]:
    """The observers of this thread. An event is reported by calling its method on each of them."""
    return mode.observers


class scope:
    """Tell the observers when the code inside begins and ends, also if it raises."""

    __slots__ = ("_scope",)

    def __init__(self, path: str, kind: str, owner: Any = None) -> None:
        self._scope = Scope(path, kind, owner)

    def __enter__(self) -> None:
        for observer in mode.observers:
            observer.scope_entered(self._scope)

    def __exit__(self, *exc: object) -> None:
        for observer in mode.observers:
            observer.scope_left(self._scope)


@contextmanager
def observe(observer: O) -> Iterator[O]:
    """Tell `observer` of everything that the engine does in this thread, backward passes included.

    Args:
        observer: an object whose class derives from `Observer`; the context manager returns it.

    Raises:
        DTypeError: an object whose class doesn't derive from `Observer`.

    >>> import tensorgrad as tg
    >>> class Count(tg.Observer):
    ...     ops = 0
    ...     def op_applied(self, op, inputs, output):
    ...         self.ops += 1
    >>> with tg.observe(Count()) as count:
    ...     _ = tg.ones(3) * 2 + 1
    >>> count.ops
    2
    """
    if not isinstance(observer, Observer):
        fix = "derive its class from tg.Observer, and override the events that it needs"
        raise DTypeError(restate("observe", "expected an Observer", fix=fix, observer=observer))
    before = mode.observers
    _count_watched(1)
    mode.observers = (*before, observer)
    try:
        yield observer
    finally:
        mode.observers = before
        _count_watched(-1)


# Observers don't hear of what a function does outside of an op's forward, so a compiled function would not do it again.
# These three helpers tell them; docs/adding-an-op.md shows when to use which.


def host_call(function: Callable[..., Any], *arguments: Any, effect: bool = False) -> Any:
    """`function(*arguments)`, a computation on arrays outside of any op. A compiled function makes it in each replay.

    Observers hear of the call as a whole, and of nothing inside it: statistics, random masks.

    Args:
        function: takes ndarrays and other values, and returns an ndarray or a tuple of ndarrays.
        arguments: ndarrays that an op or another host call made; a replay passes all other values again as they are.
        effect: whether the function changes tensors in place that are arguments, or in tuples among them. A replay
            makes such calls after all ops, in their order, and ignores what they return.

    Returns:
        What the function returns.
    """
    before = mode.observers
    if not before:
        return function(*arguments)
    for observer in before:
        observer.host_call_started(function, arguments)
    mode.observers = ()
    try:
        result = function(*arguments)
    finally:
        mode.observers = before
    for observer in before:
        observer.host_call_finished(function, arguments, result, effect)
    return result


def guard(condition: Callable[..., Any], *arguments: Any) -> bool:
    """`bool(condition(*arguments))`: Python is about to branch on it.

    A compiled function checks the condition in each replay; if the result differs, the function itself runs.

    Args:
        condition: takes ndarrays and other values.
        arguments: as for `host_call`.

    Returns:
        Whether the condition holds.
    """
    found = bool(condition(*arguments))
    for observer in mode.observers:
        observer.guard_checked(condition, arguments, found)
    return found


def constant(array: np.ndarray) -> Any:
    """A tensor around an array that every call makes anew with the same values: numbers in the program, zeros."""
    tensor = wrap(array)
    for observer in mode.observers:
        observer.constant_made(tensor)
    return tensor


_configuration = 0


def configuration() -> int:
    """A counter of the changes, other than of values, that may invalidate a recording of ops."""
    return _configuration


def reconfigured() -> None:
    """Note that an attribute or the mode of a module has changed, or which leaves require a gradient."""
    global _configuration
    _configuration += 1


# ------------------------------------------------------------------------------------------------------------ the graph

_next_age = itertools.count().__next__


class Saved:
    """A value kept for backward as it was then: its array, where it came from, and the version of its memory."""

    __slots__ = ("array", "name", "source", "version")
    array: np.ndarray
    source: "Node | Variable | None"
    version: Version
    name: str | None

    @property
    def value(self) -> np.ndarray | None:
        """The array as it was when it was saved; None if it has been changed since and no copy was kept."""
        return self.array if self.version.current else self.version.value(self.array)


class Node:
    """The record of one applied op.

    Attributes:
        op: the op, with its parameters.
        edges: per input, the Node that made it, the leaf itself, or None where no gradient flows.
        input_shapes: per input, its shape.
        saved: the values that the rules ask for, by position (OUTPUT for z); None once backward has freed them.
        age: a running number. A node is younger than all it was computed from, so sorting by age is a topological
        order. shape, dtype: of the output. The output itself isn't kept, so a graph holds no reference cycle.
    """

    __slots__ = (
        "__weakref__",
        "age",
        "dtype",
        "edges",
        "hooks",
        "input_shapes",
        "name",
        "op",
        "retained",
        "saved",
        "shape",
    )
    op: Op
    edges: "tuple[Node | Variable | None, ...]"
    input_shapes: tuple[tuple[int, ...], ...]
    saved: dict[int, Saved] | None
    age: int
    shape: tuple[int, ...]
    dtype: np.dtype
    name: str | None
    hooks: dict[int, Hook] | None
    retained: weakref.ref[Variable] | None

    @property
    def freed(self) -> bool:
        """Whether an earlier backward has dropped what this one would need."""
        return self.saved is None

    def free(self) -> None:
        """Drop what was kept for backward; the structure stays, for drawings.

        A view that kept sizes alone can be gone through again: of a leaf, it may be the input of many graphs.
        """
        if self.saved or not self.op.aliases or not _are_sizes(self.op.residuals):
            self.saved = None
            self.op.residuals = None

    def value(self, k: int, position: int) -> Any:
        """What a rule asked for under source `k`, for the input at `position`.

        A saved value comes as a Variable with its history, so that rules can be differentiated again.
        """
        if k >= 0 or k == OUTPUT:
            assert self.saved is not None
            saved = self.saved[k]
            version, source = saved.version, self if k == OUTPUT else saved.source
            node = source if type(source) is Node else None
            if version.current and source is not node:
                return source  # a leaf
            array = saved.array if version.current else None if source is not node else version.value(saved.array)
            if array is None:
                raise GraphError(_changed_in_place(self.op, k, saved))
            # As wrap(array, node is not None, node), without the call.
            value = _new(_result_class)
            value._data, value._node, value._requires_grad = array, node, node is not None
            value._version = version if version.current else None
            value._aliases = value._hooks = value._grad = value.name = None
            return value
        if k == RESIDUALS:
            return self.op.residuals
        if k == ALL_INPUTS:
            return tuple([self.value(j, position) for j in range(len(self.edges))])
        return position  # POSITION

    def input_gradients(
        self, grad: Variable, only: "Container[Node | Variable] | None" = None, last: bool = False
    ) -> Iterable[tuple[int, Variable]]:
        """Per input that wants one: its position, and the vector–Jacobian product of the op for it.

        Where an input was broadcast, that still has the shape of the output: see `unbroadcast`.

        `last` says that nobody will ask again: what was kept may be let go on the way.
        """
        op: Any = self.op
        rules, end = op.rules, len(op.rules) - 1
        if op.together:
            edges = enumerate(self.edges)
            wanted = [k for k, edge in edges if edge is not None and (only is None or edge in only)]
            return op.backward_together(grad, op.residuals, wanted, last)
        found = []
        for position, edge in enumerate(self.edges):
            if edge is None or (only is not None and edge not in only):
                continue
            rule = rules[position if position < end else end]  # as op.rule(position), without the call
            if rule is None:
                continue
            values = []
            for k in rule.wants:
                values.append(op.residuals if k == RESIDUALS else self.value(k, position))
            found.append((position, rule.backward(op, grad, *values)))
        return found

    def unbroadcast(self, grad: Any, position: int) -> Variable:
        """Sum over the axes along which the input at `position` was broadcast."""
        op, shape, have = self.op, self.input_shapes[position], grad._data.shape
        for observer in mode.observers:
            observer.gradient_summed(self, position, have)
        lead = len(have) - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, have[lead:], strict=True)):
            raise ShapeError(
                restate(
                    op.name,
                    f"backward_{op.input_name(position).split('[')[0]} returned a gradient that doesn't fit its input",
                    expected=f"shape {shape}, or one that {shape} broadcasts to",
                    fix="correct the op's gradient rule",
                    gradient=grad,
                )
            )
        # (lead..., m...) -> (n...)
        axes = tuple(range(lead)) + tuple(
            lead + k for k, (n, m) in enumerate(zip(shape, have[lead:], strict=True)) if n != m
        )
        return grad.sum(axes, True).reshape(shape)


def _are_sizes(residuals: Any) -> bool:
    """Whether a forward has left nothing but whole numbers, and tuples of them."""
    if type(residuals) is tuple:
        return all([type(n) is int or _are_sizes(n) for n in residuals])
    return residuals is None or type(residuals) is int


def node_of(op: Op, inputs: tuple[Variable, ...], output: Variable, needs: Sequence[bool]) -> Node:
    """The record of `op`, which made `output` of `inputs`, of which some require a gradient: `needs`."""
    # This runs once per recorded op, so it is made of what costs least: a class's own `__init__` costs a call more.
    node, data = Node(), output._data
    node.op = op
    node.age = _next_age()
    node.shape = shape = data.shape
    node.dtype = data.dtype
    node.name = node.hooks = node.retained = None
    edges: list[Node | Variable | None] = []
    shapes: list[tuple[int, ...]] = []
    for x in inputs:
        edges.append((x._node or x) if x._requires_grad else None)
        have = x._data.shape
        shapes.append(shape if have == shape else have)  # one tuple, for fewer objects to collect
    node.edges = tuple(edges)
    node.input_shapes = tuple(shapes)
    kept = op.always_kept
    node.saved = saved = {}
    for k in op.kept(tuple(needs)) if kept is None else kept:
        value = saved[k] = Saved()
        if k == OUTPUT:
            # The source of z is this node: filled in at use, for a node that held itself would be a cycle.
            x, value.source = output, None
            if x._aliases is None:  # nobody else has it yet: as version_of(output), without its lock
                x._version = Version()
        else:
            x, value.source = inputs[k], edges[k]
        version = x._version
        value.version = version if version is not None and version.current else version_of(x)
        value.array, value.name = x._data, x.name
    return node


# ------------------------------------------------------------------------------------------------------------- the door


def apply(op_class: type[Op], *inputs: Variable, **params: Any) -> Any:
    """Run one op, and record it when a gradient is wanted. Every computation passes through here.

    Args:
        op_class: the operation.
        inputs: tensors, of the dtypes that the op takes.
        params: the op's keyword parameters: axes, strides, indices.

    Returns:
        The output tensor; it requires a gradient if the op is differentiable, some input does, and recording is on.

    Raises:
        ShapeError, DTypeError, RangeError, OutOfMemoryError: the call restated, where NumPy or a kernel refused it.
    """
    # As wrap(data), without the call: this runs once per op.
    op = op_class()
    if params:
        op.__dict__ = params
    # One loop, here and in Node: before Python 3.12 a comprehension costs a call.
    arrays, needs = [], []
    for x in inputs:
        arrays.append(x._data)
        needs.append(x._requires_grad)
    recorded = True in needs and (not _blocks or mode.recording) and op.differentiable
    try:
        # A call with a list of arguments takes several times as long.
        if len(arrays) == 1:
            data = op.forward(arrays[0])
        elif len(arrays) == 2:
            data = op.forward(arrays[0], arrays[1])
        else:
            data = op.forward(*arrays)
    except Exception as error:
        for observer in mode.observers:
            observer.op_failed(op, inputs, error)
        if isinstance(error, TensorgradError) or not isinstance(error, tuple(_RESTATED)):
            raise
        raise _restated(op, inputs, error) from error
    if type(data) is not np.ndarray:
        data = np.asarray(data)  # NumPy turns 0-d results into scalars
    output = _new(_result_class)
    output._data = data
    output._requires_grad = recorded
    output._node = output._version = output._aliases = output._hooks = output._grad = output.name = None
    base = data.base
    if base is not None or op.aliases:
        for array in arrays:
            if data is array or (base is not None and (base is array or base is array.base)):
                note_shared_memory(output, inputs, recorded)
                break
    if recorded:
        output._node = node_of(op, inputs, output, needs)
    if _watched:
        for observer in mode.observers:
            observer.op_applied(op, inputs, output)
    return output


def note_shared_memory(output: Variable, inputs: tuple[Variable, ...], recorded: bool) -> None:
    """Where the output is a view of an input, in-place changes of one concern the other."""
    data = output._data
    base = data.base
    for x in inputs:
        array = x._data
        # As same_memory(data, array), without the call. (Several inputs may be parts of one array of the user's.)
        shared = data is array or (base is not None and (base is array or base is array.base))
        if shared and (len(inputs) == 1 or lies_within(data, array)):
            if recorded or not x._requires_grad:
                add_view(output, x)
            else:  # a view under no_grad: the gradient of x doesn't flow through it
                add_detached(output, x, explicit=False)
            return


# NumPy's own errors derive from these; an AxisError is an IndexError and a ValueError.
_RESTATED = {IndexError: RangeError, ValueError: ShapeError, TypeError: DTypeError, OverflowError: RangeError}
_RESTATED |= {MemoryError: OutOfMemoryError}


def _restated(op: Op, inputs: tuple[Variable, ...], error: Exception) -> TensorgradError:
    arguments = {op.input_name(k): x for k, x in enumerate(inputs)} | op.params
    kind = next(ours for theirs, ours in _RESTATED.items() if isinstance(error, theirs))
    return kind(restate(op.name, str(error).replace("\n", " ") or "out of memory", **arguments))


def _changed_in_place(op: Op, k: int, saved: Saved) -> str:
    what = "its output z" if k == OUTPUT else f"its input {op.input_name(k)}"
    tensor = wrap(saved.array)
    tensor.name = saved.name
    return restate(
        op.name,
        f"backward needs {what}, which was changed in place, unrecorded, after {op.name} used it",
        expected="the values as they were",
        fix="change a copy (t.clone()), or make the change after backward()",
        tensor=tensor,
    )


# ---------------------------------------------------------------------------------------------------------------- hooks


class HookHandle:
    """What `register_hook` returns: call `remove()` to take the hook away."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Hook], hook: Hook) -> None:
        self._hooks, self._number = hooks, next(self._numbers)
        hooks[self._number] = hook
        reconfigured()

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        if self._hooks.pop(self._number, None) is not None and not self._hooks:
            reconfigured()


def register_hook(variable: Variable, hook: Hook) -> HookHandle:
    """Call `hook(grad)` when the gradient of `variable` is complete; a result that isn't None replaces it."""
    if not variable._requires_grad:
        raise GraphError(
            restate("register_hook", "the tensor gets no gradient", fix="set requires_grad=True first", tensor=variable)
        )
    owner, slot = (variable, "_hooks") if variable._node is None else (variable._node, "hooks")
    if not getattr(owner, slot):
        reconfigured()
        if getattr(owner, slot) is None:
            setattr(owner, slot, {})
    return HookHandle(getattr(owner, slot), hook)


def retain_grad(variable: Variable) -> None:
    """Let backward set `.grad` on an interior tensor too; leaves get theirs anyway."""
    if not variable._requires_grad:
        raise GraphError(
            restate("retain_grad", "the tensor gets no gradient", fix="set requires_grad=True first", tensor=variable)
        )
    if variable._node is not None:
        variable._node.retained = weakref.ref(variable)
