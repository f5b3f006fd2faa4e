"""Layers with random options and inputs, beside PyTorch's from the same weights.

`python tests/generated_layers.py 500` compares that many of each kind.
"""

import re
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import tensorgrad as tg
from tensorgrad import nn


class Call(NamedTuple):
    """A layer in the names that both libraries know, and its inputs: shapes to fill, or arrays as they are."""

    text: str
    inputs: tuple[Any, ...]
    keywords: dict[str, Any] = {}
    twice: bool = True
    wide: bool = False
    """Compared in float64 alone."""


NEWER = re.compile(r"(?<=affine=True), bias=\w+|(?<=affine=False), bias=\w+")
"""What newer versions of PyTorch show of a norm."""

Kind = Callable[[np.random.Generator], Call]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    KINDS[function.__name__] = function
    return function


def drawn(rng: np.random.Generator, name: str, call: Call, dtype: str) -> list[np.ndarray]:
    return [x if isinstance(x, np.ndarray) else rng.standard_normal(x).astype(dtype) for x in call.inputs]


def flat(result: Any) -> Iterator[Any]:
    """The tensors of a result, which may be a nested tuple."""
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from flat(part)
    elif hasattr(result, "shape"):
        yield result
    elif hasattr(result, "data"):  # a packed sequence
        yield result.data


def close(ours: Any, theirs: Any, what: str, dtype: str, text: str) -> None:
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, (text, what, ours, theirs.shape, theirs.dtype)
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours.data, theirs, err_msg=f"{text}: {what}")
        return
    largest = np.abs(theirs).max(initial=1.0, where=np.isfinite(theirs))
    tolerance = {"float32": 4e-5, "float64": 1e-9}[dtype]
    np.testing.assert_allclose(ours.data, theirs, rtol=0, atol=tolerance * largest, err_msg=f"{text}: {what}")


def build(text: str, lib: Any, **names: Any) -> Any:
    return eval(f"lib.{text}", {"lib": lib, "tuple": tuple, **names})


def compare(call: Call, rng: np.random.Generator, dtype: str, torch: Any) -> None:
    """Outputs, gradients of inputs and parameters under random upstreams, buffers, second derivatives."""
    ours, theirs = build(call.text, nn).to(dtype), build(call.text, torch.nn).to(getattr(torch, dtype))
    assert repr(ours) == NEWER.sub("", repr(theirs))
    for p in ours.parameters():
        nn.init.normal_(p, std=0.5, generator=rng)
    state = {name: torch.tensor(t.numpy()) for name, t in ours.state_dict().items()}
    assert str(theirs.load_state_dict(state)) == "<All keys matched successfully>", call.text
    assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>", call.text
    for training in (True, False):
        ours.train(training), theirs.train(training)
        arrays = drawn(rng, call.text, call, dtype)
        step(call, arrays, ours, theirs, rng, dtype, torch)
    for (name, b), (name_, b_) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert name == name_
        close(b, b_, name, dtype, call.text)


