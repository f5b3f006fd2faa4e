"""What a function does, as a list of steps on named arrays: an observer notes it while the function runs."""

from __future__ import annotations

import itertools
import keyword
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd.backward_pass import forget, is_spent
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.places import Place
from tensorgrad.autograd.variable import Variable
from tensorgrad.autograd.versions import version_of
from tensorgrad.compiler.recording.gradients import RecordsGradients
from tensorgrad.compiler.recording.names import Names
from tensorgrad.compiler.steps import Given, Kind, Step, check_guard, identifier
from tensorgrad.ops.assignment import ReadPart

HELPERS = (
    "code outside of an op's forward computes arrays by engine.host_call, branches by engine.guard and makes new "
    "arrays by engine.constant: see docs/adding-an-op.md"
)


class Recording(RecordsGradients):
    """An observer of one call. Arrays get names: another call that does the same gives the same names.

    Args:
        inputs: the tensors among the arguments of the call.
        known: the tensors that the function can reach without its arguments, by identity; an input may be one of them.
    """

    def __init__(self, inputs: Sequence[Variable], known: Mapping[int, Variable]) -> None:
        super().__init__()
        self._names = Names()
        self._kept: list[Any] = []  # kept alive, so that no new object gets the id() of one of these
        self._numbers = itertools.count(1)
        self._settings: dict[int, np.ndarray] = {}  # arrays that Python made for an index, by identity
        self._origins: dict[int, Variable] = {}  # what an alias was detached from, by the alias's identity
        self._interior: list[weakref.ref[Variable]] = []  # tensors that were computed inside
        self._changed: dict[int, tuple[str, Any]] = {}  # by the identity of a version: the effect that made it, and it
        self._finished = False
        self._late: dict[str, str] = {}  # names of arrays that effects return -> names of the effects
        self._returning = False  # whether the call is over and its results are being looked at
        self._given = {id(x) for x in inputs}  # the inputs, and their aliases
        self._known = known
        self._holders: dict[int, list[Variable]] | None = None  # the known tensors, by the identity of their arrays
        self._guarded: set[int] = set()  # known tensors that share an array with a leaf, by identity
        self._numbered = {id(x): Given(k) for k, x in enumerate(inputs) if id(x) not in known}
        self._graphs = [x for x in inputs if x._node is not None]  # computed outside
        self.inputs = tuple(self.introduce(x._data, f"input_{k}") for k, x in enumerate(inputs, 1))

    # --------------------------------------------------------------------------------------------------- events

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """Note an op as a step: its parameters are settings, except for arrays, which an earlier step has made."""
        if self._accumulating:  # these ops are one effect: see gradients_arrived
            return
        settings: dict[Any, Any] = {}
        arrays: dict[Any, str] = {}
        for key, value in op.params.items():
            if isinstance(value, np.ndarray):
                arrays[key] = self._name_of_array(value, f"{op.name}'s {key}")
                continue
            settings[key] = value
            if type(value) is tuple:  # not `Place`, which has a class of its own
                named = [(k, self._names.get(part)) for k, part in enumerate(value)]
                found: dict[Any, str] = {(key, k): name for k, name in named if name is not None}
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
        """An op raised. The function may catch that; a replay would not."""
        self.refuse(f"{op.name} raised {type(error).__name__}")

    def host_call_finished(self, function: Callable, arguments: tuple, result: Any, effect: bool) -> None:
        """Note a host call as a step or, if it changes tensors in place, as an effect."""
        settings, arrays = {}, {}
        what = "an argument of a guard" if function is check_guard else f"an argument of {identifier(function)}"
        for position, value in enumerate(arguments):
            if isinstance(value, np.ndarray) and id(value) not in self._settings:
                arrays[position] = self._name_of_array(value, what)
                if not effect:
                    self._refuse_late(arrays[position])
            else:
                settings[position] = self.with_places(value)
        # What an effect returns, such as a norm, exists only after all steps of a replay: no step can read it.
        late = effect and isinstance(result, Variable)
        made = (result._data,) if late else () if effect else result if isinstance(result, tuple) else (result,)
        alone = isinstance(result, tuple) and len(result) == 1  # steps with one output return the array itself
        for part in made:
            if alone or not isinstance(part, np.ndarray):
                returned = "a tuple of one" if alone else type(part).__name__
                fix = "it must return an ndarray or a tuple of several ndarrays"
                self.refuse(f"host_call({identifier(function)}) returned {returned}; {fix}")
                return
        number = next(self._numbers)
        name = identifier(function)
        outputs = tuple([self.introduce(part, f"{name}_{number}_{k}") for k, part in enumerate(made)])
        step = Step(function, settings, (), arrays, outputs)
        if not effect:
            self.steps.append(step)
            return
        self.effects.append(step)
        if late:
            self._late[outputs[0]] = identifier(function)
        if function is forget:
            self._gradients.update(dict.fromkeys(arguments[0]) if arguments[1] else {})
            # What is cleared before all steps is cleared before a replay's steps too. If the replay stops, the function
            # clears it once more, which does no harm.
            self.begins_with += not self.steps and len(self.effects) == self.begins_with + 1
            return
        who = f"{type(function.__self__).__name__}.{name}" if hasattr(function, "__self__") else name
        for value in arguments:
            for tensor in value if isinstance(value, tuple) else (value,):
                if isinstance(tensor, Variable):
                    version = version_of(tensor)
                    self._changed[id(version)] = who, version

    def guard_checked(self, condition: Callable, arguments: tuple, found: bool) -> None:
        """Note a guard: a replay stops where its condition has another outcome, and the function runs instead.

        In a backward pass after the call that is too late, so such a guard is refused.
        """
        if self._finished:
            self.refuse(f"a gradient depends on a condition ({identifier(condition)})")
        self.host_call_finished(check_guard, (condition, found, *arguments), (), False)

    def constant_made(self, tensor: Variable) -> None:
        """Note an array that each call makes anew with the same values."""
        name = f"constant_{len(self.constants) + 1}"
        self.constants[self.introduce(tensor._data, name)] = tensor._data

    def tensor_detached(self, tensor: Variable, alias: Variable) -> None:
        """Note that `alias` has the array of `tensor`: of a leaf that array may be another one in a later call."""
        if id(tensor) in self._given:
            self._given.add(id(alias))
            self._kept.append(alias)
        elif self._names.get(tensor._data) is None:
            self._origins[id(alias)] = self._origins.get(id(tensor), tensor)
            self._kept.append(alias)

    def overwrite_started(self, tensor: Variable) -> None:
        """The tensor's memory is about to change. A replay doesn't need that where the call made the memory."""
        name = self._names.get(tensor._data)
        if name is None or name in self.leaves or name in self.inputs:
            self.engine_bypassed("assignment in place", tensor)
        elif name in self.constants:
            self.constants[name] = tensor._data.copy()

    def tensor_assigned(self, tensor: Variable, now: Variable) -> None:
        """From here on the tensor's memory holds the result of an op; a view is a part of its whole, assigned before.

        The tensor stays laid out as it was, and keeps sharing memory, so the steps read its values from its place.
        """
        name, array, aliases = self.name_of(now), tensor._data, tensor._aliases
        whole = array if aliases is None else aliases.array
        source = name if whole is array else self._names[whole]
        place = Place.of(array, whole)
        if (whole is array and array.strides == now._data.strides) or (whole is not array and place.is_whole):
            self._names.give(array, source)
        else:
            part = self._names.give(array, f"part_{next(self._numbers)}")
            self.kinds[part] = Kind(array.shape, array.dtype)
            self.steps.append(Step(ReadPart, {"place": place}, (source,), {}, (part,), (), not array.ndim))
        self._interior.append(weakref.ref(tensor))

    def module_hooked(self, module: Any) -> None:
        """A replay wouldn't call the hooks."""
        self.engine_bypassed(f"a hook of {type(module).__name__}", None)

    def engine_bypassed(self, what: str, tensor: Variable | None) -> None:
        """Python read or changed values."""
        if tensor is None:
            self.refuse(f"{what}, which no op records")
        else:
            who = tensor.name or "a tensor"
            advice = "do it outside of the compiled function, with what that takes and returns"
            self.refuse(f"{what} of {who}, which no op records: {advice} (in the code of an op: {HELPERS})")

    # ---------------------------------------------------------------------------------------------------- afterwards

    def finish(self, returned: Sequence[Variable]) -> None:
        """The call is over: refuse it if it did anything that a replay would not do."""
        self.check_gradients()
        self._returning = True
        ids = {id(tensor) for tensor in returned}
        alive = [tensor for reference in self._interior if (tensor := reference()) is not None]
        if any(id(tensor) not in ids for tensor in alive):
            self.refuse("a tensor computed inside is kept somewhere, and a replay would not renew it")
        nodes = [item for item in self._kept if hasattr(item, "hooks")]
        if any(node.hooks or node.retained for node in nodes):
            self.refuse("a hook or retain_grad() on a tensor computed inside")
        if self.passes and any(x._node is not None for x in (*self._graphs, *self.leaves.values())):
            self.refuse("backward() inside goes on into what was computed outside")
        outside = {x._node for x in (*self._graphs, *self.leaves.values())}
        for tensor in returned:
            found = tensor._node in outside if tensor._node is not None else tensor._requires_grad
            if self.name_of(tensor) in self.constants or found:
                self.refuse("it returns a constant or a tensor as it is, and a replay would return another one")
            if self.passes and tensor._node is not None and not is_spent(tensor._node):
                self.refuse("it returns a tensor that requires a gradient after backward(); return its detach()")
        self._finished = True

    def name_of(self, tensor: Variable) -> str:
        """The name of a tensor's array. A tensor from before the call has none yet, and becomes a leaf."""
        if self._changed and not self._finished and id(version_of(tensor)) in self._changed:
            who, _ = self._changed[id(version_of(tensor))]
            self.refuse(f"{tensor.name or 'a tensor'} is read after {who}(), which changed it")
        if not self._finished and any(tensor is grad for grad in self._gradients.values()):
            self.refuse("it reads the .grad of a backward() inside")
        if any(tensor is grad for grad in self._gradients_before):
            self.refuse("it reads the .grad of a tensor, which each backward() sets anew")
        tensor = self._origins.get(id(tensor), tensor)
        name = self._names.get(tensor._data)
        if name is not None and not self._returning:
            self._refuse_late(name)
        if name is None:
            name = self.introduce(tensor._data, self._name_of_leaf(tensor))
            self.leaves[name] = tensor
        elif name in self.inputs and id(tensor) not in self._given and not self._finished and self._began is None:
            # (In a backward pass the array may have another name.)
            self.refuse("an input is also a tensor that the function knows by itself")
        elif name in self.leaves and id(tensor) in self._known and tensor is not self.leaves[name]:
            self._guard_one_array(self.leaves[name], tensor)
        return name

    def _refuse_late(self, name: str) -> None:
        if name in self._late:
            self.refuse(f"it computes with what {self._late[name]} returns; return that as it is")

    def _guard_one_array(self, leaf: Variable, tensor: Variable) -> None:
        """A replay reads the leaf's array for both tensors; `tensor.data = …` would give one another array."""
        if id(tensor) not in self._guarded and not self._finished:
            self._guarded.add(id(tensor))
            self.conditions.append(Step(check_guard, {0: _have_one_array, 1: True, 2: leaf, 3: tensor}, (), {}, ()))

    # ---------------------------------------------------------------------------------------------------------- names

    def introduce(self, array: np.ndarray, name: str) -> str:
        """Give an array a name, and note its shape and dtype."""
        if self._names.get(array) is None:  # two inputs may be one array
            self._names.give(array, name)
        self.kinds[name] = Kind(array.shape, array.dtype)
        return name

    def _name_of_leaf(self, tensor: Variable) -> str:
        """The tensor's name as an identifier: `conv1_weight`."""
        name = re.sub(r"\W", "_", tensor.name or "", flags=re.ASCII)
        name = name if name.isidentifier() else f"leaf_{name}"
        # A name must not end in a digit: `relu_1` is the result of a step.
        taken = keyword.iskeyword(name) or name in self.kinds or not name[-1].isalpha()
        return f"leaf_{len(self.leaves) + 1}" if taken else name

    def _name_of_array(self, array: np.ndarray, what: str) -> str:
        for tensor in self._holders_of(array):
            self.name_of(tensor)
        name = self._names.get(array)
        if name is None:
            self.refuse(f"{what} is an array that no op made; {HELPERS}")
            name = self.introduce(array, "unknown")
        return name

    def _holders_of(self, array: np.ndarray) -> Sequence[Variable]:
        """The known tensors that hold this array, such as labels that the function closes over."""
        if self._holders is None:
            self._holders = {}
            for tensor in self._known.values():
                self._holders.setdefault(id(tensor._data), []).append(tensor)
        return self._holders.get(id(array), ())

    def with_places(self, value: Any) -> Any:
        """An argument of an effect, with `Given` in place of each tensor that is only an input."""
        if type(value) is tuple:
            return tuple([self.with_places(part) for part in value])
        return self._numbered.get(id(value), value)

    def forget(self) -> None:
        """Release the arrays and the graph; names, settings and leaves remain."""
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


def _have_one_array(one: Variable, other: Variable) -> bool:
    return one._data is other._data
