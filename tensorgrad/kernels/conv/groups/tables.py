"""The tables of integers that `plans` makes and the kernels of `depthwise` read.

The kernels take arrays, a tuple per row: a launch takes longer for each named tuple among its arguments.
"""

from typing import NamedTuple


class Planes(NamedTuple):
    """How the planes of a channel lie in the scratch. Lengths count elements.

    A row of the scratch holds one phase of the columns, of the same row of several images:

        |← lead →|← image 0 →|  zeros  |← image 1 →|  zeros  |
                 |←      pitch        →|
        |←                        line                      →|

    A channel takes `slot` elements: for each phase of the rows that a tap meets, and each phase of the columns, the
    rows of that phase one after the other, `apart` elements in all.
    """

    inputs: int  # channels in a group
    outputs: int
    images: int  # in a row
    pitch: int  # from one image to the next
    stride_h: int
    stride_w: int
    out_stride_h: int
    out_stride_w: int
    lead: int  # zeros before the first image of a row
    shift: int  # the phase in which the first column of an image lies, after `lead` zeros
    line: int  # length of a row
    apart: int  # from one phase of the columns to the next
    slot: int  # length of a channel
    out: int  # where the output begins, in the scratch
    out_line: int  # from one row of the output to the next
    out_apart: int  # from one phase of its columns to the next; for `grad_weight` the length of the row of ones
    direct: int  # 1 if the output is written where it belongs
    filter_step: int  # in w, from one output channel of a group to the next
    group_step: int
    end: int  # length of all


class Pack(NamedTuple):
    """Rows of a plane that are packed one after the other: every `stride_h`-th from the first one on."""

    to: int  # where the first one goes, in the channel's slot
    first: int
    rows: int


class Tile(NamedTuple):
    """A call of `simd.planes.plane_tile`: a strip of the filter's rows, over rows of the output.

    Offsets in x count from the scratch's first element, those in w and y from the first one of a filter and a plane.
    """

    strip: int  # rows of the filter
    rows: int  # rows of sums at once
    blocks: int  # how often
    x_at: int  # the row that the first row of the filter meets
    x_step: int  # to the row that the next one meets
    w_at: int
    w_step: int
    tap: int  # the first of its taps, in the table of taps
    taps: int
    fresh: int  # 1 if the sums begin with the bias, 0 if with y
    y_at: int
    y_step: int
    pixels: int  # of a row


class DotTile(NamedTuple):
    """A call of `simd.planes.plane_dots`: rows and columns of the filter, over all rows of the output that they meet.

    Offsets count as in `Tile`, those in g from the first element of a plane.
    """

    strip: int  # rows of the filter
    across: int  # columns of the filter
    rows: int  # of g
    x_at: int
    x_step: int
    tap: int  # the first of its taps, in the table of taps
    g_at: int
    g_step: int
    w_at: int
    w_step: int


class Tap(NamedTuple):
    """A column of the filter, and where the pixels lie that it meets."""

    column: int
    offset: int  # from the row's first element


# Numba makes a tuple of an array's row if the length is a constant.
PLANES, TILE, DOT_TILE = len(Planes._fields), len(Tile._fields), len(DotTile._fields)
# The columns of a table of packs, and the one of a table of taps that a kernel reads itself. Packing takes most of the
# time of small planes, and a tuple of each row makes it slower: planes of 7 × 7 take 5 % longer.
TO, FIRST, ROWS = map(Pack._fields.index, ("to", "first", "rows"))
COLUMN = Tap._fields.index("column")
