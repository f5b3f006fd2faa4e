"""Two runs of one computation side by side, and where they differ."""
