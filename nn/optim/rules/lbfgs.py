"""L-BFGS: a quasi-Newton method with limited memory, and the line search that it may use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.modes import enable_grad
from tensorgrad.autograd.versions import begin_version
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.optimizer import Optimizer, Schedule
from tensorgrad.nn.optim.options import non_negative

Closure = Callable[[], Any]
"""Computes the loss and its gradients anew, and returns the loss."""

LEAST_CURVATURE = 1e-10
"""Pairs of steps and changes of the gradient that show less curvature aren't remembered."""


class LBFGS(Optimizer):
    """L-BFGS: Newton's method with an inverse Hessian H that is estimated from the last steps.

        s = w′ − w,  y = g′ − g                      of each of the last steps
        H = yᵀs / yᵀy · 1 of the newest, then
        H ← (1 − s yᵀ / yᵀs) H (1 − y sᵀ / yᵀs) + s sᵀ / yᵀs     from the oldest to the newest
        w ← w − η H g                                η = lr, or what the line search finds

    One call of `step` makes up to `max_iter` such steps, and calls the closure for each of them. For smooth functions
    and full batches; the noise of mini-batches spoils the estimate. There is one group of parameters.

    Args:
        params: what to train: see `Optimizer`.
        lr: η, a number ≥ 0 or a schedule; with a line search the first trial. The first step of all is shorter,
            η · min(1, 1 / Σ|g|).
        max_iter: the most steps in a call of `step`.
        max_eval: the most evaluations in a call of `step`; by default 1.25 · max_iter.
        tolerance_grad: end where no gradient is larger.
        tolerance_change: end where neither a weight nor the loss changes by more.
        history_size: how many steps are remembered.
        line_search_fn: None, or "strong_wolfe": a step length at which the loss has decreased enough and the slope is
            at most 0.9 of what it was (Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6).

    Liu and Nocedal, On the Limited Memory BFGS Method for Large Scale Optimization, Mathematical Programming 45, 1989.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0, -2.0], requires_grad=True)
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - tg.tensor([1.0, 2.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()  # the loss before the step
    25.0
    >>> [round(x, 4) for x in w.tolist()]
    [1.0, 2.0]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )

    def check(self, options: dict[str, Any]) -> None:
        """Numbers ≥ 0, whole ones where they count; a line search that there is."""
        non_negative(self.name, **{key: options[key] for key in ("tolerance_grad", "tolerance_change")})
        for key in ("max_iter", "max_eval", "history_size"):
            if not isinstance(options[key], int) or options[key] < 0:
                raise ArgumentError(restate(self.name, f"{key} must be an int ≥ 0", **{key: options[key]}))
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            problem = 'line_search_fn must be None or "strong_wolfe"'
            raise ArgumentError(restate(self.name, problem, line_search_fn=options["line_search_fn"]))

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add the one group there is."""
        if self.param_groups:
            raise ArgumentError(restate(self.name, "all parameters must be in one group, of one set of options"))
        super().add_param_group(group)

    @np.errstate(all="ignore")  # as in all ops
    def step(self, closure: Closure | None = None) -> Any:
        """Make up to `max_iter` steps.

        Args:
            closure: computes the gradients anew, and returns the loss; called for each step, and for each trial of the
                line search.

        Returns:
            The loss before the first step, as the closure returned it.

        Raises:
            ArgumentError: no closure.
        """
        self._note_read("step")  # how many evaluations there are depends on values: no compiled function follows
        if closure is None:
            fix = "optimizer.step(closure), with a function that calls zero_grad and backward and returns the loss"
            raise ArgumentError(restate(f"{self.name}.step", "a closure is needed", fix=fix))
        (group, rate), memory = next(self._rates()), self._recall()
        evaluate = _Evaluation(closure, group["params"])
        loss = evaluate()
        start, now = evaluate.returned, Trial(0.0, loss, evaluate.gradient(), 0.0)
        for count in range(1, group["max_iter"] + 1):
            if _largest(now.gradient) <= group["tolerance_grad"]:
                break
            memory = memory.with_direction(now, group["history_size"])
            slope = float(now.gradient @ memory.direction)
            first = min(1.0, 1.0 / float(np.abs(now.gradient).sum())) if memory.number == 1 else 1.0
            memory = memory._replace(length=first * rate)
            if slope > -group["tolerance_change"]:
                break
            before, now = now, Trial(0.0, now.loss, now.gradient, slope)
            last = count == group["max_iter"]
            if group["line_search_fn"]:
                at, size = evaluate.along(memory.direction), _largest(memory.direction)
                now = strong_wolfe(at, memory.length, now, size, most=max(0, group["max_eval"] - evaluate.count))
                memory = memory._replace(length=now.length)
            evaluate.move(memory.length * memory.direction)
            if not group["line_search_fn"] and not last:
                now = Trial(0.0, evaluate(), evaluate.gradient(), 0.0)
            moved = _largest(memory.length * memory.direction)
            still = moved <= group["tolerance_change"] or abs(now.loss - before.loss) < group["tolerance_change"]
            if evaluate.count >= group["max_eval"] or still:
                break
        self._remember(memory, evaluate.count)
        self._steps += 1
        return start

    def _kept(self, value: Any) -> np.ndarray:
        """A copy of what was saved, as `_remember` keeps it."""
        return np.array(value)

    def _recall(self) -> Memory:
        """What earlier calls of `step` have left."""
        kept = self._state.get(self.param_groups[0]["params"][0])
        if kept is None:
            return Memory(0, np.zeros(0), 0.0, (), (), 1.0, np.zeros(0))
        pairs = tuple(kept["old_stps"]), tuple(kept["old_dirs"])
        return Memory(kept["step"], kept["d"], float(kept["t"]), *pairs, float(kept["H_diag"]), kept["prev_flat_grad"])

    def _remember(self, memory: Memory, evaluations: int) -> None:
        """Keep it under PyTorch's names, with the first parameter: arrays, as all states are."""
        if not memory.number:
            return
        first, size = self.param_groups[0]["params"][0], len(memory.direction)
        known = self._state.get(first, {}).get("func_evals", 0)
        self._state[first] = {
            "step": memory.number,
            "func_evals": np.array(int(known) + evaluations),
            "d": memory.direction,
            "t": np.array(memory.length),
            "old_stps": np.array(memory.steps).reshape(-1, size),
            "old_dirs": np.array(memory.changes).reshape(-1, size),
            "H_diag": np.array(memory.scale),
            "prev_flat_grad": memory.gradient,
        }


