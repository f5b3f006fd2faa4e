"""A matrix product tile by tile, as a part of other kernels."""

from tensorgrad.kernels.jit.dispatch import inlined
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS
from tensorgrad.kernels.simd.tiles import broadcast_tile, copy_panel, panel_tile, part_begin

HELD = 1 << 17
"""Bytes of panels that stay in a second-level cache of 512 KiB, beside the columns of the other factor."""


@inlined
def products(rows, first, end, length, w, w_step, table, x, bias, y, y_step, width):
    """y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q] for m < `rows` and q < `length`, tile by tile, in flat arrays.

    Of the rows, blocks of up to ROWS, only those from the block `first` to the one before `end`. Integers must be
    `np.intp`, not literals: numba would compile the function again for each literal.
    """
    vectors = -(-length // width)
    for tile in range(-(-vectors // COLUMNS)):
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        last = min(width, length - (v_end - 1) * width)
        for block in range(first, end):
            m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
            broadcast_tile(
                m_end - m, v_end - v, w, m * w_step, w_step, table, 0, len(table), x, v * width, bias, m,
                y, m * y_step + v * width, y_step, last,
            )  # fmt: skip


@inlined
def panel_products(rows, first, end, length, panels, table, x, y, y_step, panel, width):
    """The same from `panels` of w and its bias, as `fill_panel` makes them: the same bits.

    For each tile the columns of x are copied into a `panel` (taps, COLUMNS vectors), so that they stand in the
    first-level cache without gaps, for as many blocks of rows as stay in the second-level cache for all tiles.
    """
    vectors, count, blocks = -(-length // width), len(table), end - first
    held = max(1, HELD // ((1 + count) * ROWS * panels.itemsize)) if vectors > COLUMNS else blocks
    for part in range(-(-blocks // held)):
        begin, stop = first + part_begin(blocks, held, part), first + part_begin(blocks, held, part + 1)
        for tile in range(-(-vectors // COLUMNS)):
            v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
            last = min(width, length - (v_end - 1) * width)
            copy_panel(1, v_end - v, panel, 0, table, 0, count, x, v * width, last)
            for block in range(begin, stop):
                m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
                panel_tile(
                    m_end - m, v_end - v, panels, block * (1 + count) * ROWS, count, panel, 0,
                    y, m * y_step + v * width, y_step, last,
                )  # fmt: skip


@inlined
def fill_panel(rows, block, w, w_step, table, bias, panel):
    """The panel (1 + taps, ROWS) of a block of rows of w: panel[0, m] = bias[m], panel[1 + t, m] = w[m, t]."""
    m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
    for k in range(m, m_end):
        panel[k - m] = bias[k]
        for t in range(len(table)):
            panel[(1 + t) * ROWS + k - m] = w[k * w_step + table[t, 0]]
