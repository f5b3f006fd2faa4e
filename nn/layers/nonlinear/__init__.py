"""Activation layers beside those of `nn.layers.activations`."""
