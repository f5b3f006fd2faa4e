"""Grad-CAM and input gradients: held to NumPy and finite differences, side effects, and what is refused."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz import grad_cam, input_gradient


class Net(nn.Module):
    """Two feature maps per colour, a nonlinear head: the gradient differs from place to place."""

    def __init__(self, classes):
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.maps = nn.Tanh()
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4 * 3 * 3, classes)
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        return self.head(self.drop(tg.max_pool2d(self.maps(self.norm(self.conv(x))), 2).flatten(1)).tanh())


@pytest.fixture
def model():
    tg.manual_seed(3)
    model = Net(5).to("float64")
    model(tg.randn(8, 3, 6, 6, dtype="float64"))  # so that the running statistics aren't 0 and 1
    return model


IMAGES = np.random.default_rng(0).normal(size=(2, 3, 6, 6))


def scores(model, images):
    with tg.no_grad():
        return model.eval()(tg.tensor(images)).numpy()


def feature_maps(model, images):
    kept = []
    handle = model.maps.register_forward_hook(lambda module, inputs, output: kept.append(output.numpy()))
    scores(model, images)
    handle.remove()
    return kept[0]


def slopes(f, a, step=1e-6):
    """∂f/∂a by central differences."""
    result = np.zeros_like(a)
    for index in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[index] += step
        down[index] -= step
        result[index] = (f(up) - f(down)) / (2 * step)
    return result


def test_grad_cam_is_the_formula(model):
    """α by finite differences of the head, in NumPy; the layer is as large as the image, so nothing is stretched."""
    a = feature_maps(model, IMAGES)
    w, b = model.head.weight.numpy(), model.head.bias.numpy()

    def head(maps, k):
        pooled = maps.reshape(2, 4, 3, 2, 3, 2).max((3, 5))
        return (np.tanh(pooled.reshape(2, 36)) @ w.T + b)[[0, 1], k].sum()

    for target, k in ((2, [2, 2]), ([4, 1], [4, 1])):
        alpha = slopes(lambda maps, k=k: head(maps, k), a).mean((2, 3))
        expected = np.maximum((alpha[:, :, None, None] * a).sum(1), 0)
        assert expected.min() == 0 < expected.max()
        np.testing.assert_allclose(grad_cam(model, IMAGES, "maps", target), expected, atol=1e-8)
        np.testing.assert_allclose(grad_cam(model, IMAGES, model.maps, target), expected, atol=1e-8)


def test_input_gradient_is_the_largest_slope_of_the_channels(model):
    expected = np.abs(slopes(lambda x: scores(model, x)[[0, 1], [4, 1]].sum(), IMAGES)).max(1)
    np.testing.assert_allclose(input_gradient(model, IMAGES, [4, 1]), expected, atol=1e-7)


def test_coarse_maps_are_stretched_bilinearly():
    """Two cells become four pixels, the ends held: weights 1, ¾, ¼, 0."""
    model = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten())
    image = np.zeros((1, 1, 4, 4), np.float32)
    image[0, 0, 0, 0] = 4
    heat = grad_cam(model, image, "0")
    along = np.array([1, 0.75, 0.25, 0])
    np.testing.assert_allclose(heat[0], 4 * 0.25 * np.outer(along, along))
    assert heat.dtype == np.float32


@pytest.mark.oracle
def test_interpolation_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    from tensorgrad.viz.attribution import _interpolation

    coarse = np.random.default_rng(1).normal(size=(1, 1, 5, 3))
    ours = _interpolation(5, 17, coarse.dtype) @ coarse @ _interpolation(3, 8, coarse.dtype).T
    theirs = torch.nn.functional.interpolate(torch.tensor(coarse), (17, 8), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


def test_one_score_per_image_needs_no_target():
    tg.manual_seed(0)
    conv, head = nn.Conv2d(3, 2, 3), nn.Linear(2 * 16, 1)
    column = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), head)

    class Flat(nn.Module):
        def __init__(self):
            self.column = column

        def forward(self, x):
            return self.column(x).reshape(-1)

    for f in (lambda m, path: grad_cam(m, IMAGES, path), lambda m, path: input_gradient(m, IMAGES)):
        expected = f(column, "1")
        assert expected.shape == (2, 6, 6) and expected.max() > 0
        np.testing.assert_array_equal(f(Flat(), "column.1"), expected)


def test_nothing_of_the_model_changes(model):
    model.train()
    model.norm.eval()
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    model.requires_grad_(False)  # frozen weights explain as well
    with tg.no_grad():
        first = grad_cam(model, IMAGES, "maps", 0)
        input_gradient(model, IMAGES, 0)
    model.requires_grad_()
    np.testing.assert_array_equal(grad_cam(model, IMAGES, "maps", 0), first)
    with pytest.raises(tg.RangeError):
        grad_cam(model, IMAGES, "maps", 5)
    assert model.training and model.drop.training and not model.norm.training
    assert all(p.grad is None for p in model.parameters()) and not model.maps._forward_hooks
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda m: grad_cam(m, IMAGES, "convolution", 0),
            tg.ArgumentError,
            r"layer must be a module of the model(.|\n)*'conv', 'norm'",
        ),
        (lambda m: grad_cam(m, IMAGES, nn.ReLU(), 0), tg.ArgumentError, "layer must be a module of the model"),
        (lambda m: grad_cam(m, IMAGES, "unused", 0), tg.ArgumentError, "it ran 0 times"),
        (lambda m: grad_cam(m, IMAGES, "head", 0), tg.ShapeError, "must return feature maps"),
        (lambda m: grad_cam(m, IMAGES, "maps"), tg.ArgumentError, r"target must choose one of 5 scores(.|\n)*target=k"),
        (lambda m: grad_cam(m, IMAGES, "maps", [0, 1, 2]), tg.ShapeError, "2 of them, one per image"),
        (lambda m: grad_cam(m, IMAGES, "maps", 0.5), tg.ShapeError, "class index"),
        (lambda m: input_gradient(m, IMAGES, -1), tg.RangeError, "0 ≤ target < 5"),
        (lambda m: input_gradient(m, IMAGES[0], 0), tg.ShapeError, r"images\[None\]"),
        (lambda m: input_gradient(m, IMAGES[:0], 0), tg.ShapeError, "not empty"),
        (lambda m: input_gradient(m.conv, IMAGES, 0), tg.ShapeError, r"outputs \(N,\) or \(N, classes\)"),
    ],
)
def test_refusals(model, call, error, text):
    with pytest.raises(error, match=text):
        call(model)
