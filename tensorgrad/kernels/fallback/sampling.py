"""Pixels read and written at places, whole and between pixels, in plain NumPy."""

from collections.abc import Sequence

import numpy as np


def resample(x: np.ndarray, tables: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The last axes of x read by the tables of taps, one axis after the other: see `separable.resample`.

    Of dtypes without fractions too, where each element has one tap of weight 1.
    """
    for axis, (index, weight) in zip(range(-len(tables), 0), tables, strict=True):
        shape = (-1, *[1] * (-axis - 1))
        padded = np.concatenate([x, np.zeros_like(np.take(x, [0], axis))], axis) if x.shape[axis] else x
        parts = [np.take(padded, at, axis) for at in index.astype(np.intp)]
        if x.dtype.kind == "f":
            parts = [by.astype(x.dtype).reshape(shape) * part for by, part in zip(weight, parts, strict=True)]
        x = sum(parts[1:], parts[0])
    return x


def select(mode: int, pixels: np.ndarray, entries: np.ndarray, places: np.ndarray) -> None:
    """Read (mode 0), add (1) or write (2) the pixels at the places, per row, in place: see `selection`."""
    rows = np.arange(len(pixels))[:, None]
    if mode == 0:
        entries[...] = pixels[rows, places]
        return
    pixels[...] = 0
    if mode == 1:
        np.add.at(pixels, (rows, places), entries)
    else:
        pixels[rows, places] = entries


def window_max_indices(x: np.ndarray, bounds: Sequence[np.ndarray]) -> np.ndarray:
    """The place of the first maximum or NaN of each window of volumes (P, D, H, W): see `adaptive.max_indices`."""
    own = max(map(len, bounds))
    if own > 1:  # each plane has windows of its own
        bounds = [np.broadcast_to(axis, (own, *axis.shape[1:])) for axis in bounds]
        return np.concatenate(
            [window_max_indices(x[p : p + 1], [axis[p : p + 1] for axis in bounds]) for p in range(own)]
        )
    _, _, height, width = x.shape
    indices = np.empty((len(x), *[axis.shape[1] for axis in bounds]), np.int64)
    for at in np.ndindex(indices.shape[1:]):
        (d, d_end), (h, h_end), (w, w_end) = (axis[0, k] for axis, k in zip(bounds, at, strict=True))
        window = x[:, d:d_end, h:h_end, w:w_end]
        # NumPy's argmax takes the first NaN for the largest.
        found = np.unravel_index(window.reshape(len(x), -1).argmax(1) if len(x) else np.zeros(0, int), window.shape[1:])
        indices[(slice(None), *at)] = ((d + found[0]) * height + h + found[1]) * width + w + found[2]
    return indices


def add_rows(values: np.ndarray, rows: np.ndarray, x: np.ndarray | None, sums: np.ndarray) -> None:
    """Write x, or 0, and the values that come to each row, into `sums`: see `row_sums`."""
    sums[...] = 0 if x is None else x
    for plane, part in zip(sums, values, strict=True):
        np.add.at(plane, rows, part)


def pixels(
    places: Sequence[np.ndarray], offsets: np.ndarray, size: Sequence[int], padding: str, align_corners: bool
) -> np.ndarray:
    """The numbers of pixels in a channel, −1 for none: see `weighted.pixels`."""
    number, inside = np.zeros((), np.int64), np.ones((), bool)
    for x, n, offset in zip(places, size, offsets.T, strict=True):
        # (N, Q) and (T,) -> (N, Q, T)
        place = _moved_inside(x[..., None] + offset, n, padding, align_corners)
        within = (place >= 0) & (place < n)  # NaN is nowhere
        number, inside = number * n + np.where(within, place, 0).astype(np.int64), inside & within
    return np.where(inside, number, -1)


def _moved_inside(place: np.ndarray, n: int, padding: str, align_corners: bool) -> np.ndarray:
    if padding == "reflection":
        low, high = (0, n - 1) if align_corners else (-0.5, n - 0.5)
        if high == low:
            return np.zeros_like(place)
        distance = np.abs(place - low)
        extra, turns = distance % (high - low), distance // (high - low)
        place = np.where(turns % 2 == 0, extra + low, high - extra)
    return place if padding == "zeros" else np.clip(place, 0, n - 1)


def sample(x: np.ndarray, w: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Σ_t w[n, q, t] · x[n, c, k[n, q, t]], k = −1 being nothing: see `weighted.sample`."""
    padded = np.concatenate([x, np.zeros_like(x[..., :1])], 2)
    # (N, C, P + 1) -> (N, C, Q, T) -> (N, C, Q)
    at = np.arange(len(x))[:, None, None, None], np.arange(x.shape[1])[:, None, None], k[:, None]
    return (padded[at] * w[:, None]).sum(-1)


def sample_adjoint(g: np.ndarray, w: np.ndarray, k: np.ndarray, pixels: int) -> np.ndarray:
    """Each g, times its weights, added to the pixels it was made of: see `weighted.adjoint`."""
    x = np.zeros((*g.shape[:2], pixels + 1), g.dtype)
    at = np.arange(len(g))[:, None, None, None], np.arange(g.shape[1])[:, None, None], k[:, None]
    np.add.at(x, at, g[..., None] * w[:, None])
    return np.ascontiguousarray(x[..., :pixels])


def sample_dots(x: np.ndarray, g: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Σ_c g[n, c, q] · x[n, c, k[n, q, t]]: see `weighted.dots`."""
    padded = np.concatenate([x, np.zeros_like(x[..., :1])], 2)
    at = np.arange(len(x))[:, None, None, None], np.arange(x.shape[1])[:, None, None], k[:, None]
    return (padded[at] * g[..., None]).sum(1)


def bilinear(x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The values of x (N, C, H, W) between pixels: see `bilinear.sample`."""
    k, (top, bottom), (left, right) = _around(v, u, x.shape[2:])
    w = np.stack([top * left, top * right, bottom * left, bottom * right], -1)
    return sample(x.reshape(*x.shape[:2], -1), w, k)


def bilinear_adjoint(g: np.ndarray, v: np.ndarray, u: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each g added to the pixels around its place: see `bilinear.adjoint`."""
    k, (top, bottom), (left, right) = _around(v.astype(np.float64), u.astype(np.float64), size)
    w = np.stack([top * left, top * right, bottom * left, bottom * right], -1)
    x = sample_adjoint(g.astype(np.float64), w, k, size[0] * size[1])
    return x.reshape(*g.shape[:2], *size).astype(g.dtype)


def bilinear_slopes(g: np.ndarray, x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The derivatives by the places, summed over the channels: see `bilinear.slopes`."""
    k, (top, bottom), (left, right) = _around(v, u, x.shape[2:])
    dots = sample_dots(x.reshape(*x.shape[:2], -1).astype(np.float64), g.astype(np.float64), k)
    a, b, c, d = np.moveaxis(dots, -1, 0)
    return np.stack([left * (c - a) + right * (d - b), top * (b - a) + bottom * (d - c)]).astype(x.dtype)


def _around(v: np.ndarray, u: np.ndarray, size: tuple[int, ...]) -> tuple:
    """The four pixels around each place, (N, Q, 4), -1 for none, and the weights of the two along each axis."""
    (height, width), inside = size, (v >= -1) & (v < size[0]) & (u >= -1) & (u < size[1])
    v, u = np.where(inside, v, 0), np.where(inside, u, 0)
    rows = np.floor(v).astype(np.int64)[..., None] + [0, 0, 1, 1]
    columns = np.floor(u).astype(np.int64)[..., None] + [0, 1, 0, 1]
    there = inside[..., None] & (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    down, across = v - np.floor(v), u - np.floor(u)
    return np.where(there, rows * width + columns, -1), (1 - down, down), (1 - across, across)
