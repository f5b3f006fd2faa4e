"""Attribution: maps of how much each place of an image contributes to one of a network's scores.

Both functions compute gradients, and leave the network as it was: no `.grad` changes, nor its mode. They take any
module that has `named_modules()` and `register_forward_hook()`, as those of `tg.nn` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import enable_grad
from tensorgrad.errors import ArgumentError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.tensor import Tensor
from tensorgrad.transforms import grad


def grad_cam(model: Any, images: TensorLike, layer: str | Any, target: int | TensorLike | None = None) -> np.ndarray:
    """Grad-CAM: the sum of a layer's feature maps Aᵏ, weighted by the mean gradient of the score y; then ReLU.

        αₖ = (1/hw) Σᵢⱼ ∂y/∂Aᵏᵢⱼ,    map = ReLU(Σₖ αₖ Aᵏ)

    The map has the layer's size, h × w, and is interpolated bilinearly to that of the image: its details are those of
    the layer. Negative contributions are set to 0. Apply it to the score itself (a logit): after a sigmoid or softmax
    near 0 or 1, gradients vanish.

    Args:
        model: the network; it runs in eval mode, and its mode is restored.
        images: `(N, C, H, W)`.
        layer: a module of the model whose output is `(N, K, h, w)`, or its path, `"conv3"`: usually the last
            convolution, after its ReLU.
        target: which score, for models with outputs `(N, classes)`: a class index, or one per image. None for models
            with a single score per image, `(N,)` or `(N, 1)`.

    Returns:
        Maps `(N, H, W)`, ≥ 0, in the images' float dtype. Values are comparable within an image only.

    Raises:
        ArgumentError: the model doesn't have the layer, the layer didn't run exactly once, or `target` is missing.
        RangeError: `target` isn't a class.
        ShapeError: images, layer outputs or targets have other shapes.
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
    with in_eval_mode(model), enable_grad():
        handle = module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        try:
            score = _score("grad_cam", model(x), target)
        finally:
            handle.remove()
        if len(outputs) != 1:
            problem = f"layer must run once in a forward pass, it ran {len(outputs)} times"
            raise ArgumentError(restate("grad_cam", problem, layer=layer, images=x))
        (maps,) = outputs
        if maps.ndim != 4 or not maps.requires_grad:
            problem = "layer must return feature maps (N, K, h, w) that require a gradient"
            raise ShapeError(restate("grad_cam", problem, layer=layer, output=maps))
        (slopes,) = grad(score, maps)
    assert slopes is not None
    a, g = maps.data, slopes.data
    # (N, K, h, w) -> (N, K) -> (N, h, w)
    alpha = g.mean((2, 3))
    coarse = np.maximum(np.einsum("nk,nkhw->nhw", alpha, a), 0)
    # (N, h, w) -> (N, H, W)
    rows, columns = (_interpolation(coarse.shape[k], x.shape[k + 1], a.dtype) for k in (1, 2))
    return rows @ coarse @ columns.T


def input_gradient(model: Any, images: TensorLike, target: int | TensorLike | None = None) -> np.ndarray:
    """The sensitivity of the score y to each pixel: the largest |∂y/∂x| of its channels.

    It is as fine as the image, and noisier than Grad-CAM. It shows where a small change would change the score, up or
    down, not what the score consists of.

    Args:
        model: as for `grad_cam`.
        images: as for `grad_cam`.
        target: as for `grad_cam`.

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
    with in_eval_mode(model), enable_grad():
        (slopes,) = grad(_score("input_gradient", model(x), target), x)
    assert slopes is not None
    # (N, C, H, W) -> (N, H, W)
    return np.abs(slopes.data).max(1)


def _checked(call: str, images: TensorLike) -> Tensor:
    """The images as a leaf that requires a gradient, so that there is a graph even where the weights are frozen."""
    x = floating(images).detach().clone().requires_grad_()
    if x.ndim != 4 or 0 in x.shape:
        fix = "one image is a batch of one: images[None]" if x.ndim == 3 else ""
        raise ShapeError(restate(call, "images must be (N, C, H, W), not empty", fix=fix, images=x))
    return x


def _find(call: str, model: Any, layer: str | Any) -> Any:
    modules = dict(model.named_modules())
    if isinstance(layer, str) and layer in modules:
        return modules[layer]
    if any(layer is module for module in modules.values()):
        return layer
    expected = f"one of {[path for path in modules if path]}, or the module itself"
    raise ArgumentError(restate(call, f"layer must be a module of the model, got {layer!r}", expected=expected))


def _score(call: str, output: Tensor, target: int | TensorLike | None) -> Tensor:
    """The sum of the images' scores: in eval mode they are independent, so its gradient holds that of each image."""
    scores = output.reshape(-1, 1) if output.ndim == 1 else output
    if scores.ndim != 2:
        raise ShapeError(restate(call, "model must have outputs (N,) or (N, classes)", output=output))
    count, classes = scores.shape
    if target is None:
        if classes != 1:
            fix = "pass target=k for class k, or target=labels for each image's own"
            problem = f"target must choose one of {classes} scores"
            raise ArgumentError(restate(call, problem, fix=fix, output=output))
        return scores.sum()
    index = np.asarray(target)
    if index.dtype.kind not in "iu" or index.shape not in ((), (count,)):
        problem = f"target must be a class index, or {count} of them, one per image"
        raise ShapeError(restate(call, problem, output=output, target=target))
    if index.min() < 0 or index.max() >= classes:
        problem = f"target must be in 0 ≤ target < {classes}"
        raise RangeError(restate(call, problem, output=output, target=target))
    # (N, classes) -> (N,)
    return scores[np.arange(count), np.broadcast_to(index, count)].sum()


@contextmanager
def in_eval_mode(model: Any) -> Iterator[None]:
    """The model in eval mode, without dropout and batch statistics; the mode of each module is restored."""
    modules = [module for _, module in model.named_modules()] if hasattr(model, "named_modules") else []
    modes = [(module, module.training) for module in modules]
    if modules:
        model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _interpolation(small: int, large: int, dtype: np.dtype) -> np.ndarray:
    """The matrix (large, small) of linear interpolation, with pixels as areas: the ends of both rows coincide."""
    place = ((np.arange(large) + 0.5) * small / large - 0.5).clip(0, small - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(small)), 0).astype(dtype)
