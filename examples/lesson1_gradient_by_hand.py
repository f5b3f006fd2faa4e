"""The gradient of a tiny CNN by hand: three matrices, each taken from tensorgrad's own graph, and their product.

    python examples/lesson1_gradient_by_hand.py

The network is a regression: x has 5 pixels, one filter w1 of 3 weights slides over it, padded to keep the length:

    z1 = x ∗ w1,   a1 = relu(z1),   a2 = w2 · a1,   L = (a2 − y)²

and the chain rule says ∂L/∂w1 = ∂z1/∂w1 · ∂a1/∂z1 · ∂L/∂a1, of shapes (3×1) = (3×5) · (5×5) · (5×1), one row for each
thing that one differentiates by.

Writes to the folder `out`:

- `lesson1_gradient_by_hand.svg`: the graph that `backward()` walks.
"""

import numpy as np

import tensorgrad as tg

x = tg.tensor([0.5, 2.0, -1.0, 1.5, 3.0], name="x")
w1 = tg.tensor([0.5, -1.0, 1.0], requires_grad=True, name="w1")
w2 = tg.tensor([0.5, -1.0, 2.0, 0.25, 1.0], name="w2")
y = 6.0


def filtered(w1: tg.Tensor) -> tg.Tensor:
    # One image of one channel, (5,) -> (1, 1, 5); one filter for one channel, (3,) -> (1, 1, 3); and back to (5,).
    return tg.conv1d(x.reshape(1, 1, 5), w1.reshape(1, 1, 3), padding=1).reshape(5)


def squared_error(a1: tg.Tensor) -> tg.Tensor:
    return ((w2 * a1).sum() - y) ** 2


def show(title: str, matrix: tg.Tensor, note: str = "") -> None:
    print(f"{title}   {note}".rstrip())
    for row in matrix.numpy():
        print("   [" + " ".join(f"{value:7.2f}" for value in row) + " ]")
    print()


# Forward, then backward: what tensorgrad does in every training step.
z1 = filtered(w1)
a1 = z1.relu()
L = squared_error(a1)
L.backward(retain_graph=True)  # keep the values, for the drawing
print(f"z1 = {z1.numpy()},  a1 = {a1.numpy()},  L = {L.item():g}\n")

# The same by hand. A Jacobian has a row for each output, (5, 3); by hand it is written the other way round.
dz1_dw1 = tg.jacobian(filtered, w1).T
da1_dz1 = tg.jacobian(tg.relu, z1).T
dL_da1 = tg.jacobian(squared_error, a1).reshape(5, 1)

show(
    "∂z1/∂w1 (3×5)",
    dz1_dw1,
    "row j, column i is x[i + j − 2], x0 and x6 being the padding: all outputs share the filter",
)
show("∂a1/∂z1 (5×5)", da1_dz1, "diagonal: 1 where ReLU lets z1 through, else 0")
show("∂L/∂a1 (5×1)", dL_da1, "2 · (a2 − y) · w2")

product = dz1_dw1 @ da1_dz1 @ dL_da1
show("Their product, ∂L/∂w1 (3×1)", product)
show("w1.grad, from backward()", w1.grad.reshape(3, 1))
assert np.allclose(product.flatten(), w1.grad)

# And a check that knows nothing of the chain rule: nudge each weight, and see how L answers.
nudges = 1e-3 * np.eye(3)
answers = [(squared_error(filtered(w1 + n).relu()) - squared_error(filtered(w1 - n).relu())) / 2e-3 for n in nudges]
print("Finite differences: ", [round(answer.item(), 2) for answer in answers])

print("wrote", tg.viz.graph(L, compact=True).save("out/lesson1_gradient_by_hand.svg"))
