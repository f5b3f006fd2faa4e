"""Where in an image a decision came from: maps of how much each place spoke for one of a network's scores.

Both functions ask a trained network only for gradients, and leave it as it was: no `.grad` changes, nor its mode. They
take any module that has `named_modules()` and `register_forward_hook()`, as those of `tg.nn` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import enable_grad
from tensorgrad.errors import ArgumentError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.tensor import Tensor
from tensorgrad.transforms import grad


def grad_cam(model: Any, images: TensorLike, layer: str | Any, target: int | TensorLike | None = None) -> np.ndarray:
    """Grad-CAM: the feature maps Aᵏ of a layer, added up by how much the score y gains from each; then ReLU.

        αₖ = (1/hw) Σᵢⱼ ∂y/∂Aᵏᵢⱼ,    map = ReLU(Σₖ αₖ Aᵏ)

    The map has the layer's size, h × w, and is stretched to that of the image, bilinearly: it is no finer than the
    layer. What speaks against the score is cut off. Apply it to the score itself (a logit): after a sigmoid or softmax
    that is sure of itself, gradients vanish.

    Args:
        model: the network; it computes in eval mode, and ends up in the mode it was in.
        images: `(N, C, H, W)`.
        layer: a module of the model whose output is `(N, K, h, w)`, or its path, `"conv3"`: usually the last
            convolution, after its ReLU.
        target: which score, for models with outputs `(N, classes)`: a class index, or one per image. None for models
            with a single score per image, `(N,)` or `(N, 1)`.

    Returns:
        Maps `(N, H, W)`, ≥ 0, in the images' float dtype. Their scale means something within an image only.

    Raises:
        ArgumentError: no such layer, or one that didn't run exactly once; a target that is missing or too much.
        RangeError: a target that isn't a class. ShapeError: images, layer outputs or targets of other shapes.
        GraphError: the scores don't depend on the layer's output.

    Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.

    >>> import numpy as np, tensorgrad as tg
    >>> model = tg.nn.Sequential(tg.nn.Conv2d(1, 1, 1), tg.nn.MaxPool2d(4), tg.nn.Flatten())
    >>> _ = model.apply(lambda layer: tg.nn.init.ones_(layer.weight) if hasattr(layer, "weight") else None)
    >>> image = np.zeros((1, 1, 4, 4), np.float32)
    >>> image[0, 0, 1, 2] = 9
    >>> heat = tg.viz.grad_cam(model, image, "0")
    >>> heat.shape, np.unravel_index(heat[0].argmax(), (4, 4)) == (1, 2)
    ((1, 4, 4), True)
    """
    x = _checked("grad_cam", images)
    module = _find("grad_cam", model, layer)
    outputs: list[Tensor] = []
    with _watching(model), enable_grad():
        handle = module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        try:
            score = _score("grad_cam", model(x), target)
        finally:
            handle.remove()
        if len(outputs) != 1:
            problem = f"the layer ran {len(outputs)} times in a forward pass, not once"
            raise ArgumentError(restate("grad_cam", problem, layer=layer, images=x))
        (maps,) = outputs
        if maps.ndim != 4 or not maps.requires_grad:
            problem, expected = "the layer's output holds no feature maps", "the output of a layer, (N, K, h, w)"
            raise ShapeError(restate("grad_cam", problem, expected=expected, layer=layer, output=maps))
        (slopes,) = grad(score, maps)
    a, g = maps.data, slopes.data
    # (N, K, h, w) -> (N, K) -> (N, h, w)
    alpha = g.mean((2, 3))
    coarse = np.maximum(np.einsum("nk,nkhw->nhw", alpha, a), 0)
    # (N, h, w) -> (N, H, W)
    rows, columns = (_stretching(coarse.shape[k], x.shape[k + 1], a.dtype) for k in (1, 2))
    return rows @ coarse @ columns.T


def input_gradient(model: Any, images: TensorLike, target: int | TensorLike | None = None) -> np.ndarray:
    """How much the score y would change with each pixel: the largest |∂y/∂x| of its channels.

    As fine as the image, and noisier than Grad-CAM. It says where a small change would matter, for the score or
    against it, not what the score is made of.

    Args:
        model, images, target: as for `grad_cam`.

    Returns:
        Maps `(N, H, W)`, ≥ 0, in the images' float dtype.

    Raises:
        What `grad_cam` raises for images and targets.

    Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, arXiv 1312.6034.

    >>> import numpy as np, tensorgrad as tg
    >>> model = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.Linear(3 * 2 * 2, 1))
    >>> slopes = tg.viz.input_gradient(model, np.zeros((1, 3, 2, 2), np.float32))
    >>> bool((slopes == np.abs(model[1].weight.data.reshape(1, 3, 2, 2)).max(1)).all())
    True
    """
    x = _checked("input_gradient", images)
    with _watching(model), enable_grad():
        (slopes,) = grad(_score("input_gradient", model(x), target), x)
    # (N, C, H, W) -> (N, H, W)
    return np.abs(slopes.data).max(1)


def _checked(call: str, images: TensorLike) -> Tensor:
    """The images as a leaf of its own that requires a gradient: so there is one even where the weights are frozen."""
    x = floating(images).detach().clone().requires_grad_()
    if x.ndim != 4 or 0 in x.shape:
        fix = "one image is a batch of one: images[None]" if x.ndim == 3 else ""
        problem = "these are no images"
        raise ShapeError(restate(call, problem, expected="(N, C, H, W), not empty", fix=fix, images=x))
    return x


def _find(call: str, model: Any, layer: str | Any) -> Any:
    modules = dict(model.named_modules())
    if isinstance(layer, str) and layer in modules:
        return modules[layer]
    if any(layer is module for module in modules.values()):
        return layer
    expected = f"one of {[path for path in modules if path]}, or the module itself"
    raise ArgumentError(restate(call, "the model has no such layer", expected=expected, layer=layer))


def _score(call: str, output: Tensor, target: int | TensorLike | None) -> Tensor:
    """The sum of the images' scores. In eval mode no image changes another's, so its gradient holds each one's own."""
    scores = output.reshape(-1, 1) if output.ndim == 1 else output
    if scores.ndim != 2:
        raise ShapeError(
            restate(call, "no scores", expected="a model with outputs (N,) or (N, classes)", output=output)
        )
    count, classes = scores.shape
    if target is None:
        if classes != 1:
            fix = "pass target=k for class k, or target=labels for each image's own"
            raise ArgumentError(restate(call, "which of the scores?", fix=fix, output=output, target=target))
        return scores.sum()
    index = np.asarray(target)
    if index.dtype.kind not in "iu" or index.shape not in ((), (count,)):
        expected = f"a class index, or {count} of them, one per image"
        raise ShapeError(restate(call, "the target doesn't fit", expected=expected, output=output, target=target))
    if index.min() < 0 or index.max() >= classes:
        raise RangeError(
            restate(call, "no such class", expected=f"0 ≤ target < {classes}", output=output, target=target)
        )
    # (N, classes) -> (N,)
    return scores[np.arange(count), np.broadcast_to(index, count)].sum()


@contextmanager
def _watching(model: Any) -> Iterator[None]:
    """In eval mode: no dropout, no batch statistics. Afterwards each module is back in its mode."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _stretching(small: int, large: int, dtype: np.dtype) -> np.ndarray:
    """The matrix (large, small) of bilinear interpolation, with pixels as areas: both ends of the two rows meet."""
    place = ((np.arange(large) + 0.5) * small / large - 0.5).clip(0, small - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(small)), 0).astype(dtype)
