"""Checkpoints: the complete state of a training run in one safetensors file."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.arrays.random import default_generator
from tensorgrad.errors import TensorgradError, restate
from tensorgrad.nn.data.seeding import generator_state, prepare_generator_state
from tensorgrad.nn.module import Module
from tensorgrad.nn.optim import Optimizer
from tensorgrad.nn.training.history import History
from tensorgrad.nn.training.interrupt import deferred
from tensorgrad.nn.training.processes import Processes
from tensorgrad.storage import StorageError, as_path, digest, read_file, save

FORMAT = "tensorgrad checkpoint 2"
UNSIGNED = "tensorgrad checkpoint 1"
"""The format before checksums; such files can still be loaded."""
DOCUMENT = "training.json"
"""The tensor with everything but the arrays, as bytes of JSON: the size of the file's header is limited."""


PARTS = ("model", "optimizer", "generators", "loader", "history")
OWN = ("generators", "loader")
"""The parts that each process has of its own, where several train together. The file has them under "ranks"."""


class CheckpointError(TensorgradError, ValueError):
    """A checkpoint that doesn't match the training run it is loaded into; nothing was changed."""


class Checkpoint:
    """Saves and restores model, optimizer, history, the loader's position, and the states of the random generators.

    The generators are the package's and those that are attributes of modules; a loader saves its own. Where
    several processes train together, rank 0 alone reads and writes the file.

    Args:
        path: the file.
        model: its parameters and buffers are saved.
        optimizer: its arrays, counts and options are saved.
        loader: its `state_dict()` is saved, if it has one.
        more: further parts by name, with `state_dict()` and `prepare_state_dict(state)`; a file without such a part
            gives it None.
        processes: those that train the model; by default this one alone.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: Module,
        optimizer: Optimizer,
        loader: Any,
        more: Mapping[str, Any] | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes()
        self.path = Path(as_path("checkpoint", path))
        self.model = model
        self.optimizer = optimizer
        self.loader = loader
        self.more = dict(more or {})

    def at(self, path: str | os.PathLike[str]) -> Checkpoint:
        """The same in another file."""
        return Checkpoint(path, self.model, self.optimizer, self.loader, self.more, self.processes)

    def save(self, history: History) -> None:
        """Write the file; an existing one is replaced when the new one is complete. Raises StorageError."""
        state = self._state() | {"history": history.to_dict()}
        others = self.processes.of_all({name: state[name] for name in OWN})[1:]
        if self.processes.rank > 0:
            return
        document, arrays = split(state | {"ranks": {str(rank): own for rank, own in enumerate(others, 1)}})
        arrays[DOCUMENT] = np.frombuffer(json.dumps(document).encode(), np.uint8)
        facts = {"format": FORMAT, "epochs": str(len(history.epochs)), "steps": str(len(history.steps))}
        save(arrays, self.path, facts | {"sha256": digest(arrays, facts)})

    def exists(self) -> bool:
        """Whether there is a file to resume from. Raises StorageError if the file system doesn't tell."""
        return self.processes.of_rank_0(self.processes.rank == 0 and self._exists())

    def _exists(self) -> bool:
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            raise StorageError(restate("resume", f"{self.path} can't be read: {error}")) from error
        return True

    def restore(self) -> History:
        """Restore everything that was saved, and return the history.

        In two phases: first each part checks its state and prepares it, then all parts load, which can't fail. So
        either all parts are restored or none.

        Raises:
            StorageError: the file can't be read.
            CheckpointError: the file isn't a checkpoint, is damaged, or belongs to another model, optimizer or loader.
                The message reports all differences, and nothing was changed.
        """
        state = self.processes.of_rank_0(self._read() if self.processes.rank == 0 else None)
        if self.processes.rank > 0:
            state |= state["ranks"][str(self.processes.rank)]
        loads, problems = {}, []
        for name, prepare in self._checked_parts(state).items():
            try:
                loads[name] = prepare(state.get(name))
            except Exception as error:  # a damaged file can mean anything
                problems.append(_complaint(name, error))
        problems = problems or self._load_unchecked(state)
        if problems:
            report = f"{self.path} doesn't match; nothing was changed:" + "".join(f"\n{text}" for text in problems)
            fix = "build model, optimizer and loader as before, or start again with another file"
            raise CheckpointError(restate("resume", report, fix=fix))
        with deferred() as ctrl_c:
            loaded = {name: load() for name, load in loads.items()}
        if ctrl_c.requested:
            raise KeyboardInterrupt
        return loaded["history"]

    def _state(self) -> dict[str, Any]:
        """The state of everything but the history: nested dicts with arrays as leaves."""
        return {name: part.state_dict() for name, part in self.more.items()} | {
            "model": {name: tensor.data for name, tensor in self.model.state_dict().items()},
            "optimizer": self.optimizer.state_dict(),
            "generators": {name: generator_state(g) for name, g in self._generators()},
            "loader": self.loader.state_dict() if hasattr(self.loader, "state_dict") else None,
        }

    def _parts(self, state: dict[str, Any]) -> dict[str, Any]:
        """The objects that load a state; the loader only if it can and if one was saved."""
        parts = {"model": self.model, "optimizer": self.optimizer}
        has_state = hasattr(self.loader, "load_state_dict") and state["loader"] is not None
        return parts | ({"loader": self.loader} if has_state else {})

    def _checked_parts(self, state: dict[str, Any]) -> dict[str, Callable[[Any], Callable[[], Any]]]:
        """By name of the part, a function that checks its state and returns a function that loads it."""
        parts = {"generators": self._prepare_generators, "history": _prepare_history}
        checked = {name: part for name, part in self._parts(state).items() if not _loads_in_its_own_way(part)}
        return parts | {name: part.prepare_state_dict for name, part in (checked | self.more).items()}

    def _load_unchecked(self, state: dict[str, Any]) -> list[str]:
        """Load the parts that can't check without loading; if one fails, restore the others. Returns the problems."""
        loaded = []
        for name, part in self._parts(state).items():
            if _loads_in_its_own_way(part):
                if name != "loader":  # the last part; and a loader that loads a state, even its own, resumes mid-epoch
                    loaded.append((part, copy.deepcopy(part.state_dict())))
                try:
                    part.load_state_dict(state[name])
                except Exception as error:
                    for earlier, before in loaded:
                        earlier.load_state_dict(before)
                    return [_complaint(name, error)]
        return []

    def _prepare_generators(self, saved: Any) -> Callable[[], None]:
        own = dict(self._generators())
        names = sorted(saved) if isinstance(saved, dict) else saved
        if names != sorted(own):
            problem = f"the checkpoint must hold the generators {sorted(own)}, got {names}"
            raise CheckpointError(restate("random generators", problem))
        loads = [prepare_generator_state(name, generator, saved[name]) for name, generator in own.items()]

        def load() -> None:
            for put_back in loads:
                put_back()

        return load

    def _generators(self) -> Iterator[tuple[str, np.random.Generator]]:
        yield "tensorgrad", default_generator()
        for path, module in self.model.named_modules("model"):
            for name, value in vars(module).items():
                if isinstance(value, np.random.Generator):
                    yield f"{path}.{name}", value

    def _read(self) -> dict[str, Any]:
        """The state in the file, after checking that it is complete and undamaged."""
        arrays, facts = read_file("resume", self.path)
        if facts.get("format") not in (FORMAT, UNSIGNED) or DOCUMENT not in arrays:
            problem, fix = f"{self.path} holds tensors, but isn't a checkpoint", "tg.load reads its tensors"
            raise CheckpointError(restate("resume", problem, expected=f"the format {FORMAT!r}", fix=fix))
        signed = {name: value for name, value in facts.items() if name != "sha256"}
        if facts["format"] == FORMAT and facts.get("sha256") != digest(arrays, signed):
            raise self._damaged("the checksum is wrong, so the file was changed after it was written")
        try:
            state = joined(json.loads(arrays.pop(DOCUMENT).tobytes()), arrays)
            missing = [name for name in PARTS if name not in state]
            others = len(state.setdefault("ranks", {}).keys())  # files of one process, of older versions, have none
            counts = {name: str(len(state["history"][name])) for name in ("epochs", "steps")} if not missing else {}
        except Exception as error:  # its text can be anything
            raise self._damaged(f"{type(error).__name__}: {error}") from error
        if missing or counts.items() - facts.items():
            raise self._damaged(f"the parts {missing} are missing" if missing else "the history is incomplete")
        if others + 1 != self.processes.size:
            count = f"{others + 1} process{'es' if others else ''}, this training has {self.processes.size}"
            fix = "resume with as many processes; the arrays 'model/…' that tg.load finds in the file are the weights"
            raise CheckpointError(restate("resume", f"{self.path} was saved by {count}; nothing was changed", fix=fix))
        return state

    def _damaged(self, problem: str) -> CheckpointError:
        fix = "resume from a copy, or start again with another file"
        return CheckpointError(restate("resume", f"{self.path} is damaged; nothing was changed: {problem}", fix=fix))


