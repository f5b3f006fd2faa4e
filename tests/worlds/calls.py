"""Events that call the function of a world. Each returns what was seen."""

import threading
from typing import Any

import numpy as np

import tensorgrad as tg
from worlds.changes import parameter_changed_by_an_op
from worlds.choices import CLASSES, chance, floats, pick
from worlds.sight import flat, said, seen
from worlds.world import World


def called(w: World, rng: np.random.Generator, x: Any, y: Any) -> list[Any]:
    """One call, and what a caller does with its results."""
    if isinstance(x, np.ndarray) and (w.wants_input or chance(rng, 0.3)):
        x = tg.tensor(x, requires_grad=w.wants_input)
    upstreams, way = np.random.default_rng(rng.integers(1 << 30)), pick(rng, ["together", "each", "last", "none"])
    more = {"scalar": w.scalar} if w.kind == "scalar_argument" else {}
    with w.entered(), tg.no_grad() if w.no_grad else tg.enable_grad():
        try:
            result = w.call(x, y, **more)
            tensors = list(flat(result))
            found = [seen(result)]
            if chance(rng, 0.1):
                parameter_changed_by_an_op(w, rng)
            differentiate([t for t in tensors if t.requires_grad], upstreams, way)
        except Exception as error:
            return [said(error)]
        found += [seen([t.grad for t in (x, y) if isinstance(t, tg.Tensor)])]
        if chance(rng, 0.3):
            w.kept = tensors[:2]
    return found


def differentiate(tensors: list[tg.Tensor], rng: np.random.Generator, way: str) -> None:
    seeds = [tg.tensor(floats(rng, t.shape)).astype(t.dtype) for t in tensors]
    if way == "together" and tensors:
        total = (tensors[0] * seeds[0]).sum()
        for tensor, seed in zip(tensors[1:], seeds[1:], strict=True):
            total = total + (tensor * seed).sum()
        total.backward()
    elif way != "none":
        first = len(tensors) - 1 if way == "last" else 0
        for k in range(max(first, 0), len(tensors)):
            tensors[k].backward(seeds[k], retain_graph=k + 1 < len(tensors))


def calls(w: World, rng: np.random.Generator) -> list[Any]:
    return [called(w, rng, *w.batch(rng)) for _ in range(rng.integers(1, 4))]


def many_calls(w: World, rng: np.random.Generator) -> list[Any]:
    return [called(w, rng, *w.batch(rng)) for _ in range(6)]


def bad_label(w: World, rng: np.random.Generator) -> list[Any]:
    x, y = w.batch(rng)
    if isinstance(y, np.ndarray) and y.dtype.kind != "f":
        bad = np.array([CLASSES, 99, -1, -7]).astype(y.dtype)
        y[-1:] = pick(rng, bad)
    elif isinstance(y, np.ndarray):
        y.reshape(-1)[:1] = pick(rng, [-0.5, 1.5, np.nan])
    return [called(w, rng, x, y), called(w, rng, *w.batch(rng))]


def bad_shape(w: World, rng: np.random.Generator) -> list[Any]:
    x, y = w.batch(rng)
    return [called(w, rng, pick(rng, [x[..., 1:], x[None], x.reshape(-1)]), y), called(w, rng, *w.batch(rng))]


def odd_numbers(w: World, rng: np.random.Generator) -> list[Any]:
    w.fill = pick(rng, [np.nan, np.inf, -np.inf, 1e30])
    found = [called(w, rng, *w.batch(rng)) for _ in range(rng.integers(1, 3))]
    w.fill = None
    return [*found, called(w, rng, *w.batch(rng))]


def other_layout(w: World, rng: np.random.Generator) -> list[Any]:
    x, y = w.batch(rng)
    turned = pick(rng, [np.asfortranarray(x), x[::-1], np.repeat(x, 2, axis=0)[::2], x.astype(">f4")])
    locked = x.copy()
    locked.flags.writeable = False
    return [called(w, rng, turned, y), called(w, rng, locked, y)]


def one_array_again(w: World, rng: np.random.Generator) -> list[Any]:
    """A loader that writes each batch into the same memory."""
    x, y = w.batch(rng)
    found = []
    for _ in range(3):
        x[...] = floats(rng, x.shape)
        found.append(called(w, rng, x, y))
    return found


def in_a_thread(w: World, rng: np.random.Generator) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.extend(calls(w, rng)))]
    for thread in threads:
        thread.start()
        thread.join()
    return found


def results_are_overwritten(w: World, rng: np.random.Generator) -> list[Any]:
    """They belong to the caller; what is a leaf or the input itself is left alone."""
    x, y = w.batch(rng)
    with w.entered(), tg.no_grad():
        try:
            tensors = list(flat(w.call(x, y)))
        except Exception as error:
            return [said(error)]
    mine = [t._data for t in (*w.net.parameters(), *w.net.buffers(), *w.target.parameters())]
    for tensor in tensors:
        if tensor.data.flags.writeable and not any(np.may_share_memory(tensor._data, m) for m in (x, *mine)):
            tensor.data[...] = 7
    return [called(w, rng, *w.batch(rng)), called(w, rng, *w.batch(rng))]


CALLS = [
    calls, many_calls, many_calls, bad_label, bad_label, bad_shape, odd_numbers, other_layout, one_array_again,
    in_a_thread, results_are_overwritten,
]  # fmt: skip
