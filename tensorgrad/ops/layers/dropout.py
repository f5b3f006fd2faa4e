"""Kinds of dropout: of whole channels, and those that keep mean and variance for self-normalizing networks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.dropout import Dropout, dropped, probability
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["alpha_dropout", "feature_alpha_dropout", "feature_dropout"]

SATURATED = -1.7580993408473766
"""What selu gives for very negative inputs: −λα."""


@numpy_spellings
def dropout1d(
    input: TensorLike, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Any = None
) -> Tensor:
    """Each channel is 0 with probability p, the others are scaled by 1/(1 − p); the input itself when not training.

    Tompson et al., Efficient Object Localization Using Convolutional Networks, CVPR 2015.

    Args:
        input: floats `(N, C, L)` or `(C, L)`.
        p: the probability of dropping a channel.
        training: False returns the input.
        inplace: accepted; the input isn't overwritten.
        generator: the source of random numbers, by default the package's generator.

    Raises:
        ArgumentError: p outside [0, 1].
        ShapeError: an input of another number of axes.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.nn.functional.dropout1d(tg.ones(4, 2), generator=np.random.default_rng(0))
    tensor([[2., 2.],
            [2., 2.],
            [2., 2.],
            [0., 0.]])
    """
    return _of_channels("dropout1d", input, p, training, inplace, generator, 2)


@numpy_spellings
def dropout2d(
    input: TensorLike, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Any = None
) -> Tensor:
    """Dropout of whole channels of images `(N, C, H, W)`; three axes are taken as `(N, C, L)`. See `dropout1d`.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.nn.functional.dropout2d(tg.ones(1, 4, 1, 2), generator=np.random.default_rng(0)).reshape(4, 2)
    tensor([[2., 2.],
            [2., 2.],
            [2., 2.],
            [0., 0.]])
    """
    return _of_channels("dropout2d", input, p, training, inplace, generator, 0)


@numpy_spellings
def dropout3d(
    input: TensorLike, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Any = None
) -> Tensor:
    """Dropout of whole channels of volumes `(N, C, D, H, W)` or `(C, D, H, W)`; see `dropout1d`.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.dropout3d(tg.ones(1, 3, 2, 2, 2), training=False).shape
    (1, 3, 2, 2, 2)
    """
    return _of_channels("dropout3d", input, p, training, inplace, generator, 4)


def _of_channels(
    call: str, input: TensorLike, p: float, training: bool, inplace: bool, generator: Any, single: int
) -> Tensor:
    """Dropout of channels; an input with `single` axes is one example, `(C, ...)`."""
    x, training = floating(input), _training(call, training, inplace)
    if x.ndim < 2 or (single == 2 and x.ndim > 3):
        axes = "(N, C, L) or (C, L)" if single == 2 else "(N, C, ...)"
        raise ShapeError(restate(call, f"input must be {axes}, got {x.shape}", input=x))
    batch = x.reshape(1, *x.shape) if x.ndim == single else x
    z = dropped(call, batch, p, training, generator, _channels(batch))
    return x if z is batch else z.reshape(x.shape)


@numpy_spellings
def feature_dropout(input: TensorLike, p: float, train: bool, *, generator: Any = None) -> Tensor:
    """Dropout of whole channels of an input `(N, C, ...)`; see `F.dropout1d`.

    >>> import tensorgrad as tg
    >>> tg.feature_dropout(tg.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
    """
    x, train = floating(input), flag("feature_dropout", "train", train)
    if x.ndim < 2:
        raise ShapeError(restate("feature_dropout", f"input must be (N, C, ...), got {x.shape}", input=x))
    return dropped("feature_dropout", x, p, train, generator, _channels(x))


@numpy_spellings
def alpha_dropout(
    input: TensorLike, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Any = None
) -> Tensor:
    """Each element is set to selu's lower end with probability p; mean 0 and variance 1 are kept.

    z = a · (x where kept, else −λα) + b; the input itself when not training. For networks with selu: Klambauer et al.,
    Self-Normalizing Neural Networks, NeurIPS 2017.

    Args:
        input: floats of any shape.
        p: the probability of dropping an element.
        training: False returns the input.
        inplace: accepted; the input isn't overwritten.
        generator: the source of random numbers, by default the package's generator.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.alpha_dropout(tg.ones(3), 0.5)
    tensor([1., 1., 1.])
    """
    x, training = floating(input), _training("alpha_dropout", training, inplace)
    return _saturated("alpha_dropout", x, p, training, generator, x.shape)


@numpy_spellings
def feature_alpha_dropout(
    input: TensorLike, p: float = 0.5, training: bool = False, inplace: bool = False, *, generator: Any = None
) -> Tensor:
    """Alpha dropout of whole channels of an input `(N, C, ...)`; arguments as in `alpha_dropout`.

    >>> import tensorgrad as tg
    >>> tg.feature_alpha_dropout(tg.ones(1, 2), 0.5)
    tensor([[1., 1.]])
    """
    training = _training("feature_alpha_dropout", training, inplace)
    if not training:  # the input itself, of any shape and dtype
        x = as_tensor(input)
        return _saturated("feature_alpha_dropout", x, p, training, generator, x.shape)
    x = floating(input)
    if x.ndim < 2:
        raise ShapeError(restate("feature_alpha_dropout", f"input must be (N, C, ...), got {x.shape}", input=x))
    return _saturated("feature_alpha_dropout", x, p, training, generator, _channels(x))


def _training(call: str, training: bool, inplace: bool) -> bool:
    """Check both flags, and return `training`; `inplace` has no effect."""
    flag(call, "inplace", inplace)
    return flag(call, "training", training)


def _saturated(call: str, x: Tensor, p: float, training: bool, generator: Any, shape: tuple[int, ...]) -> Tensor:
    p, generator = probability(call, x, p), checked_generator(call, generator)
    if not training or p == 0:
        return x
    scale, shift = host_call(_scales, generator, shape, x.shape, x.dtype, p)
    return apply(Dropout, x, as_tensor(scale)) + as_tensor(shift)


def _scales(
    generator: np.random.Generator, shape: tuple[int, ...], full: tuple[int, ...], dtype: np.dtype, p: float
) -> tuple[np.ndarray, np.ndarray]:
    """What the elements are multiplied by, and what is added."""
    a = 1 / math.sqrt((1 - p) * (1 + p * SATURATED**2)) if p < 1 else 0.0
    kept = np.broadcast_to(generator.random(shape, dtype=np.float32) >= p, full)
    shift = np.where(kept, -a * p * SATURATED, a * (1 - p) * SATURATED)
    return np.asarray(kept * dtype.type(a)), shift.astype(dtype)


def _channels(x: Tensor) -> tuple[int, ...]:
    return (*x.shape[:2], *[1] * (x.ndim - 2))
