"""Function transforms under PyTorch's names: grad, vjp, jvp, jacrev, jacfwd, hessian, vmap, functional_call.

Each takes a function and returns one, and they nest: `grad(grad(f))`, `jacrev(jacfwd(f))`, `vmap(grad(f))`.
"""

from tensorgrad.func.mapping import vmap as vmap
from tensorgrad.func.modules import functional_call as functional_call, stack_module_state as stack_module_state
from tensorgrad.func.transforms import (
    grad as grad,
    grad_and_value as grad_and_value,
    hessian as hessian,
    jacfwd as jacfwd,
    jacrev as jacrev,
    jvp as jvp,
    vjp as vjp,
)
