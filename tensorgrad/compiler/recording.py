"""What a function did, as a list of steps on named arrays: written down by an observer while it runs once."""

from __future__ import annotations

import itertools
import keyword
import re
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.backward import accumulate, forget
from tensorgrad.autograd.engine import Node, Variable
from tensorgrad.autograd.observer import BACKWARD, Observer, Scope
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.versions import version_of
from tensorgrad.compiler.exact import same, same_array, same_memory

HELPERS = (
    "code outside of an op's forward computes arrays by engine.host_call, branches by engine.guard and makes new "
    "arrays by engine.constant: see docs/adding-an-op.md"
)


class Step(NamedTuple):
    """One computation: an op's forward, or a function that ran beside the ops (`engine.host_call`)."""

    function: type[Op] | Callable[..., Any]
    settings: dict[Any, Any]
    """An op's parameters, or a function's arguments by position, that aren't arrays."""
    inputs: tuple[str, ...]
    """The names of the arrays that it takes."""
    arrays: dict[Any, str]
    """Parameters or positions that are arrays too, made by earlier steps; (key, k) for one at position k of a tuple."""
    outputs: tuple[str, ...]
    """The names of what it makes: of an op its output, then the arrays that its forward left in `residuals`."""
    parts: tuple[int | None, ...] = ()
    """Where in the residuals these are; None where they are the array themselves."""
    scalar: bool = False
    """Whether an op's output has no axes: NumPy may turn that into a number."""

    @property
    def takes(self) -> tuple[str, ...]:
        """All names that it reads."""
        return (*self.inputs, *self.arrays.values())


class Given(NamedTuple):
    """Stands among an effect's arguments for a tensor that the call was given: in each call it is another one."""

    number: int


