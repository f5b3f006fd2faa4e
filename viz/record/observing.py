"""The observer of a trace: keeps every op that runs, with its arrays, modules and calling line."""

from __future__ import annotations

import sys
import weakref
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from tensorgrad.autograd.observer import BACKWARD, Scope
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.autograd.versions import Version, version_of
from tensorgrad.errors import TensorgradError
from tensorgrad.viz.record.source import calling_frame, held_by, kept_in, refused_call
from tensorgrad.viz.record.steps import Flows, Key, Known, Step, learn_from


class StepObserver(Flows):
    """Sees the ops of this thread while it observes, and the backward passes.

    Attributes:
        steps: the ops in the order they ran, the one that failed included.
        passes: the backward passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._known: dict[Key, Known] = defaultdict(Known)
        self._versions: dict[Key, Version] = {}
        self._leaves: dict[Key, np.ndarray] = {}  # current values of leaves that changed since they were first seen
        self._results: dict[Key, weakref.ref[Variable]] = {}
        self._kept: list[Any] = []  # arrays and tensors known by identity: kept alive, so that no other gets the same
        self._models: dict[
            int, tuple[str, Any]
        ] = {}  # by identity the outermost modules, each with the variable that holds it
        self._made: dict[int, Key] = {}  # by identity of the tensor, or of its array: outputs without a node
        self._scopes: list[Scope] = []
        self._calls: list[int] = []  # the running numbers of the calls in `_scopes`
        self._called = 0
        self._passing: BaseException | None = None
        self._failed_in: tuple[tuple[Scope, ...], tuple[int, ...]] = (), ()

    # ------------------------------------------------------------------------------------------------- events it sees

    def scope_entered(self, scope: Scope) -> None:
        """A module is called, or a backward pass begins."""
        super().scope_entered(scope)
        if scope != BACKWARD:
            if not self._scopes and (caller := calling_frame(sys._getframe(1))) is not None:
                self._models.setdefault(id(scope.owner), (held_by(caller, scope.owner), scope.owner))
            self._scopes.append(scope)
            self._calls.append(self._called)
            self._called += 1

    def scope_left(self, scope: Scope) -> None:
        """The call or the backward pass is over."""
        super().scope_left(scope)
        if scope != BACKWARD:
            # While an error passes through, modules are left one by one: it was raised in the first of them.
            if sys.exc_info()[1] is not self._passing:
                self._passing, self._failed_in = sys.exc_info()[1], (tuple(self._scopes), tuple(self._calls))
            self._scopes.pop()
            self._calls.pop()

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """Keep the op, unless an unrecorded backward pass ran it: its rules are on the edges."""
        if self._running and output._node is None and not self._running[-1][0].recorded:
            return
        keys = tuple([self._key(x) for x in inputs])
        key: Key | None = output._node
        if key is None:
            key = self._made[id(output)] = ("made", len(self.steps))
            if all(x._data is not output._data for x in inputs):
                self._made[id(output._data)] = key
            self._kept.append(output)
        self._learn(key, output)
        self.steps.append(self._step(op, inputs, keys, output, key))

    def tensor_assigned(self, tensor: Variable, now: Variable) -> None:
        """The tensor's memory is about to hold the result of an op."""
        if now._node is None and (made := self._made.get(id(now)) or self._made.get(id(now._data))):
            self._made[id(tensor)] = self._made[id(tensor._data)] = made
            self._kept += tensor, tensor._data

    def op_failed(self, op: Op, inputs: tuple[Variable, ...], error: BaseException) -> None:
        """Keep the op that raised, and what it raised."""
        step = self._step(op, inputs, tuple([self._key(x) for x in inputs]), None, None)
        step.error = f"{type(error).__name__}: {error}"
        self.steps.append(step)

    def ended(self, error: BaseException | None, traceback: TracebackType | None) -> None:
        """The block is over: keep a call that was refused before any op ran."""
        self._passing = None  # with its traceback it would hold every frame
        failed = bool(self.steps and self.steps[-1].error)
        call = refused_call(traceback) if isinstance(error, TensorgradError) and not failed else None
        if call is None:
            return
        inputs = tuple(call.operands.values())
        step = self._step(call.op, inputs, tuple(map(self._key, inputs)), None, None)
        step.error, step.source, step.place = f"{type(error).__name__}: {error}", call.source, None
        step.scopes, step.calls = self._failed_in
        self.steps.append(step)

    def _step(self, op: Op, inputs: tuple, keys: tuple, output: Variable | None, key: Key | None) -> Step:
        caller = calling_frame(sys._getframe(2))
        for x, of in zip(inputs, keys, strict=True):
            known, made = self._known[of], x._node is not None or isinstance(of, tuple)
            if caller is not None and not (known.name or known.variable):
                known.variable = kept_in(caller, x) if made else held_by(caller, x)
        return Step(
            op=op,
            node=None if output is None else output._node,
            inputs=keys,
            input_shapes=tuple([x._data.shape for x in inputs]),
            output=key,
            shape=() if output is None else output._data.shape,
            scopes=tuple(self._scopes),
            calls=tuple(self._calls),
            source=None if caller is None else (caller.f_code.co_filename, caller.f_lineno),
            place=None if caller is None else (caller.f_code, caller.f_lasti),
            leaves={key: self._leaves[key] for key in keys if key in self._leaves} if self._leaves else {},
        )

    # ------------------------------------------------------------------------------------- keys and values of tensors

    def key_of(self, x: Variable) -> Key:
        """Its node or the leaf itself; without a gradient the op that made it, else the identity of its array."""
        if x._requires_grad:
            return x._node or x
        return self._made.get(id(x)) or self._made.get(id(x._data)) or id(x._data)

    def models(self) -> list[tuple[str, Any]]:
        """The variables that held the outermost modules where they were called, each with its module."""
        return [(name, owner) for name, owner in self._models.values() if name]

    def first_values(self, key: Key) -> np.ndarray | None:
        """The values of a tensor when it was first seen."""
        return self._known[key].array if key in self._known else None

    def _key(self, x: Variable) -> Key:
        """The key of an input, whose values are noted at its first use and after each change."""
        key = self.key_of(x)
        version = self._versions.get(key)
        if x._node is None and version is not None and not version.current:  # its values changed since it was seen
            key = self._made[id(x)] = self._made[id(x._data)] = ("changed", len(self.steps))
            self._kept.append(x)
        if key not in self._known:
            self._learn(key, x)
        self._known[key].learn(x.name, None)
        if x._requires_grad and x._node is None:
            # Compared by value: writing into `x.data` changes no version.
            last = self._leaves.get(key, self._known[key].array)
            if last is None or not np.array_equal(last, x._data, equal_nan=True):
                self._leaves[key] = x._data.copy()
        return key

    def _learn(self, key: Key, x: Variable) -> None:
        array = x._data
        if x._requires_grad and x._node is None:
            array = array.copy()  # the optimizer's step changes it, traced or not
        else:
            self._versions[key] = version_of(x)
        self._kept.append(x._data)
        self._results[key] = weakref.ref(x)
        self._known[key].learn(x.name, array)

    def known(self, names: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[Key, Known]:
        """Names and values of the tensors, without the arrays that were changed in place since.

        Args:
            names: tensors by the names that go before their own.
            variables: tensors by the names that come after their own.
        """
        known: dict[Key, Known] = defaultdict(Known)
        for name, value in names.items():
            learn_from(known, value, name)
        for key, seen in self._known.items():
            # The values are those at the time of the step, whatever the caller's tensors hold now.
            version = self._versions.get(key)
            known[key].array = seen.array if version is None or seen.array is None else version.value(seen.array)
            leaf = key if isinstance(key, Variable) else None
            tensor = self._results[key]()
            later = tensor.name if tensor is not None else None  # names that tensors got after the step
            own = leaf.name if leaf is not None else None
            known[key].learn(own or seen.name or later, None, leaf._grad if leaf is not None else None)
            known[key].variable = seen.variable
        for name, value in variables.items():
            if isinstance(value, Variable):
                key = self.key_of(value)
                if key in self._known:
                    known[key].learn(value.name or name, None)
        return known
