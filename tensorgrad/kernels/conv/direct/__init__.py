"""Direct sums over the pixels that the taps of a filter meet: of filters, and dot products of lines."""
