"""Elementwise ops: arithmetic, comparison, transcendental functions, activations."""
