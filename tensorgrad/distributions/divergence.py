"""The Kullback–Leibler divergence of two distributions of a kind."""

from __future__ import annotations

from tensorgrad.distributions.continuous import Normal
from tensorgrad.distributions.discrete import Bernoulli, Categorical
from tensorgrad.distributions.distribution import Distribution, Independent
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.functional import softplus
from tensorgrad.tensor import Tensor


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p‖q), the expectation under p of log p(x) − log q(x).

    Args:
        p, q: two normal, two categorical or two Bernoulli distributions, or `Independent` ones of these.

    Raises:
        ArgumentError: distributions of another kind, or of two kinds.

    >>> import tensorgrad as tg
    >>> from tensorgrad.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5)
    """
    if isinstance(p, Independent) and isinstance(q, Independent):
        if p.reinterpreted_batch_ndims == q.reinterpreted_batch_ndims:
            return p.summed(kl_divergence(p.base_dist, q.base_dist))
    elif isinstance(p, Normal) and isinstance(q, Normal):
        ratio, distance = (p.scale / q.scale) ** 2, ((p.loc - q.loc) / q.scale) ** 2
        return (ratio + distance - 1 - ratio.log()) / 2
    elif isinstance(p, Categorical) and isinstance(q, Categorical):
        return (p.probs * (p.logits - q.logits)).sum(-1)
    elif isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        yes = softplus(-q.logits) - softplus(-p.logits)
        no = softplus(q.logits) - softplus(p.logits)
        return p.probs * yes + (1 - p.probs) * no
    problem = "p and q must be of one kind: Normal, Categorical, Bernoulli, or Independent of as many axes"
    raise ArgumentError(restate("kl_divergence", problem, p=p, q=q))
