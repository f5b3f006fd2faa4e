"""Explicit vectors: registers and tiles in LLVM's language, and vectorized exp and erf."""
