"""What surrounds a program: the terminal, notebooks, forked processes."""
