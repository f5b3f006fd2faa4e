"""Why nobody could train deep sigmoid networks: draw one, and see its first layer's gradient vanish.

    python examples/drawings/vanishing_gradient.py

Prints what the doctor says of it, with cause and remedy.

Writes to the folder `out`:

- `vanishing_gradient.svg`: the graph of four layers on 64 real digits, on which the same stands at its place.
"""

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import optdigits


class Network(nn.Module):
    """64 pixels -> three layers of 32 sigmoids -> ten digits."""

    def __init__(self):
        self.layer1 = nn.Linear(64, 32)
        self.layer2 = nn.Linear(32, 32)
        self.layer3 = nn.Linear(32, 32)
        self.layer4 = nn.Linear(32, 10)

    def forward(self, x):
        x = self.layer1(tg.flatten(x, 1)).sigmoid()
        x = self.layer2(x).sigmoid()
        x = self.layer3(x).sigmoid()
        return self.layer4(x)


tg.manual_seed(0)
images, digits = optdigits(train=True).batch(range(64))
model = Network()

with tg.viz.trace() as step:
    loss = nn.cross_entropy(model(images), digits)
    loss.backward()

for name, weights in model.named_parameters():
    if name.endswith("weight"):
        print(f"mean |∂loss/∂{name}| = {abs(weights.grad.numpy()).mean():.1e}")

print(f"\n{tg.viz.doctor(step)}\n")
print("wrote", tg.viz.graph(step, compact=True).save("out/vanishing_gradient.svg"))
