"""Plain arrays: dtype rules, the pool of memory buffers, random generators."""
