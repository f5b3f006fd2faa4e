"""How kernels are compiled, cached, called by address, and recorded into command lists."""
