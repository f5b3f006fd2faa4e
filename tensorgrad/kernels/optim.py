"""The rules of the optimizers, all parameters in one call and each in one pass over its memory.

The kernels get a table of addresses, a row per parameter, so the parameters stay where they are; all but the column of
the gradients is the same in the next step. What each rule computes is stated, in NumPy, by `update` of its optimizer.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import sqrt

import numpy as np
from numba import carray, types
from numba.extending import intrinsic, register_jitable

from tensorgrad.arrays.memory import addresses
from tensorgrad.kernels.jit.dispatch import OPTIONS, as_contiguous, chunks_for, kernel, run

# Multiply-adds that take as long as the update of one weight, by a rough measurement.
WORK = 6

FLOAT64 = np.dtype(np.float64)


class Table:
    """The weights of some parameters and what is kept for each: tuples (w, …) of contiguous arrays of one dtype."""

    def __init__(self, parameters: Sequence[tuple[np.ndarray, ...]]) -> None:
        self.parameters = parameters  # referred to here, so that the addresses stay theirs
        # (parameters · arrays,) -> (parameters, arrays), with w once more where the gradient's address will stand
        arrays = chain.from_iterable([(w, w, *kept) for w, *kept in parameters])
        self.rows = np.array(addresses(arrays)).reshape(len(parameters), -1)
        # Sizes, and a row where the steps will stand.
        self.counts = np.array([[w.size for w, *_ in parameters]] * 2)
        self.total, self.like = int(self.counts[0].sum()), parameters[0][0].reshape(-1)

    def __reduce__(self) -> tuple:
        return Table, (self.parameters,)  # a copy's arrays lie elsewhere


def sgd(table: Table, gradients: Sequence[np.ndarray], steps: list[int], numbers: tuple[float, ...]) -> None:
    """Each parameter: w, and v where there is momentum. Numbers: lr, μ, 1 − τ, λ, nesterov, sign of the gradient.

    The gradients are of the dtype of the weights, float32 or float64.

    >>> w = np.array([4.0])
    >>> sgd(Table([(w,)]), [np.array([8.0])], [1], (0.25, 0.0, 1.0, 0.0, 0.0, 1.0))
    >>> w
    array([2.])
    """
    _run(_sgd_kernel, table, gradients, steps, numbers)


def adam(table: Table, gradients: Sequence[np.ndarray], steps: list[int], numbers: tuple[float, ...]) -> None:
    """Each parameter: w, m, v, and with amsgrad the largest v.

    Numbers: lr, β₁, β₂, ε, λ, whether λ is decoupled, sign of the gradient.
    """
    _run(_adam_kernel, table, gradients, steps, numbers)


def rmsprop(table: Table, gradients: Sequence[np.ndarray], steps: list[int], numbers: tuple[float, ...]) -> None:
    """Each parameter: w, s, then a if centered, then v if there is momentum.

    Numbers: lr, α, ε, λ, μ, centered, sign of the gradient.
    """
    _run(_rmsprop_kernel, table, gradients, steps, numbers)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    table, gradients = Table([tuple(np.ones(2, dtype) for _ in range(4))]), [np.ones(2, dtype)]
    yield "sgd", lambda: sgd(table, gradients, [1], (0.0,) * 6)
    yield "adam", lambda: adam(table, gradients, [1], (0.0,) * 7)
    yield "rmsprop", lambda: rmsprop(table, gradients, [1], (0.0,) * 7)


def _run(kernel: Callable, table: Table, gradients: Sequence[np.ndarray], steps: list[int], numbers: tuple) -> None:
    # What is copied here must live until the kernel has run.
    gradients = [as_contiguous(g) for g in gradients]
    # Copies of the table: several threads may use it at once.
    rows, counts, total = table.rows.copy(), table.counts.copy(), table.total
    rows[:, 1], counts[1] = addresses(gradients), steps
    arguments = (rows, counts, np.array(numbers, FLOAT64), table.like)
    run(kernel, arguments, chunks_for(total, WORK * total))


@intrinsic
def _pointer(typing, address, like):
    """An address as a pointer to the numbers of an array like `like`."""

    def emit(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(address, like), emit


@kernel
def _share(sizes, p, index, chunks):
    """The elements of parameter p that belong to a piece, all parameters being cut as one line."""
    total, before = 0, 0
    for k in range(len(sizes)):
        before += sizes[k] if k < p else 0
        total += sizes[k]
    first, last = total * index // chunks - before, total * (index + 1) // chunks - before
    return max(0, first), min(sizes[p], last)


@kernel
def _at(table, p, column, first, last, like):
    """The elements from first to last of an array of parameter p."""
    return carray(_pointer(table[p, column] + first * like.itemsize, like), max(0, last - first))


@kernel
def _decayed(gradient, decay, weight):
    # An infinite weight without decay isn't to become NaN.
    return gradient + decay * weight if decay != 0 else gradient


@kernel
def _sgd_kernel(table, counts, numbers, like, index, chunks):
    sizes, steps = counts[0], counts[1]
    number = like.dtype.type
    lr, momentum, fresh = number(numbers[0]), number(numbers[1]), number(numbers[2])
    decay, nesterov, sign = number(numbers[3]), numbers[4] != 0, number(numbers[5])
    for p in range(len(table)):
        first, last = _share(sizes, p, index, chunks)
        w, g = _at(table, p, 0, first, last, like), _at(table, p, 1, first, last, like)
        if numbers[1] == 0:
            for k in range(len(w)):
                w[k] -= lr * _decayed(sign * g[k], decay, w[k])
            continue
        v = _at(table, p, 2, first, last, like)
        # The first step takes the gradient undampened.
        old, new = (number(0), number(1)) if steps[p] == 1 else (momentum, fresh)
        if steps[p] == 1:
            v[:] = 0
        for k in range(len(w)):
            gradient = _decayed(sign * g[k], decay, w[k])
            velocity = old * v[k] + new * gradient
            v[k] = velocity
            w[k] -= lr * (gradient + momentum * velocity if nesterov else velocity)


@kernel
def _adam_kernel(table, counts, numbers, like, index, chunks):
    sizes, steps = counts[0], counts[1]
    number = like.dtype.type
    beta1, beta2, eps = number(numbers[1]), number(numbers[2]), number(numbers[3])
    fresh1, fresh2, sign = number(1 - numbers[1]), number(1 - numbers[2]), number(numbers[6])
    # The decay joins the gradient, or shrinks the weight.
    decay = number(0 if numbers[5] else numbers[4])
    kept = number(1 - numbers[0] * numbers[4] if numbers[5] else 1)
    for p in range(len(table)):
        first, last = _share(sizes, p, index, chunks)
        w, g, m, v = (
            _at(table, p, 0, first, last, like),
            _at(table, p, 1, first, last, like),
            _at(table, p, 2, first, last, like),
            _at(table, p, 3, first, last, like),
        )
        lr = number(numbers[0] / (1 - numbers[1] ** steps[p]))
        root = number(sqrt(1 - numbers[2] ** steps[p]))
        amsgrad, largest = table.shape[1] > 4, _at(table, p, table.shape[1] - 1, first, last, like)
        for k in range(len(w)):
            weight = kept * w[k]
            gradient = _decayed(sign * g[k], decay, weight)
            # Not read back from m: where that crosses cache lines, it took twice the time.
            mean = beta1 * m[k] + fresh1 * gradient
            square = beta2 * v[k] + fresh2 * gradient * gradient
            m[k], v[k] = mean, square
            if amsgrad:
                # As np.maximum: NaN stays.
                square = largest[k] if largest[k] >= square or largest[k] != largest[k] else square
                largest[k] = square
            w[k] = weight - lr * mean / (np.sqrt(square) / root + eps)


def _rmsprop_loop(centered: bool, moving: bool) -> Callable:
    """The rule for one parameter, where the conditions are known: LLVM doesn't vectorise a loop that decides."""

    @register_jitable(**OPTIONS)
    def loop(w, g, s, a, v, lr, alpha, fresh, eps, decay, momentum, sign):
        for k in range(len(w)):
            gradient = _decayed(sign * g[k], decay, w[k])
            s[k] = alpha * s[k] + fresh * gradient * gradient
            variance = s[k]
            if centered:
                a[k] = alpha * a[k] + fresh * gradient
                variance -= a[k] * a[k]
            step = gradient / (np.sqrt(variance) + eps)
            if moving:
                v[k] = momentum * v[k] + step
                step = v[k]
            w[k] -= lr * step

    return loop


