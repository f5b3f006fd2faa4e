"""Generated programs of views, in-place changes and computations: a replay's results are the function's own.

Not only their values to the bit, but how they lie in memory: strides, whether they can be written, and which of them
share memory with one another and with the arguments. What comes after in the program (a sum in the order of memory, a
matrix product of a transposed array, a reshape that copies or doesn't) depends on that.
"""

import numpy as np
import pytest
from compiling import captures, poison

import tensorgrad as tg

SHAPES = [(6, 4), (4, 6), (3, 2, 4), (24,), (2, 3, 4), (70, 80), (80, 70), (5, 40, 28)]
CALLS = 7


def _axes(rng, x):
    return tuple(int(a) for a in rng.permutation(x.ndim))


def _part(rng, n):
    step = int(rng.choice([1, 1, 2, 3]))
    start = int(rng.integers(0, n))
    return slice(start, int(rng.integers(start, n)) + 1, step)


def _index(rng, x):
    return tuple(_part(rng, n) if rng.random() < 0.7 else slice(None) for n in x.shape)


def _divisors(rng, x):
    """A shape of as many elements."""
    sizes, left = [], x.numel()
    while left > 1 and len(sizes) < 3:
        n = int(rng.choice([k for k in range(2, left + 1) if left % k == 0][:6]))
        sizes.append(n)
        left //= n
    return tuple([*sizes, left] if left > 1 or not sizes else sizes)


# name -> (what is drawn from the numbers and the tensor's sizes, the step)
VIEWS = {
    "permute": (_axes, lambda x, axes: x.permute(*axes) if x.ndim else x),
    "slice": (_index, lambda x, index: x[index] if x.ndim else x),
    "flip": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: np.flip(x, axis)),
    "reshape": (_divisors, lambda x, shape: x.reshape(shape)),
    "unsqueeze": (lambda rng, x: int(rng.integers(x.ndim + 1)), lambda x, axis: x.unsqueeze(axis)),
    "select": (lambda rng, x: int(rng.integers(x.shape[0])), lambda x, k: x[k] if x.ndim > 1 else x),
    "expand": (lambda rng, x: int(rng.integers(2, 4)), lambda x, n: x.expand(n, *x.shape)),
    "unfold": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: x.unfold(axis, min(2, x.shape[axis]), 1)),
    "diagonal": (lambda rng, x: None, lambda x, _: x.diagonal() if x.ndim > 1 else x),
}
CHANGES = {
    "add_": (lambda rng, x: float(rng.standard_normal()), lambda x, v: x.add_(v)),
    "mul_": (lambda rng, x: float(rng.standard_normal()), lambda x, v: x.mul_(v)),
    "tanh_": (lambda rng, x: None, lambda x, _: x.tanh_()),
    "set": (lambda rng, x: (_index(rng, x), float(rng.standard_normal())), lambda x, a: x.__setitem__(*a)),
    "copy_": (lambda rng, x: None, lambda x, _: x.copy_(x.flip(0) * 0.5) if x.ndim else x),
    "clamp_": (lambda rng, x: None, lambda x, _: x.clamp_(-1.5, 1.5)),
    "masked": (lambda rng, x: None, lambda x, _: x.__setitem__(x > 0.5, 0.25)),
}
COMPUTATIONS = {
    "times": (lambda rng, x: float(rng.standard_normal()), lambda x, v: x * v),
    "twice": (lambda rng, x: _axes(rng, x), lambda x, axes: x + 1 if x.ndim < 2 else x / 1.7 + x.exp().mean()),
    "sum": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: x.sum(axis)),
    "mean": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: x.mean(axis, keepdim=True)),
    "var": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: x.var(axis, correction=0)),
    "cat": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: tg.cat([x, x.flip(axis)], axis)),
    "product": (lambda rng, x: None, lambda x, _: x @ x.mT if x.ndim > 1 else x * x),
    "clone": (lambda rng, x: None, lambda x, _: x.clone()),
    "softmax": (lambda rng, x: int(rng.integers(x.ndim)), lambda x, axis: x.softmax(axis)),
    "relu": (lambda rng, x: None, lambda x, _: x.relu()),
}
KINDS = [VIEWS, CHANGES, COMPUTATIONS]
LARGEST = 40_000


