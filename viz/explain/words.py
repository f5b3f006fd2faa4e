"""What tensors and rules are called: an op's formula and derivatives, with the names of its operands put in."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from tensorgrad.autograd.engine import Variable
from tensorgrad.autograd.op import Op
from tensorgrad.viz.explain.computation import Computation, Link
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.notation import END, NAME, element, factor, name, numbered, partial
from tensorgrad.viz.record.steps import Key, Known, Step

_RAISED = str.maketrans("ˣʸ⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "xy0123456789−")
FEW = 8
"""Vectors of so many elements are written out."""

_GREEK = {"alpha": "α", "beta": "β"}


class Words:
    """Names for the tensors of a computation, given out as they are asked for, and formulas written with them.

    A tensor is called as the user calls it. Others are u₁, u₂, … for results, p₁, … for parameters, c₁, … for
    constants, those without axes by their value. The loss is L.
    """

    def __init__(self, computation: Computation, values: Mapping[Key, np.ndarray]) -> None:
        self._known: Mapping[Key, Known] = computation.known
        self._values = values
        self._made = {step.output for step in computation.steps}
        self._names: dict[Key, str] = {computation.steps[-1].output: name("L")}
        self._taken = set(self._names.values())
        self._numbers = {letter: itertools.count(1) for letter in "upc"}

    def __getitem__(self, key: Key) -> str:
        if key not in self._names:
            word = self._fresh(key)
            self._taken.add(word)
            self._names[key] = word
        return self._names[key]

    def _fresh(self, key: Key) -> str:
        known = self._known.get(key)
        if known is not None and known.name:
            word = name(known.name)
            while word in self._taken:
                word = word[:-1] + "′" + END
            return word
        value, made = self._values.get(key), key in self._made
        if not made and not isinstance(key, Variable) and value is not None and value.ndim == 0:
            return factor(value.item())
        letter = "u" if made else "p" if isinstance(key, Variable) else "c"
        return next(word for number in self._numbers[letter] if (word := numbered(letter, number)) not in self._taken)

    def invented(self, key: Key) -> bool:
        """Whether the reader has to be told what stands behind the name."""
        known = self._known.get(key)
        return self[key].startswith(NAME) and not (known is not None and known.name)

    def origin(self, key: Key) -> str:
        """Where a tensor comes from that isn't on the way."""
        return "from other inputs" if key in self._made else "parameter" if isinstance(key, Variable) else "constant"

    def definition(self, step: Step) -> str:
        """`u₁ = a · b`: the op's formula, written with names."""
        return self._written(step, step.op.formula or f"z = {step.op.name}")

    def local(self, link: Link, at: tuple[int, ...]) -> str:
        """The local derivative ∂z/∂x as a formula, at an element of z; `∂z/∂x` where the op has only a rule."""
        step = link.step
        found = re.fullmatch(r"∂z/∂\w+ = (.+)", derivative(step.op, link.position))
        if found is None or re.search("[ᵢⱼₖ]|others|number of", found[1]):
            return partial(element(self[step.output], at), self[step.inputs[link.position]])
        text = self._written(step, found[1], at)
        return f"({text})" if _is_sum(text) else text

    def backward(self, link: Link) -> str:
        """The rule for a whole array: `∂L/∂x = ∂L/∂z ⊙ y`."""
        step, text = link.step, derivative(link.step.op, link.position)
        if step.op.variadic:
            text = text.replace("xᵢ", self[step.inputs[link.position]])
        return backward_rule(text, self._letters(step, None), scalar=not step.shape)

    def _written(self, step: Step, text: str, at: tuple[int, ...] | None = None) -> str:
        """A formula of the op's with names put in; with their elements, for the element z[at]."""
        return put_in(text, self._letters(step, at))

    def _letters(self, step: Step, at: tuple[int, ...] | None) -> dict[str, str]:
        """What the letters of an op's formulas stand for: operands, result, and parameters that are numbers."""
        letters = {"z": element(self[step.output], at)}
        for position, (key, shape) in enumerate(zip(step.inputs, step.input_shapes, strict=True)):
            own = None if at is None else broadcast_index(shape, step.shape, at)
            letters[step.op.input_name(position)] = element(self[key], own)
        for key, value in step.op.params.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                letters[_GREEK.get(key, key)] = factor(value)
        if step.op.name in ("mean", "var", "std"):
            letters["n"] = str(math.prod(step.input_shapes[0]) // max(math.prod(step.shape), 1))
        return letters


def put_in(text: str, letters: Mapping[str, str]) -> str:
    """An op's formula, each letter replaced by what it stands for.

    >>> put_in("∂z/∂x = y · xʸ⁻¹", {"x": "u", "y": "2", "z": "v"})
    '∂v/∂u = 2 · u^(2 − 1)'
    """
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*[ˣʸ][ˣʸ⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*", _lowered, text)
    if "b" not in letters:
        text = text.removesuffix(" + b")  # a layer without a bias

    def replaced(found: re.Match) -> str:
        word, bracket = found.groups()
        return f"{letters[word]}{' · (' if bracket else ''}" if word in letters else found[0]

    # Letters and words, not those in a name or under a hat; h(1 − h) would read as a function.
    word = r"(?<![A-Za-z_])([αβ]|[A-Za-z]+(?![A-Za-z0-9_\u0302]))(\()?"
    return re.sub(rf"{NAME}[^{END}]*{END}|{word}", replaced, text)


def backward_rule(text: str, letters: Mapping[str, str], scalar: bool) -> str:
    """The rule by which the gradient for z becomes that for x, of a local derivative in the op's words.

    >>> backward_rule("∂z/∂x = z(1 − z)", {"x": "u", "z": "h"}, scalar=False)
    '∂L/∂u = ∂L/∂h ⊙ h ⊙ (1 − h)'
    """
    found = re.fullmatch(rf"∂z([ᵢⱼₖ]?)/∂({NAME}[^{END}]*{END}|\w+?)([ᵢⱼₖ]?) = (.+)", text)
    if found is None:
        return put_in(text.replace(" g", " ∂L/∂z").replace("(g", "(∂L/∂z"), letters)
    over, x, of, rule = found.groups()
    head = put_in(f"∂L/∂{x}{of if of in rule else ''} = {f'Σ{over} ' if over else ''}∂L/∂z{over}", letters)
    if rule == "1":
        return head
    factors = put_in(f"({rule})" if _is_sum(rule) else rule, letters)
    if of or scalar or re.fullmatch(r"[(−]*[\d.]+\)?", factors):
        return f"{head} · {factors}"
    return f"{head} ⊙ {factors.replace(' · ', ' ⊙ ')}"


def derivative(op: Op, position: int) -> str:
    """The op's own words for an input's local derivative; all variadic inputs share the last."""
    return op.derivatives[min(position, len(op.derivatives) - 1)] if op.derivatives else ""


def broadcast_index(shape: tuple[int, ...], larger: tuple[int, ...], index: tuple[int, ...]) -> tuple[int, ...] | None:
    """Which element of an operand went into the element `index` of a result of shape `larger`; None if it isn't so."""
    lead = len(larger) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, larger[lead:], strict=True)):
        return None
    return tuple(0 if n == 1 else k for n, k in zip(shape, index[lead:], strict=True))


