"""Lesson 1: filters, padding, bias, strides, pooling, counts, one pattern for every model, and a gradient by hand."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset

STARS = [[0, 0, 1, 1, 1, 0, 1, 0, 0, 0]]
SATELLITE = [[[-1, 1, -1]]]

HI = [[[int(pixel) for pixel in row] for row in ("10100", "10101", "11100", "10101", "10101")]]
DOT = [[[[-1, -1, -1], [-1, 1, -1], [-1, -1, -1]]]]


# -------------------------------------------------------------------------------------------------------------- filters


def test_the_satellite_filter_gives_minus_1_0_minus_1_0_minus_2_1_minus_1_0():
    assert tg.conv1d(STARS, SATELLITE).tolist() == [[-1, 0, -1, 0, -2, 1, -1, 0]]


def test_relu_leaves_one_1_where_the_satellite_stands():
    found = tg.conv1d(STARS, SATELLITE).relu()
    assert found.tolist() == [[0, 0, 0, 0, 0, 1, 0, 0]]
    # Output 5 saw pixels 5, 6 and 7: its middle is the lonely 1.
    assert STARS[0][5:8] == [0, 1, 0]


def test_padding_by_1_keeps_length_10():
    assert tg.conv1d(STARS, SATELLITE, padding=1).tolist() == [[0, -1, 0, -1, 0, -2, 1, -1, 0, 0]]


def test_padding_finds_a_satellite_at_the_edge():
    edge = [[1, 0, 0, 1, 1]]
    assert tg.conv1d(edge, SATELLITE).relu().tolist() == [[0, 0, 0]]
    assert tg.conv1d(edge, SATELLITE, padding=1).relu().tolist() == [[1, 0, 0, 0, 0]]


def test_a_bias_of_1_gives_1_0_1_0_1_minus_1_2_0_1_1():
    assert tg.conv1d(STARS, SATELLITE, bias=[1], padding=1).tolist() == [[1, 0, 1, 0, 1, -1, 2, 0, 1, 1]]


def test_convolution_is_a_sliding_dot_product_that_is_not_flipped():
    assert tg.conv1d([[1, 2, 4]], [[[1, 10, 100]]]).tolist() == [[421]]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_weights_are_real_numbers_and_sizes_2_3_and_4_work(size):
    rng = np.random.default_rng(size)
    x, w = rng.standard_normal(10), rng.standard_normal(size)
    by_hand = [x[i : i + size] @ w for i in range(11 - size)]
    assert np.allclose(tg.conv1d(x[None], w[None, None])[0], by_hand, atol=1e-12)


# --------------------------------------------------------------------------------------------------------------- counts


def count(layer):
    return sum(parameter.numel() for parameter in layer.parameters())


def test_the_size_3_filter_with_bias_has_4_parameters():
    assert count(nn.Conv1d(1, 1, 3)) == 4


def test_a_fully_connected_layer_from_10_to_10_has_110_parameters():
    assert count(nn.Linear(10, 10)) == 110


# --------------------------------------------------------------------------------------------------------------- images


def test_the_dot_filter_on_hi_gives_minus_7_minus_2_minus_4_and_so_on():
    assert tg.conv2d(HI, DOT).tolist() == [[[-7, -2, -4], [-5, -2, -5], [-7, -2, -5]]]


def test_padding_makes_the_dot_on_the_i_findable_at_row_1_column_4():
    assert not tg.conv2d(HI, DOT).relu().any()
    found = tg.conv2d(HI, DOT, padding=1).relu().numpy()[0]
    # Rows and columns are counted from 0: the dot stands in the second row, above the gap in the I.
    assert np.argwhere(found).tolist() == [[1, 4]]
    assert found[1, 4] == 1


def test_with_bias_2_minus_4_becomes_minus_2():
    plain, biased = tg.conv2d(HI, DOT)[0], tg.conv2d(HI, DOT, bias=[2])[0]
    assert (plain[0, 2].item(), biased[0, 2].item()) == (-4, -2)
    assert (biased - plain).tolist() == [[2, 2, 2]] * 3


def test_filters_of_a_colour_image_have_its_depth_and_a_bank_stacks_its_outputs():
    rng = np.random.default_rng(0)
    image, bank = rng.standard_normal((3, 6, 7)), rng.standard_normal((5, 3, 3, 3))
    maps = tg.conv2d(image, bank)
    assert maps.shape == (5, 4, 5)
    # A filter's output is one map: the sum over the whole depth.
    for k, filter in enumerate(bank):
        assert maps[k, 2, 1].item() == pytest.approx((image[:, 2:5, 1:4] * filter).sum())


def test_max_pooling_of_the_relu_output_gives_1s_in_the_top_right_corner():
    found = tg.conv2d(HI, DOT, padding=1).relu()
    assert tg.max_pool2d(found, 3, stride=1).tolist() == [[[0, 0, 1], [0, 0, 1], [0, 0, 0]]]


def test_max_pooling_has_no_weights():
    assert count(nn.MaxPool2d(3, stride=1)) == 0


def test_max_pooling_of_size_3_and_stride_3_over_6x6_gives_2x2():
    detected = np.zeros((1, 6, 6))
    detected[0, 1, 4] = detected[0, 3, 0] = 1
    # Was anything detected in this area?
    assert tg.max_pool2d(detected, 3, stride=3).tolist() == [[[0, 1], [1, 0]]]


def test_filters_take_strides_too():
    every = tg.conv1d(STARS, SATELLITE, padding=1)
    assert tg.conv1d(STARS, SATELLITE, padding=1, stride=2).tolist() == every[:, ::2].tolist()
    assert tg.conv2d(HI, DOT, padding=1, stride=2).tolist() == tg.conv2d(HI, DOT, padding=1)[:, ::2, ::2].tolist()


def test_a_typical_network_ends_in_probabilities_over_its_classes():
    network = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * 4 * 4, 5), nn.Softmax(-1)),
    )
    probabilities = network(np.random.default_rng(0).random((2, 3, 16, 16), np.float32))
    assert probabilities.shape == (2, 5)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)


def test_the_satellite_filter_is_learned_from_examples():
    rng = np.random.default_rng(0)
    skies = (rng.random((1000, 1, 10)) < 0.4).astype(np.float32)
    around = np.pad(skies, ((0, 0), (0, 0), (1, 1)))
    labels = skies * (around[:, :, :-2] == 0) * (around[:, :, 2:] == 0)
    layer = nn.Conv1d(1, 1, 3, padding=1)
    layer.reset_parameters(np.random.default_rng(1))
    data = DataLoader(TensorDataset(skies, labels), 20, shuffle=True, generator=0)
    sgd = nn.optim.SGD(layer.parameters(), lr=1.0, momentum=0.9)
    nn.fit(layer, data, loss=nn.binary_cross_entropy_with_logits, optimizer=sgd, epochs=10, progress=False)
    left, middle, right = layer.weight.numpy().ravel()
    # −1 1 −1, up to scale.
    assert middle > 5
    assert left / middle == pytest.approx(-1, abs=0.1)
    assert right / middle == pytest.approx(-1, abs=0.1)
    assert np.array_equal(layer(skies).numpy() > 0, labels == 1)


# ------------------------------------------------------------------------------------------- one pattern for all models


def minimise(model, loss, x, y, l2=0.0, steps=600, lr=0.3):
    """Gradient descent on loss + l2 · Σ w²."""
    data = [(tg.tensor(x, dtype="float32"), tg.tensor(y))]
    sgd = nn.optim.SGD(model.parameters(), lr, weight_decay=2 * l2)
    nn.fit(model, data, loss=loss, optimizer=sgd, epochs=steps, metrics={}, progress=False)
    return model


def test_linear_regression_by_the_pattern_is_least_squares():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    y = x @ [[1.0], [-2.0], [0.5]] + 3 + 0.3 * rng.standard_normal((50, 1))
    model = minimise(nn.Linear(3, 1), nn.mse_loss, x, y)
    exact = np.linalg.lstsq(np.c_[x, np.ones(50)], y, rcond=None)[0].ravel()
    assert np.allclose([*model.weight.numpy()[0], *model.bias.numpy()], exact, atol=1e-4)


def test_ridge_regression_by_the_pattern_is_its_normal_equations():
    rng = np.random.default_rng(1)
    x, y, l2 = rng.standard_normal((50, 3)), rng.standard_normal((50, 1)), 0.1
    model = minimise(nn.Linear(3, 1, bias=False), nn.mse_loss, x, y, l2)
    # The minimum of (1/m) ‖x w − y‖² + λ ‖w‖².
    exact = np.linalg.solve(x.T @ x / 50 + l2 * np.eye(3), x.T @ y / 50).ravel()
    assert np.allclose(model.weight.numpy()[0], exact, atol=1e-4)


def test_logistic_regression_by_the_pattern_meets_its_condition_of_optimality():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((80, 2))
    y = (x @ [[1.0], [2.0]] + rng.standard_normal((80, 1)) > 0).astype(np.float32)
    model = minimise(nn.Linear(2, 1), nn.binary_cross_entropy_with_logits, x, y, lr=2.0)
    # Where the negative log likelihood is least, the residuals σ(w·x + b) − y are orthogonal to every feature.
    residuals = 1 / (1 + np.exp(-(x @ model.weight.numpy().T + model.bias.numpy()))) - y
    assert np.allclose(x.T @ residuals / 80, 0, atol=1e-4)
    assert abs(residuals.mean()) < 1e-4


def test_a_two_layer_network_by_the_pattern_learns_what_no_line_can():
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    tg.manual_seed(0)
    line = minimise(nn.Linear(2, 2), nn.cross_entropy, x, y)
    two_layers = minimise(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)), nn.cross_entropy, x, y)
    assert nn.accuracy(nn.predict(two_layers, x.astype(np.float32)), y) == 1
    assert nn.accuracy(nn.predict(line, x.astype(np.float32)), y) <= 0.75


def test_a_cnn_by_the_pattern_tells_two_patterns_apart_wherever_they_stand():
    rng = np.random.default_rng(3)
    x, y = np.zeros((64, 1, 8, 8)), rng.integers(0, 2, 64)
    for image, label, (row, column) in zip(x, y, rng.integers(0, 6, (64, 2)), strict=True):
        image[0, [row, row + 1], [column + label, column + 1 - label]] = 1  # a falling or a rising diagonal
    tg.manual_seed(0)
    cnn = nn.Sequential(nn.Conv2d(1, 4, 2), nn.ReLU(), nn.MaxPool2d(7), nn.Flatten(), nn.Linear(4, 2))
    minimise(cnn, nn.cross_entropy, x, y, steps=300)
    assert nn.accuracy(nn.predict(cnn, x.astype(np.float32)), y) == 1


def test_a_regularizer_makes_the_weights_smaller():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((30, 5)), rng.integers(0, 2, 30)
    free, held = (minimise(nn.Linear(5, 2), nn.cross_entropy, x, y, l2) for l2 in (0.0, 0.05))
    assert held.weight.square().sum().item() < 0.5 * free.weight.square().sum().item()


# ------------------------------------------------------------------------------------------------ the gradient by hand

X, Y = tg.tensor([0.5, 2.0, -1.0, 1.5, 0.3]), 1.0
W1, W2 = tg.tensor([0.4, -0.6, 0.8]), tg.tensor([0.7, -0.2, 0.5, 1.1, -0.9])


def layer1(w1):
    # (5,) -> (1, 5), (3,) -> (1, 1, 3), and back to (5,)
    return tg.conv1d(X.reshape(1, 5), w1.reshape(1, 1, 3), padding=1).flatten()


def cost(a1):
    return ((W2 * a1).sum() - Y) ** 2


def matrices():
    """∂z1/∂w1 (3×5), ∂a1/∂z1 (5×5) and ∂L/∂a1 (5×1), rows by what one differentiates by."""
    z1 = layer1(W1)
    return tg.jacobian(layer1, W1).T, tg.jacobian(tg.relu, z1).T, tg.jacobian(cost, z1.relu()).reshape(5, 1)


def test_dz1_by_dw1_is_a_3x5_band_of_repeated_x():
    band = matrices()[0]
    padded = [0.0, *X.tolist(), 0.0]  # x0 … x6
    assert band.shape == (3, 5)
    for j in range(1, 4):  # counted from 1, as in the lesson
        for i in range(1, 6):
            assert band[j - 1, i - 1].item() == padded[i + j - 2]
    assert band[2, 1].item() == X[2].item()  # ∂z2/∂w3 = x3


def test_da1_by_dz1_is_a_5x5_diagonal_of_0_and_1():
    slopes = matrices()[1].numpy()
    assert np.array_equal(slopes, np.diag((layer1(W1).numpy() > 0).astype(np.float32)))
    assert 0 < np.trace(slopes) < 5  # some neurons are on, some off


def test_dl_by_da1_is_5x1():
    error = (W2.numpy() * np.maximum(layer1(W1).numpy(), 0)).sum() - Y
    assert np.allclose(matrices()[2].numpy(), 2 * error * W2.numpy()[:, None], atol=1e-6)


def test_the_product_of_the_three_matrices_equals_w1_grad():
    w1 = W1.clone().requires_grad_()
    cost(layer1(w1).relu()).backward()
    by_x, by_z, by_a = matrices()
    product = by_x @ by_z @ by_a
    assert product.shape == (3, 1)
    assert np.allclose(product.flatten(), w1.grad, atol=1e-6)
    for j in range(3):  # and both are right
        step = np.eye(3, dtype=np.float32)[j] * 1e-2
        slope = (cost(layer1(W1 + step).relu()) - cost(layer1(W1 - step).relu())).item() / 2e-2
        assert product[j].item() == pytest.approx(slope, abs=1e-3)
