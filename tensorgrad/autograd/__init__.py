"""Reverse-mode differentiation: what an op is, the engine that applies and records ops, and the backward pass."""
