"""What the optimizers with an elementwise rule have in common: how they name options, arrays and shared checks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from tensorgrad.nn.optim.optimizer import Optimizer
from tensorgrad.nn.optim.options import non_negative, refuse_differentiable, two_fractions
from tensorgrad.nn.optim.updating import Array

Init = TypeVar("Init", bound=Callable[..., None])

IGNORED = frozenset(("foreach", "capturable", "fused"))
"""Arguments of PyTorch that choose between implementations: there is one here."""


class FirstOrder(Optimizer):
    """The common base of the optimizers with an elementwise rule. A subclass states each thing once:

    - `__init__`, with the decorator `names_options`: the options, their types and their defaults.
    - `state_arrays`: the arrays that it keeps per parameter; `optional_arrays`: an array and the option that needs it.
    - `check`: the ranges of the options that it alone has.
    - `update`: the rule of the class's formula.
    """

    state_arrays: ClassVar[tuple[str, ...]] = ()
    optional_arrays: ClassVar[Mapping[str, str]] = {}

    def check(self, options: dict[str, Any]) -> None:
        """Both β in [0, 1); ε, weight decay and momentum ≥ 0."""
        if "betas" in options:
            two_fractions(self.name, options["betas"])
        shared = ("eps", "weight_decay", "momentum")
        non_negative(self.name, **{key: options[key] for key in shared if key in options})

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """The names of the arrays kept per parameter under these options."""
        return *self.state_arrays, *[array for array, option in self.optional_arrays.items() if options[option]]


def names_options(init: Init) -> Init:
    """Decorator of an `__init__` without a body: its arguments are the options, apart from PyTorch's switches."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def begin(self: FirstOrder, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)  # for Python's errors about missing and unknown arguments
        call = signature.bind(self, *args, **kwargs)
        call.apply_defaults()
        (_, _), (_, params), *options = call.arguments.items()
        chosen = {name: value for name, value in options if name not in IGNORED}
        refuse_differentiable(self.name, chosen.pop("differentiable", False))
        Optimizer.__init__(self, params, **chosen)

    return begin  # type: ignore[return-value]


def decayed(w: Array, g: Array, lr: float, weight_decay: float, decoupled: bool = False) -> tuple[Array, Array]:
    """Weights and gradient after weight decay λ: w − lr · λ w and g if it is decoupled, else w and g + λ w."""
    if not weight_decay:
        return w, g
    return ((1 - lr * weight_decay) * w, g) if decoupled else (w, g + weight_decay * w)
