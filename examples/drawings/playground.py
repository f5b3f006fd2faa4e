"""A network to play with: drag its inputs and weights, and watch the chain rule follow.

    python examples/drawings/playground.py

A perceptron with three hidden units is to learn XOR: 1 where exactly one of two inputs is 1.

Writes to the folder `out`:

- `playground.html`: change a number, and see all values and gradients change; compare what the gradient predicts of
  the loss with what happens; walk down the gradient. At a learning rate of 0.3 it takes about a hundred steps.
"""

import tensorgrad as tg
from tensorgrad import nn

tg.manual_seed(3)
x = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], name="x")
target = tg.tensor([[0.0], [1.0], [1.0], [0.0]], name="target")
model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))

with tg.viz.trace() as step:
    loss = nn.mse_loss(model(x), target)
    loss.backward()

print(f"loss {loss.item():.4f} before the first step")
print("wrote", tg.viz.graph(step).playground().save("out/playground.html"))
