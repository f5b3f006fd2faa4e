"""A product of matrices that lie in lines, tile by tile: for kernels that make it a part of their own work."""

from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS
from tensorgrad.kernels.simd.tiles import broadcast_tile, part_begin


@kernel
def products(rows, length, w, w_step, table, x, bias, y, y_step, width):
    """y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q] for so many m, and q below `length`, tile by tile, all in lines.

    Numbers come as `np.intp`, not as literals, for each of which numba would compile it once more.
    """
    vectors = -(-length // width)
    for tile in range(-(-vectors // COLUMNS)):
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        last = min(width, length - (v_end - 1) * width)
        for block in range(-(-rows // ROWS)):
            m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
            broadcast_tile(
                m_end - m, v_end - v, w, m * w_step, w_step, table, 0, len(table), x, v * width, bias, m,
                y, m * y_step + v * width, y_step, last,
            )  # fmt: skip
