"""What every optimizer has in common: parameter groups, state, step; saving and loading are in `saved_state`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.backward_pass import zero_grad
from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.modes import enable_grad, mode, observers
from tensorgrad.autograd.versions import begin_version
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate
from tensorgrad.nn.optim.kept_gradients import KeptGradients
from tensorgrad.nn.optim.options import non_negative, plain
from tensorgrad.nn.optim.saved_state import EXACT, HALF_CHAR, HasState, precision
from tensorgrad.nn.optim.updating import Array, Batch, Rule, Updates, Work
from tensorgrad.tensor import Tensor

Schedule = Callable[[int], float]
"""A learning rate as a function of the number of steps done: see `schedules`."""


class Optimizer(HasState):
    """Base class of the optimizers. A subclass gives the options, the state and one update rule:

    - `slots(options)`: the names of the arrays that it keeps per parameter, zeros at first. `shape_of(slot, shape)` is
      their shape, the parameter's own by default.
    - `update(w, g, state, **options)`: the rule. It returns the new weights and puts the new arrays into `state`.
    - `check(options)`: raises `ArgumentError` for hyper-parameters outside their range.

    The rule is elementwise arithmetic (+ − · /, `np.sqrt`, `np.maximum`, …), so it holds for arrays of any shape. NumPy
    runs it on whole arrays; for many weights the same text is compiled to one loop over all parameters. NumPy runs it
    always if it does something else, or changes its arrays in place and returns None. `state["step"]` counts this
    parameter's updates, this one included. Parameters of float16 are updated as float32.

    A subclass written for PyTorch runs too: it calls `super().__init__(params, defaults)` and defines `step`, which
    reads `self.param_groups` and keeps what it likes in `self.state[p]`, an empty dict at first.

    Args:
        params: tensors; or pairs (name, tensor), such as `model.named_parameters()`; or groups, dicts of `params` and
            of the options that differ for them.
        defaults: the hyper-parameters as a dict.
        options: the same by name: the hyper-parameters of the groups that don't give their own. `lr` is a number or a
            function of the number of steps done; `maximize` ascends the gradient instead of descending.

    Attributes:
        param_groups: list of dicts: `params`, `names`, and every option. Options may be changed between steps.
        state: per parameter that was updated, its `step` count and its arrays.
        steps: how often `step()` was called.

    Raises:
        ArgumentError: no parameters, one given twice, an unknown hyper-parameter, one outside its range.
        DTypeError: something that isn't a float tensor.
        GraphError: a computed tensor: only leaves are trained.

    >>> import tensorgrad as tg
    >>> class SignDescent(Optimizer):
    ...     def __init__(self, params, lr=0.01):
    ...         super().__init__(params, lr=lr, maximize=False)
    ...
    ...     def update(self, w, g, state, *, lr):
    ...         return w - lr * np.sign(g)
    >>> w = tg.tensor([4.0, -4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w], lr=0.5).step()
    >>> w.tolist()
    [3.5, -3.5]
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "step" in vars(cls):
            cls.step = _counted(vars(cls)["step"])  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any] | None = None, **options: Any) -> None:
        self.defaults = {**(defaults or {}), **options}
        self.param_groups: list[dict[str, Any]] = []
        self._state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self._steps = 0
        self._updates = Updates()
        self._kept_gradients = KeptGradients()
        if isinstance(params, Tensor | dict) or not isinstance(params, Iterable):
            problem, fix = "the parameters must come as a list", "pass [w, b], or model.parameters()"
            raise DTypeError(restate(self.name, problem, fix=fix, params=params))
        entries = list(params)
        groups = entries if entries and all(isinstance(entry, dict) for entry in entries) else [{"params": entries}]
        for group in groups:
            self.add_param_group(group)

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """Per parameter that was updated, its `step` count and its arrays."""
        self._note_read("state")
        return self._state

    @state.setter
    def state(self, value: dict[Tensor, dict[str, Any]]) -> None:
        self._state = value

    @property
    def steps(self) -> int:
        """How often `step()` was called."""
        self._note_read("steps")
        return self._steps

    def _note_read(self, attribute: str) -> None:
        """Tell observers that Python reads what each step changes: a compiled function can't rely on it."""
        for observer in observers():
            observer.engine_bypassed(f"{self.name}.{attribute}", None)

    def _compiled_reads(self) -> list[Any]:
        """What else decides which tensors a compiled function works on: it compares these before each replay."""
        return [p for group in self.param_groups for p in group["params"]]

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """The names of the arrays kept per parameter under these options."""
        return ()

    def shape_of(self, slot: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of a slot's array for a parameter of this shape; None if such a parameter has no such array."""
        return shape

    def update(self, *arrays: Any, **options: Any) -> Array | None:
        """`update(w, g, state, **options)`: the new weights, given the gradient `g` of the loss: see the class."""
        raise NotImplementedError(f"{self.name} must define update(self, w, g, state, *, lr, ...)")

    def check(self, options: dict[str, Any]) -> None:
        """Raise ArgumentError where a hyper-parameter is outside its range."""

    # ------------------------------------------------------------------------------------------------------------ steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient. Nothing changes if a gradient doesn't fit its parameter.

        Args:
            closure: computes the gradients anew, and returns the loss; it is called first.

        Returns:
            What the closure returns, None without one.

        Raises:
            ShapeError: a gradient whose shape isn't its parameter's.
            ArgumentError: a schedule whose learning rate is negative, infinite or NaN.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if mode.observers:
            host_call(self._step, tuple(self.named_parameters().values()), effect=True)
        else:
            self._step()
        return loss

    def _step(self, _changed: tuple[Tensor, ...] = ()) -> None:
        self._kept_gradients.look(self.name)
        pure = getattr(type(self).update, "pure", False)
        for number, (parameters, options) in enumerate(self._work()):
            slots = self.slots(options)
            by_step: dict[int, list[Work]] = {}
            for p in parameters:
                work = self._work_of(p, slots)
                step = work[2]["step"]
                if step in by_step:
                    by_step[step].append(work)
                else:
                    by_step[step] = [work]
            for turn, (step, some) in enumerate(by_step.items()):
                self._updates.run(Batch((number, turn), options, slots, step, some), self._rule, pure)
            for p in parameters:
                if p._data.dtype.char == HALF_CHAR:
                    p._data[...] = self._state[p][EXACT]
                begin_version(p, keep=False)  # backward must know that the contents changed
        self._steps += 1
        self._kept_gradients.mark(p for group in self.param_groups for p in group["params"])

    def _rule(self, options: dict[str, Any]) -> Rule:
        """The update rule with these options."""
        options = dict(options)
        maximize = options.pop("maximize")

        def rule(w: Array, g: Array, state: dict[str, Any]) -> Array | None:
            return self.update(w, -g if maximize else g, state, **options)

        return rule

    def _work_of(self, p: Tensor, slots: tuple[str, ...]) -> Work:
        """What to update for a parameter, its step counted."""
        assert p._grad is not None
        state, w, g = self._state.get(p), p._data, p._grad._data
        if not state:
            state = self._state_of(p, slots)
        for slot in slots:
            if slot not in state:
                state = self._state_of(p, slots)
        state["step"] += 1
        if w.dtype.char == HALF_CHAR:
            w, g = self._state_of(p, (EXACT,))[EXACT], g.astype(np.float32)
            # Weights that somebody else has changed meanwhile are taken as they are.
            np.copyto(w, p._data, where=w.astype(np.float16) != p._data)
        return w, g, state

    def _state_of(self, p: Tensor, slots: tuple[str, ...]) -> dict[str, Any]:
        """What is kept for a parameter: how many steps it took, and an array per slot, zeros at first."""
        state = self._state.setdefault(p, {})
        state.setdefault("step", 0)
        for slot in slots:
            shape = self.shape_of(slot, p._data.shape)
            if slot not in state and shape is not None:
                state[slot] = np.zeros(shape, precision(p._data.dtype))
        return state

    def _work(self) -> list[tuple[list[Tensor], dict[str, Any]]]:
        """The parameters to update, group by group, each with its options, after all the checks."""
        work = []
        for group, rate in self._rates():
            parameters = [p for p in group["params"] if p._grad is not None]
            for p in parameters:
                if p._grad._data.shape != p._data.shape:
                    problem = "a gradient doesn't have its parameter's shape"
                    raise ShapeError(restate(f"{self.name}.step", problem, parameter=p, gradient=p._grad))
            work.append((parameters, {key: group[key] for key in self.defaults} | {"lr": rate}))
        return work

    def _rates(self) -> Iterator[tuple[dict[str, Any], float]]:
        """The groups, each with its learning rate for the next step."""
        for group in self.param_groups:
            lr = group["lr"]
            rate = float(lr(self._steps) if callable(lr) else lr)
            if not 0 <= rate < math.inf:
                problem = f"the learning rate at step {self._steps} must be a finite number ≥ 0, got {rate}"
                raise ArgumentError(restate(f"{self.name}.step", problem, lr=lr))
            yield group, rate

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: None, or zeros if not `set_to_none`."""
        zero_grad([p for group in self.param_groups for p in group["params"]], set_to_none)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step, in the first group."""
        self._note_read("learning_rate")
        return next(self._rates())[1]

    # ----------------------------------------------------------------------------------------------------------- groups

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Train more parameters: `group` holds `params` and the options that differ from the optimizer's own."""
        # A group of another optimizer, which has its names, brings that one's options, and they stay in it.
        others = {key: group[key] for key in group if "names" in group and key not in self.defaults}
        unknown = set(group) - set(self.defaults) - set(others) - {"params", "names"}
        if unknown or "params" not in group:
            problem = f"unknown options {sorted(unknown)}" if unknown else "a group without 'params'"
            expected = f"a dict of 'params' and any of {', '.join(self.defaults)}"
            raise ArgumentError(restate(self.name, problem, expected=expected, group=sorted(group)))
        options = self.checked({key: group.get(key, default) for key, default in self.defaults.items()})
        entries: list[Any] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if not entries:
            fix = "pass a list, not an iterator that was used up, of a model that has parameters"
            raise ArgumentError(restate(self.name, "no parameters to train", fix=fix, params=entries))
        named = self.named_parameters()
        first = len(named)
        for k, entry in enumerate(entries, first):
            pair = isinstance(entry, tuple) and len(entry) == 2
            name, p = entry if pair else (str(k), entry)
            self._check_parameter(p, named)
            if name in named:
                raise ArgumentError(restate(self.name, "two parameters have one name", name=name, parameter=p))
            named[name] = p
        names = list(named)[first:]
        self.param_groups.append({**others, "params": [named[name] for name in names], "names": names, **options})

    def named_parameters(self) -> dict[str, Tensor]:
        """The parameters of all groups by name; one that came without a name has its number."""
        return {n: p for group in self.param_groups for n, p in zip(group["names"], group["params"], strict=True)}

    def _check_parameter(self, p: Any, known: dict[str, Tensor]) -> None:
        if not isinstance(p, Tensor) or not is_float(p.dtype):
            expected = "float tensors, pairs (name, tensor), or dicts with 'params'"
            raise DTypeError(restate(self.name, "expected a float tensor", expected=expected, parameter=p))
        if not p.is_leaf:
            fix = "pass the leaf it was computed from, or p.detach().requires_grad_()"
            raise GraphError(
                restate(self.name, "a computed tensor can't be trained, only a leaf", fix=fix, parameter=p)
            )
        if not p.data.flags.writeable:
            fix = "copy it: tg.tensor(array, requires_grad=True)"
            raise ArgumentError(restate(self.name, "this parameter's memory is read-only", fix=fix, parameter=p))
        if any(p is other for other in known.values()):
            raise ArgumentError(restate(self.name, "a parameter is given twice", fix="list it once", parameter=p))

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as plain Python values. Raises ArgumentError where one is outside its range."""
        options = {key: plain(value) for key, value in options.items()}
        if "lr" in options and not callable(options["lr"]):
            non_negative(self.name, lr=options["lr"])
        self.check(options)
        return options

    @property
    def name(self) -> str:
        """The optimizer's name in errors and saved states: its class."""
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [
            f"  {sum(p.numel() for p in group['params']):,} weights in {len(group['params'])} tensors: "
            + ", ".join(f"{key}={group[key]!r}" for key in self.defaults)
            for group in self.param_groups
        ]
        return "\n".join([f"{self.name}(", *lines, ")"])

    def _kept(self, value: Any) -> Any:
        """A copy of what was saved, as it is kept: an update rule needs arrays, and `tg.load` gives tensors."""
        is_for_pytorch = type(self).update is Optimizer.update
        return value.detach().clone() if is_for_pytorch and isinstance(value, Tensor) else np.array(value)


def _counted(step: Callable[..., Any]) -> Callable[..., Any]:
    """A subclass's own `step`, which counts as one step where it doesn't count itself: schedulers ask."""

    @wraps(step)
    def counted(self: Optimizer, *arguments: Any, **keywords: Any) -> Any:
        before = getattr(self, "_steps", 0)
        result = step(self, *arguments, **keywords)
        if getattr(self, "_steps", 0) == before:
            self._steps = before + 1
        return result

    return counted
