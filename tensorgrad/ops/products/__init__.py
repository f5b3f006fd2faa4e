"""Products of vectors and matrices, norms and distances."""
