"""Explicit SIMD vectors: tiles in LLVM IR, and vectorized exp and erf."""
