"""Whether this program runs in a notebook."""

from __future__ import annotations

import sys
from typing import Any


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this program; False for IPython in a terminal.

    >>> in_notebook()
    False
    """
    get_shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and hasattr(get_shell(), "kernel")