def generated(seed):
    """A program: per step the operand's number, the name, the setting; and the numbers of the tensors returned."""
    rng = np.random.default_rng(seed)
    shapes = [SHAPES[k] for k in rng.integers(len(SHAPES), size=2)]
    dtype = rng.choice([np.float64, np.float64, np.float32])
    tensors = [tg.tensor(rng.standard_normal(shape).astype(dtype)) for shape in shapes]
    tensors.append(tensors[0] * 1.0)
    steps = [(0, "times", 1.0)]
    with tg.no_grad():
        for _ in range(int(rng.integers(3, 12))):
            number = int(rng.integers(max(0, len(tensors) - 4), len(tensors)))
            kind = KINDS[rng.choice(3, p=[0.45, 0.25, 0.3])]
            name = str(rng.choice(list(kind)))
            x = tensors[number]
            if (number < 2 and kind is CHANGES) or not x.ndim or not x.numel():
                continue
            draw, step = kind[name]
            setting = draw(rng, x)
            try:
                result = step(x, setting)
            except tg.TensorgradError:  # a change of elements that overlap, say
                continue
            z = x if result is None else result
            if z.numel() > LARGEST:
                continue
            tensors.append(z)
            steps.append((number, name, setting))
    returned = sorted({int(k) for k in rng.integers(2, len(tensors), size=int(rng.integers(1, 4)))})
    return shapes, dtype, steps, returned


def program(steps, returned):
    functions = {name: step for kind in KINDS for name, (_, step) in kind.items()}

    def run(x, y):
        tensors = [x, y]
        for number, name, setting in steps:
            result = functions[name](tensors[number], setting)
            tensors.append(tensors[number] if result is None else result)
        return [tensors[k] for k in returned]

    return run


def seen(given, results):
    """What a caller can see of the results. The stride of an axis with one element says nothing."""
    arrays = [z.data for z in (*given, *results)]
    alike = [[bool(np.shares_memory(a, b)) for a in arrays] for b in arrays]
    steps = [[stride for n, stride in zip(z.shape, z.strides, strict=True) if n > 1] for z in arrays]
    return alike, [
        (z.dtype, z.shape, strides, z.flags.writeable, np.array(z).tobytes())
        for z, strides in zip(arrays, steps, strict=True)
    ]


def outcome(function, arrays, learns, seed):
    """What a call shows, and the gradients of its tensors under random upstream gradients; or its error."""
    given = [tg.tensor(a, requires_grad=learns) for a in arrays]
    rng = np.random.default_rng(seed)
    try:
        results = function(*given)
        found = seen(given, results)
        if learns:
            results = [z for z in results if z.requires_grad]
            tg.autograd.backward(results, [tg.tensor(rng.standard_normal(z.shape).astype(z.dtype)) for z in results])
    except tg.TensorgradError as error:
        return str(error)
    return found, [None if x.grad is None else x.grad.data.tobytes() for x in given]


@pytest.mark.filterwarnings("ignore:compile")
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.seeds(40)
def test_replays_agree_in_values_and_layout(seed, learns):
    shapes, dtype, steps, returned = generated(seed)
    function = program(steps, returned)
    compiled, rng = tg.compile(function), np.random.default_rng(seed)
    with tg.set_grad_enabled(learns):
        for call in range(CALLS):
            arrays = [(rng.standard_normal(s) * 10.0 ** rng.integers(3)).astype(dtype) for s in shapes]
            poison(compiled, 0xA5)
            one, other = [outcome(f, arrays, learns, call) for f in (function, compiled)]
            assert one == other, f"capture: {bool(captures(compiled))}, of {shapes} {dtype}: {steps} -> {returned}"
