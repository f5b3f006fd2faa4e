"""What `fit` calls while it trains: the base class of callbacks, and several of them as one."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.module import Module
from tensorgrad.nn.optim import Optimizer
from tensorgrad.nn.training.history import History, Record

EVENTS = ("on_train_begin", "on_step_end", "on_epoch_end", "on_train_end")

Path = str | os.PathLike[str]


@dataclass
class Training:
    """The training that a callback belongs to.

    Attributes:
        model: the network.
        optimizer: over its parameters.
        history: the records so far.
        validates: whether there is a validation after each epoch.
    """

    model: Module
    optimizer: Optimizer
    history: History
    validates: bool = False
    _files: list[Path] = field(default_factory=list)

    def save_checkpoint(self, path: Path) -> None:
        """Save a checkpoint once all callbacks have been told of this step or epoch: so it holds their states, too."""
        self._files.append(path)

    def requested(self) -> list[Path]:
        """The checkpoints that callbacks asked for since the last call."""
        files, self._files = self._files, []
        return files


class Callback:
    """Base class of what `fit(callbacks=[…])` takes. Override the events you need; each does nothing by itself.

    While it trains, `fit` sets the attribute `training`, with the model, the optimizer and the history. An object of
    another class will do if it has one of these methods. If it has `state_dict` and `load_state_dict`, checkpoints
    hold its state; a state is loaded after `on_train_begin`. A subclass with a method `on_…` that isn't an event raises
    ArgumentError, since nothing would call it.

    >>> import tensorgrad as tg
    >>> class Stop(tg.nn.Callback):
    ...     def on_step_end(self, record):
    ...         return record["step"] == 3
    >>> model, batch = tg.nn.Linear(1, 1), (tg.ones(2, 1), tg.ones(2, 1))
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> options = {"loss": tg.nn.mse_loss, "optimizer": sgd, "epochs": 9, "progress": False}
    >>> len(tg.nn.fit(model, [batch], **options, callbacks=[Stop()]).steps)
    3
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, member in vars(cls).items():
            if name.startswith("on_") and name not in EVENTS and inspect.isfunction(member):
                problem = f"{name} isn't an event of fit, so nothing would call it; the events are {', '.join(EVENTS)}"
                raise ArgumentError(restate(cls.__name__, problem, fix="give a method of your own a name without on_"))

    _training: Training | None = None
    on_every_rank = True
    """Where several processes train together, all of them call the callback; with False, for what prints or writes
    files, rank 0 alone does."""

    @property
    def training(self) -> Training:
        """The training, while `fit` runs. Raises ArgumentError at other times."""
        if self._training is None:
            problem = f"{type(self).__name__}.training is there only while fit runs"
            raise ArgumentError(restate("Callback", problem, fix="pass it to fit(callbacks=[...])"))
        return self._training

    def on_train_begin(self) -> None:
        """The training begins: the arguments of `fit` were right."""

    def on_train_end(self) -> None:
        """The training is over, also where an error ended it."""

    def on_step_end(self, record: Record) -> bool | None:
        """A step is done: the weights have moved, and the gradients are still there. True ends the training.

        Args:
            record: of the step, as in `History.steps`.
        """

    def on_epoch_end(self, record: Record) -> bool | None:
        """An epoch is done, and its validation. True ends the training.

        Args:
            record: of the epoch, as in `History.epochs`.
        """


def asks_to_end(result: Any) -> bool:
    """Whether a callback returned True, of Python or of NumPy: a record compared with a NumPy number gives np.True_."""
    return isinstance(result, bool | np.bool_) and bool(result)


class Callbacks:
    """Several callbacks as one: each is called, in their order, also where one of them ends the training.

    As a context it stands for the whole training. Processes of another `rank` than 0 leave out those that rank 0 alone
    is to call.
    """

    def __init__(self, callbacks: Iterable[Any], rank: int = 0) -> None:
        if not isinstance(callbacks, Iterable):
            problem = f"callbacks must be a list, got {type(callbacks).__name__}"
            raise ArgumentError(restate("fit", problem, fix="pass callbacks=[callback]", callbacks=callbacks))
        given = list(callbacks)
        for k, callback in enumerate(given):
            if any(callback is other for other in given[:k]):
                problem = f"the same {type(callback).__name__} is among the callbacks twice, and would hear all twice"
                raise ArgumentError(restate("fit", problem, fix="pass it once, or make two"))
        self._callbacks = [each for each in given if rank == 0 or getattr(each, "on_every_rank", True)]
        self._states: dict[str, Any] = {}  # of a checkpoint, to load when the training begins
        for callback in given:
            if isinstance(callback, type):
                problem = f"a callback must be an object, got the class {callback.__name__}"
                raise ArgumentError(restate("fit", problem, fix=f"pass {callback.__name__}(…)"))
            if not any(callable(getattr(callback, event, None)) for event in EVENTS):
                problem = f"a callback must have a method {' or '.join(EVENTS)}"
                fix = "derive from nn.Callback; a function goes to on_step_end= or on_epoch_end="
                raise ArgumentError(restate("fit", problem, fix=fix, callback=callback))

    def belong_to(self, training: Training) -> Self:
        """Set the training that they belong to, and return them."""
        for callback in self._callbacks:
            if isinstance(callback, Callback):
                callback._training = training
        return self

    def __enter__(self) -> Self:
        self._tell("on_train_begin")
        for name, callback in self._with_state():
            if name in self._states:
                callback.load_state_dict(self._states[name])
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._tell("on_train_end")
        finally:
            for callback in self._callbacks:
                if isinstance(callback, Callback):
                    callback._training = None

    def on_step_end(self, record: Record) -> bool:
        """Tell all of a step."""
        return self._tell("on_step_end", record)

    def on_epoch_end(self, record: Record) -> bool:
        """Tell all of an epoch."""
        return self._tell("on_epoch_end", record)

    def state_dict(self) -> dict[str, Any]:
        """The states of the callbacks that have one, by the name of their class, and a number from 2 on."""
        return {name: callback.state_dict() for name, callback in self._with_state()}

    def prepare_state_dict(self, state: dict[str, Any] | None) -> Callable[[], None]:
        """Return a function that notes the states; they are loaded when the training begins."""

        def load() -> None:
            self._states = state or {}

        return load

    def news(self) -> str:
        """Which callbacks a checkpoint knows that aren't here, and which begin anew; "" if there are none."""
        own, saved = {name for name, _ in self._with_state()}, set(self._states)
        facts = [f"{name} begins anew, the checkpoint doesn't know it" for name in sorted(own - saved)]
        facts += [f"the checkpoint's state of {name} is left out" for name in sorted(saved - own)]
        return "; ".join(facts)

    def _with_state(self) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for callback in self._callbacks:
            if hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict"):
                kind = type(callback).__name__
                seen[kind] = seen.get(kind, 0) + 1
                yield kind if seen[kind] == 1 else f"{kind} {seen[kind]}", callback

    def _tell(self, event: str, *record: Record) -> bool:
        methods = [getattr(callback, event, None) for callback in self._callbacks]
        return any([asks_to_end(method(*record)) for method in methods if method is not None])
