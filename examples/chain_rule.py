"""The chain rule on one neuron: compute, differentiate, look.

    python examples/chain_rule.py

Writes to the folder `out`:

- `chain_rule.svg`: the graph of the loss, as it is computed, and as the gradient comes back.
"""

import tensorgrad as tg

x = tg.tensor([0.5, -1.0, 2.0], name="x")
w = tg.tensor([1.0, 2.0, 0.5], requires_grad=True, name="w")
b = tg.tensor(0.25, requires_grad=True, name="b")

with tg.viz.trace() as step:  # for the drawing
    prediction = ((w * x).sum() + b).tanh()
    loss = (prediction - 1.0) ** 2
    loss.backward()

print("loss", loss.item())
print("∂loss/∂w", w.grad.numpy())
print("∂loss/∂b", b.grad.numpy())

print("wrote", tg.viz.graph(step, compact=True).save("out/chain_rule.svg", play=True))
