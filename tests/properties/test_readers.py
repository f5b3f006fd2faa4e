"""Readers on damaged and hostile files: tensorgrad's own errors only, bounded memory and time, nothing changed.

Each seed takes one reader and one file: a whole one that was mutated, one that was built to deceive, or something else
in its place. `pytest tests/properties/test_readers.py --seeds 10000` tries as many.
"""

import contextlib
import hashlib
import io
import os
import sys
from functools import cache

import numpy as np
import pytest
from damaged_files import bounded, files_in, flip, mutated
from whole_files import PICTURES, WHOLE, World, idx_gz

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import TensorgradError
from tensorgrad.nn.data import cats_arrays, fundus, image_folder, read_idx
from tensorgrad.nn.data.datasets import optdigits as optdigits_module
from tensorgrad.nn.data.files import download
from tensorgrad.storage import load_metadata
from tools.pack_optdigits import read_digits

Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow, of the extra `data`")


# -------------------------------------------------------------------------------------------------------------- readers


def read_tensors(path):
    found = tg.load(path)
    assert all(isinstance(t, tg.Tensor) for t in found.values())
    for t in found.values():  # a bool that isn't 0 or 1 would make sums of nonsense
        assert t.dtype != bool or set(t.data.view(np.uint8).ravel()) <= {0, 1}
    load_metadata(path)


def read_pictures(suffix):
    def read(path):
        """The damaged picture lies beside a whole one, which must come out as ever."""
        (path.parent / "a").mkdir()
        os.rename(path, path.parent / "a" / f"damaged.{suffix}")
        (path.parent / "a" / "whole.png").write_bytes(PICTURES["png"]())
        try:
            found = image_folder(path.parent, size=8)
            assert found.report.read == len(found) <= 2 and found.files[-1] == "a/whole.png"
            assert found.arrays[0][-1].tobytes() == whole_picture()
        finally:
            (path.parent / "a" / "whole.png").unlink()
            os.rename(path.parent / "a" / f"damaged.{suffix}", path)
            (path.parent / "a").rmdir()

    return read


@cache
def whole_picture():
    ground = Image.new("RGBA", (10, 12), "white")
    image = Image.alpha_composite(ground, Image.open(io.BytesIO(PICTURES["png"]()))).convert("RGB")
    from PIL import ImageOps

    return np.asarray(ImageOps.fit(image, (8, 8))).transpose(2, 0, 1).tobytes()


def read_cats(path):
    with placed(path, path.with_name("train_catvnoncat.h5")) as there:
        images, found = cats_arrays(there.parent)
    assert images.dtype == np.uint8 and len(images) == len(found) and set(found) <= {0, 1}


def read_labels(path):
    (path.parent / "train_images").mkdir()
    whole = path.parent / "train_images" / "good.png"
    whole.write_bytes(PICTURES["png"]())
    try:
        with placed(path, path.with_name("train.csv")) as there:
            found = fundus(there.parent, size=8)
        assert found.files == ("good",) and 0 <= found.arrays[1][0] <= 4
    finally:
        whole.unlink()
        whole.parent.rmdir()


def read_archive(path):
    images, found = optdigits_module._read(path, "test")
    assert images.shape == (1797, 8, 8) and found.shape == (1797,)


def read_text(path):
    images, found = read_digits(path, 40)
    assert images.max() <= 16 and found.max() <= 9


@contextlib.contextmanager
def placed(path, elsewhere):
    os.rename(path, elsewhere)
    try:
        yield elsewhere
    finally:
        os.rename(elsewhere, path)


READERS = {"safetensors": read_tensors, "idx": read_idx, "gz": read_idx, "h5": read_cats, "npz": read_archive}


READERS |= {"digits": read_text, "csv": read_labels, "tiff 16": read_pictures("tif")}


READERS |= {suffix: read_pictures(suffix) for suffix in PICTURES}


@pytest.mark.seeds(140)
def test_a_mutated_file_is_read_or_refused(seed, tmp_path):
    rng = np.random.default_rng([seed, 1])
    kind = list(READERS)[seed % len(READERS)]
    content = mutated(rng, WHOLE[kind]())
    path = tmp_path / "file"
    path.write_bytes(content)
    before = files_in(tmp_path)
    with bounded(content):
        try:
            READERS[kind](path)
        except TensorgradError as error:
            assert path.name in str(error) or str(tmp_path) in str(error), "the error doesn't name the file"
    assert files_in(tmp_path) == before


# ------------------------------------------------------------------------------------------------- something else there


def at_the_place_of(path, kind):
    {
        "missing": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),  # whoever opens one waits for a writer
        "device": lambda: path.symlink_to("/dev/zero"),  # without end
        "loop": lambda: path.symlink_to(path),
        "dangling": lambda: path.symlink_to(path.with_name("nowhere")),
    }[kind]()


def resume(path):
    world = World(2, path, True)
    before = world.bits()
    try:
        nn.fit(
            world.model,
            world.loader,
            loss=nn.cross_entropy,
            optimizer=world.optimizer,
            epochs=0,
            checkpoint=path,
            resume=True,
            progress=False,
        )
    finally:
        assert world.bits() == before


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")
@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "device", "loop", "dangling"])
@pytest.mark.parametrize("reader", [tg.load, load_metadata, read_idx, read_archive, read_text, resume])
def test_something_else_in_the_place_of_a_file(tmp_path, kind, reader):
    path = tmp_path / "file"
    at_the_place_of(path, kind)
    if reader is resume and kind in ("missing", "dangling"):  # no checkpoint yet: training begins
        return reader(path)
    with bounded(), pytest.raises(TensorgradError) as caught:
        reader(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", [3, None, 2.5, ["x"], object()])
@pytest.mark.parametrize("reader", [tg.load, load_metadata, read_idx, cats_arrays, image_folder, fundus])
def test_what_is_no_path(path, reader):
    if path is None and reader is cats_arrays:  # the variable may name a folder
        return
    with pytest.raises(tg.DTypeError, match="path must be text"):
        reader(path)


@pytest.mark.parametrize("reader", [tg.load, load_metadata, read_idx, cats_arrays, image_folder, fundus])
@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~nobody-of-that-name/x"])
def test_paths_that_no_file_can_have(path, reader):
    with pytest.raises(TensorgradError):
        reader(path)


# ------------------------------------------------------------------------------------------------------------ downloads


@pytest.mark.parametrize("seed", range(5))
def test_other_bytes_than_the_checksum_says_leave_no_file(tmp_path, monkeypatch, seed):
    """The checksum is that of the whole file; a mirror sends another, or one without end."""
    pooch = pytest.importorskip("pooch")
    rng = np.random.default_rng(seed)
    content = idx_gz()[: -int(rng.integers(1, 40))] if seed % 2 else flip(rng, idx_gz())

    class Mirror:
        def __init__(self, **options):
            pass

        def __call__(self, url, file, pooch):
            file.write(content if seed else bytes(1 << 10))
            for _ in range(0 if seed else 20):
                file.write(bytes(1 << 20))

    monkeypatch.setattr(pooch, "HTTPDownloader", Mirror)
    monkeypatch.setattr(download, "LARGEST", 8 << 20)
    checksum = hashlib.sha256(idx_gz()).hexdigest()
    assert content != idx_gz()
    with bounded(), pytest.raises(nn.data.DataFileError, match=r"x\.gz could not be downloaded") as caught:
        download.fetch("test", "x.gz", checksum, ["http://mirror"], tmp_path)
    assert files_in(tmp_path) == {} and ("sent more than 8,388,608 bytes" in str(caught.value)) == (not seed)
