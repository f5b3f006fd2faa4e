"""Ops on the order of elements: sorting, the median and its kin, quantiles, searching and counting values."""
