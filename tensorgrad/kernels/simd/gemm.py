"""A matrix product tile by tile, as a part of other kernels."""

from tensorgrad.kernels.jit.dispatch import inlined
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS
from tensorgrad.kernels.simd.tiles import broadcast_tile, part_begin


@inlined
def products(rows, length, w, w_step, table, x, bias, y, y_step, width):
    """y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q] for m < `rows` and q < `length`, tile by tile, in flat arrays.

    Integers must be `np.intp`, not literals: numba would compile the function again for each literal.
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
