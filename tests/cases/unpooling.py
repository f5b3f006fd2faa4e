"""Rows of pooling over volumes, with indices, adaptive and of powers, and of unpooling."""

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.pooling import (
    adaptive_by_hand,
    adaptive_errors,
    avg_pool_by_hand,
    errors,
    max_pool_by_hand,
    windows_by_hand,
)
from cases.table import Row, apart, bad, between, normal, sample


def numbers_of(x, rank):
    """The places of the pixels of each channel, in an array like x."""
    return np.broadcast_to(np.arange(np.prod(x.shape[-rank:])).reshape(x.shape[-rank:]), x.shape)


def indices_by_hand(rank):
    """Where the maximum stands: looked for among the values, which are all different."""

    def reference(x, **params):
        maxima = max_pool_by_hand(rank)(x, **params)
        places = np.empty(maxima.shape, np.int64)
        numbers = numbers_of(x, rank)
        for at in np.ndindex(maxima.shape):
            lead = at[: x.ndim - rank]
            places[at] = numbers[lead][x[lead] == maxima[at]][0]
        return places

    return reference


def adaptive_max_by_hand(rank):
    def reference(x, output_size):
        for axis, m in enumerate(np.broadcast_to(np.array(output_size, object), rank), x.ndim - rank):
            n = x.shape[axis]
            m = n if m is None else int(m)
            parts = [np.take(x, range(i * n // m, -(-(i + 1) * n // m)), axis).max(axis) for i in range(m)]
            x = np.stack(parts, axis)
        return x

    return reference


def fractional_windows(n, kernel, m, u):
    """The slices of one axis, as the paper draws them: their starts are differences of a sequence cut to integers."""
    if m == 1:
        return [slice(n - kernel, n)]
    step = (n - kernel) / (m - 1)
    cut = [int(step * (i + u)) for i in range(m)]
    starts = [0, *np.cumsum(np.diff(cut))]
    return [slice(k, k + kernel) for k in [*map(int, starts[:-1]), n - kernel]]


def fractional_by_hand(rank, found=np.max):
    def reference(x, kernel_size, output_size=None, output_ratio=None, _random_samples=None):
        sizes = x.shape[-rank:]
        kernel = np.broadcast_to(kernel_size, rank).tolist()
        ratio = np.broadcast_to(output_ratio or 1, rank)
        output = [int(n * r) for n, r in zip(sizes, ratio, strict=True)] if output_size is None else output_size
        images = x.reshape(-1, *sizes)
        places = np.broadcast_to(output, rank).tolist()
        u = np.asarray(_random_samples).reshape(-1, rank)
        u = u[:, ::-1] if rank == 2 else u
        z = np.empty((len(images), *places))
        for image, own, result in zip(images, u, z, strict=True):
            axes = [fractional_windows(*each) for each in zip(sizes, kernel, places, own, strict=True)]
            for at in np.ndindex(*places):
                result[at] = found(image[tuple(axis[i] for axis, i in zip(axes, at, strict=True))])
        return z.reshape(*x.shape[:-rank], *places)

    return reference


def fractional(rank):
    """PyTorch's function; it takes samples in the dtype of the input."""

    def pool(torch, x, _random_samples, **params):
        u = torch.as_tensor(_random_samples, dtype=x.dtype)
        return getattr(torch.nn.functional, f"fractional_max_pool{rank}d")(x, **params, _random_samples=u)

    return pool


def random_samples(*shape):
    """Numbers in [0, 1), for each channel and axis."""
    return np.random.default_rng(len(shape)).random(shape)


def unpool_by_hand(rank, size):
    """The values at their places, on zeros of a size that is given."""

    def reference(x, indices, **params):
        z = np.zeros((*x.shape[:-rank], int(np.prod(size))))
        for at in np.ndindex(x.shape):
            z[(*at[:-rank], indices[at])] = x[at]
        return z.reshape(*x.shape[:-rank], *size)

    return reference


def power_by_hand(rank):
    def reference(x, norm_type, kernel_size, stride=None, ceil_mode=False):
        axes = windows_by_hand(x, rank, kernel_size, stride, 0, 1, ceil_mode)
        count = np.prod(np.broadcast_to(kernel_size, rank))
        z = np.empty((*x.shape[:-rank], *map(len, axes)))
        for at in np.ndindex(*map(len, axes)):
            window = tuple(slice(axes[a][p][0], min(axes[a][p][-1] + 1, x.shape[a - rank])) for a, p in enumerate(at))
            part = (x[(..., *window)] ** norm_type).reshape(*x.shape[:-rank], -1)
            # As in PyTorch, an incomplete window is scaled up to a whole one.
            z[(..., *at)] = (part.mean(-1) * count) ** (1 / norm_type)
        return z

    return reference


def max_pool(rank):
    return lambda torch, x, **params: getattr(torch.nn.functional, f"max_pool{rank}d")(x, **params, return_indices=True)


ADAPTIVE = [
    bad(lambda: F.adaptive_max_pool2d(tg.zeros(2, 3, 6, 6), 0), tg.ArgumentError, "adaptive_max_pool2d", "output_size"),
    bad(lambda: F.adaptive_max_pool2d(tg.zeros(2, 3, 6, 0), 1), tg.ShapeError, "at least one pixel"),
    bad(lambda: F.adaptive_max_pool2d(tg.zeros(2), 1), tg.ShapeError, "number of axes"),
]
Y, K = tg.zeros(1, 1, 2, 2), tg.tensor([[[[0, 1], [2, 15]]]])
Q = tg.zeros(1, 2, 6, 7)
FRACTIONAL = [
    bad(lambda: F.fractional_max_pool2d(Q, 2), tg.ArgumentError, "fractional_max_pool2d", "exactly one of output_size"),
    bad(lambda: F.fractional_max_pool2d(Q, 2, 3, 0.5), tg.ArgumentError, "exactly one of output_size"),
    bad(lambda: F.fractional_max_pool2d(Q, 2, None, 1.5), tg.ArgumentError, "output_ratio", "in (0, 1)"),
    bad(lambda: F.fractional_max_pool2d(Q, 2, None, (0.5, 0.5, 0.5)), tg.ArgumentError, "output_ratio", "or 2"),
    bad(lambda: F.fractional_max_pool2d(Q, 2, 6), tg.ShapeError, "(6, 6)", "at most the size of the input"),
    bad(lambda: F.fractional_max_pool2d(Q, 0, 2), tg.ArgumentError, "kernel_size", "at least 1"),
    bad(lambda: F.fractional_max_pool2d(tg.zeros(2), 1, 1), tg.ShapeError, "number of axes"),
    bad(lambda: F.fractional_max_pool2d(Q, 2, 2, None, False, tg.zeros(1, 2, 3)), tg.ShapeError, "(1, 2, 2)"),
    bad(lambda: F.fractional_max_pool2d(Q, 2, 2, None, False, tg.ones(1, 2, 2)), tg.RangeError, "in [0, 1)"),
]
UNPOOL = [
    bad(lambda: F.max_unpool2d(Y, K[..., :1], 2), tg.ShapeError, "max_unpool2d", "shape of input"),
    bad(lambda: F.max_unpool2d(Y, K.astype("float32"), 2), tg.DTypeError, "max_unpool2d", "integers"),
    bad(lambda: F.max_unpool2d(Y, K + 1, 2), tg.RangeError, "[0, 16)", "(4, 4)"),
    bad(lambda: F.max_unpool2d(Y, K, 2, output_size=(9, 4)), tg.ArgumentError, "less than a stride", "got (9, 4)"),
    bad(lambda: F.max_unpool2d(Y, K, 2, padding=4), tg.ShapeError, "the output would be of size"),
]
POWER = [bad(lambda: F.lp_pool2d(Y, 0, 2), tg.ArgumentError, "norm_type must not be 0")]

ROWS = [
    Row(
        "max_pool3d",
        tg.max_pool3d,
        max_pool_by_hand(3),
        "nn.functional.max_pool3d",
        [
            sample((1, 1, 2, 4, 4), kernel_size=2),
            sample((2, 2, 3, 4, 5), kernel_size=(2, 3, 2), stride=(1, 2, 2)),
            sample((1, 1, 4, 3, 5), kernel_size=3, stride=2, padding=1),
            sample((1, 1, 5, 4, 5), kernel_size=2, stride=1, dilation=(3, 1, 2)),
            sample((1, 1, 4, 5, 3), kernel_size=2, stride=(2, 3, 1), ceil_mode=True),
            sample((2, 2, 3, 3), kernel_size=2, stride=1),
            sample((0, 1, 2, 4, 4), kernel_size=2),
            sample(np.zeros((1, 1, 2, 2, 2)), kernel_size=2, stride=1, padding=1, smooth=False),
        ],
        domains=(apart,),
        float16=False,
        integers="float",
        errors=errors(tg.max_pool3d, tg.zeros(2, 3, 4, 5, 6))[1:-3]
        + errors(tg.max_pool3d, tg.zeros(2, 3, 4, 5, 6))[-2:],
    ),
    Row(
        "max_pool2d/indices",
        lambda x, **params: tg.max_pool2d(x, **params, return_indices=True)[1],
        indices_by_hand(2),
        lambda torch, x, **params: max_pool(2)(torch, x, **params)[1],
        [sample((2, 2, 5, 4), kernel_size=2), sample((3, 5, 4), kernel_size=3, stride=1, padding=1, dilation=2)],
        domains=(apart,),
        result=np.int64,
        differentiable=False,
        float16=False,
        special=False,
    ),
    Row(
        "max_pool3d/indices",
        lambda x, **params: tg.max_pool3d(x, **params, return_indices=True)[1],
        indices_by_hand(3),
        lambda torch, x, **params: max_pool(3)(torch, x, **params)[1],
        [sample((2, 1, 3, 4, 3), kernel_size=2, stride=1), sample((1, 3, 5, 4), kernel_size=3, stride=2, padding=1)],
        domains=(apart,),
        result=np.int64,
        differentiable=False,
        float16=False,
        special=False,
    ),
    Row(
        "max_pool1d/maxima beside indices",
        lambda x, **params: tg.max_pool1d(x, **params, return_indices=True)[0],
        max_pool_by_hand(1),
        lambda torch, x, **params: max_pool(1)(torch, x, **params)[0],
        [sample((1, 2, 7), kernel_size=3, stride=2), sample((2, 6), kernel_size=2, ceil_mode=True)],
        domains=(apart,),
        float16=False,
    ),
    Row(
        "avg_pool3d",
        tg.avg_pool3d,
        avg_pool_by_hand(3),
        "nn.functional.avg_pool3d",
        [
            sample((1, 1, 2, 4, 4), kernel_size=2),
            sample((2, 2, 3, 4, 5), kernel_size=(2, 3, 2), stride=(1, 2, 2)),
            sample((1, 1, 4, 3, 5), kernel_size=3, stride=2, padding=1, count_include_pad=False),
            sample((1, 1, 4, 5, 3), kernel_size=3, stride=2, padding=(1, 1, 0), ceil_mode=True),
            sample((2, 2, 3, 3), kernel_size=2, stride=1, divisor_override=3),
            sample((0, 1, 2, 4, 4), kernel_size=2),
        ],
        domains=(normal,),
        float16=False,
        integers="float",
        errors=errors(tg.avg_pool3d, tg.zeros(2, 3, 4, 5, 6))[1:-3],
    ),
    Row(
        "adaptive_avg_pool3d",
        tg.adaptive_avg_pool3d,
        adaptive_by_hand(3),
        "nn.functional.adaptive_avg_pool3d",
        [
            sample((1, 1, 4, 2, 4), output_size=2),
            sample((2, 2, 3, 5, 3), output_size=(2, 3, 1)),
            sample((2, 2, 4, 3), output_size=1),
            sample((0, 1, 2, 2, 2), output_size=2),
        ],
        special=False,
        integers="float",
        errors=[adaptive_errors(tg.adaptive_avg_pool3d, tg.zeros(2, 3, 4, 5, 6))[k] for k in (0, 2, 3)],
    ),
    *(
        Row(
            f"adaptive_max_pool{rank}d",
            getattr(F, f"adaptive_max_pool{rank}d"),
            adaptive_max_by_hand(rank),
            f"nn.functional.adaptive_max_pool{rank}d",
            samples,
            domains=(apart,),
            float16=False,
            integers="float",
            errors=ADAPTIVE if rank == 2 else [],
        )
        for rank, samples in (
            (1, [sample((1, 2, 7), output_size=3), sample((2, 6), output_size=2)]),
            (
                2,
                [
                    sample((2, 2, 5, 7), output_size=(2, 3)),
                    sample((1, 1, 4, 6), output_size=(2, None)),
                    sample((2, 3, 3), output_size=5),
                    sample((0, 1, 5, 5), output_size=2),
                ],
            ),
            (3, [sample((1, 2, 3, 4, 5), output_size=(2, 3, 1)), sample((1, 1, 2, 4, 2), output_size=2)]),
        )
    ),
    Row(
        "adaptive_max_pool2d/indices",
        lambda x, output_size: F.adaptive_max_pool2d(x, output_size, True)[1],
        lambda x, output_size: np.stack(
            [
                np.stack(
                    [
                        [np.flatnonzero(image == value)[0] for value in row]
                        for row in adaptive_max_by_hand(2)(image, output_size)
                    ]
                )
                for image in x
            ]
        ),
        lambda torch, x, output_size: torch.nn.functional.adaptive_max_pool2d(x, output_size, True)[1],
        [sample((2, 5, 4), output_size=(2, 3)), sample((2, 4, 4), output_size=2)],
        domains=(apart,),
        result=np.int64,
        differentiable=False,
        float16=False,
        special=False,
    ),
    *(
        Row(
            f"fractional_max_pool{rank}d",
            getattr(F, f"fractional_max_pool{rank}d"),
            fractional_by_hand(rank),
            fractional(rank),
            samples,
            domains=(apart,),
            float16=False,
            integers="float",
            errors=FRACTIONAL if rank == 2 else [],
        )
        for rank, samples in (
            (
                2,
                [
                    sample((2, 2, 7, 6), kernel_size=2, output_size=(3, 4), _random_samples=random_samples(2, 2, 2)),
                    sample(
                        (1, 3, 6, 7),
                        kernel_size=(3, 2),
                        output_ratio=(0.5, 0.5),
                        _random_samples=random_samples(1, 3, 2),
                    ),
                    sample((2, 6, 5), kernel_size=2, output_size=1, _random_samples=random_samples(1, 2, 2)),
                    sample((0, 2, 6, 5), kernel_size=2, output_size=2, _random_samples=random_samples(0, 2, 2)),
                ],
            ),
            (
                3,
                [
                    sample(
                        (1, 2, 4, 5, 6), kernel_size=2, output_ratio=(0.5,) * 3, _random_samples=random_samples(1, 2, 3)
                    ),
                    sample(
                        (2, 3, 4, 6),
                        kernel_size=(1, 2, 3),
                        output_size=(2, 1, 3),
                        _random_samples=random_samples(1, 2, 3),
                    ),
                ],
            ),
        )
    ),
    Row(
        "fractional_max_pool2d/indices",
        lambda x, **params: F.fractional_max_pool2d(x, **params, return_indices=True)[1],
        lambda x, **params: np.vectorize({v: k for k, v in zip(numbers_of(x, 2).flat, x.flat, strict=True)}.get)(
            fractional_by_hand(2)(x, **params)
        ),
        lambda torch, x, **params: fractional(2)(torch, x, **params, return_indices=True)[1],
        [sample((2, 2, 7, 6), kernel_size=3, output_size=(3, 4), _random_samples=random_samples(2, 2, 2))],
        domains=(apart,),
        result=np.int64,
        differentiable=False,
        float16=False,
        special=False,
    ),
    *(
        Row(
            f"max_unpool{rank}d",
            getattr(F, f"max_unpool{rank}d"),
            unpool_by_hand(rank, size),
            f"nn.functional.max_unpool{rank}d",
            [sample(indices.shape, indices, **params)],
            float16=False,
            errors=UNPOOL if rank == 2 else [],
        )
        for rank, size, indices, params in (
            (1, (5,), np.array([[[1, 4], [0, 2]]]), {"kernel_size": 2, "stride": 2, "output_size": (5,)}),
            (2, (4, 6), np.array([[[1, 9, 5], [12, 20, 23]]]), {"kernel_size": 2}),
            (3, (2, 2, 4), np.array([[[[[3, 14]]]]]), {"kernel_size": 2}),
        )
    ),
    *(
        Row(
            f"lp_pool{rank}d",
            getattr(F, f"lp_pool{rank}d"),
            power_by_hand(rank),
            f"nn.functional.lp_pool{rank}d",
            samples,
            domains=(between(0.5, 2.0),),
            float16=False,
            special=False,
            errors=[bad(lambda: F.lp_pool2d(Y, 0, 2), tg.ArgumentError, "norm_type must not be 0")]
            if rank == 2
            else [],
        )
        for rank, samples in (
            (
                1,
                [sample((1, 2, 5), norm_type=2.0, kernel_size=2), sample((2, 5), norm_type=3, kernel_size=3, stride=1)],
            ),
            (2, [sample((1, 1, 5, 4), norm_type=2.0, kernel_size=2, ceil_mode=True)]),
            (3, [sample((1, 1, 2, 3, 4), norm_type=1.5, kernel_size=2, stride=1)]),
        )
    ),
]
