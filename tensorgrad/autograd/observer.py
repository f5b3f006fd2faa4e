"""What the engine tells its observers: their base class, and the scopes that they are told of."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad.errors import ArgumentError, restate

if TYPE_CHECKING:
    from tensorgrad.autograd.node import Node
    from tensorgrad.autograd.op import Op
    from tensorgrad.autograd.variable import Variable


class Scope(NamedTuple):
    """A stretch of the computation: the call of a module, or a backward pass."""

    path: str
    """Where the module stands in its model: `"0.conv"`."""
    kind: str
    """The name of the module's class."""
    owner: Any = None
    """The module itself: two modules may have the same path."""


BACKWARD = Scope("", "backward")
"""The scope of a backward pass."""


class Observer:
    """Base class of the engine's observers: tracing, profiling, recording, checks. Override the events you need.

    `with tg.observe(observer):` calls the observer's methods for everything that happens in this thread, in the order
    in which it happens. Every event has a method here that does nothing. An observer that raises stops the
    computation.

    Raises:
        ArgumentError: a subclass has a public method whose name is nearly that of an event: it would never be called.

    >>> import tensorgrad as tg
    >>> class Names(tg.Observer):
    ...     def op_applied(self, op, inputs, output):
    ...         print(op.name, output.shape)
    >>> with tg.observe(Names()):
    ...     loss = (tg.ones(2, 3) * 2.0).sum()
    multiply (2, 3)
    sum ()
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, member in vars(cls).items():
            if name.startswith("_") or name in EVENTS or not inspect.isfunction(member):
                continue
            if similar := get_close_matches(name, EVENTS, n=1, cutoff=0.7):
                problem, fix = f"{name} isn't an event: nothing would call it", f"did you mean {similar[0]}?"
                raise ArgumentError(restate(cls.__name__, problem, fix=f"{fix} Else give it a name of its own"))

    # ------------------------------------------------------------------------------------------------------------- ops

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """An op ran.

        Args:
            op: the op, with its parameters and residuals.
            inputs: its input tensors.
            output: its result; `output._node` is its record in the graph, None if no gradient is wanted.
        """

    def op_failed(self, op: Op, inputs: tuple[Variable, ...], error: BaseException) -> None:
        """An op's forward raised `error`, which goes on to the caller."""

    # ---------------------------------------------------------------------------------------------------------- scopes

    def scope_entered(self, scope: Scope) -> None:
        """A module is about to be called, or a backward pass (`scope == BACKWARD`) is about to begin."""

    def scope_left(self, scope: Scope) -> None:
        """The module returned, or the backward pass ended; `sys.exc_info()` tells whether it raised."""

    # --------------------------------------------------------------------------------------------------- backward pass

    def backward_started(
        self, call: str, outputs: tuple[Variable, ...], seeds: tuple[Variable, ...], create_graph: bool
    ) -> None:
        """A backward pass begins at its outputs; its arguments have been checked.

        Args:
            call: what began it, `"backward"` or `"grad"`.
            outputs: the tensors that it differentiates.
            seeds: per output its upstream gradient.
            create_graph: whether the backward pass is recorded itself.
        """

    def gradient_contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """One step of the chain rule: a node hands a gradient on to one of its inputs.

        Args:
            node: the record of the op.
            position: which of its inputs.
            upstream: ∂L/∂z, the gradient that arrived at the node.
            contribution: what the op adds to ∂L/∂x.
        """

    def gradient_summed(self, node: Node, position: int, shape: tuple[int, ...]) -> None:
        """The next contribution has this larger shape, and is summed over the axes along which x was broadcast."""

    def gradients_arrived(self, gradients: dict[Variable, Variable], create_graph: bool) -> None:
        """`backward` has all gradients, by leaf, and is about to add them to `.grad`. (`grad` only returns them.)"""

    def grad_read(self, tensor: Variable) -> None:
        """Python reads `tensor.grad`."""

    # -------------------------------------------------------------------------------------------------- beside the ops

    def host_call_started(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """`host_call` is about to call a function; of what happens inside no event tells."""

    def host_call_finished(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], result: Any, effect: bool
    ) -> None:
        """The function of a `host_call` returned.

        Args:
            function: what was called.
            arguments: with what.
            result: what it returned, an array or a tuple of arrays unless it has an `effect`.
            effect: whether it changed tensors among its arguments in place.
        """

    def guard_checked(self, condition: Callable[..., Any], arguments: tuple[Any, ...], found: bool) -> None:
        """`guard` found that `condition(*arguments)` is `found`: what follows depends on it."""

    def constant_made(self, tensor: Variable) -> None:
        """A tensor was made of numbers that are the same in every call."""

    def tensor_detached(self, tensor: Variable, alias: Variable) -> None:
        """`alias` is a new tensor with the memory of `tensor` and no history."""

    # ------------------------------------------------------------------------------------------------ in-place changes

    def overwrite_started(self, tensor: Variable) -> None:
        """The memory of `tensor` is about to be overwritten."""

    def tensor_assigned(self, tensor: Variable, now: Variable) -> None:
        """From here on the memory of `tensor` holds the values of `now`, the result of an op."""

    def module_hooked(self, module: Any) -> None:
        """A module with hooks is called: code that isn't its own runs before and after its forward."""

    def engine_bypassed(self, what: str, tensor: Variable | None) -> None:
        """Python reads or changes values without the engine.

        Args:
            what: the call that does so: `"item()"`.
            tensor: the tensor whose values they are; None where it isn't about one tensor.
        """


EVENTS = frozenset(name for name in vars(Observer) if not name.startswith("_"))
"""The names of all events."""
