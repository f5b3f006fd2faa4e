"""Datasets of pictures under PyTorch's names, from folders that the tests fill; grids of pictures and their files."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tensorgrad.nn.data import DataFileError, DataLoader
from tensorgrad.nn.data.datasets import cifar, folders
from tensorgrad.vision import datasets, transforms, utils

Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow, of the extra `data`")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# --------------------------------------------------------------------------------------------------------- MNIST's kind


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_digits(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", 6), ("t10k", 4)):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(noise(n, 28, 28, seed=n))))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n, dtype=np.uint8)))


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
@pytest.mark.parametrize("below", ["{name}/raw", ".", "{lower}"])
def test_digits(tmp_path, name, below):
    write_digits(tmp_path / below.format(name=name, lower=name.lower()))
    kind = getattr(datasets, name)
    for train, n in ((True, 6), (False, 4)):
        data = kind(tmp_path, train)
        assert len(data) == n and data.targets.tolist() == list(range(n)) and len(data.classes) == 10
        assert data.data.shape == (n, 28, 28) and data.data.dtype == np.uint8
        image, label = data[2]
        assert image.mode == "L" and label == 2 and type(label) is int
        np.testing.assert_array_equal(np.asarray(image), noise(n, 28, 28, seed=n)[2])
        assert data.class_to_idx[data.classes[3]] == 3 and data[-1][1] == n - 1
    assert repr(data).startswith(f"Dataset {name}\n    Number of datapoints: 4\n    Root location: ")
    with pytest.raises(RangeError, match="got 4"):
        data[4]


def test_the_lines_of_the_mnist_example(tmp_path):
    write_digits(tmp_path / "MNIST" / "raw")
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train = datasets.MNIST(str(tmp_path), train=True, download=True, transform=transform)
    for workers in (0, 2):
        options = {"num_workers": workers, "pin_memory": True, "shuffle": True, "batch_size": 4}
        tg.manual_seed(0)
        batches = list(tg.utils.data.DataLoader(train, **options))
        x, y = batches[0]
        assert x.shape == (4, 1, 28, 28) and x.dtype == np.float32 and y.dtype == np.int64
        want = (noise(6, 28, 28, seed=6)[y.numpy()] / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)
        np.testing.assert_allclose(x.numpy()[:, 0], want, rtol=1e-6)


def test_missing_digits(tmp_path):
    with pytest.raises(DataFileError, match="pass download=True"):
        datasets.MNIST(tmp_path)
    write_digits(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(10, 16, dtype=np.uint8)))
    with pytest.raises(DataFileError, match="don't hold MNIST"):
        datasets.MNIST(tmp_path)


# ---------------------------------------------------------------------------------------------------------------- CIFAR


def write_cifar(folder, kind, n=3):
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"class {k}" for k in range(10)]
    (folder / kind.meta[0]).write_bytes(pickle.dumps({kind.meta[1]: names}, protocol=2))
    for k, name in enumerate((*kind.files[True], *kind.files[False])):
        part = {"data": noise(n, 3072, seed=k), kind.labels: [(k + i) % 10 for i in range(n)]}
        (folder / name).write_bytes(pickle.dumps(part, protocol=2))


@pytest.mark.parametrize("kind", [datasets.CIFAR10, datasets.CIFAR100])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar(tmp_path, kind, packed):
    write_cifar(tmp_path / kind.base_folder, kind)
    if packed:
        with tarfile.open(tmp_path / kind.archive, "w:gz") as tar:
            tar.add(tmp_path / kind.base_folder, kind.base_folder)
        for path in (tmp_path / kind.base_folder).iterdir():
            path.unlink()
    for train in (True, False):
        data = kind(tmp_path, train=train)
        parts = range(len(kind.files[True])) if train else [len(kind.files[True])]
        assert len(data) == 3 * len(list(parts)) and data.data.shape == (len(data), 32, 32, 3)
        assert data.targets == [(k + i) % 10 for k in parts for i in range(3)] and data.class_to_idx["class 4"] == 4
        image, label = data[1]
        want = noise(3, 3072, seed=parts[0])[1].reshape(3, 32, 32).transpose(1, 2, 0)
        np.testing.assert_array_equal(np.asarray(image), want)
        assert label == data.targets[1]


def test_a_download_is_checked_and_unpacked(tmp_path, monkeypatch):
    kind = datasets.CIFAR10
    write_cifar(tmp_path / "there" / kind.base_folder, kind)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        tar.add(tmp_path / "there" / kind.base_folder, kind.base_folder)

    def fetch(call, name, checksum, mirrors, folder):
        assert (call, name, checksum) == ("CIFAR10", kind.archive, kind.checksum) and mirrors == kind.mirrors
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.getvalue())

    monkeypatch.setattr(cifar, "fetch", fetch)
    assert len(kind(tmp_path / "here", download=True)) == 15
    monkeypatch.setattr(cifar, "fetch", None)
    assert len(kind(tmp_path / "here", train=False, download=True)) == 3


class Call:
    def __reduce__(self):
        return print, ("called",)


def without(part, key):
    return {name: value for name, value in part.items() if name != key}


PART = {"data": noise(3, 3072), "labels": [0, 1, 2]}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (pickle.dumps(Call()), "it calls builtins.print"),
        (pickle.dumps([1]), "must hold a dict"),
        (pickle.dumps(without(PART, "data")), "'data' must be an array"),
        (pickle.dumps(without(PART, "labels")), "'labels' must be 3 ints from 0 to 9"),
        (pickle.dumps({**PART, "labels": [0, 1, 10]}), "'labels' must be 3 ints from 0 to 9"),
        (pickle.dumps({**PART, "data": noise(3, 3071)}), "'data' must be an array"),
        (pickle.dumps(PART)[:-50], "can't be read"),
        (b"", "can't be read"),
    ],
)
def test_files_that_are_not_cifars(tmp_path, capsys, content, match):
    write_cifar(tmp_path, datasets.CIFAR10)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(DataFileError, match=match):
        datasets.CIFAR10(tmp_path, train=False)
    assert not capsys.readouterr().out


def test_an_archive_without_the_files(tmp_path):
    with tarfile.open(tmp_path / datasets.CIFAR10.archive, "w:gz"):
        pass
    with pytest.raises(DataFileError, match=r"batches\.meta"):
        datasets.CIFAR10(tmp_path)
    with pytest.raises(DataFileError, match="pass download=True"):
        datasets.CIFAR10(tmp_path / "nowhere")


# -------------------------------------------------------------------------------------------------------------- folders


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)


def test_a_folder_for_each_class(tmp_path):
    for name in ("dog/2.png", "cat/b.PNG", "cat/more/a.bmp", "cat/c.png"):
        save(tmp_path / name, noise(5, 4, 3, seed=len(name)))
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    data = datasets.ImageFolder(tmp_path, transforms.ToTensor(), lambda label: label + 10)
    assert data.classes == ("cat", "dog") and data.class_to_idx == {"cat": 0, "dog": 1}
    assert data.targets == [0, 0, 0, 1] and data.imgs == data.samples
    assert [path.rpartition("/")[2] for path, _ in data.samples] == ["b.PNG", "c.png", "a.bmp", "2.png"]
    x, label = data[3]
    np.testing.assert_array_equal(x.numpy() * 255, noise(5, 4, 3, seed=9).transpose(2, 0, 1))
    assert label == 11
    some = datasets.ImageFolder(tmp_path, is_valid_file=lambda path: "b." in path or "2." in path)
    assert [label for _, label in some.samples] == [0, 1]
    sized = datasets.DatasetFolder(tmp_path, lambda path: len(path), (".txt", ".png"))
    assert sized[0][0] == len(sized.samples[0][0]) and len(sized) == 4


def test_what_a_folder_must_hold(tmp_path):
    with pytest.raises(DataFileError, match="can't be read"):
        datasets.ImageFolder(tmp_path / "nowhere")
    with pytest.raises(DataFileError, match="no class folders"):
        datasets.ImageFolder(tmp_path)
    save(tmp_path / "cat" / "1.png", noise(2, 2))
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataFileError, match="no usable files for the classes dog"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 1
    with pytest.raises(ArgumentError, match="either extensions or is_valid_file"):
        datasets.DatasetFolder(tmp_path, open)
    with pytest.raises(DTypeError, match="transform must be a function"):
        datasets.ImageFolder(tmp_path, 3, allow_empty=True)
    with pytest.raises(ArgumentError, match="either transforms"):
        datasets.VisionDataset(tmp_path, abs, abs)


def loaded(path, pixels, **options):
    save(path, pixels, **options)
    image = folders.default_loader(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_sixteen_bits_are_rounded(tmp_path):
    deep = np.array([[0, 128, 129, 32768, 65535]], np.uint16)
    for name in ("a.png", "a.tif", "a.pgm"):
        got = loaded(tmp_path / name, deep)
        np.testing.assert_array_equal(got[..., 0], [[0, 0, 1, 128, 255]], err_msg=name)


def test_palettes_and_transparency(tmp_path):
    colours = Image.fromarray(noise(6, 6, 3)).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(loaded(tmp_path / "p.png", colours), np.asarray(colours.convert("RGB")))
    figure = np.zeros((2, 2, 4), np.uint8)
    figure[0, 0] = 10, 20, 30, 255
    figure[0, 1] = 100, 100, 100, 128
    got = loaded(tmp_path / "a.png", figure)
    assert got[0, 0].tolist() == [10, 20, 30] and got[1, 1].tolist() == [255, 255, 255]
    assert np.abs(got[0, 1].astype(int) - 177).max() <= 1
    colours.info["transparency"] = index = colours.getpixel((0, 0))
    got = loaded(tmp_path / "t.png", colours, transparency=index)
    assert got[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_as_the_camera_says(tmp_path, orientation):
    upright = noise(4, 6, 3)
    # What the camera stores, so that turning it as EXIF says gives the upright picture.
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(loaded(tmp_path / "a.png", np.ascontiguousarray(undo), exif=exif), upright)


def test_a_damaged_file_names_itself_and_its_item(tmp_path):
    save(tmp_path / "cat" / "1.png", noise(30, 30, 3))
    whole = (tmp_path / "cat" / "1.png").read_bytes()
    (tmp_path / "cat" / "2.png").write_bytes(whole[: len(whole) // 2])
    data = datasets.ImageFolder(tmp_path, transforms.ToTensor())
    for workers in (0, 1):
        with pytest.raises(DataFileError, match=r"2\.png can't be read") as caught:
            list(DataLoader(data, 2, num_workers=workers))
        assert "while reading item 1 of ImageFolder" in "\n".join(caught.value.__notes__)


def test_fake_data():
    data = datasets.FakeData(20, (3, 6, 5), 4, transforms.ToTensor())
    assert data[0][0].shape == (3, 6, 5) and {data[k][1] for k in range(20)} == {0, 1, 2, 3}
    np.testing.assert_array_equal(data[7][0].numpy(), data[-13][0].numpy())
    moved = datasets.FakeData(20, (3, 6, 5), 4, transforms.ToTensor(), random_offset=1)
    np.testing.assert_array_equal(moved[6][0].numpy(), data[7][0].numpy())
    assert datasets.FakeData(1, (1, 2, 2))[0][0].mode == "L"
    with pytest.raises(ArgumentError, match="ints ≥ 1"):
        datasets.FakeData(0)


# ---------------------------------------------------------------------------------------------------------------- grids


@pytest.mark.parametrize(("n", "nrow", "padding"), [(7, 3, 2), (2, 8, 0), (6, 1, 1), (9, 3, 5)])
def test_a_grid_by_hand(n, nrow, padding):
    x = np.random.default_rng(0).random((n, 3, 4, 5)).astype(np.float32)
    got = utils.make_grid(tg.Tensor(x), nrow=nrow, padding=padding, pad_value=0.5).numpy()
    columns = min(nrow, n)
    rows = -(-n // columns)
    assert got.shape == (3, rows * (4 + padding) + padding, columns * (5 + padding) + padding)
    marked = np.zeros(got.shape[1:], bool)
    for k in range(n):
        at = (k // columns * (4 + padding) + padding, k % columns * (5 + padding) + padding)
        np.testing.assert_array_equal(got[:, at[0] : at[0] + 4, at[1] : at[1] + 5], x[k])
        marked[at[0] : at[0] + 4, at[1] : at[1] + 5] = True
    assert (got[:, ~marked] == 0.5).all()


def test_what_a_grid_takes():
    assert utils.make_grid(tg.ones(4, 5)).shape == (3, 4, 5)
    assert utils.make_grid(tg.ones(1, 4, 5)).shape == (3, 4, 5)
    assert utils.make_grid(tg.ones(2, 1, 4, 5)).shape == (3, 8, 16)
    assert utils.make_grid([tg.ones(3, 4, 5)] * 2).shape == (3, 8, 16)
    assert utils.make_grid([np.ones((4, 5))] * 2).shape == (3, 8, 16)
    assert utils.make_grid(tg.Tensor(noise(2, 3, 4, 5))).dtype == np.uint8


def test_values_are_scaled():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    x[1] *= 3
    whole = utils.make_grid(tg.Tensor(x), padding=0, normalize=True).numpy()
    np.testing.assert_allclose(whole, np.concatenate(list((x - x.min()) / (x.max() - x.min())), -1))
    each = utils.make_grid(tg.Tensor(x), padding=0, normalize=True, scale_each=True).numpy()
    assert each[..., :4].min() == each[..., 4:].min() == 0 and each[..., :4].max() == each[..., 4:].max() == 1
    given = utils.make_grid(tg.Tensor(x), padding=0, normalize=True, value_range=(-1, 1)).numpy()
    np.testing.assert_allclose(given, np.concatenate(list((np.clip(x, -1, 1) + 1) / 2), -1))


def test_image_files(tmp_path):
    array = noise(3, 4, 5)
    for k, given in enumerate((tg.Tensor(array), tg.Tensor(array.astype(np.float32) / 255))):
        utils.save_image(given, tmp_path / f"{k}.png")
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"{k}.png")), array.transpose(1, 2, 0))
    file = io.BytesIO()
    utils.save_image([tg.ones(1, 4, 5)] * 3, file, format="png", nrow=2, padding=1)
    assert Image.open(file).size == (13, 11)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: utils.make_grid(3), DTypeError, "must be a Tensor"),
        (lambda: utils.make_grid([]), DTypeError, "must be a Tensor"),
        (lambda: utils.make_grid(tg.ones(2)), ShapeError, "got 1 axes"),
        (lambda: utils.make_grid([tg.ones(3, 2, 2), tg.ones(3, 2, 3)]), ShapeError, "same shape"),
        (lambda: utils.make_grid(tg.ones(2, 2), nrow=0), ArgumentError, "nrow must be an int ≥ 1"),
        (lambda: utils.make_grid(tg.ones(2, 2), normalize=True, value_range=3), ArgumentError, "two numbers"),
        (lambda: utils.save_image(tg.ones(2, 2, 2), "x.png"), ShapeError, "1, 3 or 4 channels, got 2"),
    ],
)
def test_errors_of_grids(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_checksums_are_complete():
    for kind in (datasets.MNIST, datasets.FashionMNIST, datasets.KMNIST):
        assert len(kind.checksums) == 4
        for value in kind.checksums.values():
            name, _, digits = value.rpartition(":")
            assert len(digits) == 2 * hashlib.new(name or "sha256").digest_size
