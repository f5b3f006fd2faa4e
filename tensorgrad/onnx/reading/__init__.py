"""From a file to a checked record of its graph: nothing is run, and nothing is allocated before its size is known."""
