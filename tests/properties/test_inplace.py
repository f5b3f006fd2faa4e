"""In-place changes have one meaning: generated programs of views and changes, recorded, under no_grad, and in NumPy.

A program is a list of steps on numbered tensors. It runs four times: recorded, under `no_grad`, on float64 arrays, and
on complex arrays whose imaginary parts carry a derivative (the complex step: Squire and Trapp, SIAM Review 40, 1998;
`detach()` is then `.real`, a view without that part). All tensors must have equal values, and the gradients of a random
combination of them all must be those of the complex step, and of central differences.
"""

import operator
from collections import Counter

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import TensorgradError

STEP = 1e-30


class NumPy:
    """The steps on arrays: with a complex dtype, the imaginary part is a derivative."""

    sin, add = np.sin, staticmethod(np.add)

    def __init__(self, dtype=np.float64):
        self.dtype = dtype

    def tensor(self, values, _requires_grad=False):
        return np.array(values, self.dtype)

    def operands(self, name, arrays):
        """The operands of a step. What is written into a detached array has no derivative: else it is refused."""
        if name in CHANGES and arrays[0].dtype == np.float64:
            assert not any(np.imag(x).any() for x in arrays), "a derivative would get lost"
            return [x.real for x in arrays]
        return arrays

    def made(self, z, t):
        """The result z of a step on t; in memory of its own it has a derivative of its own."""
        return z if np.shares_memory(z, t) else np.asarray(z, self.dtype)

    def constant(self, values):
        return values

    def overlapping(self, t):
        """An operand that shares memory with what is written."""
        return t

    def detach(self, t):
        return t.real

    def clone(self, t):
        return t.copy()

    def flip(self, t, axis):
        return np.flip(t, axis)

    def broadcast(self, t, shape):
        return np.broadcast_to(t, shape)

    def add_out(self, a, b, t):
        np.add(a, b, out=t)

    def add_at(self, t, index, value):
        np.add.at(t, index, value)


class Ours(NumPy):
    """The steps on tensors."""

    def tensor(self, values, requires_grad=False):
        return tg.Tensor(np.array(values), requires_grad=requires_grad)

    def operands(self, name, tensors):
        return tensors

    def made(self, z, t):
        return z

    def sin(self, t):
        return t.sin()

    def detach(self, t):
        return t.detach()

    def clone(self, t):
        return t.clone()

    def broadcast(self, t, shape):
        return t.broadcast_to(shape)


class Torch(NumPy):
    """The steps on PyTorch's tensors: they have no views in reverse, so programs for it have none."""

    def overlapping(self, t):
        return t.clone()  # PyTorch leaves open in which order it reads and writes

    def operands(self, name, tensors):
        return tensors

    def made(self, z, t):
        return z

    def __init__(self):
        import torch

        self.torch = torch

    def tensor(self, values, requires_grad=False):
        return self.torch.tensor(np.array(values), requires_grad=requires_grad)

    def constant(self, values):
        return self.torch.tensor(values)

    def sin(self, t):
        return t.sin()

    def detach(self, t):
        return t.detach()

    def clone(self, t):
        return t.clone()

    def broadcast(self, t, shape):
        return t.broadcast_to(shape)

    def add_out(self, a, b, t):
        t.copy_(a + b)

    def add_at(self, t, index, value):
        t.index_put_(
            tuple(self.torch.as_tensor(k) for k in index), self.torch.as_tensor(value, dtype=t.dtype), accumulate=True
        )


