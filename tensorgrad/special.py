"""Special functions under PyTorch's names, `tg.special.erfc(x)`."""

from tensorgrad.ops.elementwise.activations import sigmoid as expit
from tensorgrad.ops.elementwise.special import (
    digamma as digamma,
    entr as entr,
    erfc as erfc,
    erfinv as erfinv,
    lgamma as gammaln,
    logit as logit,
    mvlgamma as multigammaln,
    ndtr as ndtr,
    ndtri as ndtri,
    polygamma as polygamma,
    sinc as sinc,
    xlog1py as xlog1py,
    xlogy as xlogy,
)
from tensorgrad.ops.elementwise.transcendental import erf as erf, expm1 as expm1, log1p as log1p
from tensorgrad.ops.reductions import logsumexp as logsumexp
from tensorgrad.ops.softmax import log_softmax as log_softmax, softmax as softmax

psi = digamma

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfinv", "expit", "expm1", "gammaln", "log1p", "log_softmax", "logit",
    "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "sinc", "softmax", "xlog1py", "xlogy",
]  # fmt: skip