def step(call: Call, arrays: list, ours: Any, theirs: Any, rng: np.random.Generator, dtype: str, torch: Any) -> None:
    def made(tensor: Any, x: Any) -> Any:
        if isinstance(x, tuple):
            return tuple(made(tensor, part) for part in x)
        if not isinstance(x, np.ndarray):
            return x
        return tensor(x.astype(dtype) if x.dtype.kind == "f" else x, requires_grad=x.dtype.kind == "f")

    xs, xs_ = (
        [tg.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays],
        [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays],
    )
    keywords, keywords_ = (
        {name: made(tensor, value) for name, value in call.keywords.items()} for tensor in (tg.tensor, torch.tensor)
    )
    zs, zs_ = list(flat(ours(*xs, **keywords))), list(flat(theirs(*xs_, **keywords_)))
    assert len(zs) == len(zs_)
    for k, (z, z_) in enumerate(zip(zs, zs_, strict=True)):
        close(z, z_, f"output {k}", dtype, call.text)
    pairs = [(z, z_) for z, z_ in zip(zs, zs_, strict=True) if z.requires_grad]
    assert [z.requires_grad for z in zs] == [z.requires_grad for z in zs_]
    upstream = [rng.standard_normal(z.shape).astype(dtype) for z, _ in pairs]
    ours_, theirs_ = ([x for x in xs if x.requires_grad], [x for x in xs_ if x.requires_grad])
    ours_ += [p for _, p in ours.named_parameters()]
    theirs_ += [p for _, p in theirs.named_parameters()]
    if not ours_ or not pairs:
        return
    total = sum([(z * tg.tensor(u)).sum() for (z, _), u in zip(pairs, upstream, strict=True)])
    total_ = sum([(z * torch.tensor(u)).sum() for (_, z), u in zip(pairs, upstream, strict=True)])
    plain = tg.grad(total, ours_, retain_graph=True, allow_unused=True)
    first = tg.grad(total, ours_, create_graph=call.twice, retain_graph=True, allow_unused=True)
    first_ = torch.autograd.grad(total_, theirs_, create_graph=call.twice, retain_graph=True, allow_unused=True)
    for k, (g, h, g_) in enumerate(zip(plain, first, first_, strict=True)):
        if g_ is None or g is None:
            assert g is None or not np.any(g.data), (call.text, k)
            assert g_ is None or not g_.detach().numpy().any(), (call.text, k)
            continue
        close(g, g_, f"gradient {k}", dtype, call.text)
        close(h, g_, f"recorded gradient {k}", dtype, call.text)
    if call.twice and dtype == "float64":
        again(call, ours_, theirs_, first, first_, rng, torch)


def again(call: Call, ours: list, theirs: list, first: Any, first_: Any, rng: np.random.Generator, torch: Any) -> None:
    picked = [k for k, g in enumerate(first_) if g is not None and g.requires_grad and first[k] is not None]
    if not picked:
        return
    weights = {k: rng.standard_normal(first[k].shape) for k in picked}
    total = sum([(first[k] * tg.tensor(weights[k])).sum() for k in picked])
    total_ = sum([(first_[k] * torch.tensor(weights[k])).sum() for k in picked])
    if not total.requires_grad:
        return
    second = tg.grad(total, ours, allow_unused=True)
    second_ = torch.autograd.grad(total_, theirs, allow_unused=True)
    for k, (s, s_) in enumerate(zip(second, second_, strict=True)):
        s_ = torch.zeros_like(theirs[k]) if s_ is None else s_
        close(tg.zeros_like(ours[k]) if s is None else s, s_, f"second derivative {k}", "float64", call.text)


def run(name: str, count: int, torch: Any) -> None:
    for number in range(count):
        rng = np.random.default_rng([zlib.crc32(name.encode()), number])
        call = KINDS[name](rng)
        try:
            compare(call, rng, "float64" if number % 3 or call.wide else "float32", torch)
        except Exception as error:
            error.add_note(f"{name} {number}: {call}")
            raise


# ---------------------------------------------------------------------------------------------------------------- kinds


def flag(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.5)


def number(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.round(rng.uniform(low, high), 2))


def sizes(rng: np.random.Generator, count: int, low: int = 1, high: int = 5) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(low, high, count))


@kind
def activations(rng):
    a, b = sorted([number(rng, -1.5, 0), number(rng, 0.1, 2)])
    choices = [
        "ReLU6()", "Hardswish()", "SELU()", "Mish()", "LogSigmoid()", "Softsign()", "Tanhshrink()",
        f"Hardtanh({a}, {b})", f"Threshold({b}, {a})", f"Hardshrink({b})", f"Softshrink({b})", "CELU(0.5)", "CELU(2.0)",
        "CELU(-1.0)", f"Softmin(dim={rng.integers(-2, 2)})", f"GLU({rng.integers(-2, 2)})", "PReLU()", "PReLU(4)",
        f"GELU(approximate={'none' if flag(rng) else 'tanh'!r})", "Softmin()",
    ]  # fmt: skip
    # Without Hardsigmoid: PyTorch rounds its 1/6 to float32.
    text = str(rng.choice(choices))
    shape = (*(2 * n for n in sizes(rng, 1)), 4, *sizes(rng, rng.integers(0, 2)))
    if text.startswith(("GLU", "Softmin(dim")):
        shape = shape[:2]
    return Call(text, (shape,))