VIEWS = {
    "slice": lambda m, t, index: t[index],
    "reshape": lambda m, t, shape: t.reshape(shape),
    "swapaxes": lambda m, t, a, b: t.swapaxes(a, b),
    "flip": lambda m, t, axis: m.flip(t, axis),
    "broadcast": lambda m, t, shape: m.broadcast(t, shape),
    "detach": lambda m, t: m.detach(t),
    "same": lambda m, t: t,
}
OPS = {
    "sin": lambda m, t: m.sin(t),
    "scale": lambda m, t, c: t * c,
    "product": lambda m, t, u: t * u,
    "times sum": lambda m, t, u: t * u.sum(),
    "clone": lambda m, t: m.clone(t),
    "gather": lambda m, t, index: t[m.constant(index)],
}
CHANGES = {
    "*= number": lambda m, t, c: operator.imul(t, c),
    "-= tensor": lambda m, t, u: operator.isub(t, u),
    "*= tensor": lambda m, t, u: operator.imul(t, u),
    "+= sum": lambda m, t, u: operator.iadd(t, u.sum()),
    "= number": lambda m, t, index, c: operator.setitem(t, index, c),
    "= tensor": lambda m, t, u, index: operator.setitem(t, index, u[index]),
    "= sum": lambda m, t, u, index: operator.setitem(t, index, u.sum()),
    "= reversed": lambda m, t, a: operator.setitem(t, slice(None), m.flip(t, a)),
    "shifted": lambda m, t: operator.setitem(t, slice(1, None), operator.iadd(t[1:], m.overlapping(t[:-1]))),
    "gathered": lambda m, t, index, c: operator.setitem(t, m.constant(index), t[m.constant(index)] * c),
    "masked": lambda m, t, mask, c: operator.setitem(t, m.constant(mask), c),
    "out": lambda m, t, u, v: m.add_out(u, v, t),
    "at": lambda m, t, index, c: m.add_at(t, index, c),
}
ALL = VIEWS | OPS | CHANGES


def generate(seed, flips=True):
    """Inputs as (values, requires_grad), and steps as (name, numbers of tensors, parameters).

    The first tensors are the inputs; each view or op appends one.
    """
    rng = np.random.default_rng(seed)
    inputs = [
        (rng.standard_normal(tuple(rng.integers(1, 4, rng.integers(1, 4)))), bool(k == 0 or rng.random() < 0.5))
        for k in range(rng.integers(1, 4))
    ]
    machine, steps = NumPy(), []
    tensors = [machine.tensor(values) for values, _ in inputs]

    def step(name, numbers, *params):
        steps.append((name, numbers, params))
        made = ALL[name](machine, *[tensors[k] for k in numbers], *params)
        if name not in CHANGES:
            tensors.append(made)

    for k in range(len(inputs)):
        if rng.random() < 0.9:
            step("scale", (k,), 1.5)
    for _ in range(rng.integers(3, 20)):
        first = len(inputs) if rng.random() < 0.95 and len(tensors) > len(inputs) else 0  # inputs are seldom changed
        k = int(rng.integers(first, len(tensors)))
        t = tensors[k]
        alike = [j for j, u in enumerate(tensors) if u.shape == t.shape]
        j, i = (int(n) for n in rng.choice(alike, 2))
        other = int(rng.integers(len(tensors)))
        c = float(rng.uniform(-1.5, 1.5))
        kind = rng.random()
        if kind < 0.45:
            _view(rng, step, k, t, flips)
        elif kind < 0.6:
            choice = rng.integers(6)
            if choice == 5 and not t.ndim:
                choice = 0
            rows = rng.integers(0, t.shape[0] if t.ndim else 1, 3)
            name = list(OPS)[choice]
            step(name, *[((k,),), ((k,), c), ((k, j),), ((k, other),), ((k,),), ((k,), rows)][choice])
        elif t.flags.writeable:
            _change(rng, step, (k, j, i, other), t, c, flips)
        else:
            steps.append(("*= number", (k,), (c,)))  # of a broadcast tensor: to be refused
    return inputs, steps


def _index(rng, shape):
    """A basic index: slices with steps, and integers where an axis is left over."""
    index = []
    for n in shape:
        start = int(rng.integers(0, n))
        stop = int(rng.integers(start + 1, n + 1))
        index.append(slice(start, stop, int(rng.integers(1, 3))))
    if len(shape) > 1 and rng.random() < 0.3:
        index[int(rng.integers(len(shape)))] = int(rng.integers(0, min(shape)))
    return tuple(index[: rng.integers(1, len(shape) + 1)]) if shape else (...,)


