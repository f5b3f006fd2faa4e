"""Filters, feature maps and first-layer weights: each pixel stands where it belongs, on the scale that is stated."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.viz import feature_maps, filters, weight_pictures

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure


def mesh(ax):
    (found,) = [c for c in ax.collections if hasattr(c, "get_coordinates")]
    return found


def pictures(ax, rows, columns, size):
    """The mosaic taken apart again: (rows, columns, H, W), by slicing it as a reader would see it."""
    height, width = size
    cells = mesh(ax).get_array()
    assert cells.shape[:2] == (rows * (height + 1) - 1, columns * (width + 1) - 1)
    tops, lefts = np.arange(rows) * (height + 1), np.arange(columns) * (width + 1)
    gaps = np.ones(cells.shape[:2], bool)
    found = [[cells[top : top + height, left : left + width] for left in lefts] for top in tops]
    for top in tops:
        for left in lefts:
            gaps[top : top + height, left : left + width] = False
    if cells.ndim == 2:
        assert np.ma.getmaskarray(cells)[gaps].all(), "a gap is drawn"
    return found


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_filters_of_several_channels_are_a_table_of_filters_by_channels():
    w = random(5, 4, 3, 2)
    ax = filters(tg.tensor(w))
    tiles = pictures(ax, 5, 4, (3, 2))
    for k in range(5):
        for c in range(4):
            np.testing.assert_array_equal(tiles[k][c], w[k, c])
    assert mesh(ax).get_clim() == (-np.abs(w).max(), np.abs(w).max()), "zero isn't in the middle of the palette"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2", "3"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0", "1", "2", "3", "4"]
    bottom, top = ax.get_ylim()
    assert bottom > top == 0, "row 0 isn't at the top"
    assert len(ax.figure.axes) == 2, "no colour bar"


def test_the_ticks_of_the_table_stand_at_the_middle_of_each_tile():
    ax = filters(random(2, 4, 3, 3))
    edges = mesh(ax).get_coordinates()[0, :, 0].reshape(4, 4)
    np.testing.assert_allclose(ax.get_xticks(), (edges[:, 0] + edges[:, -1]) / 2)
    np.testing.assert_allclose(np.diff(edges, axis=1), 1, rtol=1e-6)
    assert (edges[1:, 0] - edges[:-1, -1] > 0).all(), "no gap between tiles"


def test_filters_of_one_channel_are_laid_out_row_by_row():
    w = random(6, 1, 5, 5)
    tiles = pictures(filters(w, columns=4), 2, 4, (5, 5))
    for k in range(6):
        np.testing.assert_array_equal(tiles[k // 4][k % 4], w[k, 0])
    assert all(np.ma.getmaskarray(tiles[1][c]).all() for c in (2, 3)), "a place without a filter is drawn"


def test_filters_of_three_channels_are_drawn_in_colour_with_grey_for_zero():
    w = random(4, 3, 5, 5)
    w[0, :, 0, 0] = 0
    ax = filters(w, columns=2)
    colors = mesh(ax).get_array()
    assert colors.shape == (11, 11, 4)
    np.testing.assert_allclose(colors[0, 0], [0.5, 0.5, 0.5, 1])
    # filter 3 is the second of the second row
    expected = 0.5 + w[3].transpose(1, 2, 0) / (2 * np.abs(w).max())
    np.testing.assert_allclose(colors[6:, 6:, :3], expected, rtol=1e-6)
    assert (colors[5, :, 3] == 0).all()
    low, high = ax.figure.axes[1].get_ylim()
    assert (low, high) == pytest.approx((-np.abs(w).max(), np.abs(w).max()))


@pytest.mark.parametrize("shape", [(6, 8, 9), (1, 6, 8, 9)])
def test_feature_maps_share_one_scale(shape):
    y = random(*shape)
    ax = feature_maps(tg.tensor(y), columns=3)
    tiles = pictures(ax, 2, 3, (8, 9))
    for c in range(6):
        np.testing.assert_array_equal(tiles[c // 3][c % 3], y.reshape(6, 8, 9)[c])
    assert mesh(ax).get_clim() == (y.min(), y.max())


def test_rows_of_a_first_layer_become_pictures_green_black_and_red():
    w = random(3, 12)
    ax = weight_pictures(tg.tensor(w), shape=(3, 4), columns=3)
    for k, tile in enumerate(pictures(ax, 1, 3, (3, 4))[0]):
        np.testing.assert_array_equal(tile, w[k].reshape(3, 4))
    scale = np.abs(w).max()
    red, green, blue, _ = mesh(ax).to_rgba(scale)
    assert green > red and green > blue
    red, green, blue, _ = mesh(ax).to_rgba(-scale)
    assert red > green and red > blue
    assert mesh(ax).to_rgba(0.0)[:3] == pytest.approx((0, 0, 0), abs=0.01)


def test_the_picture_is_a_square_unless_a_shape_is_given():
    pictures(weight_pictures(random(2, 49), columns=2), 1, 2, (7, 7))
    with pytest.raises(tg.ShapeError, match=r"shape must have 12 pixels(.|\n)*got 3×3(.|\n)*shape=\(H, W\)"):
        weight_pictures(random(2, 12))
    with pytest.raises(tg.ShapeError, match="got 5×3"):
        weight_pictures(random(2, 12), shape=(5, 3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_marked_counted_and_leave_the_scale_alone(value):
    from matplotlib.colors import to_rgba

    w = random(2, 2, 3, 3)
    scale = np.abs(w[1]).max()
    w[0] = 0
    w[0, 1, 2, 0] = value
    ax = filters(w)
    assert mesh(ax).get_clim() == (-scale, scale)
    marked = mesh(ax).to_rgba(mesh(ax).get_array())[2, 4]
    assert tuple(marked) == pytest.approx(to_rgba("#CC79A7"))
    assert ax.figure.axes[1].get_ylabel() == "weight; 1 NaN or infinite"
    rgb = random(1, 3, 2, 2)
    rgb[0, 1, 1, 1] = value
    assert tuple(mesh(filters(rgb)).get_array()[1, 1]) == pytest.approx(to_rgba("#CC79A7"))
    maps = random(1, 2, 2)
    maps[0, 0, 0] = value
    assert mesh(feature_maps(maps)).get_clim() == (np.delete(maps, 0).min(), np.delete(maps, 0).max())


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_constant_pictures_have_a_scale_too(value):
    for ax in (filters(np.full((2, 2, 3, 3), value)), feature_maps(np.full((2, 3, 3), value))):
        low, high = mesh(ax).get_clim()
        assert low < high
        ax.figure.canvas.draw()


@pytest.mark.parametrize("count", range(1, 70))
def test_a_grid_chosen_by_itself_is_full_and_nearly_square(count):
    ax = weight_pictures(np.ones((count, 4)))
    rows, columns = ((n + 1) // 3 for n in mesh(ax).get_array().shape)
    assert rows * columns >= count > (rows - 1) * columns
    assert count < 4 or columns / rows < 4


def test_the_axes_that_are_given_are_drawn_on_and_pyplot_stays_out():
    figure = Figure()
    for ax, draw in zip(
        figure.subplots(1, 3),
        (
            lambda ax: filters(random(2, 1, 3, 3), ax=ax),
            lambda ax: feature_maps(random(2, 3, 3), ax=ax),
            lambda ax: weight_pictures(random(2, 9), ax=ax),
        ),
        strict=True,
    ):
        assert draw(ax) is ax
    assert len(figure.axes) == 6, "each has its colour bar"


def test_what_makes_no_picture_is_refused():
    with pytest.raises(tg.ShapeError, match="use weight_pictures"):
        filters(random(4, 9))
    with pytest.raises(tg.ShapeError, match="use filters"):
        weight_pictures(random(4, 1, 3, 3))
    with pytest.raises(tg.ShapeError, match=r"maps must be of one image, got 2(.|\n)*maps\[0\]"):
        feature_maps(random(2, 3, 4, 4))
    for call, empty in ((filters, (0, 1, 3, 3)), (feature_maps, (3, 0, 4)), (weight_pictures, (0, 9))):
        with pytest.raises(tg.ArgumentError, match="must not be empty"):
            call(np.zeros(empty))
    with pytest.raises(tg.DTypeError, match="must hold numbers"):
        feature_maps(np.array([[["a"]]]))
    with pytest.raises(tg.ArgumentError, match="columns must be at least 1"):
        feature_maps(random(2, 3, 3), columns=0)
    with pytest.raises(tg.ArgumentError, match="leave columns out"):
        filters(random(2, 4, 3, 3), columns=2)
    with pytest.raises(tg.DTypeError, match="ax must be an Axes"):
        filters(random(2, 1, 3, 3), ax=Figure().subplots(1, 2))
    with pytest.raises(tg.ArgumentError, match="rectilinear"):
        filters(random(2, 1, 3, 3), ax=Figure().add_subplot(projection="3d"))


def test_of_many_filters_the_first_are_shown_and_said_to_be_so():
    w = np.random.default_rng(0).standard_normal((100, 40, 2, 2))
    ax = filters(w)
    assert ax.get_title() == "the first 64 of 100 filters of 2×2 over the first 32 of 40 channels"
    shown = ax.collections[0].get_array()
    assert shown.shape == (64 * 3 - 1, 32 * 3 - 1)
    np.testing.assert_array_equal(shown[63 * 3 : 63 * 3 + 2, 31 * 3 : 31 * 3 + 2], w[63, 31])
    assert filters(w[:, :1]).get_title() == "the first 64 of 100 filters of 2×2"


def test_filters_of_a_signal_are_rows_one_pixel_high():
    w = np.random.default_rng(0).standard_normal((4, 3, 5))
    ax = filters(w)
    assert (ax.get_title(), ax.get_xlabel()) == ("4 filters of 5 over 3 channels", "input channel")
    np.testing.assert_array_equal(ax.collections[0].get_array()[2, 6:11], w[1, 1])
    assert filters(w[:, :1]).get_title() == "4 filters of 5"


@pytest.mark.parametrize("number", ["x", 2.5, True, [2], None], ids=str)
def test_counts_are_whole_numbers(number):
    w = tg.tensor(1.0, requires_grad=True)
    images, labels, logits = np.zeros((1, 2, 2)), [0], [[0.0, 1.0]]
    calls = {
        "columns": lambda: feature_maps(random(2, 3, 3), columns=number),
        "shape": lambda: weight_pictures(random(2, 4), shape=(number, 2)),
        "count": lambda: tg.viz.mistakes(images, labels, logits, count=number),
        "points": lambda: tg.viz.cost_curve(lambda: w * w, w, points=number, low=0.0, high=2.0),
        "resolution": lambda: tg.viz.cost_surface(lambda: w * w, [w], resolution=number),
    }
    for name, call in calls.items():
        if number is not None or name != "columns":
            with pytest.raises(tg.DTypeError, match=f"{name} must be a whole number"):
                call()


def test_words_in_the_place_of_shapes_names_and_numbers():
    w = tg.tensor(1.0, requires_grad=True)
    for shape in (4, "x", (2, 2, 1)):
        with pytest.raises(tg.ShapeError, match=r"shape must be \(H, W\)"):
            weight_pictures(random(2, 4), shape=shape)
    with pytest.raises(tg.DTypeError, match="names must be a list of names, got int"):
        tg.viz.confusion_matrix([0, 1], [0, 1], names=2)
    with pytest.raises(tg.DTypeError, match="tangents must be a number, got str"):
        tg.viz.cost_curve(lambda: w * w, w, tangents=["x"])
