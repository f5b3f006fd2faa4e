"""The doctor: examines a traced training, or watches the first steps of one as a callback of `fit`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.viz.doctor.mistakes import mistakes
from tensorgrad.viz.doctor.report import Report
from tensorgrad.viz.doctor.steps import course, lengths, not_zeroed
from tensorgrad.viz.graph.drawing import Drawing, folded_paths
from tensorgrad.viz.graph.health import Finding, examine
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.collect import variables_of
from tensorgrad.viz.record.modules.calls import Modules
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.recorder import Depth, Recorder
from tensorgrad.viz.record.records import GraphRecord
from tensorgrad.viz.record.trace import Trace

CAUSES = {
    "vanishing": "each layer behind it shrinks the gradient",
    "exploding": "what lies behind it enlarges the gradient, or its inputs are large",
    "no gradient": "nothing that it computes reaches the loss",
    "dead": "what they are given is 0 or less for the whole batch, where relu has slope 0",
    "saturated": "what it is given is large, where its slope is nearly 0",
    "NaN": "an input lies outside of its domain, or a number overflows",
    "∞": "an input lies at a pole, or a number overflows",
    "its gradient": "its slope isn't finite at one of its inputs",
}
"""Why, where `health` doesn't know more, by the beginning of the finding."""


def doctor(step: Trace, losses: Sequence[float] = (), learning_rates: Sequence[float] = ()) -> Report:
    """The everyday mistakes in a training, each with its cause and its remedy.

    One traced step shows softmax or sigmoid before a loss that applies it itself, inputs that aren't scaled, labels
    that count from 1, parameters that no gradient reaches, and what drawings name: dead and saturated units, gradients
    that vanish, explode or aren't finite. Three steps in one trace, with those of the optimizer, show a missing
    `zero_grad()` and learning rates that are far too large or too small. The rules and their reasons stand in
    `tensorgrad.viz.doctor` and `tensorgrad.viz.graph.health`.

    Args:
        step: a trace of one step or several.
        losses: of the training so far, to judge their course, from ten on.
        learning_rates: of these steps: while it rises, it isn't called too small.

    Raises:
        DTypeError: `step` isn't a trace.
        GraphError: nothing ran inside the trace.
        ArgumentError: the last step has more than 10,000 ops.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([[0.1, -0.1]], requires_grad=True, name="w")
    >>> pixels = tg.tensor([[0.0], [255.0], [128.0]])
    >>> with tg.viz.trace() as step:
    ...     loss = tg.nn.cross_entropy(pixels @ w, tg.tensor([0, 1, 1]))
    ...     loss.backward()
    >>> report = tg.viz.doctor(step)
    >>> report
    <Report: inputs not scaled: 0 … 255>
    >>> print(report.findings[0].remedy)
    divide by 255, or subtract the mean and divide by the deviation
    """
    if not isinstance(step, Trace):
        fix = "with tg.viz.trace() as step: ..., and doctor(step)"
        raise DTypeError(restate("doctor", "step must be a trace", fix=fix, step=step))
    return _report(step, losses, learning_rates, variables_of(sys._getframe(1)))


def _report(step: Trace, losses: Sequence[float], rates: Sequence[float], variables: Mapping[str, Any]) -> Report:
    recorder = Recorder(step.latest(variables), Depth(numbers=True, details=True))
    record = recorder.record()
    plain = fold_view_ops(record)
    modules = find_modules(plain)
    rounds = step.rounds()
    where = {leaf: recorder.id_of(leaf) for one in rounds for leaf in one.leaves}
    lost = [leaf for leaf in step.unreached() if leaf.name or len(leaf._data.shape) > 1]
    found = [
        *mistakes(plain),
        *examine(plain, modules),
        *(_unreached(leaf.name or "a parameter", recorder.id_of(leaf)) for leaf in lost),
        *not_zeroed(rounds, where),
        *lengths(rounds, where, rates),
        *course(losses),
    ]
    unique = {(finding.where, finding.text): finding for finding in found}
    findings = tuple(_with_cause(finding) for finding in unique.values())
    places = tuple(_place(record, finding.where, modules) for finding in findings)
    drawn = Drawing(record, folded_paths("doctor", record, None, ()), findings=findings)
    return Report(findings, places, drawn)


def _unreached(name: str, id: str) -> Finding:
    cause = "it was used, but detach(), no_grad() or numbers in place of tensors cut it off from the loss"
    return Finding(
        id, f"no gradient reaches {name}", cause, "keep tensors from it to the loss, or freeze it on purpose"
    )


def _with_cause(finding: Finding) -> Finding:
    general = next((cause for begin, cause in CAUSES.items() if finding.text.startswith(begin)), "")
    return replace(finding, cause=finding.cause or general)


def _place(record: GraphRecord, where: str, modules: Modules) -> str:
    """A module's path, an op with its line, a tensor's name."""
    for op in record.ops:
        if op.id == where:
            line = f", {PurePath(op.source.file).name}:{op.source.number}" if op.source is not None else ""
            return f"{op.applied or op.symbol}{line}"
    for tensor in record.tensors:
        if tensor.id == where:
            return tensor.name or tensor.symbol
    return modules.path(where)


class Doctor:
    """The doctor as a callback of `fit`: traces the first steps, and warns of what it finds; at the end, of the losses.

    The training stays the same to the bit. The steps that it traces keep all their arrays until they are examined.

    Args:
        steps: how many steps to trace.

    Attributes:
        report: what was found; None before.

    Raises:
        ArgumentError: `steps` is below 1.

    >>> import tensorgrad as tg
    >>> model, doctor = tg.nn.Linear(2, 2), tg.viz.Doctor()
    >>> batch = tg.randn(8, 2), tg.tensor([0, 1] * 4)
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> options = {"loss": tg.nn.cross_entropy, "optimizer": sgd, "epochs": 5, "progress": False}
    >>> history = tg.nn.fit(model, [batch], **options, callbacks=[doctor])
    >>> doctor.report
    <Report: nothing found>
    """

    def __init__(self, steps: int = 3) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ArgumentError(restate("Doctor", f"steps must be an integer of at least 1, got {steps!r}"))
        self.report: Report | None = None
        self._steps = steps
        self._losses: list[float] = []
        self._rates: list[float] = []
        self._trace = Trace()
        self._watching = ExitStack()

    def on_train_begin(self) -> None:
        """Begin to watch."""
        self.report, self._losses, self._rates, self._trace = None, [], [], Trace()
        self._watching.enter_context(self._trace)

    def on_step_end(self, record: Mapping[str, Any]) -> None:
        """Note the loss; after the last step to watch, examine them all."""
        self._losses.append(float(record["loss"]))
        self._rates.append(float(record.get("learning_rate", 0.0)))
        if len(self._losses) == self._steps:
            self._examine()

    def on_train_end(self) -> None:
        """Stop watching, and judge the course of the losses."""
        if self.report is None and self._losses:
            self._examine()
        self._watching.close()
        if self.report is not None and (late := tuple(course(self._losses))):
            before = self.report
            self.report = Report((*before.findings, *late), (*before.places, *("",) * len(late)), before.drawing)
            _warn(Report(late, ("",) * len(late), before.drawing))

    def _examine(self) -> None:
        self._watching.close()
        self.report = _report(self._trace, (), self._rates, {})
        self._trace = Trace()  # it held all arrays of the steps
        if self.report:
            _warn(self.report)


def _warn(report: Report) -> None:
    warnings.warn(f"the doctor found:\n{report.text(100)}", stacklevel=5)