_plain, _moving = _rmsprop_loop(False, False), _rmsprop_loop(False, True)
_centered, _centered_moving = _rmsprop_loop(True, False), _rmsprop_loop(True, True)


@kernel
def _rmsprop_kernel(table, counts, numbers, like, index, chunks):
    sizes = counts[0]
    number = like.dtype.type
    lr, alpha, fresh, eps = number(numbers[0]), number(numbers[1]), number(1 - numbers[1]), number(numbers[2])
    decay, momentum, sign = number(numbers[3]), number(numbers[4]), number(numbers[6])
    centered, moving = numbers[5] != 0, numbers[4] != 0
    for p in range(len(table)):
        first, last = _share(sizes, p, index, chunks)
        w, g, s = (
            _at(table, p, 0, first, last, like),
            _at(table, p, 1, first, last, like),
            _at(table, p, 2, first, last, like),
        )
        a, v = (
            _at(table, p, 3 if centered else 2, first, last, like),
            _at(table, p, table.shape[1] - 1 if moving else 2, first, last, like),
        )
        if centered and moving:
            _centered_moving(w, g, s, a, v, lr, alpha, fresh, eps, decay, momentum, sign)
        elif centered:
            _centered(w, g, s, a, v, lr, alpha, fresh, eps, decay, momentum, sign)
        elif moving:
            _moving(w, g, s, a, v, lr, alpha, fresh, eps, decay, momentum, sign)
        else:
            _plain(w, g, s, a, v, lr, alpha, fresh, eps, decay, momentum, sign)
