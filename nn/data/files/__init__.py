"""Data files: where they lie, downloads, IDX, images."""
