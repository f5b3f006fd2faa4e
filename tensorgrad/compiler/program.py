"""From steps to a program: Python source, one line per step, that releases each array after its last use."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Container, Iterable, Sequence
from inspect import getattr_static
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays.quiet import is_quiet, quiet
from tensorgrad.autograd.backward_pass import accumulate
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.steps import Given, Step, identifier
from tensorgrad.kernels.jit.opaque import Opaque
from tensorgrad.ops.shapes import Clone

GIVEN = "given"
"""The parameter of a program for the tensors of the call, where it needs more than their arrays."""


def function_of(
    name: str,
    parameters: Sequence[str],
    steps: Sequence[Step],
    results: Sequence[str],
    constants: dict[str, np.ndarray],
    before: Sequence[Step] = (),
    effects: Sequence[Step] = (),
    kept: Sequence[str] = (),
) -> Any:
    """A function of the arrays named in `parameters` that does the steps and returns the `results`, a tuple.

    The effects come after the steps; what they return may be a result, too. Those `before` the steps may happen again
    if a step raises. An effect that raises is the cause of a `StoppedHalfway`.

    With `kept`, the last parameter is a list of the arrays of these names, which the function empties. Its text is in
    `function.source`. Each name is released after its last use, so that its memory is reused.
    """
    known: dict[str, Any] = {}
    wanted = {*results, *(name for effect in effects for name in effect.takes)}
    steps = (*before, *steps, *[_final(effect, done, wanted) for done, effect in enumerate(effects)])
    lines = [_line(step, known) for step in steps]
    for number, names in last_uses(steps, results, kept).items():
        if names:
            lines[number] += f"; {' = '.join(names)} = None"
    if kept:
        parameters, lines = (*parameters, "kept"), [f"{', '.join(kept)}, = kept; kept.clear()", *lines]
    used = {word for line in (*lines, ", ".join(results)) for word in re.findall(r"\w+", line)}
    known |= {key: value for key, value in constants.items() if key in used}
    body = [*lines, f"return {', '.join(results)}{',' if len(results) == 1 else ''}" if results else "return ()"]
    source = f"def {name}({', '.join(parameters)}):\n" + "".join(f"    {line}\n" for line in body)
    exec(compile(source, f"<tensorgrad.compile: {name}>", "exec"), known)
    function = quiet(known[name])
    function.source = source
    return function


class StoppedHalfway(Exception):
    """An effect raised `error` after `done` other effects had happened."""

    def __init__(self, done: int, error: Exception) -> None:
        super().__init__(done)
        self.done, self.error = done, error


def _final(effect: Step, done: int, wanted: Container[str]) -> Step:
    if effect.function is accumulate:  # which counts the references to its arguments, and doesn't raise
        return effect

    @functools.wraps(effect.function)
    def run(*arguments: Any) -> Any:
        try:
            result = effect.function(*arguments)
        except Exception as error:
            raise StoppedHalfway(done, error) from error
        return result._data if isinstance(result, Variable) else None

    return effect._replace(function=run, outputs=tuple(name for name in effect.outputs if name in wanted))


def live(steps: Sequence[Step], wanted: Iterable[str]) -> list[Step]:
    """The steps that the `wanted` names depend on, and all that run once in each call, as a mask is drawn."""
    needed, kept = set(wanted), []
    for step in reversed(steps):
        if step.once or needed.intersection(step.outputs):
            needed.update(step.takes)
            kept.append(step)
    return kept[::-1]


def folded(
    steps: Sequence[Step], constants: dict[str, np.ndarray], results: Sequence[str]
) -> tuple[list[Step], dict[str, np.ndarray]]:
    """Constant folding: the steps without those that depend on constants alone, and the constants with their results.

    Results of the program aren't folded, nor what they are views of. In a training step this folds the loss's upstream
    gradient, 1, and its mean.
    """
    left, constants = [], dict(constants)
    seen = {name for result in results for name in viewed(result, steps)}
    for step in steps:
        known = step.inputs and constants.keys() >= {*step.takes}
        if step.op is None or step.once or not known or seen.intersection(step.outputs):
            left.append(step)
            continue
        made = quiet(_run_of(step.op, step))(*[constants[name] for name in step.takes])
        constants.update(zip(step.outputs, made if step.parts else (made,), strict=True))
    return left, constants


def renewed(
    steps: Sequence[Step], constants: dict[str, np.ndarray], results: Sequence[str]
) -> tuple[list[Step], dict[str, np.ndarray]]:
    """The same program, in which constants that the caller gets to see are copied first: it may change the copy."""
    seen = {name for result in results for name in viewed(result, steps)}.intersection(constants)
    kept = {f"{name}_kept" if name in seen else name: array for name, array in constants.items()}
    copies = [Step(Clone, {}, (f"{name}_kept",), {}, (name,)) for name in constants if name in seen]
    return [*copies, *steps], kept


def viewed(name: str, steps: Sequence[Step]) -> list[str]:
    """The name of an array, and of those that it may be a view of: the last is the root."""
    names = [name]
    for step in reversed(steps):
        if names[-1] in step.outputs[:1] and step.op is not None and step.op.aliases:
            names.append(step.inputs[0])
    return names


class Call(NamedTuple):
    """A step as a call of a function on arrays."""

    name: str
    run: Callable[..., Any]
    arguments: list[str | Setting]
    """Arrays by their names, and everything else."""
    outputs: tuple[str, ...]


class Setting(NamedTuple):
    """An argument that isn't an array, and its position."""

    position: int
    value: Any


