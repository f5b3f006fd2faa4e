"""The modules of a graph: which calls of modules its ops ran in."""
