"""The cost surface: directions, projection and heights against NumPy, and parameters put back to the bit."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd.versions import version_of
from tensorgrad.viz import DescentPath, cost_surface
from tensorgrad.viz.plots.cost.plane import Plane, principal_directions, random_directions
from tensorgrad.viz.plots.parameters import flat, write

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


class Bowl:
    """Σ cₖ·θₖ² over two parameters in float64: every height is known."""

    def __init__(self, dtype=np.float64):
        self.a = tg.tensor(random(2, 3).astype(dtype), requires_grad=True, name="a")
        self.b = tg.tensor(random(2, seed=1).astype(dtype), requires_grad=True, name="b")
        self.weights = np.arange(1.0, 9.0)
        self.parameters = {"a": self.a, "b": self.b}

    def cost(self):
        weights = tg.tensor(self.weights.astype(self.a.dtype))
        return (self.a**2 * weights[:6].reshape(2, 3)).sum() + (self.b**2 * weights[6:]).sum()

    def reference(self, point):
        return float((self.weights * point**2).sum())

    def vector(self):
        return flat([self.a.data, self.b.data])

    def descend(self, steps, rate=0.02):
        path = DescentPath(self.parameters)
        path.record()
        for _ in range(steps):
            for p, g in zip((self.a, self.b), tg.grad(self.cost(), [self.a, self.b]), strict=True):
                p.data -= rate * g.numpy()
            path.record()
        return path


def lines(ax):
    return {line.get_label(): np.array(line.get_data(), float) for line in ax.get_lines()}


def heights_of(*arguments, three_d=False, **options):
    """The surface and its x, y and heights, as matplotlib gets them: {(α, β): height}, and the Axes."""
    ax = Figure().add_subplot(projection="3d" if three_d else "rectilinear")
    name, got = "plot_surface" if three_d else "contourf", []
    original = getattr(ax, name)
    setattr(ax, name, lambda *args, **kwargs: (got.extend(args), original(*args, **kwargs))[1])
    cost_surface(*arguments, ax=ax, three_d=three_d, **options)
    x, y = got[:2] if three_d else np.meshgrid(*got[:2])
    return dict(zip(zip(x.ravel(), y.ravel(), strict=True), got[2].ravel(), strict=True)), ax


# ---------------------------------------------------------------------------------------------------------- directions


def test_random_directions_have_filters_as_long_as_those_of_the_network():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(36, 5))
    parameters = list(model.parameters())
    d1, d2 = random_directions([p.data for p in parameters], np.random.default_rng(0))
    start = 0
    for p in parameters:
        for d in (d1, d2):
            part, weight = d[start : start + p.numel()].reshape(p.shape), p.numpy()
            if p.ndim == 1:
                assert np.linalg.norm(part) == pytest.approx(np.linalg.norm(weight))
            else:
                for k in range(len(weight)):
                    assert np.linalg.norm(part[k]) == pytest.approx(np.linalg.norm(weight[k]), rel=1e-6)
        start += p.numel()
    assert start == len(d1) and abs(d1 @ d2) < 0.3 * np.linalg.norm(d1) * np.linalg.norm(d2)


def test_a_filter_of_zeros_is_not_moved():
    w = tg.tensor(np.array([[0.0, 0.0], [3.0, 4.0]]))
    d = random_directions([w.data], np.random.default_rng(0)).reshape(2, 2, 2)
    assert not d[:, 0].any() and np.linalg.norm(d[:, 1], axis=1) == pytest.approx([5, 5])


@pytest.mark.parametrize("seed", range(5))
def test_principal_directions_are_those_of_the_singular_values(seed):
    path = np.cumsum(random(30, 12, seed=seed), axis=0)
    directions = principal_directions(path)
    away = path - path[-1]
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    # by the eigenvalues of the scatter matrix, another way than the SVD
    values, vectors = np.linalg.eigh(away.T @ away)
    for k in range(2):
        assert abs(directions[k] @ vectors[:, -1 - k]) == pytest.approx(1)
    _, outside = Plane(path[-1], directions).project(path)
    assert outside == pytest.approx(values[:-2].sum() / values.sum())
    along = away @ directions.T
    assert along[np.abs(along[:, 0]).argmax(), 0] < 0 < along[np.abs(along[:, 1]).argmax(), 1]


def test_the_projection_is_the_nearest_point_of_the_plane_also_for_slanted_directions():
    centre, directions, points = random(7), random(2, 7, seed=1), random(5, 7, seed=2)
    coordinates, outside = Plane(centre, directions).project(points)
    feet = centre + coordinates @ directions
    np.testing.assert_allclose((points - feet) @ directions.T, 0, atol=1e-12)
    expected = ((points - feet) ** 2).sum() / ((points - centre) ** 2).sum()
    assert outside == pytest.approx(expected) and 0 < outside < 1


def test_vectors_and_parameters_are_in_the_same_order():
    bowl = Bowl()
    write([bowl.a, bowl.b], np.arange(8.0))
    np.testing.assert_array_equal(bowl.a.numpy(), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(bowl.b.numpy(), [6, 7])
    np.testing.assert_array_equal(bowl.vector(), np.arange(8.0))


# ------------------------------------------------------------------------------------------------------------- heights


@pytest.mark.parametrize("three_d", [False, True])
def test_heights_are_the_cost_at_centre_plus_multiples_of_the_directions(three_d):
    bowl = Bowl()
    d = (random(8, seed=5), random(8, seed=6))
    span = ((-1, 2), (-3, 1))
    heights, ax = heights_of(bowl.cost, bowl.parameters, directions=d, span=span, resolution=5, three_d=three_d)
    assert len(heights) == 25
    for (alpha, beta), height in heights.items():
        expected = bowl.reference(bowl.vector() + alpha * d[0] + beta * d[1])
        # So far apart, they are drawn as logarithms; a map leaves this to its palette.
        assert (10**height if three_d else height) == pytest.approx(expected, rel=1e-6)
    assert ax.get_xlim() == (-1, 2) and ax.get_ylim() == (-3, 1)


@pytest.mark.parametrize("three_d", [False, True])
def test_random_directions_and_small_differences_on_a_linear_scale(three_d):
    bowl = Bowl()
    heights, ax = heights_of(bowl.cost, bowl.parameters, span=0.1, resolution=4, three_d=three_d, seed=3)
    d = random_directions([bowl.a.data, bowl.b.data], np.random.default_rng(3))
    for coordinates, height in heights.items():
        assert height == pytest.approx(bowl.reference(bowl.vector() + np.array(coordinates) @ d), rel=1e-6)
    assert not three_d or ax.get_zlabel() == "cost"


def test_the_map_calls_the_cost_at_every_point_of_the_grid():
    bowl, seen = Bowl(), []

    def cost():
        seen.append(bowl.vector())
        return bowl.cost()

    d = np.eye(8)[[0, 7]]
    cost_surface(cost, bowl.parameters, directions=d, span=1, resolution=3)
    offsets = np.array(seen) - bowl.vector()
    np.testing.assert_allclose(offsets[:, [0, 7]], [(a, b) for b in (-1, 0, 1) for a in (-1, 0, 1)], atol=1e-12)
    assert not offsets[:, 1:7].any()


def test_directions_may_be_given_as_arrays_like_the_parameters():
    bowl = Bowl()
    arrays = [[random(2, 3, seed=s), random(2, seed=s + 1)] for s in (5, 7)]
    vectors = [flat(pair) for pair in arrays]
    ways = (arrays, vectors, tuple(vectors), np.array(vectors), [list(map(float, v)) for v in vectors])
    heights = [heights_of(bowl.cost, bowl.parameters, directions=way, resolution=3)[0] for way in ways]
    assert all(h == heights[0] for h in heights)


def test_the_same_seed_gives_the_same_surface_and_another_another():
    bowl = Bowl()
    first, again, other = (heights_of(bowl.cost, bowl.parameters, resolution=3, seed=s)[0] for s in (1, 1, 2))
    assert first == again and first != other


# ---------------------------------------------------------------------------------------------------------------- path


def test_a_path_records_a_copy_of_every_parameter():
    bowl = Bowl(np.float32)
    path = bowl.descend(3)
    assert path.points.shape == (4, 8) and len(path) == 4
    np.testing.assert_array_equal(path.points[-1], bowl.vector())
    assert len(np.unique(path.points[:, 0])) == 4


def test_the_path_is_drawn_where_it_lies_on_the_plane_and_the_rest_is_stated():
    bowl = Bowl()
    path = bowl.descend(20, rate=0.05)
    ax = cost_surface(bowl.cost, bowl.parameters, path, "pca", resolution=5)
    away = path.points - path.points[-1]
    _, singular, rows = np.linalg.svd(away, full_matrices=False)
    drawn = lines(ax)["descent"]
    for k in range(2):
        expected = away @ rows[k]
        np.testing.assert_allclose(drawn[k], expected * np.sign(expected @ drawn[k]), atol=1e-9)
    outside = 1 - (singular[:2] ** 2).sum() / (singular**2).sum()
    assert 0.001 < outside < 0.1
    assert ax.get_title().endswith(f"\n{100 * outside:.1f} % of the path lies outside this plane")
    np.testing.assert_array_equal(lines(ax)["start"].ravel(), drawn[:, 0])
    np.testing.assert_allclose(lines(ax)["end"].ravel(), [0, 0], atol=1e-12)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < drawn[0].min() and right > drawn[0].max() and bottom < drawn[1].min() and top > drawn[1].max()


def test_the_centre_is_the_end_of_the_path_even_if_the_parameters_moved_on():
    bowl = Bowl()
    path = bowl.descend(5)
    bowl.a.data += 100
    seen = []

    def cost():
        seen.append(bowl.vector())
        return bowl.cost()

    cost_surface(cost, bowl.parameters, path, "pca", span=1, resolution=3)
    np.testing.assert_allclose(seen[4], path.points[-1], atol=1e-12)
    cost_surface(cost, bowl.parameters, path, span=1, resolution=3)
    step = (seen[9 + 5] - path.points[-1])[:6].reshape(2, 3)
    lengths = np.linalg.norm(path.points[-1][:6].reshape(2, 3), axis=1)
    np.testing.assert_allclose(np.linalg.norm(step, axis=1), lengths, err_msg="filters as long as they were then")


def test_on_the_surface_the_path_has_the_height_of_its_shadow():
    bowl = Bowl()
    path = bowl.descend(6, rate=0.005)
    d = np.array([random(8, seed=5), random(8, seed=6)])
    ax = cost_surface(bowl.cost, bowl.parameters, path, d, span=0.05, resolution=5, three_d=True)
    coordinates, _ = Plane(path.points[-1], d).project(path.points)
    x, y, z = ax.get_lines()[0].get_data_3d()
    np.testing.assert_allclose(np.array([x, y]).T, coordinates)
    inside = (np.abs(coordinates) <= 0.05).all(1)
    assert inside.any() and not inside.all() and ax.get_zlabel() == "cost"
    heights = [bowl.reference(path.points[-1] + c @ d) for c in coordinates]
    np.testing.assert_allclose(z[inside], np.array(heights)[inside], rtol=1e-6)
    assert np.isnan(z[~inside]).all()


def test_a_path_that_ends_at_zero_cost_stays_on_a_surface_of_logarithms():
    w = tg.tensor(np.array([3.0, 2.0]), requires_grad=True)
    path = DescentPath([w])
    for point in ([3.0, 2.0], [1.0, 1.5], [0.0, 0.0]):
        w.data[...] = point
        path.record()
    heights, ax = heights_of(lambda: (w * w).sum(), [w], path, np.eye(2), span=4, resolution=10, three_d=True)
    assert ax.get_zlabel() == "cost, log scale"
    np.testing.assert_allclose(
        ax.get_lines()[0].get_data_3d()[2], [np.log10(13), np.log10(3.25), min(heights.values())]
    )


def test_a_straight_path_has_a_plane_of_some_width():
    w = tg.tensor(np.array([4.0, 4.0, 4.0]), requires_grad=True)
    path = DescentPath([w])
    for _ in range(4):
        path.record()
        w.data *= 0.5
    ax = cost_surface(lambda: (w * w).sum(), [w], path, "pca", resolution=5)
    assert ax.get_title().endswith("\n0 % of the path lies outside this plane")
    low, high = ax.get_ylim()
    assert high - low > 0.3 * np.diff(ax.get_xlim())


# ------------------------------------------------------------------------------------------------- nothing is disturbed


def bits(array):
    return array.view(np.uint8).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("how", ["random", "pca", "given", "3d", "raises", "interrupted", "never finite"])
def test_parameters_and_gradients_are_left_as_they_were_to_the_bit(dtype, how):
    bowl = Bowl(dtype)
    path = bowl.descend(5)
    bowl.a.data[0, 0] = -0.0
    bowl.cost().backward()
    grads, arrays, calls = (bowl.a.grad, bowl.b.grad), (bowl.a._data, bowl.b._data), []
    before = [bits(a) for a in (*arrays, *(g.data for g in grads))]
    versions = (version_of(bowl.a), version_of(bowl.b))

    def cost():
        calls.append(None)
        bowl.a.grad = None
        bowl.b.grad.data[...] = 7
        if len(calls) == 7 and how in ("raises", "interrupted"):
            raise RuntimeError("out of coffee") if how == "raises" else KeyboardInterrupt
        return bowl.cost() * (float("nan") if how == "never finite" else 1.0)

    directions = {"pca": "pca", "given": np.eye(8)[:2]}.get(how, "random")
    errors = {"raises": RuntimeError, "interrupted": KeyboardInterrupt, "never finite": tg.ArgumentError}
    arguments = (cost, bowl.parameters, path, directions)
    if how in errors:
        with pytest.raises(errors[how]):
            cost_surface(*arguments, resolution=4)
    else:
        cost_surface(*arguments, resolution=4, three_d=how == "3d")
    assert (bowl.a.grad, bowl.b.grad) == grads and bowl.a._data is arrays[0] and bowl.b._data is arrays[1]
    assert [bits(a) for a in (*arrays, *(g.data for g in grads))] == before
    assert (version_of(bowl.a), version_of(bowl.b)) == versions


def test_nothing_is_recorded():
    bowl, seen = Bowl(), []

    def cost():
        seen.append(tg.is_grad_enabled())
        return bowl.cost()

    cost_surface(cost, bowl.parameters, resolution=3)
    assert seen == [False] * 9 and tg.is_grad_enabled()


# ------------------------------------------------------------------------------------------------------- what is odd


def test_places_where_the_cost_is_not_finite_are_left_white_and_counted():
    w = tg.tensor(np.array([1.0, 1.0]), requires_grad=True)
    for three_d in (False, True):
        ax = cost_surface(lambda: w.log().sum(), [w], directions=np.eye(2), span=2, resolution=5, three_d=three_d)
        # w in {−1, 0, 1, 2, 3}: both must be above 0
        assert ax.get_title() == "cost over two directions: NaN or infinite at 16 of 25 points"
        ax.figure.canvas.draw()


def test_a_cost_that_is_the_same_everywhere_is_drawn():
    w = tg.tensor(np.array([1.0, 1.0]), requires_grad=True)
    for three_d in (False, True):
        ax = cost_surface(lambda: (w * 0).sum(), [w], directions=np.eye(2), resolution=3, three_d=three_d)
        ax.figure.canvas.draw()
        low, high = ax.get_zlim() if three_d else ax.collections[0].get_clim()
        assert low <= 0 <= high and np.isfinite([low, high]).all()


def test_the_axes_that_are_given_are_drawn_on_if_they_are_of_the_right_kind():
    bowl = Bowl()
    flat_axes, solid = Figure().subplots(), Figure().add_subplot(projection="3d")
    assert cost_surface(bowl.cost, bowl.parameters, resolution=3, ax=flat_axes) is flat_axes
    assert cost_surface(bowl.cost, bowl.parameters, resolution=3, ax=solid, three_d=True) is solid
    with pytest.raises(tg.ArgumentError, match="projection='3d'"):
        cost_surface(bowl.cost, bowl.parameters, resolution=3, ax=flat_axes, three_d=True)
    with pytest.raises(tg.ArgumentError, match="projection='rectilinear'"):
        cost_surface(bowl.cost, bowl.parameters, resolution=3, ax=solid)


def test_what_has_no_surface_is_refused():
    bowl = Bowl()
    path = bowl.descend(4)
    still = DescentPath(bowl.parameters)
    for _ in range(4):
        still.record()
    d = random(8)
    cases = [
        (tg.ArgumentError, "resolution must be at least 2", {"resolution": 1}),
        (tg.ArgumentError, "directions must be", {"directions": "up"}),
        (tg.ArgumentError, "directions must be", {"directions": (d,)}),
        (tg.ArgumentError, "path must be given for", {"directions": "pca"}),
        (tg.ArgumentError, "don't move", {"directions": "pca", "path": still}),
        (tg.ArgumentError, "path must have at least one point", {"path": DescentPath(bowl.parameters)}),
        (tg.ArgumentError, "must span a plane", {"directions": (d, 2 * d)}),
        (tg.ArgumentError, "must span a plane", {"directions": (d, 0 * d)}),
        (tg.ArgumentError, "must span a plane", {"directions": (d, d * np.nan)}),
        (tg.ShapeError, "a direction must have 8 values(.|\n)*got 7", {"directions": (d[:7], d)}),
        (tg.ArgumentError, "span must be", {"span": -1.0}),
        (tg.ArgumentError, "span must be", {"span": float("nan")}),
        (tg.ArgumentError, "span must be", {"span": ((1, 0), (0, 1))}),
        (tg.ArgumentError, "span must be", {"span": (1, 2)}),
        (tg.DTypeError, "path must be a DescentPath", {"path": path.points}),
        (tg.ShapeError, "path must have points of(.|\n)*got 6", {"path": DescentPath([bowl.a])}),
        (tg.DTypeError, "ax must be an Axes", {"ax": "here", "resolution": 2}),
    ]
    for error, match, arguments in cases:
        with pytest.raises(error, match=match):
            cost_surface(bowl.cost, bowl.parameters, **arguments)
    with pytest.raises(tg.DTypeError, match="cost must be a function"):
        cost_surface(3.0, bowl.parameters)
    with pytest.raises(tg.DTypeError, match="one number"):
        cost_surface(lambda: bowl.a, bowl.parameters)
    with pytest.raises(tg.ArgumentError, match="parameters must not be empty"):
        cost_surface(bowl.cost, [])
    bowl.a.data[0, 0] = np.nan
    with pytest.raises(tg.ArgumentError, match="parameters must be finite"):
        cost_surface(bowl.cost, bowl.parameters)
    path.record()
    with pytest.raises(tg.ArgumentError, match="path must be finite"):
        cost_surface(bowl.cost, bowl.parameters, path)
    zeros = tg.tensor(np.zeros(3), requires_grad=True)
    with pytest.raises(tg.ArgumentError, match="must span a plane"):
        cost_surface(lambda: zeros.sum(), zeros)
