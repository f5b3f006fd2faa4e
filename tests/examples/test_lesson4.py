"""Lesson 4: sharing and sparsity, counted on real layers and their gradients; translation."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset, optdigits


def count(layer):
    return sum(parameter.numel() for parameter in layer.parameters())


def test_six_5x5_filters_turn_3072_numbers_into_4704():
    image = tg.zeros(1, 3, 32, 32)
    maps = nn.Conv2d(3, 6, 5)(image)
    assert image.numel() == 3_072
    assert maps.shape == (1, 6, 28, 28)
    assert maps.numel() == 4_704


def test_fully_connected_that_takes_14450688_weights():
    layer = nn.Linear(3_072, 4_704, bias=False)
    assert count(layer) == layer.weight.numel() == 14_450_688


def test_six_filters_of_one_channel_have_156_parameters():
    assert count(nn.Conv2d(1, 6, 5)) == 6 * (25 + 1) == 156


def test_six_filters_of_three_channels_have_456_parameters():
    assert count(nn.Conv2d(3, 6, 5)) == 6 * (75 + 1) == 456


@pytest.fixture
def convolution():
    """A 6×6 image and a 3×3 filter in which no number is 0."""
    rng = np.random.default_rng(0)
    return rng.uniform(1, 2, (1, 6, 6)), rng.uniform(1, 2, (1, 1, 3, 3))


def test_each_of_16_outputs_depends_on_9_of_36_inputs_and_on_no_other(convolution):
    image, weight = convolution
    # (1, 4, 4) outputs by (1, 6, 6) pixels
    slopes = tg.jacobian(lambda x: tg.conv2d(x, weight), image).numpy()[0, :, :, 0]
    assert slopes.shape == (4, 4, 6, 6)
    for p in range(4):
        for q in range(4):
            expected = np.zeros((6, 6))
            expected[p : p + 3, q : q + 3] = weight[0, 0]
            assert np.array_equal(slopes[p, q], expected)
            assert np.count_nonzero(slopes[p, q]) == 9
    # The other 27 say so themselves: whatever they hold, the output stays what it is.
    other = np.where(slopes[1, 2] == 0, 100.0, image)
    assert tg.conv2d(other, weight)[0, 1, 2].item() == tg.conv2d(image, weight)[0, 1, 2].item()


def test_16_outputs_share_9_weights(convolution):
    image, weight = convolution
    # (1, 4, 4) outputs by (1, 1, 3, 3) weights
    slopes = tg.jacobian(lambda w: tg.conv2d(image, w), weight).numpy().reshape(16, 9)
    assert np.count_nonzero(slopes, axis=0).tolist() == [16] * 9
    # So a weight's gradient is a sum over all 16, here under a random upstream gradient.
    upstream = np.random.default_rng(1).standard_normal((1, 4, 4))
    _, pull = tg.vjp(lambda w: tg.conv2d(image, w), weight)
    by_hand = [(upstream[0] * image[0, i : i + 4, j : j + 4]).sum() for i in range(3) for j in range(3)]
    assert np.allclose(pull(upstream)[0].numpy().ravel(), by_hand, rtol=1e-12)


@pytest.mark.parametrize("move", [(2, 0), (0, 3), (-3, 1)])
def test_a_shifted_image_gives_shifted_feature_maps(move):
    rng = np.random.default_rng(2)
    image = np.zeros((3, 20, 20), np.float32)
    image[:, 7:13, 7:13] = rng.random((3, 6, 6))
    tg.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1, bias=False)
    )
    maps, maps_of_shifted = layers(image[None]).numpy(), layers(np.roll(image, move, (1, 2))[None]).numpy()
    assert maps.any()
    assert np.allclose(np.roll(maps, move, (2, 3)), maps_of_shifted, atol=1e-6)


def test_pooling_by_its_stride_moves_the_pooled_map_by_one():
    maps = np.zeros((1, 12, 12))
    maps[0, 4:6, 4:6] = np.random.default_rng(3).random((2, 2))
    pooled, pooled_shifted = (tg.max_pool2d(m, 2).numpy() for m in (maps, np.roll(maps, 2, 2)))
    assert np.array_equal(np.roll(pooled, 1, 2), pooled_shifted)


def test_after_pooling_the_label_of_a_shifted_digit_is_nearly_always_the_same():
    def canvases(train):
        images, labels = optdigits(train).arrays
        return np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4))), labels

    tg.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 16, 5, padding=2), nn.ReLU()),
        *(nn.MaxPool2d(16), nn.Flatten(), nn.Linear(16, 10)),
    )
    train = DataLoader(TensorDataset(*canvases(train=True)), 32, shuffle=True, generator=0)
    adam = nn.optim.Adam(model.parameters(), nn.optim.cosine(6e-3, steps=2 * len(train)))
    nn.fit(model, train, loss=nn.cross_entropy, optimizer=adam, epochs=2, progress=False)
    images, labels = canvases(train=False)
    answers = nn.predict(model, images).numpy().argmax(1)
    shifted = nn.predict(model, np.roll(images, (2, -2), (2, 3))).numpy().argmax(1)
    assert np.mean(answers == labels) > 0.9
    assert np.mean(answers == shifted) > 0.95
