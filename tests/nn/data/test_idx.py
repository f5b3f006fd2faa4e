"""The IDX parser: every dtype, gzipped or not, and nothing but its own error on any other bytes."""

import gzip
import struct

import numpy as np
import pytest

from tensorgrad.nn.data import DataFileError, read_idx


def idx_bytes(array, code):
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, content):
    path.write_bytes(content)
    return path


CODES = {np.uint8: 0x08, np.int8: 0x09, np.int16: 0x0B, np.int32: 0x0C, np.float32: 0x0D, np.float64: 0x0E}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
WHOLE = idx_bytes(IMAGES, 0x08)


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 3, 4), (1, 2, 1, 3), (0, 28, 28)])
@pytest.mark.parametrize("zipped", [False, True])
def test_round_trip(tmp_path, dtype, shape, zipped):
    array = (np.random.default_rng(1).normal(size=shape) * 50).astype(dtype)
    content = idx_bytes(array, CODES[dtype])
    got = read_idx(write(tmp_path / "any.name", gzip.compress(content) if zipped else content))
    assert got.dtype == dtype and got.dtype.isnative and got.flags.writeable
    np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_truncated_at_every_byte(tmp_path, length):
    with pytest.raises(DataFileError, match=r"read_idx: .*short\.idx isn't a complete IDX file(.|\n)*expected: "):
        read_idx(write(tmp_path / "short.idx", WHOLE[:length]))


def test_gzip_truncated_at_every_byte(tmp_path):
    zipped = gzip.compress(WHOLE)
    for length in range(len(zipped)):
        with pytest.raises(DataFileError, match=r"short\.gz"):
            read_idx(write(tmp_path / "short.gz", zipped[:length]))


def test_gzip_with_any_byte_changed_is_refused_or_harmless(tmp_path):
    """The stream's checksum guards the values; only bytes that gzip ignores (time, system) may differ."""
    zipped = gzip.compress(WHOLE)
    for i in range(len(zipped)):
        changed = bytearray(zipped)
        changed[i] ^= 0xFF
        try:
            got = read_idx(write(tmp_path / "changed.gz", bytes(changed)))
        except DataFileError:
            continue
        assert i < 10
        np.testing.assert_array_equal(got, IMAGES)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "the file is empty"),
        (WHOLE + b"\0", "61 bytes of values follow its header, 1 too many(.|\n)*expected: 60 bytes"),
        (WHOLE[:-1], "59 bytes of values follow its header, 1 too few"),
        (b"\1" + WHOLE[1:], "two zero bytes"),
        (WHOLE[:2] + b"\x0a" + WHOLE[3:], "its dtype code is 0x0a"),
        (WHOLE[:3] + b"\xff" + WHOLE[4:], "its header ends after 76 bytes(.|\n)*1024 bytes for 255 axes"),
        (struct.pack(">HBB3I", 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "NumPy has no array of shape"),
        (struct.pack(">HBB2I", 0, 8, 2, 2**32 - 1, 2**32 - 1), "18446744065119617025 bytes"),
        (struct.pack(">HBB70I", 0, 8, 70, *[1] * 70) + b"\0", "NumPy has no array of shape"),
        (b"\x1f\x8b\x08 no gzip", "gzip stream is damaged"),
        (b"<html>404</html>", "it begins with the bytes 3c 68 74 6d"),
    ],
)
def test_what_was_found_and_what_was_expected(tmp_path, content, match):
    with pytest.raises(DataFileError, match=match):
        read_idx(write(tmp_path / "bad.idx", content))


def test_every_header_byte_changed(tmp_path):
    """Each other header must be refused: with these values no other shape and dtype has the same size... but one."""
    for i in range(16):
        for value in set(range(256)) - {WHOLE[i]}:
            content = WHOLE[:i] + bytes([value]) + WHOLE[i + 1 :]
            if content[2:4] == b"\x09\x03":  # int8 in place of uint8 is as good a file
                assert read_idx(write(tmp_path / "changed.idx", content)).dtype == np.int8
                continue
            with pytest.raises(DataFileError):
                read_idx(write(tmp_path / "changed.idx", content))


def test_random_bytes(tmp_path):
    rng = np.random.default_rng(2)
    path = tmp_path / "noise"
    for _ in range(1500):
        head = [b"", b"\0\0", b"\0\0\x08", b"\0\0\x08\1", b"\x1f\x8b", b"\x1f\x8b\x08\0"][rng.integers(6)]
        path.write_bytes(head + rng.bytes(rng.integers(0, 64)))
        try:
            assert isinstance(read_idx(path), np.ndarray)
        except DataFileError as error:
            assert "noise" in str(error)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(DataFileError, match="the file doesn't exist"):
        read_idx(tmp_path / "absent")
    with pytest.raises(OSError, match="can't be read"):
        read_idx(tmp_path)


def test_a_header_that_promises_more_than_gzip_could_hold(tmp_path):
    content = gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 2**20, 2**10))
    with pytest.raises(DataFileError, match=rf"a gzip file of {len(content)} bytes can't hold so many values"):
        read_idx(write(tmp_path / "bomb.gz", content))


@pytest.mark.parametrize("count", [0, 1, 10**6])
def test_zipped_zeros_and_not_one_byte_more(tmp_path, count):
    """The most that gzip can hold is still read; a byte behind it is found."""
    content = struct.pack(">HBBI", 0, 8, 1, count) + bytes(count)
    assert read_idx(write(tmp_path / "zeros.gz", gzip.compress(content))).shape == (count,)
    with pytest.raises(DataFileError, match="more bytes of values follow its header"):
        read_idx(write(tmp_path / "zeros.gz", gzip.compress(content + b"\0")))
    with pytest.raises(DataFileError, match=r"bytes of values follow its header|header ends after"):
        read_idx(write(tmp_path / "zeros.gz", gzip.compress(content[:-1])))
