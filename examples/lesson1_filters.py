"""Filters: slid over a signal and over an image, padded, biased, strided, banked, pooled, counted; then one is learned.

    python examples/lesson1_filters.py

Writes to the folder `out`:

- `lesson1_filters.png`: what two filters find: a lonely light in the sky, and the dot on an i.
- `lesson1_learned.png`: a filter before and after learning.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset

OUT = Path("out")


def numbers(x: tg.Tensor) -> str:
    return " ".join(f"{value:g}" for value in x.flatten().tolist())


def parameters(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


# A 1-D image: one channel of ten pixels, 1 where there is light. Three stars stand together; a satellite is alone.
sky = tg.tensor([[0.0, 0, 1, 1, 1, 0, 1, 0, 0, 0]], name="sky")

# One filter, one channel, three weights. It says yes to a light, and no to a light on either side of it.
satellite = tg.tensor([[[-1.0, 1, -1]]], name="satellite")

print("The sky:                         ", numbers(sky))
print("The filter −1 1 −1, slid over it:", numbers(tg.conv1d(sky, satellite)))
print("ReLU leaves the satellite:       ", numbers(tg.conv1d(sky, satellite).relu()))

# Without padding the two pixels at the ends are no window's middle: ten pixels give eight outputs.
padded = tg.conv1d(sky, satellite, padding=1)
print("Padded by a zero on both ends:   ", numbers(padded))
print("With a bias of 1:                ", numbers(tg.conv1d(sky, satellite, bias=[1], padding=1)))
print("Every second output, a stride:   ", numbers(tg.conv1d(sky, satellite, padding=1, stride=2)))
print("A filter of two weights:         ", numbers(tg.conv1d(sky, [[[-1, 1]]])), "  (where light begins and ends)")
print("A filter of four weights:        ", numbers(tg.conv1d(sky, [[[0.25, 0.25, 0.25, 0.25]]])), "  (a mean)\n")

# The word HI in 5×5 pixels, and a filter that looks for a dot: a light with darkness all around.
hi = tg.tensor([[[float(pixel) for pixel in row] for row in ("10100", "10101", "11100", "10101", "10101")]], name="hi")
dot = tg.tensor([[[[-1.0, -1, -1], [-1, 1, -1], [-1, -1, -1]]]], name="dot")
print("The filter for dots on HI, not padded:\n", tg.conv2d(hi, dot).numpy()[0])
print("With a bias of 2:\n", tg.conv2d(hi, dot, bias=[2]).numpy()[0])
answers = tg.conv2d(hi, dot, padding=1)
dots = answers.relu()
row, column = np.argwhere(dots.numpy()[0])[0]
print(f"Padded, ReLU leaves one pixel, row {row}, column {column}: the dot on the I, which stands at the edge.")

# Max pooling asks: was anything detected in this area? It has no weights.
areas = tg.max_pool2d(dots, 3, stride=1)
print("Max pooling, size 3 and stride 1:\n", areas.numpy()[0])
quarters = tg.max_pool2d(F.pad(dots, (0, 1, 0, 1)), 3, stride=3)
print("Size 3 and stride 3, over a 6×6 map:\n", quarters.numpy()[0])

# A colour image is a tensor, depth × height × width here, and so is each filter. A bank of filters stacks its outputs.
photograph = tg.rand(3, 32, 32)
bank = nn.Conv2d(3, 6, kernel_size=5)
print(f"\nA bank of weights {bank.weight.shape} on an image {photograph.shape} gives {bank(photograph).shape}.")

print("Parameters of a size-3 filter with bias: ", parameters(nn.Conv1d(1, 1, 3)))
print("of a fully connected layer from 10 to 10:", parameters(nn.Linear(10, 10)))
print("of max pooling:                          ", parameters(nn.MaxPool2d(3)))

# A typical network: (convolution + ReLU, max pooling) repeated, flatten, fully connected, softmax over the classes.
network = nn.Sequential(
    *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # (N, 3, 32, 32) -> (N, 8, 16, 16)
    *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # -> (N, 16, 8, 8)
    *(nn.Flatten(), nn.Linear(16 * 8 * 8, 10), nn.Softmax(-1)),  # -> (N, 1024) -> (N, 10)
)
print("\nA typical network:", nn.summary(network, (1, 3, 32, 32)), sep="\n")

# Now nobody sets the weights: the filter is learned, from skies in which the satellites are marked.
tg.manual_seed(0)
skies = (tg.rand(1000, 1, 10) < 0.4).astype("float32")
around = F.pad(skies, (1, 1))
marks = skies * (1 - around[:, :, :-2]) * (1 - around[:, :, 2:])  # a light, none before it, none behind it
learner = nn.Conv1d(1, 1, 3, padding=1)
before = learner.weight.numpy().ravel().copy()
nn.fit(
    learner,
    DataLoader(TensorDataset(skies, marks), batch_size=20, shuffle=True),
    loss=nn.binary_cross_entropy_with_logits,
    optimizer=nn.optim.SGD(learner.parameters(), lr=1.0, momentum=0.9),
    epochs=20,
    progress=False,
)
after = learner.weight.numpy().ravel()
right = ((learner(skies) > 0) == (marks > 0)).numpy().mean()
print(f"\nThe filter before learning: {before.round(2)}, and after it: {after.round(2)},")
print(f"that is {after[1]:.1f} times {(after / after[1]).round(2)}. It is right about {right:.1%} of the pixels.")


BLUE_OR_ORANGE = LinearSegmentedColormap.from_list("sign", ["#56B4E9", "#F7F7F7", "#E69F00"])


def cells(ax: plt.Axes, values: tg.Tensor, title: str) -> None:
    """A matrix as coloured cells with their numbers: blue for negative, orange for positive."""
    array = np.atleast_2d(values.numpy().squeeze())
    ax.imshow(array, cmap=BLUE_OR_ORANGE, vmin=-2, vmax=2)
    for (row, column), value in np.ndenumerate(array):
        ax.text(column, row, f"{value:g}".replace("-", "−"), ha="center", va="center", color="#222222")
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])


OUT.mkdir(exist_ok=True)
figure = plt.figure(figsize=(12, 5.6), layout="constrained")
signal, image = figure.subfigures(2, 1, height_ratios=[1.15, 1])
signal.suptitle("Which light stands alone? The filter −1 1 −1, slid over ten pixels")
strips = signal.subplots(3, 1)
cells(strips[0], sky, "the sky")
cells(strips[1], padded, "filtered, with a zero of padding at both ends")
cells(strips[2], padded.relu(), "ReLU: one satellite")
image.suptitle("Where is a dot? A filter of −1 around a 1, slid over HI")
panels = image.subplots(1, 5, width_ratios=[5, 3, 5, 5, 3])
cells(panels[0], hi, "the image")
cells(panels[1], dot, "the filter")
cells(panels[2], answers, "filtered, padded by 1")
cells(panels[3], dots, "ReLU: the dot on the I")
cells(panels[4], areas, "max pooling, size 3")
figure.savefig(OUT / "lesson1_filters.png", dpi=150)

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
places = np.arange(3)
ax.bar(places - 0.2, before, 0.4, label="before: random numbers", color="#B5B5B5")
ax.bar(places + 0.2, after / after[1], 0.4, label=f"after learning, ÷ {after[1]:.1f}", color="#0072B2")
ax.axhline(0, color="#222222", linewidth=0.8)
ax.set(title="A filter that learned what a satellite is", ylabel="weight", ylim=(-1.3, 1.3))
ax.set_xticks(places, ["left neighbour", "the pixel", "right neighbour"])
ax.legend(frameon=False)
figure.savefig(OUT / "lesson1_learned.png", dpi=150)
print(f"wrote {OUT}/lesson1_filters.png and {OUT}/lesson1_learned.png")