@kind
def norms(rng):
    channels, eps = int(rng.integers(1, 4)) * 2, number(rng, 0.01, 0.2)
    rank = int(rng.integers(1, 4))
    space, n = sizes(rng, rank, 2), int(rng.integers(1, 4))
    options = (
        f"{channels}, eps={eps}, affine={flag(rng)}, track_running_stats={flag(rng)}, momentum={number(rng, 0, 1)}"
    )
    groups = int(rng.choice([k for k in range(1, channels + 1) if channels % k == 0]))
    shape = sizes(rng, int(rng.integers(1, 4)), 2)
    leading = sizes(rng, int(rng.integers(0, 3)))
    ours = [
        Call(f"BatchNorm{rank}d({options})", ((n + 1, channels, *space),)),
        Call(f"InstanceNorm{rank}d({options})", ((n, channels, *space) if flag(rng) else (channels, *space),)),
        Call(f"GroupNorm({groups}, {channels}, eps={eps}, affine={flag(rng)})", ((n, channels, *space),)),
        Call(f"LayerNorm({shape}, eps={eps}, elementwise_affine={flag(rng)}, bias={flag(rng)})", ((*leading, *shape),)),
        Call(f"RMSNorm({shape}, eps={eps}, elementwise_affine={flag(rng)})", ((*leading, *shape),)),
        Call(f"LocalResponseNorm({rng.integers(1, 6)}, alpha={eps}, k={eps + 1})", ((n, channels, *space),)),
    ]
    return ours[rng.integers(len(ours))]


@kind
def embeddings(rng):
    rows, columns = sizes(rng, 2, 2, 6)
    options = [f"{rows}, {columns}"]
    options += [f"padding_idx={rng.integers(-rows, rows)}"] if flag(rng) else []
    numbers = rng.integers(0, rows, sizes(rng, int(rng.integers(0, 4)), 0, 4))
    if flag(rng):
        options += ["scale_grad_by_freq=True"] if flag(rng) else []
        return Call(f"Embedding({', '.join(options)})", (numbers,))
    mode = str(rng.choice(["sum", "mean", "max"]))
    options += [f"mode={mode!r}"]  # without scale_grad_by_freq: PyTorch's gradients of a bag count other rows
    bags, length = sizes(rng, 2, 1, 5)
    weights = {"per_sample_weights": rng.standard_normal((bags, length))} if mode == "sum" and flag(rng) else {}
    if flag(rng):
        numbers = rng.integers(0, rows, (bags, length))
        return Call(f"EmbeddingBag({', '.join(options)})", (numbers,), weights, twice=False)
    offsets = np.sort(np.append(0, rng.integers(0, bags * length, bags - 1)))
    if flag(rng):
        options, offsets = [*options, "include_last_offset=True"], np.append(offsets, bags * length)
    numbers = rng.integers(0, rows, bags * length)
    weights = {name: value.reshape(-1) for name, value in weights.items()}
    return Call(f"EmbeddingBag({', '.join(options)})", (numbers, offsets), weights, twice=False)


@kind
def recurrent(rng):
    name = str(rng.choice(["RNN", "LSTM", "GRU"]))
    inner, outer, layers, length, n = (int(k) for k in rng.integers(1, 4, 5))
    both, first, single = flag(rng), flag(rng), flag(rng) and flag(rng)
    options = [f"{inner}, {outer + 1}, {layers}", f"bidirectional={both}, batch_first={first}, bias={flag(rng)}"]
    options += ["nonlinearity='relu'"] if name == "RNN" and flag(rng) else []
    projected = name == "LSTM" and flag(rng)
    options += [f"proj_size={outer}"] if projected else []
    shape = (length, inner) if single else (n, length, inner) if first else (length, n, inner)
    rows = layers * (2 if both else 1)
    states = [(rows, outer + (not projected)), (rows, outer + 1)] if name == "LSTM" else [(rows, outer + 1)]
    if not single:
        states = [(k, n, size) for k, size in states]
    arrays = [rng.standard_normal(state) for state in states]
    hx = {} if flag(rng) else {"hx": tuple(arrays) if name == "LSTM" else arrays[0]}
    return Call(f"{name}({', '.join(options)})", (shape,), hx)


