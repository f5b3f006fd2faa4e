"""How numba compiles kernels: each goes through LLVM's optimization once, where numba runs it three times.

By itself numba optimizes each function alone, then a module with all that it calls at a low cost, and then at the full
cost: the first two bring counts of references together, so that pairs of them cancel. Kernels count references outside
of their inner loops, and the last run inlines, vectorizes and simplifies all the same.
"""

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, CompilerBase
from numba.core.registry import cpu_target

EXCHANGED = "_optimize_functions", "_optimize_final_module"
"""Methods of numba's libraries that are private to it; they are the same from numba 0.62 to 0.68."""


class KernelCompiler(Compiler):
    """Numba's compiler, which gives a function's code to a library that is optimized once."""

    def define_pipelines(self) -> list[Any]:
        """Numba's own passes; the one that emits code takes the library that it finds."""
        if self.state.library is None:
            self.state.library = OptimizedOnce(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
            self.state.library.enable_object_caching()
        return super().define_pipelines()


class OptimizedOnce(JITCodeLibrary):
    """A function's code and that of all that it calls."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        manager, builder = self._codegen._module_pass_manager()
        with self.recorded_timings.record("Module passes", builder):
            manager.run(self._final_module, builder)


def pipeline() -> type[CompilerBase]:
    """The compiler for kernels: numba's own where a version of it is built in another way."""
    known = all(hasattr(JITCodeLibrary, name) for name in EXCHANGED)
    known = known and hasattr(cpu_target.target_context.codegen(), "_module_pass_manager")
    return KernelCompiler if known else Compiler
