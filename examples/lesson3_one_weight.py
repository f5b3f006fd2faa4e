"""One weight's journey: how the cost reaches a single weight of a network, and how that weight goes down to meet it.

    python examples/lesson3_one_weight.py

A network of 2 inputs, 3 hidden sigmoid neurons and 2 outputs with softmax learns to tell two kinds of points apart. The
weight we follow is w(2)1,2: in layer 2, to output 1, from hidden neuron 2.

Writes to the folder `out`:

- `lesson3_path.svg`: the path from that weight to the cost C, with the derivatives along it.
- `lesson3_one_weight.png`: the cost over the prediction, over that weight with its descent, and over a whole
  training.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import nn

OUT = Path("out")
tg.manual_seed(3)

# Two clouds of points that overlap, so that nobody can be sure: labels 0 and 1.
labels = tg.tensor(np.repeat([0, 1], 40))
points = tg.randn(80, 2) + 1.2 * tg.tensor([[1.0, 1.0], [-1.0, 0.0]])[labels]

layer1, layer2 = nn.Linear(2, 3), nn.Linear(3, 2)
model = nn.Sequential(layer1, nn.Sigmoid(), layer2)  # softmax is part of the loss

# 1. The cost, over the prediction.

# The cross-entropy of one example is C = −ln a, where a is the prediction for its true class.
a = tg.tensor(0.2, requires_grad=True, name="a")
(slope,) = tg.grad(-a.log(), a)
print(f"At a prediction of a = 0.2 the cost is {-a.log().item():.3f}, and dC/da = {slope.item():.3f}.")
print("But nobody can turn a itself: only the weights can change. Backpropagation carries dC/da to them.\n")

# 2. From the cost back to one weight, by hand.

# One example, of class 0. Only the weight requires a gradient, so the graph holds its path to C and nothing else.
w = tg.tensor(layer2.weight[0, 1].item(), requires_grad=True, name="w(2)1,2")
with tg.no_grad():
    hidden = layer1(points[0]).sigmoid()
    others = layer2(hidden) - w * hidden[1] * tg.tensor([1.0, 0.0])  # what reaches both outputs without this weight

h2 = hidden[1]
z1 = w * h2 + others[0]
z2 = others[1]
a1 = (z1 - z2).sigmoid()  # the softmax of two: e^z1 / (e^z1 + e^z2)
C = -a1.log()

links = [
    ("∂z1/∂w(2)1,2 = h2           ", tg.grad(z1, w, retain_graph=True)),
    ("∂a1/∂z1      = a1 · (1 − a1)", tg.grad(a1, z1, retain_graph=True)),
    ("∂C/∂a1       = −1 / a1      ", tg.grad(C, a1, retain_graph=True)),
]
print("The chain rule along the path from w(2)1,2 to C:")
for formula, (derivative,) in links:
    print(f"  {formula} = {derivative.item():8.5f}")
by_hand = np.prod([derivative.item() for _, (derivative,) in links])
print(f"  their product, ∂C/∂w(2)1,2          = {by_hand:8.5f}")

C.backward(retain_graph=True)  # keep the values, for the drawing
print("  drawn in", tg.viz.graph(C, compact=True).save(OUT / "lesson3_path.svg"), "\n")

# 3. The same by backpropagation, and without any calculus.


def cost_of_one() -> tg.Tensor:
    return nn.cross_entropy(model(points[:1]), labels[:1])


def nudged(step: float) -> float:
    """The cost with the weight moved by a step, which is taken back."""
    with tg.no_grad():
        layer2.weight[0, 1] += step
        cost = cost_of_one().item()
        layer2.weight[0, 1] -= step
    return cost


cost_of_one().backward()
print(f"backward() through the whole network: ∂C/∂w(2)1,2 = {layer2.weight.grad[0, 1].item():8.5f}")
print(f"a finite difference, which knows no calculus:       {(nudged(0.01) - nudged(-0.01)) / 0.02:8.5f}\n")

# 4. The cost of all examples, over that one weight.


def cost() -> tg.Tensor:
    return nn.cross_entropy(model(points), labels)


with tg.no_grad():
    layer2.weight[0, 1] = 6.0  # far up the slope
visited = []
while True:
    model.zero_grad()
    cost().backward()
    slope = layer2.weight.grad[0, 1].item()
    visited.append(layer2.weight[0, 1].item())
    if abs(slope) < 1e-4:
        break
    with tg.no_grad():
        layer2.weight[0, 1] -= 10.0 * slope
print(f"Gradient descent took w(2)1,2 from {visited[0]:.2f} to {visited[-1]:.3f} in {len(visited) - 1} steps;")
print(f"there the slope is {slope:.5f} and the cost, over 80 examples, {cost().item():.4f}.")

# 5. The same for every parameter, repeatedly.

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
tg.viz.cost_curve(lambda: -a.log(), a, low=0.03, high=1.0, tangents=(0.1, 0.2, 0.6), ax=left)
tg.viz.cost_curve(cost, layer2.weight, (0, 1), low=-4, high=7, tangents=(6.0, 2.0), descent=visited, ax=middle)

sgd = nn.optim.SGD(model.parameters(), lr=2.0)
history = nn.fit(model, [(points, labels)], loss=nn.cross_entropy, optimizer=sgd, epochs=200, progress=False)
print(f"All {sum(p.numel() for p in model.parameters())} parameters go down together: the cost falls to", end=" ")
print(f"{history['loss'][-1]:.4f}, and {history['accuracy'][-1]:.0%} of the points are told apart.\n")
right.plot(history["loss"], color="#0072B2", linewidth=2)

left.set(title="The cost over the prediction for the true class", xlabel="prediction a", ylabel="C = −ln a")
middle.set(title="The cost over one weight, and its descent", xlabel="w(2)1,2", ylabel="C, mean of 80 examples")
right.set(title="The same for every parameter", xlabel="forward and backward passes", ylabel="C")
figure.savefig(OUT / "lesson3_one_weight.png", dpi=150)

# 6. Using the network: forward alone.

with tg.no_grad():
    prediction = model(tg.tensor([[1.0, 0.5]])).softmax(dim=1)
print(f"For the point (1, 0.5) the network says: kind 0 with {prediction[0, 0].item():.1%}.")
try:
    tg.viz.graph(prediction)
except tg.GraphError as error:
    print("That was the forward pass alone; there is no graph to go back through:", str(error).splitlines()[0])
print(f"wrote {OUT}/lesson3_one_weight.png")
