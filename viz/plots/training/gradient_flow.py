"""The size of each layer's gradient, step by step: where it vanishes, explodes, or stays zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.parameters import named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = 14
"""The most layers in a legend; more have a colour bar."""


class GradientLog:
    """Records the mean |gradient| of each layer; `gradient_flow` draws it.

    A layer is all parameters whose names are equal up to the last dot: `conv1.weight` and `conv1.bias`.

    Args:
        parameters: a module, or a mapping of tensors by name, from the first layer to the last.

    Attributes:
        layers: their names, in that order.
        means: per layer a list with a value per step; None where no parameter of it had a gradient.

    Raises:
        DTypeError: `parameters` isn't a module, a mapping of tensors by name, or tensors of floats.
        ArgumentError: there are no parameters, or one occurs twice.

    >>> import tensorgrad as tg
    >>> net = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.ReLU(), tg.nn.Linear(2, 1))
    >>> log = GradientLog(net)
    >>> net(tg.ones(1, 2)).sum().backward()
    >>> log.record()
    >>> log.layers, len(log), log.means["2"]
    (['0', '2'], 1, [...])
    """

    def __init__(self, parameters: Any) -> None:
        self._members: dict[str, list] = {}
        for name, parameter in named("GradientLog", parameters).items():
            self._members.setdefault(name.rpartition(".")[0] or name, []).append(parameter)
        self.means: dict[str, list[float | None]] = {layer: [] for layer in self._members}

    @property
    def layers(self) -> list[str]:
        """The names of the layers, from first to last."""
        return list(self.means)

    def record(self) -> None:
        """Record the current gradients: call it after `backward()`, before the next `zero_grad()`.

        Raises GraphError if no parameter has a gradient.
        """
        found = {layer: _mean(parameters) for layer, parameters in self._members.items()}
        if all(mean is None for mean in found.values()):
            fix = "call it after loss.backward() and before zero_grad()"
            raise GraphError(restate("GradientLog.record", "no parameter has a gradient", fix=fix))
        for layer, mean in found.items():
            self.means[layer].append(mean)

    def __len__(self) -> int:
        return len(next(iter(self.means.values())))


def _mean(parameters: list) -> float | None:
    """The mean |gradient| over all elements of those that have one."""
    grads = [p.grad.data for p in parameters if p.grad is not None]
    elements = sum(grad.size for grad in grads)
    return float(sum(np.abs(grad).sum(dtype=np.float64) for grad in grads) / elements) if elements else None


def gradient_flow(log: GradientLog, ax: Axes | None = None) -> Axes:
    """The mean |gradient| of each layer over the steps, on a log scale: dark is the first layer, light the last.

    The title compares the first layer's gradient with the last's. A gradient of exactly zero, which a log scale can't
    show, leaves a gap; a layer whose gradient stayed zero is called dead in the legend.

    Args:
        log: the recorded gradients.
        ax: where to draw.

    Raises:
        DTypeError: `log` isn't a GradientLog.
        ArgumentError: nothing was recorded.

    >>> import tensorgrad as tg
    >>> w, v = (tg.tensor([k], requires_grad=True) for k in (0.5, 10.0))
    >>> log = GradientLog({"first": w, "last": v})
    >>> (w * v).sum().backward()
    >>> log.record()
    >>> [float(line.get_ydata()[0]) for line in gradient_flow(log).get_lines()]
    [10.0, 0.5]
    """
    if not isinstance(log, GradientLog):
        raise DTypeError(restate("gradient_flow", "log must be a GradientLog", fix="log = GradientLog(model)", log=log))
    if not len(log):
        fix = "call log.record() after each backward()"
        raise ArgumentError(restate("gradient_flow", "log must have at least one record", fix=fix, log=log))
    many = len(log.layers) > LEGEND
    ax = canvas.axes("gradient_flow", ax, 6.4, 4.0)
    colors = _colors(len(log.layers))
    steps = np.arange(1, len(log) + 1)
    for (layer, means), color in zip(log.means.items(), colors, strict=True):
        y = np.array(means, float)
        label = f"{theme.shorten(layer, 24)}{_note(means)}"
        y = np.where(np.isfinite(y) & (y > 0), y, np.nan)
        ax.plot(steps, y, color=color, label=label, linewidth=1.6, marker="o" * (len(log) == 1), markersize=5)
    ax.set_yscale("log")
    ax.set(xlabel="step", ylabel="mean |gradient|")
    ax.set_title(_title(log), fontsize=11)
    canvas.whole_numbers(ax)
    canvas.tidy(ax, legend=False)
    if many:
        _layer_bar(ax, log.layers)
    else:
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9, title="first layer to last")
    return ax


def _colors(count: int) -> list[Any]:
    """Colours from dark to light, without the yellow end of the palette, which is faint on white."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.88 * k / max(count - 1, 1)) for k in range(count)]


def _note(means: list[float | None]) -> str:
    """For the legend: what a layer's line can't show."""
    known = [mean for mean in means if mean is not None]
    if not known:
        return ": no gradient"
    if not any(known):
        return ": dead, all zeros"
    return "" if np.isfinite(known).all() else ": NaN or infinite"


def _title(log: GradientLog) -> str:
    """The ratio of the first layer to the last, by the medians over the steps."""
    ends = [np.array(log.means[layer], float) for layer in (log.layers[0], log.layers[-1])]
    first, last = (float(np.median(y[np.isfinite(y)])) if np.isfinite(y).any() else 0.0 for y in ends)
    if len(log.layers) == 1 or not (first and last):
        return "gradient flow"
    ratio = first / last
    if not 1e-6 < ratio < 1e6:
        times = f"{theme.power(ratio)} of"
    else:
        times = f"{ratio:,.3g} ×" if ratio >= 1 else f"1/{1 / ratio:,.0f} of" if ratio < 0.5 else f"{ratio:.2f} ×"
    return f"gradient flow: the first layer's is {times} the last's"


def _layer_bar(ax: Axes, layers: list[str]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    scale = ScalarMappable(Normalize(0, len(layers)), ListedColormap(_colors(len(layers))))
    bar = ax.figure.colorbar(scale, ax=ax, label="layer")
    shown = sorted({0, len(layers) - 1, *range(0, len(layers) - 1, -(-len(layers) // 12))})
    bar.set_ticks([k + 0.5 for k in shown], labels=[theme.shorten(layers[k], 24) for k in shown])
    bar.ax.tick_params(labelsize=8, length=0)
    bar.ax.invert_yaxis()
