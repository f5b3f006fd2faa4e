"""`compare`: two traces of one computation in one drawing, or several training runs on one plot."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, overload

from tensorgrad.errors import DTypeError, restate
from tensorgrad.viz import plots
from tensorgrad.viz.comparison.comparison import Comparison
from tensorgrad.viz.comparison.pairing import pair
from tensorgrad.viz.graph.drawing import folded_paths
from tensorgrad.viz.record.collect import variables_of
from tensorgrad.viz.record.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@overload
def compare(
    runs: Trace,
    metric: Trace,
    /,
    *,
    fold: str | Iterable[str] | bool | None = None,
    unfold: str | Iterable[str] = (),
    compact: bool = False,
) -> Comparison: ...


@overload
def compare(runs: Mapping[str, Any], metric: str = "loss", x: str = "epoch", ax: Axes | None = None) -> Axes: ...


def compare(
    runs: Any,
    metric: Any = "loss",
    x: str = "epoch",
    ax: Axes | None = None,
    *,
    fold: str | Iterable[str] | bool | None = None,
    unfold: str | Iterable[str] = (),
    compact: bool = False,
) -> Comparison | Axes:
    r"""Two traces of one computation in one drawing: `compare(before, after)`. Or several training runs on one plot.

    **Two traces** of the same program, with other weights, in another precision, before and after a change to the
    code. The drawing has both numbers at each tensor and each gradient, and how far they lie apart: max |a − b| over
    max(|a|, |b|), the largest difference between two elements over the largest element. The largest differences are
    marked; so are the places where differences begin: a result that differs although all that it was computed from
    agrees. Differences of at most 1,000 units in the last place of the coarser dtype count as rounding. `print` it, or
    `save` it as a page, on which the key D leads from difference to difference.

    **Several training runs**: one metric over the epochs, the images seen, or the seconds. Over epochs a line joins the
    values of the epochs. Over images or seconds it follows the steps, where the history has the metric of each: as
    means over parts of the run, with the steps themselves pale behind. The last value of each run is in the legend.

    Args:
        runs: the first trace; or histories by the names of the runs, each as `curves` takes it.
        metric: the second trace; or "loss", "accuracy", "validation_loss", …
        x: of training runs: "epoch", "images" or "seconds"; the latter two need histories that hold them, as those of
            `fit` do.
        ax: of training runs: where to draw.
        fold: of traces: the modules to draw as one box each, as in `graph`.
        unfold: of traces: the modules to draw open, as in `graph`.
        compact: of traces: whether to draw one box for each op, as in `graph`.

    Raises:
        ArgumentError: the structures of the traces part, and the message names the first op where they do; `fold` or
            `unfold` names no module. Of training runs: there are none, one doesn't have the metric or `x`, or `x` is
            something else.
        GraphError: nothing ran inside a trace.
        DTypeError: neither two traces nor a mapping of histories.

    >>> import tensorgrad as tg
    >>> def step(w):
    ...     with tg.viz.trace() as t:
    ...         loss = (w * w).sum()
    ...         loss.backward()
    ...     return t
    >>> before = step(tg.tensor([1.0, -2.0], requires_grad=True, name="w"))
    >>> after = step(tg.tensor([1.0, -1.5], requires_grad=True, name="w"))
    >>> comparison = tg.viz.compare(before, after)
    >>> comparison
    <Comparison of 2 ops: 3 of 3 tensors differ>
    >>> print(*comparison.text(width=80).splitlines()[:2], sep="\n")
    Values: 3 of 3 differ, most u₁, by 44 %: 4 | 2.25 at (1,).
    Gradients: 1 of 3 differ, most w, by 25 %: −4 | −3 at (1,).

    >>> ax = tg.viz.compare({"SGD": {"loss": [0.9, 0.5]}, "Adam": {"loss": [0.7, 0.25]}})
    >>> [line.get_label() for line in ax.get_lines()]
    ['SGD: 0.5', 'Adam: 0.25']
    """
    if not isinstance(runs, Trace):
        return plots.compare(runs, metric, x, ax)
    if not isinstance(metric, Trace):
        fix = "with tg.viz.trace() as after: ..., and compare(before, after)"
        raise DTypeError(restate("compare", "a trace is compared with another trace", fix=fix, second=metric))
    variables = variables_of(sys._getframe(1))
    record, found = pair(runs, metric, _labels(runs, metric, variables), variables)
    return Comparison(record, folded_paths("compare", record, fold, unfold), compact=compact, runs=found)


def _labels(first: Trace, second: Trace, variables: Mapping[str, Any]) -> tuple[str, str]:
    """The names of the caller's variables that hold the traces, else `first` and `second`."""

    def name(trace: Trace, otherwise: str) -> str:
        return next((name for name, value in variables.items() if value is trace), otherwise)

    return name(first, "first"), name(second, "second")
