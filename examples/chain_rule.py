"""The chain rule on one neuron: compute, differentiate, look.

    python examples/chain_rule.py

Writes the backprop graph of the loss to `out/chain_rule.svg`.
"""

from pathlib import Path

import tensorgrad as tg

x = tg.tensor([0.5, -1.0, 2.0], name="x")
w = tg.tensor([1.0, 2.0, 0.5], requires_grad=True, name="w")
b = tg.tensor(0.25, requires_grad=True, name="b")

prediction = ((w * x).sum() + b).tanh()
loss = (prediction - 1.0) ** 2
loss.backward(retain_graph=True)  # keep the values, for the drawing

print("loss", loss.item())
print("∂loss/∂w", w.grad.numpy())
print("∂loss/∂b", b.grad.numpy())

Path("out").mkdir(exist_ok=True)
tg.viz.graph(loss).save("out/chain_rule.svg")
print("wrote out/chain_rule.svg")
