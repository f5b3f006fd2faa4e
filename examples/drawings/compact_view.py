"""A whole training step on one screen: LeNet-5, one box for each op.

    python examples/drawings/compact_view.py

Draws a step on 16 real digits, framed to 28×28 pixels, in the compact view: each box holds an op's formula, what it
makes, and its parameters with their gradients; on each edge stands the gradient that flows back.

Writes to the folder `out`:

- `compact_view.svg`: a training step of LeNet-5 in the compact view.
"""

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn
from tensorgrad.nn.data import optdigits

tg.manual_seed(0)
images, digits = optdigits(train=True).batch(range(16))
model = nn.Sequential(
    *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
)
# (N, 1, 8, 8) -> (N, 1, 28, 28)
images = F.pad(F.interpolate(images, scale_factor=3, mode="nearest"), (2, 2, 2, 2))

with tg.viz.trace() as step:
    loss = nn.cross_entropy(model(images), digits)
    loss.backward()

print("wrote", tg.viz.graph(step, compact=True).save("out/compact_view.svg"))
