"""Rows of padding, interpolation, patches, shuffles and grids: tensorgrad/ops/images/."""

import itertools
import math

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.table import Row, bad, between, normal, sample


def pad_by_hand(x, pad, mode="constant", value=None):
    """What is cut off first, then NumPy's padding."""
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    if mode in ("constant", "circular"):
        x = x[tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(x.shape, pairs, strict=True))]
        pairs = [(max(0, a), max(0, b)) for a, b in pairs]
    more = {"constant_values": value or 0} if mode == "constant" else {}
    name = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    z = np.pad(x, [(max(0, a), max(0, b)) for a, b in pairs], name, **more)
    return z[tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(z.shape, pairs, strict=True))]


def hat(distance):
    return max(0.0, 1 - abs(distance))


def keys(distance, a=-0.75):
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def resized(n, m, mode, align_corners, ratio, antialias):
    """The matrix (m, n) of interpolation along one axis."""
    matrix = np.zeros((m, n))
    for i in range(m):
        if mode == "nearest":
            matrix[i, min(n - 1, math.floor(i * ratio))] = 1
        elif mode == "nearest-exact":
            matrix[i, min(n - 1, math.floor((i + 0.5) * ratio))] = 1
        elif mode == "area":
            window = range(i * n // m, -(-(i + 1) * n // m))
            matrix[i, window.start : window.stop] = 1 / len(window)
        elif antialias:
            wide = max(1.0, ratio)
            filtered = hat if mode == "bilinear" else lambda d: keys(d, -0.5)
            row = np.array([filtered((j + 0.5 - (i + 0.5) * ratio) / wide) for j in range(n)])
            matrix[i] = row / row.sum()
        else:
            place = (i * (n - 1) / max(1, m - 1) if m > 1 else 0.0) if align_corners else (i + 0.5) * ratio - 0.5
            weigh = keys if mode == "bicubic" else hat
            for j in range(math.floor(place) - 1, math.floor(place) + 3):
                matrix[i, min(max(j, 0), n - 1)] += weigh(place - j)
    return matrix


def interpolate_by_hand(
    x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False
):
    rank = x.ndim - 2
    scales = np.broadcast_to(1.0 if scale_factor is None else scale_factor, rank)
    for axis in range(rank):
        n = x.shape[axis + 2]
        m = int(np.broadcast_to(size, rank)[axis]) if size is not None else int(n * scales[axis])
        kept = scale_factor is not None and not recompute_scale_factor
        matrix = resized(n, m, mode, align_corners, 1 / scales[axis] if kept else n / m, antialias)
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis + 2)), 0, axis + 2)
    return x


