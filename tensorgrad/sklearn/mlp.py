"""The network of an estimator that is given none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

from tensorgrad import nn
from tensorgrad.errors import ArgumentError, restate


class MLP(nn.Sequential):
    """A multilayer perceptron: linear layers with a ReLU between them; `(N, ...)` -> `(N, out_features)`.

    Args:
        in_features: the numbers of one example, all of its axes together.
        out_features: the outputs.
        hidden: the units of the hidden layers: an int for one layer, several for more, none for a linear model. By
            default one layer of 2 · √(in · out) units, from 32 to 256, a power of two.
        dropout: the probability of dropping a hidden unit.

    Raises:
        ArgumentError: a number of units below 1.

    >>> MLP(64, 10)[1], MLP(64, 10, hidden=(32, 16), dropout=0.5)[-1]
    (Linear(in_features=64, out_features=64, bias=True), Linear(in_features=16, out_features=10, bias=True))
    """

    def __init__(
        self, in_features: int, out_features: int, hidden: int | Iterable[int] | None = None, dropout: float = 0.0
    ) -> None:
        if hidden is None:
            units = 2 * math.sqrt(in_features * out_features)
            hidden = min(256, max(32, 2 ** math.ceil(math.log2(units))))
        widths = [in_features, *(hidden if isinstance(hidden, Iterable) else [hidden])]
        if min(widths) < 1:
            raise ArgumentError(restate("MLP", "each layer must have at least one unit", hidden=hidden))
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        super().__init__(*layers, nn.Linear(widths[-1], out_features))
