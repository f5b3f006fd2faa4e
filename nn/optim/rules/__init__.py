"""The optimizers: each is its hyper-parameters and one update rule, under its formula."""
