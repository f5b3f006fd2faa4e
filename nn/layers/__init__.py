"""Layers: modules with parameters, activations, containers."""