def _is_sum(text: str) -> bool:
    """Whether a formula needs parentheses as a factor."""
    depth = 0
    for k, c in enumerate(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(c, 0)
        if depth == 0 and (text.startswith((" + ", " − ", " if "), k) or (k == 0 and c == "−")):
            return True
    return False


def _lowered(raised: re.Match) -> str:
    """A power whose exponent holds a letter, on one line: eˣ becomes e^x, e⁻ˣ becomes e^(−x)."""
    text = raised[0].translate(_RAISED)
    return f"^{text}" if len(text) == 1 else f"^({text.replace('−1', ' − 1') if len(text) > 2 else text})"


def arrays(gradient: np.ndarray) -> str:
    """A gradient in a few words: its value, its elements if few, else mean absolute value and norm."""
    gradient = gradient + 0.0  # no −0
    if gradient.size == 1:
        return theme.number(float(gradient.ravel()[0]))
    if few(gradient):
        return f"[{', '.join(theme.number(float(v)) for v in gradient)}]"
    measures = f"mean |·| {theme.number(mean(gradient), 3)}, norm {theme.number(norm(gradient), 3)}"
    return f"{theme.sizes(gradient.shape)}, {measures}"


def few(gradient: np.ndarray) -> bool:
    """Whether a gradient is written out."""
    return gradient.ndim == 1 and 0 < gradient.size <= FEW


def exact_sum(values: Iterable[float]) -> float:
    """Their sum, rounded once; of numbers that aren't finite, or too large together, what arithmetic makes of them.

    >>> exact_sum([0.1] * 10), exact_sum([math.inf, 1.0]), exact_sum([math.inf, -math.inf]), exact_sum([1e308, 1e308])
    (1.0, inf, nan, inf)
    """
    values = list(values)
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def mean(array: np.ndarray) -> float:
    """The mean absolute value, 0 of nothing."""
    return float(np.abs(array).mean(dtype=np.float64)) if array.size else 0.0


def norm(array: np.ndarray) -> float:
    """The Euclidean norm."""
    return float(np.linalg.norm(array.astype(np.float64).ravel()))
