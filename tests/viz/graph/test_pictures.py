"""Pictures inside a drawing: PNG bytes that decode to the right pixels, over the right cells."""

import base64
import re
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import pytest
from layout import needs_program
from networks import LeNet5, loss_of

import tensorgrad as tg
from tensorgrad.viz.graph import pictures
from tensorgrad.viz.record.statistics import picture

SVG = "{http://www.w3.org/2000/svg}"


def decoded(data):
    """An unfiltered 8-bit RGBA PNG as an array (H, W, 4); every checksum is looked at."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 6, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 4)


def test_png_of_a_few_pixels():
    pixels = ((-2.0, 0.0, 1.0), (2.0, None, 0.5))
    assert decoded(pictures.png(pixels, pictures.diverging(pixels))).tolist() == [
        [[0, 114, 178, 255], [255, 255, 255, 255], [234, 174, 128, 255]],
        [[213, 94, 0, 255], [0, 0, 0, 0], [244, 215, 191, 255]],
    ]
    assert decoded(pictures.png(((0.0, 1.0, 4.0),), pictures.grey(((0.0, 1.0, 4.0),))))[0, :, 0].tolist() == [
        0,
        64,
        255,
    ]


@pytest.mark.parametrize("palette", [pictures.diverging, pictures.grey])
@pytest.mark.parametrize("pixels", [((0.0, 0.0),), ((None, None),), ((None, -1.0),)])
def test_palettes_of_odd_arrays(palette, pixels):
    assert decoded(pictures.png(pixels, palette(pixels))).shape == (1, 2, 4)


def test_channels_are_tiled_in_rows_of_four():
    channels = np.arange(6 * 2 * 3, dtype=float).reshape(1, 6, 2, 3)
    tiled = np.array(pictures.tiled(picture(channels)), float)
    assert tiled.shape == (2 + 1 + 2, 4 * 3 + 3)
    for k in range(6):
        row, column = divmod(k, 4)
        np.testing.assert_array_equal(tiled[3 * row :, 4 * column :][:2, :3], channels[0, k])
    assert np.isnan(tiled[2]).all()
    assert np.isnan(tiled[3:, 7:]).all()
    few = picture(channels[:, :4])
    assert pictures.tiled(few) == few


@needs_program
def test_pictures_lie_in_their_nodes_with_the_pixels_of_their_arrays():
    tg.manual_seed(0)
    model = LeNet5()
    drawing = tg.viz.graph(loss_of(model, (2, 1, 28, 28)), pictures=True)
    root = ElementTree.fromstring(drawing.svg)
    groups = {g.get("id"): list(g.iter(f"{SVG}image")) for g in root.iter(f"{SVG}g") if g.get("id")}
    record = {tensor.name: tensor for tensor in drawing.record.tensors}
    weight = record["conv1.weight"]
    shown = [image.get("{http://www.w3.org/1999/xlink}href") for image in groups[weight.id]]
    for data, array in zip(shown, (model.conv1.weight.numpy(), weight.gradient.details.picture), strict=True):
        pixels = decoded(base64.b64decode(data.removeprefix("data:image/png;base64,")))
        rows = pictures.tiled(picture(array) if isinstance(array, np.ndarray) else array)
        assert pixels.shape[:2] == np.shape(rows)
        blue, red = pixels[..., 2].astype(int), pixels[..., 0].astype(int)
        rows = np.array(rows, float)
        strong = np.abs(rows) > 0.1 * np.nanmax(np.abs(rows))
        assert (red > blue)[strong & (rows > 0)].all()
        assert (red < blue)[strong & (rows < 0)].all()
    assert len(groups[record["x"].id]) == 1  # a constant has no gradient
    assert groups[record["conv1.bias"].id] == []  # a vector makes no picture
    assert pictures.PLACEHOLDER not in drawing.svg
    assert len(drawing.svg) < 1_000_000


@needs_program
def test_a_folded_drawing_has_the_pictures_of_what_it_shows():
    tg.manual_seed(0)
    drawing = tg.viz.graph(loss_of(LeNet5(), (2, 1, 28, 28)), fold=True, pictures=True)
    plain = tg.viz.graph(loss_of(LeNet5(), (2, 1, 28, 28)), fold=True)
    assert pictures.PLACEHOLDER not in drawing.svg
    assert 0 < drawing.svg.count("<image") < len(drawing.record.tensors)
    assert "<image" not in plain.svg
    assert not re.search(pictures.PLACEHOLDER, plain.dot)
