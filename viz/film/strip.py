"""Pictures of all frames in one PNG: 8 bits per pixel, and each row beside the same row of the next frame."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GAP = 255
"""The level of what is transparent: gaps between tiles, and values that aren't finite."""

BLUE, WHITE, VERMILION, BLACK = (0, 114, 178), (255, 255, 255), (213, 94, 0), (0, 0, 0)


@dataclass(frozen=True)
class Strip:
    """The pictures of all frames.

    Attributes:
        levels: `(F, h, w)`, uint8: from 0, which stands for the low end of the scale, to 254 for the high end; 255 for
            gaps.
        lows: the low end of the scale in each frame: the least value, or minus the high end where 0 is in the middle.
        highs: the high end in each frame.
        signed: whether 0 lies in the middle of the scale.
    """

    levels: np.ndarray
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    signed: bool

    @property
    def palette(self) -> np.ndarray:
        """`(256, 3)`: blue over white to vermilion where the sign matters, else black to white."""
        ends = (BLUE, WHITE, VERMILION) if self.signed else (BLACK, WHITE)
        places = np.linspace(0, 254, len(ends))
        colors = [np.interp(np.arange(256), places, channel) for channel in zip(*ends, strict=True)]
        return np.rint(np.stack(colors, 1)).astype(np.uint8)

    @property
    def png(self) -> bytes:
        """Row r of frame f is row r · F + f of the image: most of what a frame adds is 0 then, and shrinks well.

        PNG (Portable Network Graphics) Specification, 3rd ed., W3C 2025: indexed colour, filter type 2, "Up".
        """
        frames, height, width = self.levels.shape
        rows = self.levels.swapaxes(0, 1).reshape(height * frames, width)
        up = np.vstack([rows[:1], rows[1:] - rows[:-1]])  # modulo 256, as the specification has it
        data = np.hstack([np.full((len(rows), 1), 2, np.uint8), up])
        colors = (b"PLTE", self.palette.tobytes()), (b"tRNS", bytes([255] * GAP + [0]))
        return _png(width, len(rows), 3, data.tobytes(), *colors)

    def to_dict(self) -> dict[str, object]:
        """The strip for the page: its size, its scale, and the PNG in base64."""
        _, height, width = self.levels.shape
        ends = {"lows": _short(self.lows), "highs": _short(self.highs), "signed": self.signed}
        return {"width": width, "height": height, **ends, "png": base64.b64encode(self.png).decode()}


def strip(frames: Sequence[np.ndarray], signed: bool = False, each: bool = False) -> Strip:
    """The pictures of all frames, in 8 bits.

    Args:
        frames: `(h, w)` each; NaN for gaps.
        signed: put 0 in the middle of the scale; it is there, too, if a value is negative.
        each: give each frame a scale of its own, instead of one for all.

    >>> s = strip([np.array([[0.0, 1.0]]), np.array([[2.0, np.nan]])])
    >>> s.levels.tolist(), s.lows, s.highs
    ([[[0, 127]], [[254, 255]]], (0.0, 0.0), (2.0, 2.0))
    """
    values = np.stack(frames).astype(np.float64)
    finite = np.isfinite(values)
    axes = (1, 2) if each else None
    lows = np.where(finite, values, np.inf).min(axes, keepdims=True)
    highs = np.where(finite, values, -np.inf).max(axes, keepdims=True)
    lows, highs = np.where(np.isfinite(lows), lows, 0.0), np.where(np.isfinite(highs), highs, 0.0)
    if signed or lows.min() < 0:
        signed, highs = True, np.maximum(-lows, highs)
        lows = -highs
    # Where all values are equal they are in the middle, or at the low end.
    spans = np.where(highs > lows, highs - lows, 1.0)
    shares = np.where(highs > lows, (np.where(finite, values, 0.0) - lows) / spans, signed / 2)
    levels = np.where(finite, np.rint(shares * (GAP - 1)), GAP).astype(np.uint8)
    low, high = (tuple(map(float, np.broadcast_to(end[:, 0, 0], len(values)))) for end in (lows, highs))
    return Strip(levels, low, high, signed)


def plain_png(pixels: np.ndarray) -> bytes:
    """A picture `(h, w, 1)` or `(h, w, 3)`, uint8, as a PNG in grey or in colours."""
    height, width, channels = pixels.shape
    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)])
    return _png(width, height, 0 if channels == 1 else 2, rows.tobytes())


def _png(width: int, height: int, kind: int, rows: bytes, *colors: tuple[bytes, bytes]) -> bytes:
    """A PNG of 8 bits: `kind` is 0 for grey, 2 for RGB, 3 for indexed colours; each row begins with its filter."""
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = (b"IHDR", header), *colors, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _short(numbers: Sequence[float]) -> list[float]:
    return [float(f"{x:.3g}") for x in numbers]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