def _view(rng, step, k, t, flips):
    axes = tuple(int(a) for a in rng.integers(0, max(t.ndim, 1), 2))
    options = [("slice", _index(rng, t.shape)), ("reshape", (-1,)), ("reshape", t.shape[::-1])]
    options += [("reshape", (1, *t.shape)), ("reshape", tuple(n for n in t.shape if n > 1)), ("same",)]
    options += [("detach",)] if rng.random() < 0.2 else []
    options += [("broadcast", (2, *t.shape))] if rng.random() < 0.5 else []
    if t.ndim:
        options += [("swapaxes", *axes), ("swapaxes", 0, t.ndim - 1), ("slice", (None, _index(rng, t.shape)[0]))]
        options += [("flip", axes[0]), ("slice", (slice(None, None, -1),))] if flips else []
    name, *params = options[rng.integers(len(options))]
    step(name, (k,), *params)


def _change(rng, step, numbers, t, c, flips):
    k, j, i, other = numbers
    index = _index(rng, t.shape)
    options = [("*= number", (k,), c), ("-= tensor", (k, j)), ("*= tensor", (k, j)), ("+= sum", (k, other))]
    options += [("= number", (k,), index, c), ("= tensor", (k, j), index), ("= sum", (k, other), index)]
    options += [("masked", (k,), rng.random(t.shape) < 0.5, c), ("out", (k, j, i))]
    if t.ndim:
        rows = rng.permutation(t.shape[0])[: rng.integers(1, 3)]
        options += [("shifted", (k,)), ("gathered", (k,), rows, c), ("at", (k,), (np.append(rows, rows[0]),), c)]
        options += [("= reversed", (k,), 0)] if flips else []
    name, *arguments = options[rng.integers(len(options))]
    step(name, *arguments)


def run(machine, inputs, steps, refuse=None):
    """The tensors at the end; what `refuse` says of an error is skipped (True) or raised."""
    tensors = [machine.tensor(values, wanted) for values, wanted in inputs]
    for number, (name, numbers, params) in enumerate(steps):
        try:
            made = ALL[name](machine, *machine.operands(name, [tensors[k] for k in numbers]), *params)
        except Exception as error:
            if refuse is None or not refuse(number, error, tensors):
                raise
            continue
        if name not in CHANGES:
            tensors.append(machine.made(made, tensors[numbers[0]]))
    return tensors


def recorded(inputs, steps):
    """The tensors of our recorded run, and by step what was refused; a refusal changes nothing."""
    refused = {}

    def refuse(number, error, tensors):
        refused[number] = error
        return isinstance(error, TensorgradError)

    return run(Ours(), inputs, steps, refuse), refused


def combination(machine, tensors, seed):
    """Σ upstream · t over all tensors, under a random upstream gradient for each."""
    rng = np.random.default_rng(seed)
    return sum((t * machine.constant(rng.standard_normal(tuple(t.shape)))).sum() for t in tensors)


def derivative(inputs, steps, seed, which, index):
    """∂combination/∂input[index] by a complex step."""
    moved = [(np.array(values, complex), wanted) for values, wanted in inputs]
    moved[which][0][index] += STEP * 1j
    machine = NumPy(complex)
    return np.imag(combination(machine, run(machine, moved, steps), seed)) / STEP


def central_difference(inputs, steps, seed, which, direction, eps=1e-6):
    """The derivative of the combination along a direction of one input."""
    ends = []
    for sign in (1, -1):
        moved = [(v + sign * eps * direction if k == which else v, w) for k, (v, w) in enumerate(inputs)]
        ends.append(combination(NumPy(), run(NumPy(), moved, steps), seed))
    return (ends[0] - ends[1]) / (2 * eps)


def shared_with_a_leaf(inputs, steps, number):
    """Whether a step changes memory of an input that requires a gradient, in a run where views are views."""
    tensors = run(NumPy(), inputs, steps[:number])
    changed = tensors[steps[number][1][0]]
    return any(wanted and np.shares_memory(t, changed) for (_, wanted), t in zip(inputs, tensors, strict=False))


SEEN = Counter()


@pytest.fixture(scope="module", autouse=True)
def _say_what_was_seen():
    """With `-s`: how many programs there were, and what became of them."""
    yield
    print("\n", dict(SEEN))


