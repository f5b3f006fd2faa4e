"""Distributions to draw from and to score with, under PyTorch's names: policies, variational encoders, flows."""

from tensorgrad.distributions.continuous import Normal as Normal, Uniform as Uniform
from tensorgrad.distributions.discrete import Bernoulli as Bernoulli, Categorical as Categorical
from tensorgrad.distributions.distribution import Distribution as Distribution, Independent as Independent
from tensorgrad.distributions.divergence import kl_divergence as kl_divergence

__all__ = ["Bernoulli", "Categorical", "Distribution", "Independent", "Normal", "Uniform", "kl_divergence"]
