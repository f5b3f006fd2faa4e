"""How many threads kernels may use on this machine."""

import numba

MOST_THREADS = numba.config.NUMBA_NUM_THREADS
