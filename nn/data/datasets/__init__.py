"""Datasets that tensorgrad knows by name."""
