"""NumPy's functions on tensors: `np.mean(t)` and others, implemented with tensorgrad's ops.

Every function here has the signature of the NumPy function that it implements, so that each argument, by position or by
name, has NumPy's meaning. Options that tensors don't support, such as `out`, raise an error that names them; only
options about NumPy's internals are ignored.
"""

from tensorgrad.interop.functions import (  # each registers its functions
    creation as creation,
    elementwise as elementwise,
    joining as joining,
    linalg as linalg,
    parts as parts,
    products as products,
    reductions as reductions,
    repeats as repeats,
    shapes as shapes,
    sorting as sorting,
    statistics as statistics,
)
from tensorgrad.interop.functions.registry import FUNCTIONS as FUNCTIONS
