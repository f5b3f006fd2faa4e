"""The film of a training: its numbers against those of the training, its pictures against the weights."""

import io
import json
import re

import numpy as np
import pytest
from networks import LeNet5, ResNet18

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.viz.film import film as film_module, tiles
from tensorgrad.viz.film.strip import strip


def batch(count=6, shape=(1, 28, 28), classes=10):
    rng = np.random.default_rng(1)
    return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, classes, count)


def model_of(kind):
    tg.manual_seed(0)
    return kind()


def with_dropout():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(3 * 26 * 26, 10)
    )


def train(model, images, labels, callbacks=(), steps=7, **options):
    """Momentum over the same batch, `steps` times; the loss of each step."""
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    data = [(tg.tensor(images), tg.tensor(labels))]
    history = nn.fit(
        model, data, loss=nn.cross_entropy, optimizer=optimizer, epochs=steps, progress=False, seed=3,
        callbacks=callbacks, **options,
    )  # fmt: skip
    return [record["loss"] for record in history.steps]


class Watch(nn.Callback):
    """The weights, gradients and outputs at each step, by an independent route."""

    def __init__(self, model, images):
        self.model, self.images, self.seen = model, images, []
        self.weights = [self.copy()]

    def copy(self):
        return {name: p.numpy().astype(np.float64) for name, p in self.model.named_parameters()}

    def on_step_end(self, record):
        self.weights.append(self.copy())
        gradients = {name: p.grad.numpy().astype(np.float64) for name, p in self.model.named_parameters()}
        self.model.eval()
        with tg.no_grad():
            outputs = self.model(tg.tensor(self.images)).numpy()
        self.model.train()
        self.seen.append((gradients, outputs))


