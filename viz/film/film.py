"""The film of a training: takes its frames, and saves them as a page or as an animated picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, values
from tensorgrad.viz.film import gif, writing
from tensorgrad.viz.film.frame import Camera, Frame, layers_of
from tensorgrad.viz.film.reel import Reel
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.saving import save
from tensorgrad.viz.plots.parameters import named

MOST = 200
"""The most frames. Of a longer film every second frame is left out, and from then on only every second one is taken."""

KEPT = 24
"""The most images: each is shown in every frame."""


class Film:
    """A film of a training: filters, feature maps, gradients, updates, loss and predictions, one frame every few steps.

    Pass it to `fit` as one of the `callbacks`, or call `step(loss)` after each `optimizer.step()`. `save` writes one
    page that needs no network, with a slider, arrow keys and a play button. The training itself is the same to the
    bit: for each frame the model runs on the images in evaluation mode, without recording.

    The first frame is that of the model as it is when the film is made.

    Args:
        model: a module of any kind: the layers are those of its parameters. Of several outputs the first is shown.
        images: the images that are kept, `(K, …)`, at most 24: what the model takes, such as `(K, C, H, W)`.
        labels: their class indices `(K,)`, or any targets with K rows; None for none.
        every: a frame is taken every so many steps. At more than 200 frames every second one is dropped, and `every`
            doubles.
        maps: the indices of the images whose feature maps are kept.
        layers: how many of the first layers are drawn, with their filters and feature maps.
        classes: the names of the classes.

    Raises:
        ArgumentError: `every` or `layers` is below 1, `maps` isn't an index of an image, there are no images or more
            than 24, or the model has no parameters.
        ShapeError: labels and images aren't equally many.
        DTypeError: `model` has no parameters of floats.

    >>> import tensorgrad as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.ReLU(), tg.nn.Linear(8, 3))
    >>> x, y = tg.randn(6, 4), tg.tensor([0, 1, 2, 0, 1, 2])
    >>> film = tg.viz.Film(model, x, y, every=5)
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> history = tg.nn.fit(
    ...     model, [(x, y)], loss=tg.nn.cross_entropy, optimizer=sgd, epochs=20, progress=False, callbacks=[film]
    ... )
    >>> film, film.frames[-1].step
    (<Film of 5 frames, steps 0 to 20>, 20)
    >>> print(film.save("training.html"))
    training.html
    """

    def __init__(
        self,
        model: Any,
        images: TensorLike,
        labels: TensorLike | None = None,
        every: int = 20,
        *,
        maps: Sequence[int] = (0,),
        layers: int = 3,
        classes: Sequence[str] = (),
    ) -> None:
        found = named("Film", model)
        kept = as_tensor(images)
        targets = None if labels is None else np.array(values(labels))
        _check(kept.shape, targets, every, maps, layers)
        self.every = every
        self.losses: list[tuple[int, float]] = []
        self._camera = Camera(model, layers_of(model, found), layers, kept, tuple(maps))
        self._targets, self._classes = targets, tuple(map(str, classes))
        self._before: list[list[np.ndarray]] | None = None
        self._steps = 0
        self.frames: list[Frame] = [self._camera.take(0, None)]
        self._keep_parameters()

    def step(self, loss: Any) -> None:
        """A step of the training is done: call it after `optimizer.step()`, before the next `zero_grad()`.

        Args:
            loss: of this step, a number or a tensor of one.

        Raises:
            DTypeError: `loss` isn't one number.
        """
        number = loss.item() if hasattr(loss, "item") and np.size(loss) == 1 else loss
        if isinstance(number, bool) or not isinstance(number, int | float | np.number):
            expected = "a number, or a tensor of one"
            raise DTypeError(restate("Film.step", "loss must be one number", expected=expected, loss=loss))
        self._steps += 1
        self.losses.append((self._steps, float(number)))
        if self._steps % self.every == 0:
            self.frames.append(self._camera.take(self._steps, self._before))
            if len(self.frames) > MOST:
                self.frames, self.every = self.frames[::2], 2 * self.every
        self._keep_parameters()

    def on_step_end(self, record: Mapping[str, Any]) -> None:
        """What `fit` calls after each step, with its record."""
        self.step(record["loss"])

    def _keep_parameters(self) -> None:
        """Copy the parameters if the next step ends with a frame, which shows how far it moved them."""
        due = (self._steps + 1) % self.every == 0
        self._before = [[a.copy() for a in arrays] for arrays in self._camera.parameters()] if due else None

    @property
    def reel(self) -> Reel:
        """All that the film shows, as plain data."""
        return Reel.of(self.frames, self.losses, self._camera, self._targets, self._classes)

    @property
    def html(self) -> str:
        """The film as one page that needs no network."""
        return writing.write(self.reel)

    def save(self, path: str | Path) -> Path:
        """Write the film: `.html` for the page, `.gif` for an animated picture, which needs Pillow; returns the path.

        Raises:
            ArgumentError: another suffix.
            ImportError: Pillow isn't installed, for `.gif`.
            StorageError: the file can't be written.
        """
        return save("Film.save", path, lambda: self.html, lambda stream: gif.write(self.reel, stream))

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        return assembly.frame(self.html, height=760)

    def __repr__(self) -> str:
        last = self.frames[-1].step
        noun = "frame" if len(self.frames) == 1 else "frames"
        return f"<Film of {len(self.frames)} {noun}, steps {self.frames[0].step} to {last}>"


def _check(shape: tuple[int, ...], targets: np.ndarray | None, every: int, maps: Sequence[int], layers: int) -> None:
    for name, count in (("every", every), ("layers", layers)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            given: dict[str, Any] = {name: count}
            raise ArgumentError(restate("Film", f"{name} must be an integer of at least 1, got {count!r}", **given))
    if len(shape) < 2 or not 1 <= shape[0] <= KEPT:
        fix = "pass a few: images[:12]; one image is a batch of one: image[None]"
        raise ArgumentError(restate("Film", f"images must be (K, …) with 1 ≤ K ≤ {KEPT}, got {shape}", fix=fix))
    if targets is not None and targets.shape[:1] != shape[:1]:
        problem = f"labels must have a row for each image: {shape[0]}, got {targets.shape}"
        raise ShapeError(restate("Film", problem, fix="pass labels[:len(images)]"))
    if wrong := [k for k in maps if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < shape[0]]:
        problem = f"maps must be indices of images, from 0 to {shape[0] - 1}, got {wrong[0]!r}"
        raise ArgumentError(restate("Film", problem, maps=list(maps)))
