"""What tests look for in the code of kernels: registers by name, and whether LLVM vectorised a loop by itself.

numba keeps a kernel in LLVM's own language beside the machine code, after all optimizations and in its cache too. So
nothing is compiled anew here.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numba

# `fmul reassoc <8 x float> %a, %b` and `@llvm.fabs.v8f32`; of single numbers `fmul reassoc float` and `@llvm.fabs.f32`.
OPERATIONS = r"\b(fmul|fadd|fsub|fdiv|fcmp)\b[a-z ]*"
FUNCTIONS = r"@llvm\.(fma|fmuladd|sqrt|fabs|minnum|maxnum|minimum|maximum)\."
OF_VECTORS = re.compile(rf"{OPERATIONS}<\d+ x (?:float|double)>|{FUNCTIONS}v\d+f")
OF_NUMBERS = re.compile(rf"{OPERATIONS} (?:float|double)\b|{FUNCTIONS}f")


def assembly(variant: Any) -> str:
    """The machine code of a compiled variant, one of a kernel's `overloads`, as text."""
    library = variant.library
    return library._codegen._tm.emit_assembly(library._get_module_for_linking())


def llvm(kernel: Callable, *arguments: object) -> str:
    """The definitions of the kernel's variant for these arguments, in LLVM's language."""
    kernel(*arguments)
    library = kernel.overloads[tuple(map(numba.typeof, arguments))].library
    return re.sub(r"^declare .*$", "", str(library._get_module_for_linking()), flags=re.MULTILINE)


def arithmetic(kernel: Callable, *arguments: object) -> tuple[Counter, Counter]:
    """How often the code for these arguments multiplies, adds, compares, …: vectors, and single numbers."""
    code = llvm(kernel, *arguments)
    vectors, numbers = (Counter(a or b for a, b in kind.findall(code)) for kind in (OF_VECTORS, OF_NUMBERS))
    return vectors, numbers


def assert_vectorised(kernel: Callable, *arguments: object) -> int:
    """Assert that vectors do each kind of arithmetic that single numbers do, in a loop's last elements.

    A loop that multiplies number by number and compares vectors fails. Returns how many multiplications, additions and
    subtractions of vectors there are.
    """
    vectors, numbers = arithmetic(kernel, *arguments)
    assert vectors, f"no arithmetic of vectors, of single numbers {dict(numbers)}"
    assert not numbers.keys() - vectors.keys(), f"of vectors {dict(vectors)}, of single numbers {dict(numbers)}"
    return sum(vectors[name] for name in ("fmul", "fadd", "fsub", "fma", "fmuladd"))
