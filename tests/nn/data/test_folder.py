"""Pictures from folders: classes by folder, fundus photographs by label file, and a report of what can't be used."""

import csv
import struct
import sys
import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn.data import DataFileError, MissingPackageError, fundus, image_folder
from tensorgrad.nn.data.files import image_files

Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow, of the extra `data`")

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def save(path, pixels=PICTURE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# ---------------------------------------------------------------------------------------------- a folder for each class


def test_a_folder_for_each_class(tmp_path):
    save(tmp_path / "dog" / "1.png")
    save(tmp_path / "cat" / "2.png", 255 - PICTURE)
    save(tmp_path / "cat" / "more" / "1.PNG", PICTURE // 2)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    save(tmp_path / ".hidden" / "1.png")
    save(tmp_path / "cat" / "._1.png")
    pictures = image_folder(tmp_path, size=8)
    images, labels = pictures.arrays
    assert images.shape == (3, 3, 8, 8) and images.dtype == np.uint8 and labels.dtype == np.int64
    assert pictures.classes == ("cat", "dog") and labels.tolist() == [0, 0, 1]
    assert pictures.files == ("cat/2.png", "cat/more/1.PNG", "dog/1.png")
    for image, pixels in zip(images, (255 - PICTURE, PICTURE // 2, PICTURE), strict=True):
        np.testing.assert_array_equal(image.transpose(1, 2, 0), pixels)
    assert str(pictures.report) == f"{tmp_path}: 3 images read"


def test_the_middle_square_is_scaled(tmp_path):
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:6], wide[:, 6:8] = (200, 100, 0), (0, 100, 200)
    save(tmp_path / "a" / "wide.png", wide)
    image = image_folder(tmp_path, size=4).arrays[0][0]
    np.testing.assert_array_equal(image.transpose(1, 2, 0), wide[:, 4:8])
    save(tmp_path / "a" / "wide.png", np.repeat(wide, 16, 0).repeat(16, 1))
    np.testing.assert_allclose(image_folder(tmp_path, size=4).arrays[0][0].transpose(1, 2, 0), wide[:, 4:8], atol=20)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode):
    (tmp_path / "a").mkdir()
    Image.new("RGB", (5, 5), "white").convert(mode).save(tmp_path / "a" / "x.png")
    assert (image_folder(tmp_path, size=2).arrays[0] == 255).all()


def test_a_photograph_is_turned_upright(tmp_path):
    """Orientation 6 of EXIF: the camera was turned, the first row of the file is the right edge."""
    exif = Image.Exif()
    exif[274] = 6
    save(tmp_path / "a" / "x.png", PICTURE, exif=exif)
    image = image_folder(tmp_path, size=8).arrays[0][0].transpose(1, 2, 0)
    np.testing.assert_array_equal(image, np.rot90(PICTURE, -1))


def test_broken_and_stray_pictures_are_reported_and_left_out(tmp_path):
    save(tmp_path / "a" / "good.png")
    save(tmp_path / "a" / "half.png", np.tile(PICTURE, (50, 50, 1)))
    truncate(tmp_path / "a" / "half.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "empty.jpg").write_bytes(b"")
    (tmp_path / "b" / "text.jpeg").write_text("no picture")
    save(tmp_path / "stray.png")
    pictures = image_folder(tmp_path)
    report = pictures.report
    assert pictures.files == ("a/good.png",) and pictures.classes == ("a", "b") and report.read == 1
    assert [line.split(":")[0] for line in report.broken] == ["half.png", "empty.jpg", "text.jpeg"]
    assert "truncated" in report.broken[0] and "cannot identify image file 'text.jpeg'" in report.broken[2]
    assert report.unlabelled == ("stray.png",)
    assert "\n  3 broken: half.png: " in str(report) and "\n  1 without a label: stray.png" in str(report)


def test_a_long_report_names_a_few(tmp_path):
    for k in range(8):
        save(tmp_path / "a" / "x.png")
        (tmp_path / "a" / f"broken{k}.png").write_bytes(b"")
    text = str(image_folder(tmp_path).report)
    assert "8 broken" in text and "broken4.png" in text and "broken5.png" not in text and text.endswith("and 3 more")


def test_where_nothing_is_left(tmp_path):
    with pytest.raises(DataFileError, match=r"the folder .*nowhere doesn't exist"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(DataFileError, match=r"no image could be read(.|\n)*a folder for each class"):
        image_folder(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"")
    with pytest.raises(DataFileError, match=r"no image could be read\n.*0 images read\n  1 broken: x\.png"):
        image_folder(tmp_path)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "64"])
def test_senseless_sizes(tmp_path, size):
    save(tmp_path / "a" / "x.png")
    with pytest.raises(tg.ArgumentError, match="size must be an int ≥ 1"):
        image_folder(tmp_path, size)


def test_without_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    (tmp_path / "a").mkdir()
    with pytest.raises(MissingPackageError, match=r"pip install pillow.*'tensorgrad-engine\[data\]'"):
        image_folder(tmp_path)


# ------------------------------------------------------------------------------------------------------------- fundus


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def aptos(root, rows, names, suffix=".png", **options):
    write(root / "train.csv", [("id_code", "diagnosis"), *rows])
    for name in names:
        save(root / "train_images" / f"{name}{suffix}", **options)


def test_aptos(tmp_path):
    aptos(tmp_path, [("b7", 2), ("a3", 0)], ["a3", "b7"])
    photographs = fundus(tmp_path, size=8)
    assert photographs.files == ("b7", "a3") and photographs.arrays[1].tolist() == [2, 0]
    assert photographs.classes[2] == "moderate" and photographs.arrays[0].shape == (2, 3, 8, 8)
    assert str(photographs.report) == f"{tmp_path}: 2 images read"


def test_eyepacs(tmp_path):
    write(tmp_path / "trainLabels.csv", [("image", "level"), ("10_left", 4), ("10_right", 0)])
    for name in ("10_left", "10_right"):
        save(tmp_path / "train" / f"{name}.jpeg", np.full((30, 40, 3), 90, np.uint8))
    photographs = fundus(tmp_path, size=8)
    assert photographs.files == ("10_left", "10_right") and photographs.arrays[1].tolist() == [4, 0]


def test_the_dark_border_is_cut_off(tmp_path):
    """A bright 20×40 patch in a dark picture fills the width; what is left of the square is black."""
    picture = np.full((100, 100, 3), 9, np.uint8)
    picture[30:50, 10:50] = 200
    aptos(tmp_path, [("a", 0)], ["a"], pixels=picture)
    image = fundus(tmp_path, size=8).arrays[0][0]
    assert (image[:, 2:6] == 200).all() and (image[:, :2] == 0).all() and (image[:, 6:] == 0).all()


def test_a_black_photograph_is_no_failure(tmp_path):
    aptos(tmp_path, [("a", 0)], ["a"], pixels=np.zeros((5, 5, 3), np.uint8))
    assert (fundus(tmp_path, size=4).arrays[0] == 0).all()


def test_all_that_can_go_wrong_with_a_label_file(tmp_path):
    rows = [("good", 3), ("half", 1), ("lost", 0), ("bad", "x"), ("five", 5), ("twice", 1), ("twice", 2), ("none",)]
    rows += [(" spaced ", " 1 "), ("good", 3), ("", 1)]
    aptos(tmp_path, rows, ["good", "half", "bad", "twice", "none", "spaced", "extra"])
    save(tmp_path / "train_images" / "half.png", np.tile(PICTURE, (50, 50, 1)))
    truncate(tmp_path / "train_images" / "half.png")
    photographs = fundus(tmp_path)
    assert photographs.files == ("good", "spaced") and photographs.arrays[1].tolist() == [3, 1]
    report = photographs.report
    assert report.read == 2 and [line.split(":")[0] for line in report.broken] == ["half.png"]
    assert report.missing == ("lost",) and report.unlabelled == ("extra.png",)
    assert report.unclear == (
        "bad: diagnosis 'x'",
        "five: diagnosis '5'",
        "twice: diagnosis 1 and 2",
        "none: diagnosis ''",
        "line 12: no name",
    )


@pytest.mark.parametrize("start", ["\ufeff", ""])
def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path, start):
    aptos(tmp_path, [], ["a"])
    (tmp_path / "train.csv").write_text(f"{start}id_code,diagnosis\na,1\n", encoding="utf-8")
    assert fundus(tmp_path).files == ("a",)


def test_label_files_that_are_none(tmp_path):
    with pytest.raises(DataFileError, match=r"no label file in(.|\n)*train\.csv(.|\n)*trainLabels\.csv"):
        fundus(tmp_path)
    write(tmp_path / "train.csv", [("image", "label"), ("a", 1)])
    with pytest.raises(DataFileError, match=r"columns are missing in (.|\n)*id_code and diagnosis"):
        fundus(tmp_path)
    for content in (b"", b"\xff\xfe\x00id_code"):
        (tmp_path / "train.csv").write_bytes(content)
        with pytest.raises(DataFileError, match=r"train\.csv"):
            fundus(tmp_path)
    aptos(tmp_path, [("a", 1), ("b", 7)], [])
    with pytest.raises(
        DataFileError, match=r"no image could be read(.|\n)*1 labelled, but missing: a(.|\n)*b: diagnosis '7'"
    ):
        fundus(tmp_path)


# ------------------------------------------------------------------------------------- depths, grounds, and sheer size


def one(tmp_path, size=8):
    found = image_folder(tmp_path, size)
    return found.arrays[0][0].transpose(1, 2, 0), found.report


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_eight_and_reported(tmp_path, suffix):
    values = np.random.default_rng(0).integers(0, 65536, (8, 8), dtype=np.uint16)
    values[0, :3] = 0, 65535, 128
    save(tmp_path / "a" / f"x.{suffix}", values)
    image, report = one(tmp_path)
    np.testing.assert_array_equal(image, np.rint(values / 257).astype(np.uint8)[..., None].repeat(3, -1))
    assert report.converted == (f"x.{suffix}: 16 bits a pixel, rounded to 8",)
    assert f"  1 converted: x.{suffix}: 16 bits" in str(report)


# Pillow doesn't know the fourth, and says so in the report.
@pytest.mark.parametrize(("order", "white_is_zero"), [("<", False), ("<", True), (">", False)])
def test_tiffs_of_sixteen_bits_in_both_orders_and_both_senses(tmp_path, order, white_is_zero):
    values = np.random.default_rng(1).integers(0, 65536, (8, 8), dtype=np.uint16)
    head = b"II*\0" if order == "<" else b"MM\0*"
    tags = {256: 8, 257: 8, 258: 16, 259: 1, 262: 0 if white_is_zero else 1, 273: 8, 277: 1, 278: 8, 279: 128}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, n) for tag, n in tags.items())
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    content = head + struct.pack(f"{order}I", 136) + values.astype(f"{order}u2").tobytes() + directory
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.tif").write_bytes(content)
    expected = np.rint((65535 - values.astype(int) if white_is_zero else values) / 257)
    np.testing.assert_array_equal(one(tmp_path)[0][..., 0], expected)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_a_picture_of_unknown_range_is_refused_in_the_report(tmp_path, dtype):
    save(tmp_path / "a" / "whole.png")
    save(tmp_path / "a" / "x.tif", np.zeros((8, 8), dtype))
    found = image_folder(tmp_path)
    assert found.files == ("a/whole.png",) and "32 bits" in found.report.broken[0]