class Memory(NamedTuple):
    """What the steps so far have left."""

    number: int
    """How many steps there were."""
    direction: np.ndarray
    """−H g of the last step, flat, and by how much of it the weights moved."""
    length: float
    steps: tuple[np.ndarray, ...]
    """s of the steps remembered, the oldest first."""
    changes: tuple[np.ndarray, ...]
    """y of the steps remembered."""
    scale: float
    """The first H is this number times the identity."""
    gradient: np.ndarray
    """g before the last step."""

    def with_direction(self, now: Trial, size: int) -> Memory:
        """The memory with the next direction, after the last step brought the gradient of `now`."""
        if not self.number:
            return Memory(1, -now.gradient, 0.0, (), (), 1.0, now.gradient)
        step, change = self.length * self.direction, now.gradient - self.gradient
        curvature = float(change @ step)
        steps, changes, scale = self.steps, self.changes, self.scale
        if curvature > LEAST_CURVATURE:
            oldest = max(0, len(steps) + 1 - size)
            steps, changes = (*steps[oldest:], step), (*changes[oldest:], change)
            scale = curvature / float(change @ change)
        direction = -_inverse_hessian_times(now.gradient, steps, changes, scale)
        return Memory(self.number + 1, direction, 0.0, steps, changes, scale, now.gradient)


def _inverse_hessian_times(
    g: np.ndarray, steps: tuple[np.ndarray, ...], changes: tuple[np.ndarray, ...], scale: float
) -> np.ndarray:
    """H g by the two loops of Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980.

    >>> _inverse_hessian_times(np.array([4.0]), (np.array([1.0]),), (np.array([2.0]),), 0.5)
    array([2.])
    """
    weights = []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        weights.append((s @ g) / (y @ s))
        g = g - weights[-1] * y
    g = scale * g
    for s, y, weight in zip(steps, changes, reversed(weights), strict=True):
        g = g + (weight - (y @ g) / (y @ s)) * s
    return g


class _Evaluation:
    """Calls the closure, counts its calls, and handles all parameters as one flat array."""

    def __init__(self, closure: Closure, parameters: list[Any]) -> None:
        self.closure, self.parameters, self.count, self.returned = closure, parameters, 0, None

    def __call__(self) -> float:
        with enable_grad():
            found = self.closure()
        self.returned = found if self.count == 0 else self.returned
        self.count += 1
        return float(found)

    def gradient(self) -> np.ndarray:
        """All gradients in one array; zeros where there is none."""
        arrays = [np.zeros(p._data.shape, p.dtype) if p.grad is None else p.grad._data for p in self.parameters]
        flat = np.concatenate([a.reshape(-1) for a in arrays])
        return flat.astype(np.promote_types(flat.dtype, np.float32))

    def move(self, by: np.ndarray) -> None:
        """Add to all weights."""
        start = 0
        for p in self.parameters:
            size = p._data.size
            p._data[...] += by[start : start + size].reshape(p._data.shape).astype(p.dtype)
            begin_version(p, keep=False)  # backward must know that the contents changed
            start += size

    def along(self, direction: np.ndarray) -> Callable[[float], Trial]:
        """What the loss is so far along a direction from here, to which the weights come back."""
        home = [p._data.copy() for p in self.parameters]

        def trial(length: float) -> Trial:
            self.move(length * direction)
            loss = self()
            found = self.gradient()
            for p, values in zip(self.parameters, home, strict=True):
                p._data[...] = values
                begin_version(p, keep=False)
            return Trial(length, loss, found, float(found @ direction))

        return trial


