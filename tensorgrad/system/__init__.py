"""The program's environment: the terminal, notebooks, forked processes."""
