"""A film of a training: filters, feature maps, gradients and predictions, frame by frame, on one page."""

from tensorgrad.viz.film.film import Film

__all__ = ["Film"]
