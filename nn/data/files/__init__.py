"""Data files: their locations, downloads, IDX, images."""
