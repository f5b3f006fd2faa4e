"""The base of datasets of pictures, whose items are `(transform(picture), target_transform(target))`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.data.dataset import Dataset, check_index
from tensorgrad.nn.data.files.locate import as_folder

Transformation = Callable[[Any], Any] | None


class VisionDataset(Dataset):
    """The base of datasets of pictures: a subclass defines `__len__` and `_item(index)`, a picture and its target.

    Args:
        root: the folder of the dataset; text, a path object, or None for a dataset without files.
        transforms: a function of the picture and the target that returns both, in place of the other two.
        transform: a function of the picture.
        target_transform: a function of the target.

    Raises:
        DTypeError: a transform that can't be called.
        ArgumentError: `transforms` beside one of the others.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        transform: Transformation = None,
        target_transform: Transformation = None,
    ) -> None:
        name = type(self).__name__
        given = {"transforms": transforms, "transform": transform, "target_transform": target_transform}
        for key, value in given.items():
            if value is not None and not callable(value):
                raise DTypeError(restate(name, f"{key} must be a function or None", **{key: value}))
        if transforms is not None and (transform is not None or target_transform is not None):
            problem = "pass either transforms, or transform and target_transform"
            raise ArgumentError(restate(name, problem, transforms=transforms, transform=transform))
        self.root = None if root is None else as_folder(name, root)
        self.transforms, self.transform, self.target_transform = transforms, transform, target_transform

    def _item(self, index: int) -> tuple[Any, Any]:
        raise NotImplementedError(f"{type(self).__name__} must define _item, a picture and its target")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        length = len(self)
        picture, target = self._item(check_index(f"{type(self).__name__}[...]", index, length) % length)
        if self.transforms is not None:
            return self.transforms(picture, target)
        if self.transform is not None:
            picture = self.transform(picture)
        return picture, target if self.target_transform is None else self.target_transform(target)

    def extra_repr(self) -> str:
        """What `repr` shows besides the number of items and the folder."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        lines += [f"    Root location: {self.root}"] if self.root is not None else []
        lines += [f"    {self.extra_repr()}"] if self.extra_repr() else []
        lines += [f"    Transform: {self.transform!r}"] if self.transform is not None else []
        return "\n".join(lines)
