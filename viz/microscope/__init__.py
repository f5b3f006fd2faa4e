"""The convolution microscope: where each number of a convolution or pooling comes from, and where its gradient does."""

from tensorgrad.viz.microscope.microscope import Microscope, microscope

__all__ = ["Microscope", "microscope"]