@kind
def cells(rng):
    name = str(rng.choice(["RNNCell", "LSTMCell", "GRUCell"]))
    inner, outer, n = (int(k) for k in rng.integers(1, 5, 3))
    options = [f"{inner}, {outer}, bias={flag(rng)}"]
    options += ["nonlinearity='relu'"] if name == "RNNCell" and flag(rng) else []
    batch = (n,) if flag(rng) else ()
    arrays = [rng.standard_normal((*batch, outer)) for _ in range(2)]
    hx = {} if flag(rng) else {"hx": tuple(arrays) if name == "LSTMCell" else arrays[0]}
    return Call(f"{name}({', '.join(options)})", ((*batch, inner),), hx)


def mask(rng, shape):
    """Bools or floats, or None; each query sees its first key."""
    if flag(rng):
        return None
    hidden = rng.random(shape) < 0.4
    hidden[..., 0] = False
    return hidden if flag(rng) else np.where(hidden, -np.inf, rng.standard_normal(shape))


@kind
def attention(rng):
    heads, part, n, rows, columns = (int(k) for k in rng.integers(1, 4, 5))
    e, first, single = heads * part, flag(rng), flag(rng) and flag(rng)
    k, v = (e, e) if flag(rng) else (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    options = f"{e}, {heads}, bias={flag(rng)}, add_bias_kv={flag(rng)}, add_zero_attn={flag(rng)}, kdim={k}, vdim={v}"
    n = 1 if single else n
    inputs = [(rows, n, e), (columns, n, k), (columns, n, v)]
    inputs = [(a, c) if single else (b, a, c) if first else (a, b, c) for a, b, c in inputs]
    masks = {"attn_mask": mask(rng, (n * heads, rows, columns) if flag(rng) else (rows, columns))}
    masks["key_padding_mask"] = mask(rng, (columns,) if single else (n, columns))
    keywords = {name: value for name, value in masks.items() if value is not None}
    keywords |= {"need_weights": flag(rng), "average_attn_weights": flag(rng)}
    return Call(f"MultiheadAttention({options}, batch_first={first})", tuple(inputs), keywords, twice=False)


@kind
def transformers(rng):
    # Several norms of few values amplify the rounding of float32, PyTorch's more than ours.
    heads, part, n, rows = (int(k) for k in rng.integers(1, 4, 4))
    e, first = heads * part + 1, flag(rng)
    e = e + (-e) % heads
    activation = str(rng.choice(["relu", "gelu"]))
    options = f"{e}, {heads}, 5, 0.0, {activation!r}, batch_first={first}, norm_first={flag(rng)}, bias={flag(rng)}"
    shape = (n, rows, e) if first else (rows, n, e)
    if flag(rng):  # a decoder, with a memory of another length
        memory = (n, rows + 1, e) if first else (rows + 1, n, e)
        text = f"TransformerDecoderLayer({options})"
        text = f"TransformerDecoder(lib.{text}, 2, lib.LayerNorm({e}))" if flag(rng) else text
        keywords = {"tgt_mask": np.triu(np.ones((rows, rows), bool), 1)} if flag(rng) else {}
        return Call(text, (shape, memory), keywords, twice=False, wide=True)
    text = f"TransformerEncoderLayer({options})"
    keywords = {"src_key_padding_mask": rng.random((n, rows)) < 0.3} if flag(rng) else {}
    if keywords:
        keywords["src_key_padding_mask"][:, 0] = False
    if flag(rng):
        text = f"TransformerEncoder(lib.{text}, 2, lib.LayerNorm({e}), enable_nested_tensor=False)"
    return Call(text, (shape,), keywords, twice=False, wide=True)


@kind
def products(rng):
    x, y, out = sizes(rng, 3)
    batch = sizes(rng, int(rng.integers(1, 3)), 1, 4)
    if flag(rng):
        return Call(
            f"Unflatten({rng.integers(1, 2)}, (2, {rng.choice([x, -1])}, {y}))", ((*batch[:1], 2 * x * y, out),)
        )
    return Call(f"Bilinear({x}, {y}, {out}, bias={flag(rng)})", ((*batch, x), (*batch, y)))


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for each in sys.argv[2:] or KINDS:
        run(each, int(sys.argv[1]), torch)
        print(f"{each}: {sys.argv[1]} calls, 0 wrong")