@pytest.mark.parametrize("compile", [False, True])
def test_the_numbers_of_each_frame_are_those_of_the_training(compile):
    images, labels = batch()
    model = model_of(LeNet5)
    film, watch = tg.viz.Film(model, images, labels, every=3), Watch(model, images)
    losses = train(model, images, labels, [film, watch], compile=compile)
    assert [frame.step for frame in film.frames] == [0, 3, 6]
    assert film.losses == list(enumerate(losses, 1))
    names = [track.name for track in film.reel.tracks]
    assert names == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    for frame in film.frames[1:]:
        gradients, outputs = watch.seen[frame.step - 1]
        before, after = watch.weights[frame.step - 1 : frame.step + 1]
        np.testing.assert_array_equal(frame.outputs, outputs)
        for k, name in enumerate(names):
            parts = [f"{name}.weight", f"{name}.bias"]
            gradient = np.sqrt(sum((gradients[part] ** 2).sum() for part in parts))
            update = np.sqrt(sum(((after[part] - before[part]) ** 2).sum() for part in parts))
            weight = np.sqrt(sum((after[part] ** 2).sum() for part in parts))
            assert frame.gradients[k] == pytest.approx(gradient, rel=1e-6)
            assert frame.updates[k] == pytest.approx(update, rel=1e-4)
            assert film.reel.tracks[k].ratios[frame.step // 3] == pytest.approx(update / weight, rel=1e-4)
    assert film.frames[0].updates == film.frames[0].gradients == (None,) * 5


@pytest.mark.parametrize("kind", [LeNet5, with_dropout, lambda: ResNet18(width=2)])
def test_training_is_the_same_to_the_bit_with_and_without_the_film(kind):
    shape = (3, 32, 32) if kind not in (LeNet5, with_dropout) else (1, 28, 28)
    images, labels = batch(shape=shape)
    plain, filmed = model_of(kind), model_of(kind)
    film = tg.viz.Film(filmed, images, labels, every=2, maps=(1, 3))
    assert train(plain, images, labels) == train(filmed, images, labels, [film])
    for (name, a), (_, b) in zip(plain.state_dict().items(), filmed.state_dict().items(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)
    assert all(module.training for module in filmed.modules())


def test_the_pictures_are_the_filters_and_the_feature_maps_of_the_chosen_images():
    images, labels = batch()
    model = model_of(LeNet5)
    film = tg.viz.Film(model, images, labels, every=1, maps=(2, 4), layers=2)
    train(model, images, labels, [film], steps=2)
    frame = film.frames[-1]
    assert set(frame.pictures) == {(n, w) for n in ("conv1", "conv2") for w in ("filters", "maps 2", "maps 4")}
    filters = frame.pictures["conv2", "filters"]
    assert filters.shape == (4 * 6 - 1, 16 * 6 - 1)
    np.testing.assert_array_equal(filters[6:11, 12:17], model.conv2.weight.numpy()[2, 1])
    assert np.isnan(filters[5]).all()
    with tg.no_grad():
        maps = model.conv1(tg.tensor(images[4:5])).numpy()[0]
    shown = frame.pictures["conv1", "maps 4"]
    np.testing.assert_allclose(shown[29:, 29:57], maps[5], rtol=1e-5, atol=1e-6)
    assert film.reel.pictures[0].caption == "6 filters; a column for each filter"


@pytest.mark.parametrize(
    ("shape", "image", "expected"),
    [
        ((6, 3, 5, 5), (3, 32, 32), (3 * 6 - 1, 6 * 6 - 1)),
        ((40, 2, 7), (2, 50), (16 * 2 - 1, 2 * 8 - 1)),
        ((20, 64), (1, 8, 8), (2 * 9 - 1, 8 * 9 - 1)),
        ((20, 64), (64,), (20, 32)),
        ((4, 4, 3, 3, 3), (4, 9, 9, 9), (4 * 4 - 1, 4 * 4 - 1)),
        ((7,), (3, 9, 9), None),
    ],
)
def test_filters_of_all_kinds_of_layers(shape, image, expected):
    found = tiles.filters(np.random.default_rng(0).standard_normal(shape), image)
    assert (found and found[0].shape) == expected


def test_strips_keep_8_bits_of_each_value_and_a_png_decodes_to_them():
    from PIL import Image

    rng = np.random.default_rng(2)
    frames = rng.standard_normal((5, 7, 9))
    frames[:, 3] = np.nan
    found = strip(list(frames))
    largest = np.nanmax(abs(frames))
    assert (found.lows, found.highs, found.signed) == ((-largest,) * 5, (largest,) * 5, True)
    known = found.levels[:, 4:] / 127 * largest - largest
    np.testing.assert_allclose(known, frames[:, 4:], atol=largest / 254 * 1.0001)
    each = strip(list(frames), each=True)
    assert each.highs == tuple(np.nanmax(abs(frames), (1, 2)))
    assert {int(abs(levels[levels < 255].astype(int) - 127).max()) for levels in each.levels} == {127}
    assert (found.levels[:, 3] == 255).all()
    image = Image.open(io.BytesIO(found.png))
    image.load()
    np.testing.assert_array_equal(np.asarray(image).reshape(7, 5, 9).swapaxes(0, 1), found.levels)
    assert image.convert("RGBA").getpixel((0, 3 * 5))[3] == 0
    assert strip([np.zeros((2, 2))]).levels.tolist() == [[[0, 0], [0, 0]]]
    assert strip([np.ones((1, 1))], signed=True).levels.item() == 254
    assert strip([np.zeros((1, 1))], signed=True).levels.item() == 127
    assert strip([np.full((1, 1), np.nan)]).levels.item() == 255


def test_a_hundred_frames_of_lenet_take_less_than_three_megabytes():
    images, labels = batch(12)
    model = model_of(LeNet5)
    film = tg.viz.Film(model, images, labels, every=1, maps=(0, 5, 11))
    train(model, images, labels, [film], steps=100)
    assert len(film.frames) == 101
    assert len(film.html) < 3_000_000


def test_a_long_film_keeps_every_second_frame(monkeypatch):
    monkeypatch.setattr(film_module, "MOST", 4)
    images, labels = batch(shape=(5,), classes=3)
    model = model_of(lambda: nn.Linear(5, 3))
    film = tg.viz.Film(model, images, labels, every=2)
    train(model, images, labels, [film], steps=21)
    assert film.every == 8
    assert [frame.step for frame in film.frames] == [0, 8, 16]
    assert film.frames[-1].updates[0] > 0


def one_dimensional():
    return nn.Sequential(nn.Conv1d(2, 4, 5), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3))


@pytest.mark.parametrize(
    ("kind", "shape", "classes"),
    [
        (lambda: ResNet18(width=2), (3, 32, 32), 10),
        (one_dimensional, (2, 20), 3),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 7), nn.Tanh(), nn.Linear(7, 4)), (1, 6, 6), 4),
        (lambda: nn.Linear(5, 3), (5,), 3),
    ],
)
def test_any_model_has_its_film(kind, shape, classes, tmp_path):
    images, labels = batch(shape=shape, classes=classes)
    model = model_of(kind)
    film = tg.viz.Film(model, images, labels, every=2, classes=[f"</script>{k}" for k in range(classes)])
    train(model, images, labels, [film], steps=4)
    html = film.save(tmp_path / "film.html").read_text(encoding="utf-8")
    assert html.count("<script") == 2
    assert not re.findall(r"""(?:src|href)=(?!"#)""", html.replace('find("', ""))
    data = json.loads(re.search(r'id="reel">(.*?)</script>', html, re.DOTALL)[1])
    assert data["steps"] == [0, 2, 4]
    assert len(data["tracks"]) == len({name.rpartition(".")[0] for name, _ in model.named_parameters()})
    scores = film.reel.predictions.scores
    np.testing.assert_allclose(scores.sum(-1), 1)
    gif = film.save(tmp_path / "film.gif").read_bytes()
    assert gif[:6] == b"GIF89a"


