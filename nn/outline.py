"""A module as an outline: a line for each module in it, with its settings and parameters, which a reader can fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.system import html

if TYPE_CHECKING:
    from tensorgrad.nn.module import Module

OPEN = 60
"""A module of more modules than this begins with its children folded."""


def outline(module: Module) -> str:
    """The outline as HTML.

    >>> import tensorgrad as tg
    >>> print(outline(tg.nn.Linear(2, 3)))
    <div><b>Linear</b> <span style="opacity: 0.7">in_features=2, out_features=3, bias=True: 9 parameters</span></div>
    """
    count = sum(1 for _ in module.modules())
    return _part(module, "", opened=True, children_opened=count <= OPEN)


def _part(module: Module, name: str, opened: bool, children_opened: bool) -> str:
    title = f"{name}: {type(module).__name__}" if name else type(module).__name__
    parameters = list(module.parameters())
    numbers = _counted(sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if not p.requires_grad))
    head = html.line(": ".join(part for part in (module.extra_repr(), numbers) if part), title)
    children = [_part(child, key, children_opened, children_opened) for key, child in module._own_children()]
    if not children:
        return head
    # The marker of a <details> stands beside a line, above a <div>.
    head = head.removeprefix("<div>").removesuffix("</div>")
    body = f'<div style="margin-left: 1.5em">{"".join(children)}</div>'
    return f"<details{' open' if opened else ''}><summary>{head}</summary>{body}</details>"


def _counted(parameters: int, frozen: int) -> str:
    if not parameters:
        return ""
    return f"{parameters:,} parameters" + (f", {frozen:,} frozen" if frozen else "")
