"""Create tensors: from data, of one value, from ranges, from random numbers."""
