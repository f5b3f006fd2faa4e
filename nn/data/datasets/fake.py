"""FakeData: pictures of noise, to try out a training loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.data.datasets.pictures import Transformation, VisionDataset
from tensorgrad.nn.data.transforms.pictures import pillow


class FakeData(VisionDataset):
    """Pictures of noise with random labels; an item is the same whenever it is read.

    Args:
        size: the number of items.
        image_size: channels, height and width; 1, 3 or 4 channels.
        num_classes: the number of classes.
        transform: a function of the Pillow image.
        target_transform: a function of the label.
        random_offset: another number gives other pictures.

    Raises:
        ArgumentError: sizes that aren't ints ≥ 1.

    >>> data = FakeData(10, (3, 8, 6))
    >>> len(data), data[3][0].size, data[3][1] == data[3][1]
    (10, (6, 8), True)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transformation = None,
        target_transform: Transformation = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        sizes = (size, num_classes, *image_size)
        if len(image_size) != 3 or not all(isinstance(n, int | np.integer) and n >= 1 for n in sizes):
            problem = "size and num_classes must be ints ≥ 1, and image_size three of them"
            arguments: dict[str, Any] = {"size": size, "image_size": image_size, "num_classes": num_classes}
            raise ArgumentError(restate("FakeData", problem, **arguments))
        self.size, self.image_size, self.num_classes = size, tuple(image_size), num_classes
        self.random_offset = random_offset

    def __len__(self) -> int:
        return self.size

    def _item(self, index: int) -> tuple[Any, int]:
        random = np.random.default_rng(abs(index + self.random_offset))
        channels, height, width = self.image_size
        shape = (height, width) if channels == 1 else (height, width, channels)
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        return pillow("FakeData").fromarray(pixels), int(random.integers(self.num_classes))
