"""`microscope(step)`: a page that shows where each number of the convolutions and poolings in a step comes from."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, DTypeError, GraphError, RangeError, restate
from tensorgrad.viz.microscope import gif
from tensorgrad.viz.microscope.cut import Cut, cut
from tensorgrad.viz.microscope.layers import Layer
from tensorgrad.viz.microscope.play import View
from tensorgrad.viz.microscope.reading import layers_of
from tensorgrad.viz.microscope.writing import write
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.saving import save
from tensorgrad.viz.record.collect import MAX_OPS, live_computation, variables_of
from tensorgrad.viz.record.trace import Trace

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


@dataclass(frozen=True)
class Microscope:
    """Convolutions and poolings under the microscope. A notebook shows the page; elsewhere `save` it.

    Attributes:
        cuts: the layers, each with the images and channels of it that are kept.
        left_out: the layers that didn't fit.
    """

    cuts: tuple[Cut, ...]
    left_out: tuple[Layer, ...] = ()

    @cached_property
    def html(self) -> str:
        """The page: one file that needs no network."""
        return write(self.cuts, self.left_out)

    def save(self, path: str | Path) -> Path:
        """Write the page, or the play of the first layer as an animated picture; returns the path.

        Args:
            path: ends in `.html` for the page, in `.gif` for the play, which needs Pillow.

        Raises:
            ArgumentError: another suffix.
            ImportError: Pillow isn't installed, for `.gif`.
            StorageError: the file can't be written.
        """
        first = View.strongest(self.cuts[0].layer, self.cuts[0].images[0])
        return save("Microscope.save", path, lambda: self.html, lambda stream: gif.write(first, stream))

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        return assembly.frame(self.html, height=900)

    def __repr__(self) -> str:
        return f"<Microscope on {', '.join(part.layer.name for part in self.cuts)}>"


def microscope(
    source: Tensor | Trace,
    layers: str | Iterable[str] | None = None,
    images: Sequence[int] | None = None,
    names: Mapping[str, Any] | None = None,
    max_ops: int = MAX_OPS,
) -> Microscope:
    """Look into the convolutions and poolings of a step: where each number comes from, and where its gradient does.

    On the page, click a number of a layer, and it is taken apart into pictures that add up to it:

    - a result z[n, k, p, q] is patch · filter, summed over the input channels, + bias;
    - ∂L/∂w[k, c, i, j] is the sum over images and places of the pixel that the weight met, times the gradient that
      came back there;
    - ∂L/∂x[n, c, h, w] is the sum over all places that the pixel went into of the weight it met, times the gradient;
    - a pooled value is the chosen element of its window, or the mean; the gradient goes back the same way.

    The numbers are those that the step computed; the sums are compared with them. The filter slides, the gradient is
    scattered back, step by step or played.

    It shows convolutions of one and two dimensions with any stride, padding, dilation and groups, transposed ones too,
    maximum and average pooling, adaptive ones too; not those of volumes, nor fractional pooling. To keep the page at
    about 4 MB it holds as many of the first images as fit, up to 24, and at most 64 channels of a layer; of whatever
    is left out the sums say how much it adds.

    Args:
        source: a trace of the step; or the loss, whose graph is alive, before `backward()`.
        layers: the names of the layers to show, such as "conv1"; None for all. A layer's second call is "conv1 #2".
        images: the indices of the images to show; None for as many of the first as fit.
        names: tensors by the names to give them, such as `dict(model.named_parameters())`.
        max_ops: the largest graph to look at.

    Raises:
        DTypeError: `source` is neither a tensor nor a trace.
        GraphError: nothing was recorded, or there is no such layer whose numbers are still known.
        ArgumentError: `layers` names a layer that isn't there, `images` is empty, or there are too many ops.
        RangeError: an image that isn't there.

    >>> import tensorgrad as tg
    >>> conv = tg.nn.Conv2d(1, 4, 3)
    >>> with tg.viz.trace() as step:
    ...     loss = tg.max_pool2d(conv(tg.randn(2, 1, 8, 8)), 2).mean()
    ...     loss.backward()
    >>> scope = tg.viz.microscope(step)
    >>> scope
    <Microscope on convolution, max pooling>
    >>> print(scope.save("microscope.html"))
    microscope.html
    """
    variables = variables_of(sys._getframe(1))
    if isinstance(source, Trace):
        computed = source.computation(None, names, variables, max_ops)
    else:
        computed = live_computation(source, names, variables, max_ops)
    found = _chosen(list(layers_of(computed)), layers)
    kept, left_out = cut(found, _checked(images, found))
    return Microscope(tuple(kept), tuple(left_out))


def _chosen(found: list[Layer], names: str | Iterable[str] | None) -> list[Layer]:
    if not found:
        problem = "no convolution or pooling over signals or images was found whose numbers are known"
        fix = "trace a step that has one: with tg.viz.trace() as step: ...; explain(step, wrt=w) takes any other weight"
        raise GraphError(restate("microscope", problem, fix=fix))
    if names is None:
        return found
    wanted = [names] if isinstance(names, str) else list(names)
    known = [layer.name for layer in found]
    if unknown := [name for name in wanted if name not in known] or ([""] if not wanted else []):
        problem = f"layers must be names of layers, got {unknown[0]!r}"
        raise ArgumentError(restate("microscope", problem, expected=f"some of {', '.join(known)}", layers=wanted))
    return [layer for layer in found if layer.name in wanted]


def _checked(images: Sequence[int] | None, layers: Sequence[Layer]) -> Sequence[int] | None:
    if images is None:
        return None
    most = min(layer.images for layer in layers)
    for n in images:
        if isinstance(n, bool) or not isinstance(n, int):
            raise DTypeError(restate("microscope", f"images must be integers, got {n!r}", images=list(images)))
        if not 0 <= n < most:
            problem = f"images must be indices from 0 to {most - 1}, got {n}"
            raise RangeError(restate("microscope", problem, images=list(images)))
    if not images:
        raise ArgumentError(restate("microscope", "images must name at least one image, got none", images=[]))
    return tuple(dict.fromkeys(images))
