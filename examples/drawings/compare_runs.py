"""Two runs compared: a network was written again, and has another loss; where do the numbers begin to differ?

The second program was meant to be a copy of the first, with the same weights. `tg.viz.compare` draws both numbers at
each tensor, and marks where values and gradients begin to differ: at the activation, which was called with another
slope.

Writes to the folder `out`:

- `compare_runs.svg`: both runs in one drawing; marked in yellow is where they begin to differ.
- `compare_runs.html`: the same as a page, on which the key D leads through the differences.
"""

import numpy as np

import tensorgrad as tg


def network(slope):
    """One step of a network with a hidden layer; the weights are the same at each call."""
    rng = np.random.default_rng(7)
    x = tg.tensor(rng.standard_normal((16, 4)), name="x")
    w = tg.tensor(rng.standard_normal((4, 6)) / 2, requires_grad=True, name="w")
    v = tg.tensor(rng.standard_normal((6, 1)) / 2, requires_grad=True, name="v")
    with tg.viz.trace() as step:
        h = x @ w
        a = tg.leaky_relu(h, slope)
        loss = ((a @ v) ** 2).mean()
        loss.backward()
    return step


original, copy = network(slope=0.1), network(slope=0.01)
comparison = tg.viz.compare(original, copy, compact=True)
print(comparison)
print(comparison.save("out/compare_runs.svg"), comparison.save("out/compare_runs.html"))