def _prepare_history(records: Any) -> Callable[[], History]:
    history = History.from_dict(records)
    history.check_whole()
    return lambda: history


def _loads_in_its_own_way(part: Any) -> bool:
    """Whether a part must load to check: it overrides `load_state_dict`, or has no `prepare_state_dict`."""
    for kind in type(part).__mro__:
        if "prepare_state_dict" in vars(kind):
            return False
        if "load_state_dict" in vars(kind):
            return True
    return not hasattr(part, "prepare_state_dict")


def _complaint(name: str, error: Exception) -> str:
    return str(error) if isinstance(error, TensorgradError) else f"{name}: {type(error).__name__}: {error}"


REFERENCE = "$array"
"""The key of a reference to an array: {"$array": its name in the file}."""


def split(tree: dict[str, Any], path: str = "") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Separate nested dicts from the arrays in them: the dicts with references instead, and the arrays by name.

    Args:
        tree: nested dicts with text as keys.
        path: what the names of the arrays begin with.

    >>> split({"a": {"x": np.zeros(2), "n": 1}})
    ({'a': {'x': {'$array': 'a/x'}, 'n': 1}}, {'a/x': array([0., 0.])})
    """
    document, arrays = {}, {}
    for key, value in tree.items():
        if isinstance(value, np.ndarray):
            document[key] = {REFERENCE: path + key}
            arrays[path + key] = value
        elif isinstance(value, dict):
            document[key], below = split(value, f"{path}{key}/")
            arrays |= below
        else:
            document[key] = value
    return document, arrays


def joined(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The nested dicts that `split` separated.

    >>> joined({"a": {"x": {"$array": "a/x"}, "n": 1}}, {"a/x": 2})
    {'a': {'x': 2, 'n': 1}}
    """
    tree = {}
    for key, value in document.items():
        if isinstance(value, dict):
            is_reference = isinstance(value.get(REFERENCE), str)
            value = arrays[value[REFERENCE]] if is_reference else joined(value, arrays)
        tree[key] = value
    return tree