@pytest.mark.seeds(60)
def test_programs_of_views_and_changes(seed):
    inputs, steps = generate(seed)
    tensors, refused = recorded(inputs, steps)
    detaches = any(name == "detach" for name, *_ in steps)

    # What is refused is refused for a reason: in both modes, or for a gradient that would get lost.
    done = [s for k, s in enumerate(steps) if k not in refused]
    for number, error in refused.items():
        before = [s for k, s in enumerate(steps[:number]) if k not in refused]
        with tg.no_grad():
            alone = run(Ours(), inputs, before)
            name, numbers, params = steps[number]
            if isinstance(error, tg.GraphError):
                reason = shared_with_a_leaf(inputs, [*before, steps[number]], len(before))
                assert reason or detaches, f"{steps[number]} is refused without need: {error}"
                ALL[name](Ours(), *[alone[k] for k in numbers], *params)
            else:
                with pytest.raises(type(error)):
                    ALL[name](Ours(), *[alone[k] for k in numbers], *params)

    expected = run(NumPy(), inputs, done)
    with tg.no_grad():
        unrecorded = run(Ours(), inputs, done)
    for k, (a, b, c) in enumerate(zip(tensors, unrecorded, expected, strict=True)):
        np.testing.assert_array_equal(a.data, b.data, err_msg=f"tensor {k}, recorded against no_grad")
        np.testing.assert_allclose(a.data, c, rtol=1e-12, atol=1e-12, err_msg=f"tensor {k} against NumPy")

    SEEN["programs"] += 1
    SEEN["refused"] += bool(refused)
    SEEN["changes"] += sum(s[0] in CHANGES for s in done)
    leaves = [t for t, (_, wanted) in zip(tensors, inputs, strict=False) if wanted]
    try:
        found = tg.grad(combination(Ours(), tensors, seed), leaves, allow_unused=True, create_graph=bool(seed % 2))
    except tg.GraphError as error:
        assert "changed in place" in str(error)
        SEEN["refused at backward"] += 1
        return
    found = iter(found)
    for which, (values, wanted) in enumerate(inputs):
        if not wanted:
            continue
        g = next(found)
        g = np.zeros(values.shape) if g is None else g.data
        exact = [derivative(inputs, done, seed, which, index) for index in np.ndindex(values.shape)]
        exact = np.reshape(exact, values.shape)
        np.testing.assert_allclose(g, exact, rtol=1e-9, atol=1e-9, err_msg=f"gradient of input {which}")
        if not detaches:
            direction = np.random.default_rng(seed).standard_normal(values.shape)
            numeric = central_difference(inputs, done, seed, which, direction)
            scale = 1 + np.abs(exact).sum() + max(np.abs(t).max() for t in expected)
            assert abs(np.sum(g * direction) - numeric) <= 1e-5 * scale
    SEEN["gradients"] += 1


THEIR_REFUSALS = (
    "modified by an inplace operation",
    "a leaf Variable that requires grad",
    "does not require grad",
    "to a single memory location",
)


@pytest.mark.oracle
@pytest.mark.seeds(60)
def test_programs_against_pytorch(seed):
    """What PyTorch does at all it does alike; it refuses more (saved values that a recorded change overwrites)."""
    inputs, steps = generate(seed, flips=False)
    tensors, refused = recorded(inputs, steps)
    done = [s for k, s in enumerate(steps) if k not in refused]
    try:
        theirs = run(Torch(), inputs, done)
        combination(Torch(), theirs, seed).backward()
    except RuntimeError as error:
        assert any(words in str(error) for words in THEIR_REFUSALS), error
        SEEN["refused by PyTorch"] += 1
        return
    for a, b in zip(tensors, theirs, strict=True):
        np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-12, atol=1e-12)
    combination(Ours(), tensors, seed).backward()
    for ours, their in zip(tensors[: len(inputs)], theirs, strict=False):
        assert (ours.grad is None) == (their.grad is None)
        if ours.grad is not None:
            np.testing.assert_allclose(ours.grad.data, their.grad.numpy(), rtol=1e-9, atol=1e-9)
    SEEN["gradients like PyTorch's"] += 1
