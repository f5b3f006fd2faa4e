"""Generated worlds for compiled functions: a network, data, an optimizer and a function of them, and what befalls them.

A seed makes the same world as often as it is asked, with objects of its own. In one of two such worlds the function is
compiled; then the same events happen in both, and after each all that can be seen must be equal bit for bit: results,
gradients, parameters, buffers, states of generators and optimizers, errors.
"""

from worlds.comparison import Difference, live

__all__ = ["Difference", "live"]
