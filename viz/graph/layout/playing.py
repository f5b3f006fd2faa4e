"""Plays an SVG: op by op it appears, as the forward pass runs; then the gradient comes back, edge by edge."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Collection

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import GraphRecord

WHOLE, STEP, LONGEST = 2.0, 0.6, 60.0
"""Seconds: how long the whole drawing is shown before and after, how long a step takes, and all of them at most."""

_FORWARD = "".join(f':not([stroke="{colour}" i])' for colour in (theme.GREY, theme.PALE))
_BACK = f"[stroke]{_FORWARD}"
"""Selects the lane of a gradient in an edge."""

_GRADIENTS = f'text:is([fill="{theme.GRADIENT}" i],[fill="{theme.LIGHT_GRADIENT}" i])'
"""Selects what is said of a gradient in a node."""


def played(svg: str, graph: GraphRecord, folded: Collection[str]) -> str:
    """The SVG with a style sheet that plays it, over and over; not on paper, nor for readers who want nothing to move.

    Args:
        svg: of the graph.
        graph: as collected or traced.
        folded: the paths of the modules that are drawn as one box each.
    """
    ids = [html.unescape(id) for id in re.findall(r'<g id="((?:op|t|module|loop|edge&#45;)[^"]*)" class="', svg)]
    times: dict[int, list[str]] = defaultdict(list)
    schedule = _Times(graph, folded)
    for id in ids:
        for selector, time in schedule.of(id):
            times[time].append(f'[id="{id}"]{selector}')
    return svg.replace("</style>", f"{_sheet(times)}</style>", 1)


class _Times:
    """When the parts of a drawing appear: the ops forward, one a step, then their gradients in reverse."""

    def __init__(self, graph: GraphRecord, folded: Collection[str]) -> None:
        plain = fold_view_ops(graph)
        box_of = {op: box for box, ops in dot.boxes(graph, folded).items() for op in ops}
        makers = list(dict.fromkeys(box_of.get(op.id, op.id) for op in plain.ops))
        self._forward = {maker: number for number, maker in enumerate(makers)}
        self._end = 2 * len(makers) - 1
        index = GraphIndex(plain)
        self._maker = {tensor: box_of.get(op, op) for tensor, op in index.maker.items()}
        self._users = {t.id: {box_of.get(op, op) for op in index.users[t.id]} for t in plain.tensors}

    def of(self, id: str) -> list[tuple[str, int]]:
        """Selectors within the group of a part, and the steps at which what they select appears."""
        if id.startswith("edge-"):
            forward = self._forward[id.removeprefix("edge-").rpartition("-")[0]]
            back = self._end - forward
            return [("", forward), (f" :is(text,{_BACK})", back)]
        tensor = id.partition("-")[0]
        if tensor in self._users:
            users = [self._forward[user] for user in self._users[tensor]]
            forward = self._forward[self._maker[tensor]] if tensor in self._maker else min(users, default=0)
            # Its gradient is complete when the first op that used it has passed its part on.
            back = self._end - min(users, default=len(self._forward) - 1)
            return [("", forward), (f" {_GRADIENTS}", back)]
        if id not in self._forward:  # the frame of an open module
            return []
        return [("", self._forward[id]), (f" {_GRADIENTS}", self._end - self._forward[id])]


def _sheet(times: dict[int, list[str]]) -> str:
    steps = max(times, default=0) + 1
    step = min(STEP, LONGEST / steps)
    total = 2 * WHOLE + step * steps
    rules = []
    for time, selectors in sorted(times.items()):
        start, end = 100 * WHOLE / total, 100 * (WHOLE + step * time) / total
        hidden = f"{start:.2f}%,{end:.2f}%{{opacity:.08}}" if time else f"{start:.2f}%{{opacity:.08}}"
        rules.append(f"@keyframes s{time}{{0%,{start - 1:.2f}%{{opacity:1}}{hidden}{end + 1:.2f}%,to{{opacity:1}}}}")
        rules.append(f"{','.join(selectors)}{{animation:s{time} {total:.1f}s infinite}}")
    return f"@media screen and (prefers-reduced-motion:no-preference){{{''.join(rules)}}}"
