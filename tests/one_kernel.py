"""A program that needs one kernel, run in a process of its own, for the tests of the cache of compiled kernels."""

import os
import subprocess
import sys

NOTICE = "tensorgrad: compiling kernels for this machine, once; later runs load them\n"

# One kernel that compiles in less than a second; it prints what it computed.
GATHER = """
import numpy as np
from tensorgrad import kernels, windows
x = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
places, window = np.array([3, 0], np.int32).reshape(2, 1, 1, 1), windows.Window.halving((2, 2))
print(kernels.pooling.gather(x, places, window).ravel())
"""


def python(code, **environment):
    """Run code in an interpreter of its own; the test fails if that doesn't end well."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def gather(folder, **environment):
    """What the program says on standard error, with its cache in a folder."""
    done = python(GATHER, NUMBA_CACHE_DIR=str(folder), **environment)
    assert done.stdout == "[3. 4.]\n"
    return done.stderr
