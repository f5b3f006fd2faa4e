"""The film of a training: filters, feature maps, gradients and predictions of a CNN while it learns to read digits.

The digits are Optdigits, 8 × 8 pixels, inside the package. `tg.viz.Film` is a callback of `fit`: every few steps it
takes a frame, and the training stays the same to the bit.

Writes to the folder `out`:

- `training_film.html`: one page with a slider, arrow keys and a play button, which needs no network.
- `training_film.gif`: filters, feature maps, gradients and predictions, frame by frame.

    python examples/drawings/training_film.py [--epochs N]
"""

import argparse

import tensorgrad as tg
from tensorgrad import nn

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--epochs", type=int, default=4)
options = parser.parse_args()


class Network(nn.Module):
    """Two convolutions and a linear layer, for images (N, 1, 8, 8) of ten digits."""

    def __init__(self):
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        # (N, 1, 8, 8) -> (N, 8, 8, 8) -> (N, 16, 4, 4) -> (N, 10)
        x = tg.relu(self.conv1(x))
        x = tg.max_pool2d(tg.relu(self.conv2(x)), 2)
        return self.fc(tg.flatten(x, 1))


tg.manual_seed(0)
model = Network()
images, labels = nn.data.optdigits_arrays(train=False)
kept, answers = images[:10], labels[:10]

film = tg.viz.Film(model, kept, answers, every=8, maps=(0, 3))
train = nn.data.DataLoader(nn.data.optdigits(train=True), batch_size=64, shuffle=True)
adam = nn.optim.Adam(model.parameters(), lr=2e-3)
nn.fit(model, train, loss=nn.cross_entropy, optimizer=adam, epochs=options.epochs, progress=False, callbacks=[film])
print(film)
print("wrote", film.save("out/training_film.html"), film.save("out/training_film.gif"))
