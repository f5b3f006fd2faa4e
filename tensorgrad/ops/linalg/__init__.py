"""Linear algebra: norms, products, inverses and equations, factorizations; matrices stand in the last two axes."""
