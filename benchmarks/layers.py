"""The layer language: networks as data, and what follows from the data alone: shapes, weights, arithmetic.

A layer is a tuple that begins with its kind. The options of a convolution are PyTorch's keywords, and may be left out.

    ("conv", C, K, size, options)                stride, padding, dilation, groups, bias
    ("transposed", C, K, size, options)          stride, padding, bias
    ("linear", C, K)  ("batchnorm", C)  ("dropout", p)  ("flatten",)
    ("relu",)  ("relu6",)  ("silu",)  ("sigmoid",)  ("tanh",)
    ("maxpool", size)  ("avgpool", size)
    ("average",)                                 the mean of each channel, as one pixel
    ("upsample", factor)                         each pixel, repeated along every axis
    ("sum", branch, …)  ("product", branch, …)  ("concat", branch, …)

A branch is a tuple of layers, all of which see the same input; the branch `()` returns it. `concat` joins channels.
The input's shape, (N, C, L) or (N, C, H, W), says along how many axes a layer works.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

Layer = tuple[Any, ...]
Shape = tuple[int, ...]

BRANCHING = ("sum", "product", "concat")
CONVOLVING = ("conv", "transposed")
WEIGHTED = (*CONVOLVING, "linear", "batchnorm")


def window(layer: Layer, axes: int) -> dict[str, Any]:
    """The options of a convolution, all of them: stride, padding and dilation per axis, groups."""
    options = layer[4] if len(layer) > 4 else {}
    defaults = {"stride": 1, "padding": 0, "dilation": 1}
    found = {name: per_axis(options.get(name, value), axes) for name, value in defaults.items()}
    return found | {"groups": options.get("groups", 1)}


def has_bias(layer: Layer) -> bool:
    return layer[0] not in CONVOLVING or len(layer) < 5 or layer[4].get("bias", True)


def per_axis(value: int | Sequence[int], axes: int) -> Shape:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def output_shape(layers: Sequence[Layer], shape: Shape) -> Shape:
    """The shape of what the layers return for an input of `shape`, which has the batch in front."""
    for layer in layers:
        shape = _after(layer, shape)
    return shape


def _after(layer: Layer, shape: Shape) -> Shape:
    kind, *arguments = layer
    lead, pixels = shape[:2], shape[2:]
    if kind in CONVOLVING:
        sizes, at = per_axis(layer[3], len(pixels)), window(layer, len(pixels))
        moves = zip(pixels, sizes, at["stride"], at["padding"], at["dilation"], strict=True)
        if kind == "conv":
            return (shape[0], layer[2], *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in moves))
        return (shape[0], layer[2], *((n - 1) * s - 2 * p + k for n, k, s, p, _ in moves))
    if kind == "linear":
        return (shape[0], layer[2])
    if kind in ("maxpool", "avgpool"):
        return (*lead, *(n // arguments[0] for n in pixels))
    if kind == "upsample":
        return (*lead, *(n * arguments[0] for n in pixels))
    if kind == "average":
        return (*lead, *(1 for _ in pixels))
    if kind == "flatten":
        return (shape[0], prod(shape[1:]))
    if kind in BRANCHING:
        found = [output_shape(branch, shape) for branch in arguments]
        return (shape[0], sum(one[1] for one in found), *found[0][2:]) if kind == "concat" else found[0]
    return shape


def walk(layers: Sequence[Layer], shape: Shape) -> Iterator[tuple[Layer, Shape]]:
    """Each layer outside and inside of branches with the shape of its input, in the order in which they run."""
    for layer in layers:
        if layer[0] in BRANCHING:
            for branch in layer[1:]:
                yield from walk(branch, shape)
        else:
            yield layer, shape
        shape = _after(layer, shape)


def weight_shape(layer: Layer, axes: int) -> Shape:
    """The shape of the weights of a layer that has any; its bias has one number per channel of the output."""
    kind, c, *rest = layer
    if kind == "batchnorm":
        return (c,)
    if kind == "linear":
        return (rest[0], c)
    sizes, groups = per_axis(layer[3], axes), window(layer, axes)["groups"]
    first, second = (rest[0], c) if kind == "conv" else (c, rest[0])
    return (first, second // groups, *sizes)


def flops(layers: Sequence[Layer], shape: Shape) -> int:
    """Multiplications and additions of the forward pass in convolutions and linear layers, directly computed."""
    return sum(_flops(layer, shape) for layer, shape in walk(layers, shape))


def _flops(layer: Layer, shape: Shape) -> int:
    if layer[0] not in (*CONVOLVING, "linear"):
        return 0
    weights = weight_shape(layer, len(shape) - 2)
    # Each weight beyond the first axis meets each output; in a transposed convolution, each input.
    return 2 * prod(shape if layer[0] == "transposed" else _after(layer, shape)) * prod(weights[1:])


def without_dropout(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers with p = 0: libraries draw different masks, but must agree without them."""
    return tuple(
        ("dropout", 0.0)
        if kind == "dropout"
        else (kind, *map(without_dropout, arguments))
        if kind in BRANCHING
        else (kind, *arguments)
        for kind, *arguments in layers
    )