def test_by_hand_with_targets_that_are_numbers():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 3)), rng.standard_normal((5, 1))
    model = model_of(lambda: nn.Linear(3, 1, dtype=tg.float64))
    film = tg.viz.Film(model, x, y, every=1)
    loss = nn.mse_loss(model(tg.tensor(x)), tg.tensor(y))
    loss.backward()
    tg.optim.SGD(model.parameters(), lr=0.1).step()
    film.step(loss)
    said = film.reel.predictions
    assert said.classes == ()
    np.testing.assert_array_equal(said.scores[1], model(tg.tensor(x)).detach().numpy())
    assert film.reel.frame_losses == (None, float(f"{loss.item():.5g}"))
    with pytest.raises(DTypeError, match="loss must be one number"):
        film.step(tg.ones(2))


class SeveralOutputs(nn.Linear):
    def forward(self, x):
        return super().forward(x), {"x": x}


def test_a_model_alone_is_a_layer_and_of_several_outputs_the_first_is_shown():
    images, labels = batch(shape=(5,), classes=3)
    plain, several = model_of(lambda: nn.Linear(5, 3)), model_of(lambda: SeveralOutputs(5, 3))
    one, other = (tg.viz.Film(model, images, labels) for model in (plain, several))
    assert [track.name for track in one.reel.tracks] == ["Linear"]
    assert set(one.frames[0].pictures) == {("Linear", "filters"), ("Linear", "maps 0")}
    np.testing.assert_array_equal(one.frames[0].outputs, other.frames[0].outputs)
    np.testing.assert_allclose(one.frames[0].pictures["Linear", "maps 0"][0], one.frames[0].outputs[0], rtol=1e-6)


def test_of_dense_outputs_a_few_numbers_are_kept():
    images, _ = batch(shape=(3, 9, 9))
    model = model_of(lambda: nn.Conv2d(3, 2, 3))
    film = tg.viz.Film(model, images, np.zeros((6, 2, 7, 7), np.float32))
    with tg.no_grad():
        whole = model(tg.tensor(images)).numpy()
    np.testing.assert_array_equal(film.frames[0].outputs[:, :, 0], whole.reshape(6, -1)[:, :4])
    assert film.reel.predictions.classes == ()
    assert film.reel.predictions.scores.shape == (1, 6, 4)


def test_outputs_that_are_probabilities_already_stay_so():
    images, labels = batch(shape=(5,), classes=3)
    model = model_of(lambda: nn.Sequential(nn.Linear(5, 3), nn.Softmax(dim=1)))
    film = tg.viz.Film(model, images, labels)
    np.testing.assert_array_equal(film.reel.predictions.scores[0], film.frames[0].outputs)


def test_bad_arguments_are_refused(tmp_path):
    images, labels = batch(shape=(5,), classes=3)
    model = model_of(lambda: nn.Linear(5, 3))
    for options, problem in (
        ({"every": 0}, "every must be an integer of at least 1"),
        ({"layers": 0}, "layers must be"),
        ({"maps": (6,)}, "maps must be indices of images, from 0 to 5"),
    ):
        with pytest.raises(ArgumentError, match=problem):
            tg.viz.Film(model, images, labels, **options)
    with pytest.raises(ShapeError, match="a row for each image"):
        tg.viz.Film(model, images, labels[:2])
    with pytest.raises(ArgumentError, match="1 ≤ K ≤ 24"):
        tg.viz.Film(model, np.zeros((25, 5), np.float32))
    with pytest.raises(ArgumentError, match=r"\.html or \.gif"):
        tg.viz.Film(model, images).save(tmp_path / "film.mp4")
