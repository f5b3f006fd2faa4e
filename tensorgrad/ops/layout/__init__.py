"""The layout of elements: views, repeats, joining, diagonals."""
