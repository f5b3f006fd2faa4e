"""The convolution microscope: where each number of a small CNN comes from, and where its gradient goes.

A network learns to read digits (Optdigits, 8 × 8 pixels, inside the package). Then one step is traced, and
`tg.viz.microscope` takes its convolutions and poolings apart: on the page, a click on a number shows the pictures that
add up to it.

Writes to the folder `out`:

- `convolution_microscope.html`: the page.
- `convolution_microscope.gif`: the first convolution at play: the filter slides over the digit, then the gradient is
  scattered back.

    python examples/drawings/convolution_microscope.py [--epochs N]
"""

import argparse

import tensorgrad as tg
from tensorgrad import nn

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--epochs", type=int, default=3)
options = parser.parse_args()


class Network(nn.Module):
    """Two convolutions, max and average pooling, and a linear layer, for images (N, 1, 8, 8) of ten digits."""

    def __init__(self):
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool2 = nn.AvgPool2d(2)
        self.fc = nn.Linear(16 * 2 * 2, 10)

    def forward(self, x):
        # (N, 1, 8, 8) -> (N, 8, 4, 4) -> (N, 16, 2, 2) -> (N, 10)
        x = self.pool1(tg.relu(self.conv1(x)))
        x = self.pool2(tg.relu(self.conv2(x)))
        return self.fc(tg.flatten(x, 1))


tg.manual_seed(0)
model = Network()
train = nn.data.DataLoader(nn.data.optdigits(train=True), batch_size=64, shuffle=True)
adam = nn.optim.Adam(model.parameters(), lr=2e-3)
nn.fit(model, train, loss=nn.cross_entropy, optimizer=adam, epochs=options.epochs, progress=False)

images, labels = next(iter(nn.data.DataLoader(nn.data.optdigits(train=False), batch_size=64)))
images.requires_grad_()  # so that the gradient reaches the pixels, too
with tg.viz.trace() as step:
    nn.cross_entropy(model(images), labels).backward()

microscope = tg.viz.microscope(step)
print(microscope)
print("wrote", microscope.save("out/convolution_microscope.html"))
print("wrote", microscope.save("out/convolution_microscope.gif"))