def patches_at(size, kernel_size, dilation, padding, stride):
    """Per window, per tap: the pixel, or None in the padding."""
    k, d, p, s = (np.broadcast_to(v, 2).tolist() for v in (kernel_size, dilation, padding, stride))
    counts = [(n + 2 * p[a] - d[a] * (k[a] - 1) - 1) // s[a] + 1 for a, n in enumerate(size)]
    for at in np.ndindex(*counts):
        pixels = []
        for tap in np.ndindex(*k):
            pixel = tuple(at[a] * s[a] + tap[a] * d[a] - p[a] for a in range(2))
            pixels.append(pixel if all(0 <= h < n for h, n in zip(pixel, size, strict=True)) else None)
        yield pixels


def unfold_by_hand(x, kernel_size, dilation=1, padding=0, stride=1):
    if x.ndim == 3:
        return unfold_by_hand(x[None], kernel_size, dilation, padding, stride)[0]
    columns = [
        np.stack([np.zeros(x.shape[:2], x.dtype) if at is None else x[(..., *at)] for at in pixels], 2)
        for pixels in patches_at(x.shape[2:], kernel_size, dilation, padding, stride)
    ]
    # L of (N, C, taps) -> (N, C · taps, L)
    return np.stack(columns, -1).reshape(len(x), -1 if x.size else x.shape[1] * columns[0].shape[2], len(columns))


def fold_by_hand(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    if x.ndim == 2:
        return fold_by_hand(x[None], output_size, kernel_size, dilation, padding, stride)[0]
    size = tuple(np.broadcast_to(output_size, 2).tolist())
    windows = list(patches_at(size, kernel_size, dilation, padding, stride))
    z = np.zeros((len(x), x.shape[1] // len(windows[0]), *size), x.dtype)
    patches = x.reshape(*z.shape[:2], len(windows[0]), len(windows))
    for k, pixels in enumerate(windows):
        for tap, at in enumerate(pixels):
            if at is not None:
                z[(..., *at)] += patches[:, :, tap, k]
    return z


def shuffle_by_hand(x, upscale_factor):
    r = upscale_factor
    *lead, c, h, w = x.shape
    z = np.empty((*lead, c // (r * r), h * r, w * r), x.dtype)
    for i, j in itertools.product(range(r), range(r)):
        z[..., i::r, j::r] = x[..., i * r + j :: r * r, :, :]
    return z


def unshuffle_by_hand(x, downscale_factor):
    r = downscale_factor
    *lead, c, h, w = x.shape
    z = np.empty((*lead, c * r * r, h // r, w // r), x.dtype)
    for i, j in itertools.product(range(r), range(r)):
        z[..., i * r + j :: r * r, :, :] = x[..., i::r, j::r]
    return z


def channels_by_hand(x, groups):
    each = x.shape[1] // groups
    return np.stack([x[:, g * each + c] for c in range(each) for g in range(groups)], 1)


def brought_inside(place, n, padding_mode, align_corners):
    if padding_mode == "reflection":
        low, high = (0.0, n - 1.0) if align_corners else (-0.5, n - 0.5)
        while high > low and not low <= place <= high:
            place = 2 * low - place if place < low else 2 * high - place
    return place if padding_mode == "zeros" else min(max(place, 0.0), n - 1.0)


def grid_by_hand(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    """One place after the other, one pixel around it after the other."""
    sizes = x.shape[2:]
    z = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for n, *at in np.ndindex(grid.shape[:-1]):
        places = []
        for g, size in zip(grid[(n, *at)][::-1], sizes, strict=True):
            place = (g + 1) / 2 * (size - 1) if align_corners else ((g + 1) * size - 1) / 2
            places.append(place if mode == "bicubic" else brought_inside(place, size, padding_mode, align_corners))
        reach, weigh = {"nearest": ((0,), None), "bilinear": ((0, 1), hat), "bicubic": ((-1, 0, 1, 2), keys)}[mode]
        for steps in itertools.product(reach, repeat=len(sizes)):
            weight, pixel = 1.0, []
            for step, place, size in zip(steps, places, sizes, strict=True):
                at_ = (round(place) if mode == "nearest" else math.floor(place)) + step
                weight *= 1.0 if weigh is None else weigh(place - at_)
                pixel.append(at_ if mode != "bicubic" else brought_inside(at_, size, padding_mode, align_corners))
            if all(0 <= p < size for p, size in zip(pixel, sizes, strict=True)):
                z[(n, slice(None), *at)] += weight * x[(n, slice(None), *[int(p) for p in pixel])]
    return z


def affine_by_hand(theta, size, align_corners=False):
    z = np.zeros((size[0], *size[2:], len(size) - 2))
    for n, *at in np.ndindex(z.shape[:-1]):
        places = [0.0 if m == 1 else 2 * i / (m - 1) - 1 for i, m in zip(at, size[2:], strict=True)]
        if not align_corners:
            places = [place * (m - 1) / m for place, m in zip(places, size[2:], strict=True)]
        z[(n, *at)] = theta[n] @ np.array([*places[::-1], 1.0])
    return z


X = tg.zeros(1, 2, 4, 4)
GRID = tg.zeros(1, 3, 3, 2)

GRIDS = [
    sample((1, 1, 3, 4), (1, 2, 2, 2), align_corners=False),
    sample((2, 2, 4, 3), (2, 3, 2, 2), align_corners=True),
    sample((1, 2, 3, 3), (1, 2, 3, 2), padding_mode="border", align_corners=False),
    sample((1, 1, 3, 4), (1, 3, 3, 2), padding_mode="reflection", align_corners=False),
    sample((1, 1, 3, 4), (1, 3, 3, 2), padding_mode="reflection", align_corners=True),
    sample((1, 2, 3, 4), (1, 2, 2, 2), mode="bicubic", align_corners=False),
    sample((1, 1, 4, 4), (1, 2, 3, 2), mode="bicubic", padding_mode="border", align_corners=True),
    sample((1, 1, 4, 3), (1, 2, 3, 2), mode="bicubic", padding_mode="reflection", align_corners=False),
    sample((1, 2, 3, 4), (1, 2, 2, 2), mode="nearest", align_corners=False),
    sample((1, 1, 2, 3, 3), (1, 2, 1, 2, 3), align_corners=False),
    sample((1, 1, 2, 3, 3), (1, 1, 2, 2, 3), padding_mode="reflection", align_corners=True),
    sample((0, 1, 3, 3), (0, 2, 2, 2), align_corners=False),
]

ROWS = [
    Row(
        "pad",
        F.pad,
        pad_by_hand,
        "nn.functional.pad",
        [
            sample((3,), pad=(1, 2)),
            sample((2, 3), pad=(1, 0, 2, 1), value=1.5),
            sample((2, 3, 4), pad=(-1, 2)),
            sample((4, 3), pad=(0, -3, -1, 2), value=-1.0),
            sample((0, 3), pad=(1, 1)),
            sample((2, 3), pad=()),
            sample((2, 4), pad=(3, 2), mode="reflect"),
            sample((1, 2, 4, 3), pad=(1, 2, 3, 0), mode="reflect"),
            sample((2, 1, 2, 3, 3), pad=(2, 1, 0, 2, 1, 1), mode="reflect"),
            sample((2, 1, 3), pad=(4, 5), mode="replicate"),
            sample((2, 3, 2), pad=(1, 2, 2, 0), mode="replicate"),
            sample((1, 2, 3, 4), pad=(-1, 3, 2, -1), mode="replicate"),
            sample((1, 2, 3), pad=(3, 2), mode="circular"),
            sample((1, 2, 3, 3), pad=(1, 2, 0, 3), mode="circular"),
            sample((1, 1, 2, 2, 3), pad=(1, 2, 2, 1, 0, 1), mode="circular"),
            sample((0, 2, 3), pad=(1, 1), mode="reflect"),
        ],
        integers="same",
        errors=[
            bad(lambda: F.pad(X, (1,)), tg.ArgumentError, "pad", "even number of widths", "got 1"),
            bad(lambda: F.pad(X, (1, 1) * 5), tg.ShapeError, "pad", "got 10 for 4 axes"),
            bad(lambda: F.pad(X, (1.0, 1)), tg.DTypeError, "pad", "tuple of ints"),
            bad(lambda: F.pad(X, 1), tg.DTypeError, "pad", "tuple of ints"),
            bad(lambda: F.pad(X, (-3, -2)), tg.ShapeError, "pad", "more is cut off than there is"),
            bad(lambda: F.pad(X, (1, 1), mode="edge"), tg.ArgumentError, "pad", "mode must be one of", "'edge'"),
            bad(lambda: F.pad(X, (1, 1, 1, 1), "reflect", 2.0), tg.ArgumentError, "takes no value"),
            bad(lambda: F.pad(X, (4, 0, 0, 0), "reflect"), tg.ShapeError, "an axis of 4 elements", "(4, 0)"),
            bad(lambda: F.pad(X, (5, 0, 0, 0), "circular"), tg.ShapeError, "an axis of 4 elements", "(5, 0)"),
            bad(lambda: F.pad(X[..., :0], (1, 0, 0, 0), "replicate"), tg.ShapeError, "an axis of 0 elements"),
            bad(lambda: F.pad(X, (1, 1), "reflect"), tg.ShapeError, "4 widths"),
        ],
    ),
    Row(
        "interpolate",
        F.interpolate,
        interpolate_by_hand,
        "nn.functional.interpolate",
        [
            sample((1, 2, 3), size=5),
            sample((2, 1, 4, 3), scale_factor=2),
            sample((1, 1, 2, 3, 2), size=(3, 2, 4)),
            sample((1, 2, 5), size=3, mode="nearest-exact"),
            sample((1, 1, 3, 4), scale_factor=(1.7, 0.6), mode="nearest-exact"),
            sample((1, 2, 3), size=7, mode="linear"),
            sample((1, 1, 5), size=3, mode="linear", align_corners=True),
            sample((1, 2, 3, 4), size=(5, 2), mode="bilinear"),
            sample((2, 1, 3, 2), scale_factor=2, mode="bilinear", align_corners=True),
            sample((1, 1, 3, 4), scale_factor=(2.3, 1.4), mode="bilinear"),
            sample((1, 1, 3, 4), scale_factor=(2.3, 1.4), mode="bilinear", recompute_scale_factor=True),
            sample((1, 1, 4, 5), size=(7, 3), mode="bicubic"),
            sample((1, 2, 3, 3), size=(2, 5), mode="bicubic", align_corners=True),
            sample((1, 1, 7, 6), size=(3, 8), mode="bilinear", antialias=True),
            sample((1, 1, 9, 7), size=(3, 4), mode="bicubic", antialias=True),
            sample((1, 1, 2, 3, 2), size=(3, 5, 1), mode="trilinear"),
            sample((1, 1, 2, 2, 3), scale_factor=2, mode="trilinear", align_corners=True),
            sample((1, 2, 5, 4), size=(2, 3), mode="area"),
            sample((0, 2, 3, 3), size=5, mode="bilinear"),
        ],
        special=False,
        errors=[
            bad(lambda: F.interpolate(X), tg.ArgumentError, "either size or scale_factor"),
            bad(lambda: F.interpolate(X, 2, 2), tg.ArgumentError, "either size or scale_factor"),
            bad(lambda: F.interpolate(X, (2, 2, 2)), tg.ArgumentError, "size has 3 entries"),
            bad(lambda: F.interpolate(X, 0), tg.ShapeError, "at least one pixel"),
            bad(lambda: F.interpolate(X, scale_factor=(2.0,)), tg.ArgumentError, "one number or 2, got 1"),
            bad(lambda: F.interpolate(X, scale_factor=0.0), tg.ArgumentError, "positive number"),
            bad(lambda: F.interpolate(X, 2, mode="cubic"), tg.ArgumentError, "mode must be one of", "'cubic'"),
            bad(lambda: F.interpolate(X, 2, mode="linear"), tg.ShapeError, "3 axes, got 4", "use mode='bilinear'"),
            bad(lambda: F.interpolate(X, 2, align_corners=True), tg.ArgumentError, "align_corners", "'nearest'"),
            bad(lambda: F.interpolate(X, 2, antialias=True), tg.ArgumentError, "antialias", "'nearest'"),
            bad(lambda: F.interpolate(X, 2, recompute_scale_factor=True), tg.ArgumentError, "with scale_factor"),
            bad(lambda: F.interpolate(X[0, 0], 2), tg.ShapeError, "got 2"),
        ],
    ),
    Row(
        "upsample_bilinear",
        F.upsample_bilinear,
        lambda x, scale_factor: interpolate_by_hand(x, None, scale_factor, "bilinear", True),
        lambda torch, x, scale_factor: torch.nn.functional.interpolate(
            x, scale_factor=scale_factor, mode="bilinear", align_corners=True
        ),
        [sample((1, 2, 2, 3), scale_factor=2)],
        special=False,
    ),
    Row(
        "unfold",
        F.unfold,
        unfold_by_hand,
        "nn.functional.unfold",
        [
            sample((1, 1, 3, 4), kernel_size=2),
            sample((2, 2, 4, 5), kernel_size=(2, 3), padding=(1, 0), stride=(2, 1)),
            sample((1, 1, 6, 5), kernel_size=(3, 2), dilation=(2, 3), padding=2, stride=3),
            sample((2, 3, 3), kernel_size=2),
            sample((0, 1, 3, 3), kernel_size=2),
        ],
        integers="same",
        errors=[
            bad(lambda: F.unfold(X, 9), tg.ShapeError, "unfold", "doesn't fit"),
            bad(lambda: F.unfold(X, 0), tg.ArgumentError, "unfold", "kernel_size"),
            bad(lambda: F.unfold(X[0, 0], 2), tg.ShapeError, "unfold", "number of axes"),
        ],
    ),
    Row(
        "fold",
        F.fold,
        fold_by_hand,
        "nn.functional.fold",
        [
            sample((1, 4, 6), output_size=(3, 4), kernel_size=2),
            sample((2, 12, 9), output_size=(4, 5), kernel_size=(2, 3), padding=(1, 0), stride=(2, 1)),
            sample((1, 6, 4), output_size=(6, 5), kernel_size=(3, 2), dilation=(2, 3), padding=2, stride=3),
            sample((8, 4), output_size=3, kernel_size=2),
        ],
        errors=[
            bad(lambda: F.fold(tg.zeros(1, 5, 9), 4, 2), tg.ShapeError, "fold", "(N, C · 4, 9)"),
            bad(lambda: F.fold(tg.zeros(1, 4, 8), 4, 2), tg.ShapeError, "fold", "(N, C · 4, 9)"),
            bad(lambda: F.fold(tg.zeros(4), 4, 2), tg.ShapeError, "fold", "(N, C · 4, 9)"),
            bad(lambda: F.fold(tg.zeros(1, 4, 9), 4, 9), tg.ShapeError, "fold", "doesn't fit"),
        ],
    ),
    Row(
        "pixel_shuffle",
        tg.pixel_shuffle,
        shuffle_by_hand,
        "nn.functional.pixel_shuffle",
        [
            sample((1, 8, 2, 3), upscale_factor=2),
            sample((9, 1, 2), upscale_factor=3),
            sample((2, 0, 4, 1, 1), upscale_factor=1),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.pixel_shuffle(X, 2), tg.ShapeError, "multiple of upscale_factor², 4"),
            bad(lambda: tg.pixel_shuffle(X[0, 0], 1), tg.ShapeError, "(..., C, H, W)"),
            bad(lambda: tg.pixel_shuffle(X, 0), tg.ArgumentError, "upscale_factor"),
        ],
    ),
    Row(
        "pixel_unshuffle",
        tg.pixel_unshuffle,
        unshuffle_by_hand,
        "nn.functional.pixel_unshuffle",
        [sample((1, 2, 4, 6), downscale_factor=2), sample((1, 3, 6), downscale_factor=3)],
        integers="same",
        errors=[
            bad(lambda: tg.pixel_unshuffle(X, 3), tg.ShapeError, "multiples of downscale_factor, 3"),
            bad(lambda: tg.pixel_unshuffle(X, 2.0), tg.DTypeError, "downscale_factor"),
        ],
    ),
    Row(
        "channel_shuffle",
        tg.channel_shuffle,
        channels_by_hand,
        "nn.functional.channel_shuffle",
        [sample((1, 6, 2, 2), groups=3), sample((2, 4, 3), groups=2), sample((1, 3, 1, 2, 1), groups=1)],
        integers="same",
        errors=[
            bad(lambda: tg.channel_shuffle(X, 3), tg.ShapeError, "multiple of groups, 3"),
            bad(lambda: tg.channel_shuffle(X, 0), tg.ArgumentError, "groups"),
        ],
    ),
    Row(
        "grid_sample",
        F.grid_sample,
        grid_by_hand,
        "nn.functional.grid_sample",
        [one._replace(smooth=False) for one in GRIDS],
        domains=(normal, between(-1.6, 1.6)),
        float16=False,
        special=False,
        errors=[
            bad(lambda: F.grid_sample(X, GRID, "linear"), tg.ArgumentError, "grid_sample", "mode must be one of"),
            bad(lambda: F.grid_sample(X, GRID, "nearest", "edge"), tg.ArgumentError, "grid_sample", "padding_mode"),
            bad(lambda: F.grid_sample(X, GRID[..., :1]), tg.ShapeError, "grid_sample", "(N, OH, OW, 2)"),
            bad(lambda: F.grid_sample(X[0], GRID), tg.ShapeError, "grid_sample", "(N, C, H, W)"),
            bad(lambda: F.grid_sample(X, GRID.astype("float64")), tg.DTypeError, "grid_sample", "same dtype"),
            bad(lambda: F.grid_sample(X[..., :0], GRID), tg.ShapeError, "grid_sample", "at least one pixel"),
        ],
    ),
    Row(
        "grid_sample/derivatives",
        F.grid_sample,
        grid_by_hand,
        None,  # PyTorch has no second derivatives of it
        [one for one in GRIDS if one.params.get("mode") != "nearest"],
        domains=(normal, between(-1.6, 1.6)),
        float16=False,
        special=False,
    ),
    Row(
        "affine_grid",
        F.affine_grid,
        affine_by_hand,
        "nn.functional.affine_grid",
        [
            sample((1, 2, 3), size=(1, 1, 2, 3), align_corners=False),
            sample((2, 2, 3), size=(2, 3, 3, 1), align_corners=True),
            sample((1, 3, 4), size=(1, 1, 2, 1, 3), align_corners=False),
        ],
        errors=[
            bad(lambda: F.affine_grid(tg.zeros(1, 2, 3), (2, 1, 3, 3)), tg.ShapeError, "theta (N, 2, 3)"),
            bad(lambda: F.affine_grid(tg.zeros(1, 2, 3), (1, 1, 0, 3)), tg.ArgumentError, "affine_grid", "size"),
        ],
    ),
]
