"""Small files that claim to be huge: readers refuse them in bounded memory and time."""

import subprocess
import sys

import pytest

pytest.importorskip("h5py", reason="HDF5 files need the extra `data`")
pytest.importorskip("PIL.Image", reason="pictures need Pillow, of the extra `data`")

BOMBS = r"""
import io, json, os, resource, struct, sys, zlib
from pathlib import Path
import numpy as np, tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import cats_arrays, image_folder, read_idx
from tensorgrad.nn.data.datasets.optdigits import _read
import h5py, PIL.Image, safetensors
PIL.Image.init()

def zipped_zeros(head, mebibytes):
    packer = zlib.compressobj(9, wbits=31)
    chunks = [packer.compress(head)] + [packer.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join(chunks) + packer.flush()

def small_header(path):
    path.write_bytes(zipped_zeros(struct.pack(">HBB1I", 0, 8, 1, 10), 200))
    read_idx(path)

def lying_header(path):
    path.write_bytes(zipped_zeros(struct.pack(">HBB2I", 0, 8, 2, 2**31, 2**31), 1))
    read_idx(path)

def no_header(path):
    path.write_bytes(zipped_zeros(b"", 200))
    read_idx(path)

def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

def huge_png(path):
    side = 13000
    rows = zlib.compressobj(9)
    pixels = b"".join(rows.compress(bytes(1 + 3 * side)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    (path.parent / "a").mkdir()
    whole = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    (path.parent / "a" / "bomb.png").write_bytes(whole)
    PIL.Image.new("RGB", (8, 8)).save(path.parent / "a" / "good.png")
    report = image_folder(path.parent, 8).report
    assert report.read == 1 and "13000 × 13000 pixels" in report.broken[0], report
    raise tg.TensorgradError("as it should")

def huge_size(path):
    (path.parent / "a").mkdir()
    PIL.Image.new("RGB", (8, 8)).save(path.parent / "a" / "x.png")
    image_folder(path.parent, size=10**6)

def claims_in_hdf5(path):
    path = path.parent / "train_catvnoncat.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("train_set_x", (60_000, 64, 64, 3), "u1", chunks=(1, 64, 64, 3))
        file.create_dataset("train_set_y", (60_000,), "i8", chunks=(1000,))
    assert path.stat().st_size < 10_000
    cats_arrays(path.parent)

def compressed_hdf5(path):
    with h5py.File(path.parent / "train_catvnoncat.h5", "w") as file:
        file.create_dataset("train_set_x", data=np.zeros((3_000, 64, 64, 3), "u1"), compression="gzip")
        file["train_set_y"] = np.zeros(3_000, int)
    cats_arrays(path.parent)

def claims_in_safetensors(path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    tg.load(path)

def overflowing_shape(path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [0, 2**63 - 1], "data_offsets": [0, 0]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    tg.load(path)

def a_hundred_axes(path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    tg.load(path)

def zip_in_npz(path):
    import zipfile
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (300 << 20,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("train_images", "train_labels"):
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                member.write(head.getvalue())
                for _ in range(200):
                    member.write(bytes(1 << 20))
    _read(path, "train")

for name in sys.argv[2:]:
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    child = os.fork()  # whose peak of memory is its own
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            globals()[name](folder / "bomb")
        except tg.TensorgradError as error:
            print(name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, str(error).splitlines()[0])
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""

BOMB_NAMES = [line[4:].split("(")[0] for line in BOMBS.splitlines() if line.endswith("(path):")]
MADE = {"compressed_hdf5": 60}
"""The MiB that making a bomb takes, beyond those that reading it may."""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss counts KiB on Linux")
def test_a_bomb_takes_no_memory_worth_speaking_of(tmp_path):
    """Each bomb in a child of one process, which has imported all that reads files."""
    command = [sys.executable, "-c", BOMBS, str(tmp_path), *BOMB_NAMES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert said.keys() == set(BOMB_NAMES), done.stderr  # each is refused with an error of ours
    kibibytes = {bomb: int(line.split()[1]) for bomb, line in said.items()}
    assert not {bomb: said[bomb] for bomb, k in kibibytes.items() if k >= (60 + MADE.get(bomb, 0)) << 10}