def _largest(x: np.ndarray) -> float:
    return float(np.abs(x).max(initial=0.0))


# ---------------------------------------------------------------------------------------------------------- line search


class Trial(NamedTuple):
    """A point on a line: how far along, the loss there, its gradient, and its slope along the line."""

    length: float
    loss: float
    gradient: np.ndarray
    slope: float


ENOUGH, FLATTER = 1e-4, 0.9
"""By which share of the slope the loss has to decrease, and to which share the slope has to."""


def strong_wolfe(
    at: Callable[[float], Trial], length: float, start: Trial, size: float, tolerance: float = 1e-9, most: int = 25
) -> Trial:
    """A point at which the strong Wolfe conditions hold, or the best one that was found.

    Args:
        at: evaluates the loss at a length.
        length: the first trial.
        start: the point at length 0, of negative slope.
        size: the largest component of the direction.
        tolerance: the search ends in a bracket in which no weight can change by more.
        most: how many trials there may be after the first.

    >>> parabola = lambda t: Trial(t, (t - 1) ** 2, np.zeros(0), 2 * (t - 1))
    >>> strong_wolfe(parabola, 8.0, parabola(0.0), 1.0).length
    1.0
    """
    trials, before, now = 0, start, at(length)
    while trials < most:
        if _too_high(now, start) or (trials > 1 and now.loss >= before.loss):
            break
        if _flat(now, start):
            return now
        if now.slope >= 0:
            break
        # Further along: the minimum of a cubic through both points, from 1 % beyond the last one to ten times as far.
        bounds = now.length + 0.01 * (now.length - before.length), now.length * 10
        before, now = now, at(_cubic_minimum(before, now, bounds))
        trials += 1
    if trials == most:
        before = start
    return _zoom(at, (before, now), start, size, tolerance, most - trials)


def _too_high(point: Trial, start: Trial) -> bool:
    """Whether the loss hasn't decreased enough for the length of the step."""
    return point.loss > start.loss + ENOUGH * point.length * start.slope


def _flat(point: Trial, start: Trial) -> bool:
    """Whether the slope has become small enough."""
    return abs(point.slope) <= -FLATTER * start.slope


def _zoom(
    at: Callable[[float], Trial], ends: tuple[Trial, Trial], start: Trial, size: float, tolerance: float, most: int
) -> Trial:
    """Narrow a bracket in which there is a point that meets the conditions."""
    bracket, stalled = list(ends), False
    for _ in range(most):
        if abs(bracket[1].length - bracket[0].length) * size < tolerance:
            break
        length, stalled = _inside(_cubic_minimum(bracket[0], bracket[1]), bracket, stalled)
        now = at(length)
        low = 0 if bracket[0].loss <= bracket[1].loss else 1
        if _too_high(now, start) or now.loss >= bracket[low].loss:
            bracket[1 - low] = now
            continue
        if _flat(now, start):
            return now
        if now.slope * (bracket[1 - low].length - bracket[low].length) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = now
    return bracket[0] if bracket[0].loss <= bracket[1].loss else bracket[1]


def _inside(length: float, bracket: list[Trial], stalled: bool) -> tuple[float, bool]:
    """A length that isn't too close to an end of the bracket twice in a row, and whether it is close this time."""
    low, high = sorted(point.length for point in bracket)
    margin = 0.1 * (high - low)
    if min(high - length, length - low) >= margin:
        return length, False
    if not stalled and low < length < high:
        return length, True
    return (high - margin if abs(length - high) < abs(length - low) else low + margin), False


def _cubic_minimum(one: Trial, other: Trial, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic with the losses and slopes of two points is least, within the bounds or between the points."""
    a, b = (one, other) if one.length <= other.length else (other, one)
    low, high = bounds or (a.length, b.length)
    if a.length == b.length:
        return (low + high) / 2
    u = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = u * u - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    v = math.sqrt(square)
    divisor = b.slope - a.slope + 2 * v
    if divisor == 0:
        return (low + high) / 2
    return min(max(b.length - (b.length - a.length) * ((b.slope + v - u) / divisor), low), high)
