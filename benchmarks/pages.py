"""What the pages of large graphs cost: the time to make one, its size, until it is ready in a browser, and per key."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from benchmarks import browser

if TYPE_CHECKING:
    from tensorgrad import Tensor

Made = TypeVar("Made")

KEYS = """
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  const ready = performance.now();
  const press = async (key) => {
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await frame();
    return performance.now() - start;
  };
  const keys = [];
  for (let k = 0; k < 30; k++) keys.push(await press("ArrowRight"));
  keys.push(await press("End"));
  for (let k = 0; k < 30; k++) keys.push(await press("ArrowLeft"));
  keys.sort((a, b) => a - b);
  return { ready: ready / 1000, key: keys[keys.length >> 1] / 1000 };
"""
"""The median over steps forward and backward, from the key to the frame that shows it, in seconds."""


def loop() -> "Tensor":
    """3,000 elementwise ops in a row, without modules."""
    import tensorgrad as tg

    w = tg.tensor([0.9, 1.1, -0.7], requires_grad=True, name="w")
    h = tg.tensor([1.0, 2.0, 0.1], name="x")
    for _ in range(1_000):
        h = (h * w + 0.1).tanh()
    return h.sum()


def layers() -> "Tensor":
    """A residual network of 60 blocks, with 420 ops."""
    import tensorgrad as tg
    from tensorgrad import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            self.wide, self.norm, self.narrow = nn.Linear(8, 16), nn.LayerNorm(16), nn.Linear(16, 8)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return x + self.narrow(self.norm(self.wide(x)).relu())

    network = nn.Sequential(*(Block() for _ in range(60)), nn.Linear(8, 3))
    return nn.cross_entropy(network(tg.randn(4, 8)), tg.tensor([0, 1, 2, 0]))


def recurrent() -> "Tensor":
    """A recurrent cell over 600 steps: 3,000 ops in 600 calls of one module."""
    import tensorgrad as tg
    from tensorgrad import nn

    cell, xs, h = nn.RNNCell(4, 8), tg.randn(600, 2, 4), tg.zeros(2, 8)
    for x in xs:
        h = cell(x, h)
    return (h**2).mean()


GRAPHS: dict[str, Callable[[], "Tensor"]] = {
    "loop, 3,000 ops": loop,
    "60 residual blocks": layers,
    "RNN × 600": recurrent,
}


def measure(name: str) -> dict[str, float]:
    """Of a graph: seconds to record, to draw all of it as SVG, to make the page of that; its bytes; in a browser."""
    import tensorgrad as tg

    tg.manual_seed(0)
    with tg.viz.trace() as step:
        GRAPHS[name]().backward()
    drawing, record = timed(lambda: tg.viz.graph(step, fold=False))
    _, svg = timed(lambda: drawing.svg)
    page, seconds = timed(lambda: drawing.html)
    figures = {"ops": len(drawing.record.ops), "record": record, "svg": svg, "page": seconds}
    figures["size"] = len(page.encode())
    program = browser.find_browser()
    return figures | ((browser.measure(program, page, KEYS) if program else None) or {})


def timed(make: Callable[[], Made]) -> tuple[Made, float]:
    """What a call returns, and how many seconds it took."""
    start = time.perf_counter()
    return make(), time.perf_counter() - start