def call_of(step: Step) -> Call:
    """The call that does a step."""
    if step.op is not None:
        return Call(step.op.name, _run_of(step.op, step), list(step.takes), step.outputs)
    settings = {position: Setting(position, value) for position, value in step.settings.items()}
    places: dict[int, str | Setting] = step.arrays | settings
    arguments = [*step.inputs, *(places[position] for position in sorted(places))]
    return Call(identifier(step.function), step.function, arguments, step.outputs)


def _line(step: Step, known: dict[str, Any]) -> str:
    """The step as a line of source. The function and settings that it refers to are added to `known`."""
    number, call, arguments = len(known) + 1, call_of(step), []
    for argument in call.arguments:
        if isinstance(argument, Setting):
            argument = _expression(argument.value, f"{call.name}_{number}_setting_{argument.position}", known)
        arguments.append(argument)
    called = f"run_{call.name}_{number}"
    known[called] = call.run
    left = f"{', '.join(step.outputs)} = " if step.outputs else ""
    return f"{left}{called}({', '.join(arguments)})"


def _expression(value: Any, name: str, known: dict[str, Any]) -> str:
    """A setting as Python source; what isn't plain is added to `known` under the name."""
    if isinstance(value, Given):
        return f"{GIVEN}[{value.number}]"
    if names_given(value):
        return f"({', '.join(_expression(part, f'{name}_{k}', known) for k, part in enumerate(value))},)"
    if _is_plain(value):
        return repr(value)
    known[name] = value
    return name


def names_given(value: Any) -> bool:
    """Whether a setting is or holds a tensor argument of the call."""
    return isinstance(value, Given) or (type(value) is tuple and any(map(names_given, value)))


def _is_plain(value: Any) -> bool:
    """Whether the value is written out: a number, or sizes and paddings."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int)


def _run_of(op: type[Op], step: Step) -> Callable[..., Any]:
    """The forward of an op as a function of arrays, which returns the output and the residuals that steps need."""
    settings, keys, parts = step.settings, tuple(step.arrays), step.parts
    forward = _unquieted(op.forward)
    if isinstance(getattr_static(op, "forward"), staticmethod):  # a function of the arrays alone
        return lambda *arrays: _laid_out(forward(*arrays), arrays)
    count = len(step.inputs)
    if not keys and not parts:
        applied = op.of(**settings)

        return lambda *arrays: _laid_out(forward(applied, *arrays), arrays)

    def run(*arrays: np.ndarray) -> Any:
        # An op of its own for each run: it holds arrays, and several threads may be here.
        applied = op.of(**_filled(settings, keys, arrays[count:]))
        z = _laid_out(forward(applied, *arrays[:count]), arrays)
        return (z, *_residuals(applied, parts)) if parts else z

    return run


def _laid_out(z: Any, arrays: Sequence[Any]) -> Any:
    """The result of an op on these arrays, contiguous unless it is a view, as the engine keeps it."""
    if type(z) is Opaque:
        return z
    if not isinstance(z, np.ndarray):
        z = np.asarray(z)  # NumPy returns scalars for arrays without axes
    if z.base is not None or z.flags.c_contiguous or any([z is x for x in arrays]):
        return z
    return np.ascontiguousarray(z)


def _unquieted(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` without the decorator that silences NumPy's warnings: the whole program runs with them silenced.

    Any other decorator, such as `widened`, is a part of the op.
    """
    while is_quiet(forward):
        forward = forward.__wrapped__  # type: ignore[attr-defined]
    return forward


def _filled(settings: dict[str, Any], keys: Sequence[Any], arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """An op's parameters: the settings, with the arrays in their places."""
    settings = dict(settings)
    for key, array in zip(keys, arrays, strict=True):
        if type(key) is tuple:
            key, k = key
            settings[key] = (*settings[key][:k], array, *settings[key][k + 1 :])
        else:
            settings[key] = array
    return settings


def _residuals(op: Op, parts: tuple[int | None, ...]) -> list[np.ndarray]:
    return [op.residuals if part is None else op.residuals[part] for part in parts]


def last_uses(steps: Sequence[Step], results: Sequence[str], kept: Sequence[str]) -> dict[int, list[str]]:
    """Per step, the names that no later step reads."""
    last: dict[str, int] = {}
    for number, step in enumerate(steps):
        for name in (*step.outputs, *step.takes):
            last[name] = number
    found: dict[int, list[str]] = {}
    for name, number in last.items():
        # The caller holds the parameters; constants aren't local.
        if name not in results and (name in kept or any(name in step.outputs for step in steps)):
            found.setdefault(number, []).append(name)
    return found