def figure(mode):
    """A black disc on a transparent ground, which hides a black ground too."""
    y, x = np.mgrid[:8, :8]
    alpha = np.where((y - 3.5) ** 2 + (x - 3.5) ** 2 < 9, 255, 0).astype(np.uint8)
    image = Image.fromarray(np.dstack([np.zeros((8, 8, 3), np.uint8), alpha]))
    return (image.quantize() if mode == "P" else image.convert(mode)), 255 - alpha


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_figure_on_a_transparent_ground_is_laid_on_white(tmp_path, mode):
    image, expected = figure(mode)
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "x.png")
    found, report = one(tmp_path)
    np.testing.assert_array_equal(found, expected[..., None].repeat(3, -1))
    assert report.converted == ("x.png: transparent, laid on white",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_value_that_is_transparent(tmp_path, dtype):
    """The tRNS chunk of a PNG without alpha names it."""
    most = np.iinfo(dtype).max
    values = np.array([[0, most], [most // 3, 7]], dtype).repeat(4, 0).repeat(4, 1)
    save(tmp_path / "a" / "x.png", values, transparency=7)
    image, report = one(tmp_path)
    assert image[0, 0, 0] == 0 and image[0, 7, 0] == 255 and image[7, 0, 0] == 85 and image[7, 7, 0] == 255
    assert report.converted[-1] == "x.png: transparent, laid on white"


def test_half_transparent_pixels_are_mixed_with_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 128
    save(tmp_path / "a" / "x.png", pixels)
    np.testing.assert_allclose(one(tmp_path)[0][0, 0], [200 * 128 / 255 + 127, 127, 127], atol=1)


def test_an_alpha_that_hides_nothing_is_not_worth_a_word(tmp_path):
    save(tmp_path / "a" / "x.png", np.dstack([PICTURE, np.full((8, 8), 255, np.uint8)]))
    image, report = one(tmp_path)
    np.testing.assert_array_equal(image, PICTURE)
    assert report.converted == ()


def test_fundus_reports_them_too(tmp_path):
    aptos(tmp_path, [("a", 0)], ["a"], pixels=np.full((8, 8), 40_000, np.uint16))
    assert fundus(tmp_path, size=8).report.converted == ("a.png: 16 bits a pixel, rounded to 8",)


def test_too_many_pixels_are_not_decoded_but_reported(tmp_path, monkeypatch):
    save(tmp_path / "a" / "large.png", np.zeros((40, 50, 3), np.uint8))
    save(tmp_path / "a" / "small.png")
    monkeypatch.setattr(image_files, "MOST_PIXELS", 1999)
    found = image_folder(tmp_path, 8)
    assert found.files == ("a/small.png",) and found.arrays[0].shape == (1, 3, 8, 8)
    assert found.report.broken == ("large.png: 50 × 40 pixels, more than the 1,999 that are decoded",)


def test_a_photograph_counts_as_it_is_decoded(tmp_path, monkeypatch):
    """A JPEG is decoded at an eighth of its size, if it isn't progressive: then all of it is kept in memory."""
    pixels = np.zeros((400, 500, 3), np.uint8)
    save(tmp_path / "a" / "plain.jpg", pixels)
    save(tmp_path / "a" / "progressive.jpg", pixels, progressive=True)
    monkeypatch.setattr(image_files, "MOST_PIXELS", 10_000)
    found = image_folder(tmp_path, 8)
    assert found.files == ("a/plain.jpg",) and "progressive.jpg: 500 × 400 pixels" in found.report.broken[0]


@pytest.mark.parametrize("size", [10**6, 8000])
def test_a_size_that_fits_into_no_memory_is_refused_at_once(tmp_path, monkeypatch, size):
    save(tmp_path / "a" / "x.png")
    monkeypatch.setattr(image_files, "machine_memory", lambda: 2**26)
    monkeypatch.setattr(image_files, "_read", None)  # nothing is read
    with pytest.raises(tg.ArgumentError, match=rf"1 images of {size} × {size} pixels are too large(.|\n)*smaller size"):
        image_folder(tmp_path, size)


def test_a_program_in_place_of_a_picture_is_not_run(tmp_path):
    """Pillow goes by the content: PostScript in a .png would be handed to an interpreter."""
    save(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "y.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    found = image_folder(tmp_path)
    assert found.files == ("a/x.png",) and "cannot identify" in found.report.broken[0]


def test_links_in_a_circle(tmp_path):
    save(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "a" / "loop.png").symlink_to(tmp_path / "a" / "loop.png")
    (tmp_path / "b").symlink_to(tmp_path / "b")
    assert image_folder(tmp_path).files == ("a/x.png",)


def test_a_chunk_that_claims_a_gigabyte_takes_no_memory_for_it(tmp_path):
    """Pillow asks the file for what is left of a chunk at its end; the bytes that it claims are a lie."""
    save(tmp_path / "a" / "x.png")
    content = bytearray((tmp_path / "a" / "x.png").read_bytes())
    at = content.index(b"IDAT") - 4
    content[at : at + 4] = struct.pack(">I", 1 << 30)
    (tmp_path / "a" / "x.png").write_bytes(content)
    tracemalloc.start()
    image_folder(tmp_path, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_file_that_is_larger_than_any_picture_is_not_read(tmp_path, monkeypatch):
    save(tmp_path / "a" / "x.png")
    save(tmp_path / "a" / "y.png")
    with (tmp_path / "a" / "y.png").open("ab") as file:
        file.truncate(10_000)
    monkeypatch.setattr(image_files, "MOST_BYTES", 9_999)
    assert "y.png: 10,000 bytes, more than" in image_folder(tmp_path, 8).report.broken[0]
