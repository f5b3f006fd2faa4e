"""Checkpoints: all that decides how training goes on, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.errors import TensorgradError, restate
from tensorgrad.random import default_generator
from tensorgrad.storage import load, load_metadata, save

from .data.seeding import generator_state, set_generator_state
from .history import History
from .module import Module
from .optim import Optimizer

FORMAT = "tensorgrad checkpoint 1"
DOCUMENT = "training.json"
"""The tensor that holds, as bytes of text, all that isn't an array: in the file's header its size would be limited."""


class CheckpointError(TensorgradError, ValueError):
    """A checkpoint that doesn't fit the training it is to be loaded into; nothing was changed."""


class Checkpoint:
    """Saves and restores model, optimizer, history, the loader's place, and the states of the random generators.

    The generators are the package-wide one and those that are attributes of modules; a loader saves its own.

    Args:
        path: the file.
        model: parameters and buffers are saved.
        optimizer: its arrays, counts and options are saved.
        loader: its `state_dict()` is saved, if it has one.
    """

    def __init__(self, path: str | os.PathLike, model: Module, optimizer: Optimizer, loader: Any) -> None:
        self.path = Path(path)
        self.model = model
        self.optimizer = optimizer
        self.loader = loader

    def save(self, history: History) -> None:
        """Write the file; an earlier one is there until this one is complete. Raises StorageError."""
        document, arrays = split(self._state() | {"history": history.to_dict()})
        arrays[DOCUMENT] = np.frombuffer(json.dumps(document).encode(), np.uint8)
        facts = {"format": FORMAT, "epochs": str(len(history.epochs)), "steps": str(len(history.steps))}
        save(arrays, self.path, facts)

    def restore(self) -> History:
        """Put everything back as it was saved, and return the history.

        Raises:
            StorageError: a file that can't be read.
            CheckpointError: not a checkpoint, or one of another model, optimizer or loader: a report of all that
                differs. Nothing was changed then.
        """
        state, before = self._read(), self._state()
        before["model"] = {name: array.copy() for name, array in before["model"].items()}
        problems = self._load(state)
        if not problems and hasattr(self.loader, "load_state_dict") and state["loader"] is not None:
            # Last, and not to be undone: a loader that gets a state back, its own one too, goes on in mid-epoch.
            problems = _complaints(self.loader.load_state_dict, state["loader"])
        if problems:
            self._load(before)
            report = f"{self.path} doesn't fit; nothing was changed:" + "".join(f"\n{text}" for text in problems)
            fix = "build model, optimizer and loader as they were built before, or start anew with another file"
            raise CheckpointError(restate("resume", report, fix=fix))
        return History.from_dict(state["history"])

    def _state(self) -> dict[str, Any]:
        """Everything but the history: nested dicts with arrays as leaves."""
        return {
            "model": {name: tensor.data for name, tensor in self.model.state_dict().items()},
            "optimizer": self.optimizer.state_dict(),
            "generators": {name: generator_state(g) for name, g in self._generators()},
            "loader": self.loader.state_dict() if hasattr(self.loader, "state_dict") else None,
        }

    def _load(self, state: dict[str, Any]) -> list[str]:
        """Load every part but the loader, and return what the parts complained of; one that complains is unchanged."""
        return [
            *_complaints(self.model.load_state_dict, state["model"]),
            *_complaints(self.optimizer.load_state_dict, state["optimizer"]),
            *_complaints(self._load_generators, state["generators"]),
        ]

    def _load_generators(self, saved: dict[str, Any]) -> None:
        own = dict(self._generators())
        if set(own) != set(saved):
            expected = f"those of {sorted(own)}"
            raise CheckpointError(restate("random generators", f"{sorted(saved)} were saved", expected=expected))
        for name, generator in own.items():
            set_generator_state(name, generator, saved[name])

    def _generators(self) -> Iterator[tuple[str, np.random.Generator]]:
        yield "tensorgrad", default_generator()
        for path, module in self.model.named_modules("model"):
            for name, value in vars(module).items():
                if isinstance(value, np.random.Generator):
                    yield f"{path}.{name}", value

    def _read(self) -> dict[str, Any]:
        tensors = {name: tensor.data for name, tensor in load(self.path).items()}
        if load_metadata(self.path).get("format") != FORMAT or DOCUMENT not in tensors:
            problem, fix = f"{self.path} holds tensors, but no state of training", "tg.load reads its tensors"
            raise CheckpointError(restate("resume", problem, expected=f"the format {FORMAT!r}", fix=fix))
        return joined(json.loads(tensors.pop(DOCUMENT).tobytes()), tensors)


def _complaints(load_part: Callable[[Any], Any], state: Any) -> list[str]:
    try:
        load_part(state)
    except TensorgradError as error:
        return [str(error)]
    return []


MARK = "$array"
"""The key of the note that stands for an array: {"$array": its name in the file}."""


def split(tree: dict[str, Any], path: str = "") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Nested dicts with arrays as leaves, as nested dicts with notes in their place, and the arrays by name.

    >>> split({"a": {"x": np.zeros(2), "n": 1}})
    ({'a': {'x': {'$array': 'a/x'}, 'n': 1}}, {'a/x': array([0., 0.])})
    """
    document, arrays = {}, {}
    for key, value in tree.items():
        if isinstance(value, np.ndarray):
            document[key] = {MARK: path + key}
            arrays[path + key] = value
        elif isinstance(value, dict):
            document[key], below = split(value, f"{path}{key}/")
            arrays |= below
        else:
            document[key] = value
    return document, arrays


def joined(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """What `split` took apart.

    >>> joined({"a": {"x": {"$array": "a/x"}, "n": 1}}, {"a/x": 2})
    {'a': {'x': 2, 'n': 1}}
    """
    tree = {}
    for key, value in document.items():
        if isinstance(value, dict):
            is_note = isinstance(value.get(MARK), str)
            value = arrays[value[MARK]] if is_note else joined(value, arrays)
        tree[key] = value
    return tree
