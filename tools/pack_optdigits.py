"""Rebuild optdigits.npz from UCI's two text files; for maintainers.

    python tools/pack_optdigits.py --source FOLDER [--output FILE]

FOLDER holds optdigits.tra and optdigits.tes: one digit a line, 64 pixels from 0 to 16 and the class, separated by
commas.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.datasets import optdigits
from tensorgrad.nn.data.datasets.optdigits import COUNTS
from tensorgrad.nn.data.files.locate import DataFileError, reading
from tensorgrad.storage import check_regular, write_whole

OUTPUT = Path(optdigits.__file__).with_name("optdigits.npz")
FILES = {"train": ("optdigits.tra", COUNTS["train"]), "test": ("optdigits.tes", COUNTS["test"])}
LINE = 65 * 4
"""The bytes of the longest line: 65 numbers of up to two digits, each with a comma, and a space to spare."""


def read_digits(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 8, 8) and labels (count,), both uint8, from one of UCI's files, or `DataFileError`."""
    expected = f"{count} lines of 64 pixels from 0 to 16 and a class from 0 to 9"
    with reading("pack_optdigits", path, expected):
        if check_regular(path) > count * LINE:
            raise ValueError("it is too large")
        lines = path.read_bytes().decode("ascii").splitlines()
        if len(lines) != count:
            raise ValueError(f"it has {len(lines)} lines")
        table = np.loadtxt(lines, np.int64, delimiter=",", ndmin=2, comments=None)
    if table.shape != (count, 65) or table.min() < 0 or table[:, :64].max() > 16 or table[:, 64].max() > 9:
        raise DataFileError(restate("pack_optdigits", f"{path} isn't Optdigits", expected=expected, table=table))
    table = table.astype(np.uint8)
    # (N, 64) -> (N, 8, 8)
    return table[:, :64].reshape(count, 8, 8), table[:, 64]


def pack(source: Path, output: Path) -> None:
    """Write both parts of the data set from the folder `source` to the compressed file `output`."""
    arrays = {}
    for part, (name, count) in FILES.items():
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = read_digits(source / name, count)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_whole(output, content.getvalue())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the folder with optdigits.tra and optdigits.tes")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the file to write")
    arguments = parser.parse_args()
    pack(arguments.source, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