class Recording(Observer):
    """An observer of one call. Arrays get names; the same call gives the same names again.

    Args:
        inputs: the tensors that the call was given.
        known: tensors that the function can find by itself, by identity: an input among them is that very tensor.

    Attributes:
        steps: in the order in which they happened, but for those of the walks.
        walks: the steps of each `backward()` inside.
        conditions: those that end a replay before it begins.
        effects: those that change tensors in place, to be done after the steps; `begins_with` of them before.
        leaves: tensors that were there before, by name.
        constants: arrays that the call makes anew each time, always alike, by name.
        shapes: of all arrays, by name.
        wanted: the leaves, and the nodes of tensors computed outside, of which the walk back shall be written down.
        contributions: what these have got in a walk back, one after the other, by name.
        problem: why the steps alone would not do what the call does; None if they would.
    """

    def __init__(self, inputs: Sequence[Variable], known: Mapping[int, Variable]) -> None:
        self.steps: list[Step] = []
        self.walks: list[list[Step]] = []
        self.effects: list[Step] = []
        self.begins_with = 0
        self.conditions: list[Step] = []
        self.leaves: dict[str, Variable] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.wanted: set[Variable | Node] = set()
        self.contributions: dict[Variable | Node, list[str]] = {}
        self.problem: str | None = None
        self._names: dict[int, str] = {}  # by the identity of an array
        self._kept: list[Any] = []  # so that no other array gets one's identity meanwhile
        self._numbers = itertools.count(1)
        self._settings: dict[int, np.ndarray] = {}  # arrays that Python made for an index, by identity
        self._origins: dict[int, Variable] = {}  # what an alias was detached from, by the alias's identity
        self._interior: list[weakref.ref[Variable]] = []
        self._changed: dict[int, tuple[str, Any]] = {}  # by the identity of a version: who changed it, and the version
        self._began: int | None = None  # where among the steps the present walk begins
        self._accumulating: Iterable[Variable] = ()  # leaves whose gradients are being set
        self._gradients: dict[Variable, Variable | None] = {}  # of leaves whose gradients were set inside
        self._gradients_before: list[Variable] = []  # those that were there already, and at which Python has looked
        self._finished = False
        self._given = {id(x) for x in inputs}  # the inputs, and their aliases
        self._known = known
        self._holders: dict[int, list[Variable]] | None = None  # the known tensors, by the identity of their arrays
        self._insisted: set[int] = set()  # known tensors that share an array with a leaf, by identity
        self._numbered = {id(x): Given(k) for k, x in enumerate(inputs) if id(x) not in known}
        self._graphs = [x for x in inputs if x._node is not None]  # computed outside
        self.inputs = tuple(self.introduce(x._data, f"input_{k}") for k, x in enumerate(inputs, 1))

    # --------------------------------------------------------------------------------------------------- what is told

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """An op ran."""
        if self._accumulating:
            return
        settings, arrays = {}, {}
        for key, value in op.params.items():
            if isinstance(value, np.ndarray):
                arrays[key] = self._name_of_array(value, f"{op.name}'s {key}")
                continue
            settings[key] = value
            if type(value) is tuple:  # not `Place`, which has a class of its own
                found = {(key, k): self._names[id(part)] for k, part in enumerate(value) if id(part) in self._names}
                if found:  # else it stays what it is: a named tuple has methods
                    settings[key] = tuple([None if (key, k) in found else part for k, part in enumerate(value)])
                arrays |= found
                self._settings |= {id(part): part for part in settings[key] if isinstance(part, np.ndarray)}
        names = tuple([self.name_of(x) for x in inputs])
        number = next(self._numbers)
        if inputs and output._data is inputs[0]._data and id(inputs[0]) in self._given:
            self._given.add(id(output))
        outputs, parts = [self.introduce(output._data, f"{op.name}_{number}")], []
        left = op.residuals if isinstance(op.residuals, tuple) else (op.residuals,)
        for k, part in enumerate(left):
            if isinstance(part, np.ndarray):
                parts.append(k if isinstance(op.residuals, tuple) else None)
                outputs.append(self.introduce(part, f"{op.name}_{number}_kept_{k}"))
        self.steps.append(Step(type(op), settings, names, arrays, tuple(outputs), tuple(parts), not output._data.ndim))
        self._interior.append(weakref.ref(output))
        if output._node is not None:
            self._kept.append(output._node)

    def op_failed(self, op: Op, inputs: tuple[Variable, ...], error: BaseException) -> None:
        """An op raised: whatever the function does about it, a replay would not."""
        self.refuse(f"{op.name} raised {type(error).__name__}")

    def host_call_finished(self, function: Callable, arguments: tuple, result: Any, effect: bool) -> None:
        """A function ran beside the ops."""
        settings, arrays = {}, {}
        what = "what a condition looks at" if function is insist else f"an argument of {function.__name__}"
        for position, value in enumerate(arguments):
            if isinstance(value, np.ndarray) and id(value) not in self._settings:
                arrays[position] = self._name_of_array(value, what)
            else:
                settings[position] = self._with_places(value)
        made = () if effect else result if isinstance(result, tuple) else (result,)
        for part in made:
            if not isinstance(part, np.ndarray):
                returned = f"host_call({function.__name__}) returned {type(part).__name__}"
                self.refuse(f"{returned}; it must return an ndarray or a tuple of ndarrays")
                return
        number = next(self._numbers)
        name = function.__name__.strip("_")
        outputs = tuple([self.introduce(part, f"{name}_{number}_{k}") for k, part in enumerate(made)])
        step = Step(function, settings, (), arrays, outputs)
        if not effect:
            self.steps.append(step)
            return
        self.effects.append(step)
        if function is forget:
            self._gradients.update(dict.fromkeys(arguments[0]) if arguments[1] else {})
            # Should the replay end before its time, this may happen once more.
            self.begins_with += not self.steps and len(self.effects) == self.begins_with + 1
            return
        who = f"{type(function.__self__).__name__}.{name}" if hasattr(function, "__self__") else name
        for value in arguments:
            for tensor in value if isinstance(value, tuple) else (value,):
                if isinstance(tensor, Variable):
                    version = version_of(tensor)
                    self._changed[id(version)] = who, version

    def guard_checked(self, condition: Callable, arguments: tuple, found: bool) -> None:
        """What follows depends on a condition. In a walk back there is no way to begin anew."""
        if self._finished:
            self.refuse(f"a gradient depends on a condition ({condition.__name__})")
        self.host_call_finished(insist, (condition, found, *arguments), (), False)

    def constant_made(self, tensor: Variable) -> None:
        """A constant."""
        name = f"constant_{len(self.constants) + 1}"
        self.constants[self.introduce(tensor._data, name)] = tensor._data

    def tensor_detached(self, tensor: Variable, alias: Variable) -> None:
        """Two tensors, one array, which the leaf may exchange for another."""
        if id(tensor) in self._given:
            self._given.add(id(alias))
            self._kept.append(alias)
        elif id(tensor._data) not in self._names:
            self._origins[id(alias)] = self._origins.get(id(tensor), tensor)
            self._kept.append(alias)

    def overwrite_started(self, tensor: Variable) -> None:
        """The tensor's memory is about to change. A replay does without that, where the memory is this call's own."""
        name = self._names.get(id(tensor._data))
        if name is None or name in self.leaves or name in self.inputs:
            self.engine_bypassed("assignment in place", tensor)
        elif name in self.constants:
            self.constants[name] = tensor._data.copy()

    def tensor_assigned(self, tensor: Variable, now: Variable) -> None:
        """From here on the tensor's memory holds what an op has given."""
        self._names[id(tensor._data)] = self.name_of(now)
        self._interior.append(weakref.ref(tensor))

    def gradient_contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """A step of the walk back has found what an input gets."""
        edge = node.edges[position]
        if edge in self.wanted:
            self.contributions.setdefault(edge, []).append(self.name_of(contribution))

    def gradients_arrived(self, gradients: dict[Variable, Variable], create_graph: bool) -> None:
        """`backward` has walked, and adds what it found to the leaves, op by op; a replay does so at once."""
        if create_graph:
            self.refuse("backward(create_graph=True) inside")
        if any(leaf._hooks for leaf in gradients):
            self.refuse("a hook on a tensor whose gradient is taken inside")
        names = [self.name_of(gradient) for gradient in gradients.values()]
        leaves = self._with_places(tuple(gradients))
        self.effects.append(Step(accumulate, {0: leaves}, (), dict(enumerate(names, 1)), ()))
        # What is in `.grad` comes from before the call, if it isn't from this one.
        before = tuple(leaf for leaf in gradients if leaf not in self._gradients)
        found = tuple(leaf._grad is not None for leaf in before)
        if before:
            self._insist_on_gradients(before, found)
        self._check_gradients()
        self._accumulating = gradients.keys()

    def grad_read(self, tensor: Variable) -> None:
        """Python looks at `.grad`, which another call may find there or not."""
        if tensor in self._gradients or not (id(tensor) in self._known or id(tensor) in self._given):
            return
        there = tensor._grad is not None
        if there:
            self._gradients_before.append(tensor._grad)
        self._insist_on_gradients((tensor,), (there,))

    def _insist_on_gradients(self, leaves: tuple[Variable, ...], there: tuple[bool, ...]) -> None:
        settings = {0: _have_gradients, 1: True, 2: self._with_places(leaves), 3: there}
        self.conditions.append(Step(insist, settings, (), {}, ()))

    def engine_bypassed(self, what: str, tensor: Variable | None) -> None:
        """Python saw or changed values."""
        if tensor is None:
            self.refuse(f"{what}, which no op records")
        else:
            self.refuse(f"{what} of {tensor.name or 'a tensor'}, which no op records; {HELPERS}")

    def scope_entered(self, scope: Scope) -> None:
        """A module's call, or the walk back."""
        if scope == BACKWARD and not self._finished:
            self._began = len(self.steps)

    def scope_left(self, scope: Scope) -> None:
        """The same, at its end."""
        if scope == BACKWARD and not self._finished:
            if not self._accumulating:
                self.refuse("gradients are taken inside, and not by backward(); take them of what the function returns")
            self.walks.append(self.steps[self._began :])
            del self.steps[self._began :]
            self._gradients.update((leaf, leaf._grad) for leaf in self._accumulating)
            self._began, self._accumulating = None, ()

    # ---------------------------------------------------------------------------------------------------- afterwards

    def finish(self, returned: Sequence[Variable]) -> None:
        """The call is over: look for what a replay would forget."""
        self._check_gradients()
        mine = {id(tensor) for tensor in returned}
        alive = [tensor for reference in self._interior if (tensor := reference()) is not None]
        if any(id(tensor) not in mine for tensor in alive):
            self.refuse("a tensor computed inside is kept somewhere, and a replay would not renew it")
        nodes = [item for item in self._kept if hasattr(item, "hooks")]
        if any(node.hooks or node.retained for node in nodes):
            self.refuse("a hook or retain_grad() on a tensor computed inside")
        if self.walks and any(x._node is not None for x in (*self._graphs, *self.leaves.values())):
            self.refuse("backward() inside goes on into what was computed outside")
        outside = {x._node for x in (*self._graphs, *self.leaves.values())}
        for tensor in returned:
            found = tensor._node in outside if tensor._node is not None else tensor._requires_grad
            if self.name_of(tensor) in self.constants or found:
                self.refuse("it returns a constant or a tensor as it is, and a replay would return another one")
            if self.walks and tensor._node is not None and not tensor._node.freed:
                self.refuse("it returns a tensor that wants a gradient behind backward(); return its detach()")
        self._finished = True

    def name_of(self, tensor: Variable) -> str:
        """The name of the array of a tensor; one that was there before is introduced as a leaf."""
        if not self._finished and id(tensor._version) in self._changed:
            who, _ = self._changed[id(tensor._version)]
            self.refuse(f"{tensor.name or 'a tensor'} is read behind {who}(), which changed it")
        if not self._finished and any(tensor is grad for grad in self._gradients.values()):
            self.refuse("it reads the .grad of a backward() inside")
        if any(tensor is grad for grad in self._gradients_before):
            self.refuse("it reads the .grad of a tensor, which each backward() sets anew")
        tensor = self._origins.get(id(tensor), tensor)
        name = self._names.get(id(tensor._data))
        if name is None:
            name = self.introduce(tensor._data, self._name_of_leaf(tensor))
            self.leaves[name] = tensor
        elif name in self.inputs and id(tensor) not in self._given and not self._finished and self._began is None:
            # (A walk back knows what it was computed from under other names.)
            self.refuse("an input is also a tensor that the function knows by itself")
        elif name in self.leaves and id(tensor) in self._known and tensor is not self.leaves[name]:
            self._insist_on_one_array(self.leaves[name], tensor)
        return name

    def _insist_on_one_array(self, leaf: Variable, tensor: Variable) -> None:
        """A replay reads the array of the leaf for both tensors; `tensor.data = …` makes two of it."""
        if id(tensor) not in self._insisted and not self._finished:
            self._insisted.add(id(tensor))
            self.conditions.append(Step(insist, {0: _share_an_array, 1: True, 2: leaf, 3: tensor}, (), {}, ()))

    def _check_gradients(self) -> None:
        if any(leaf._grad is not grad for leaf, grad in self._gradients.items()):
            self.refuse("a .grad is assigned inside; zero_grad() and .grad = None are followed")

    def agrees_with(self, other: Recording) -> bool:
        """Whether both calls did the same, on the same leaves, or on arrays that each made anew: then a third will."""
        return (
            same(self._done, other._done)
            and same(self.constants, other.constants)
            and self.leaves.keys() == other.leaves.keys()
            and all(_same_leaf(leaf, other.leaves[name]) for name, leaf in self.leaves.items())
        )

    def differing_leaf(self, other: Recording) -> str | None:
        """The name of a tensor that both calls made without an op, each with other values, where all else agrees."""
        if not same(self._done, other._done) or self.leaves.keys() != other.leaves.keys():
            return None
        return next((name for name, leaf in self.leaves.items() if not _same_leaf(leaf, other.leaves[name])), None)

    def made_anew(self, other: Recording) -> dict[str, np.ndarray]:
        """Of the leaves of two recordings that agree, the arrays that each of the calls has made by itself, by name.

        They are alike, and both are held here: one that was there before both calls lies in the same memory in both.
        """
        return {
            name: leaf._data
            for name, leaf in self.leaves.items()
            if not same_memory(leaf._data, other.leaves[name]._data)
        }

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of what gradients are taken of: inputs, then leaves."""
        return *self.inputs, *self.leaves

    @property
    def _done(self) -> tuple:
        return self.inputs, self.conditions, self.steps, self.walks, self.effects, self.begins_with

    # ---------------------------------------------------------------------------------------------------------- names

    def introduce(self, array: np.ndarray, name: str) -> str:
        """Give an array its name."""
        self._names.setdefault(id(array), name)  # two inputs may be one array
        self.shapes[name] = array.shape
        self._kept.append(array)
        return name

    def _name_of_leaf(self, tensor: Variable) -> str:
        """What the tensor is called, as Python takes it: `conv1_weight`."""
        name = re.sub(r"\W", "_", tensor.name or "", flags=re.ASCII)
        name = name if name.isidentifier() else f"leaf_{name}"
        # Numbers at the end are for what steps make.
        taken = keyword.iskeyword(name) or name in self.shapes or not name[-1].isalpha()
        return f"leaf_{len(self.leaves) + 1}" if taken else name

    def _name_of_array(self, array: np.ndarray, what: str) -> str:
        for tensor in self._holders_of(array):
            self.name_of(tensor)
        name = self._names.get(id(array))
        if name is None:
            self.refuse(f"{what} is an array that no op made; {HELPERS}")
            name = self.introduce(array, "unknown")
        return name

    def _holders_of(self, array: np.ndarray) -> Sequence[Variable]:
        """The tensors that the function finds by itself and that hold this array: labels that it closes over."""
        if self._holders is None:
            self._holders = {}
            for tensor in self._known.values():
                self._holders.setdefault(id(tensor._data), []).append(tensor)
        return self._holders.get(id(array), ())

    def _with_places(self, value: Any) -> Any:
        """An argument of an effect, with `Given` in place of each tensor that is an input and nothing else."""
        if type(value) is tuple:
            return tuple([self._with_places(part) for part in value])
        return self._numbered.get(id(value), value)

    def refuse(self, problem: str) -> None:
        """Note the first reason why a replay won't do."""
        self.problem = self.problem or problem

    def forget(self) -> None:
        """Let go of the arrays and of the graph: what is left is text, and the leaves."""
        self._kept.clear()
        self._changed.clear()
        self.contributions.clear()
        self.wanted.clear()
        self._gradients.clear()
        self._gradients_before.clear()
        self._names.clear()
        self._origins.clear()
        self._settings.clear()
        self._interior.clear()
        self._known, self._holders = {}, None


class Departed(Exception):
    """A condition isn't what it was when the call was recorded."""


def insist(condition: Callable[..., Any], found: bool, *arguments: Any) -> None:
    """Raise `Departed` unless the condition turns out as it did."""
    if bool(condition(*arguments)) is not found:
        raise Departed


def _have_gradients(leaves: tuple[Variable, ...], found: tuple[bool, ...]) -> bool:
    return tuple([leaf._grad is not None for leaf in leaves]) == found


def _share_an_array(one: Variable, other: Variable) -> bool:
    return one._data is other._data


def _same_leaf(one: Variable, other: Variable) -> bool:
    if one is other:
        return True
    plain = not (one._requires_grad or other._requires_grad)
    return plain and (same_memory(one._data, other._data) or same_array(one._data, other._data))
