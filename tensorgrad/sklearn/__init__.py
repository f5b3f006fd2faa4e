"""Networks as estimators of scikit-learn: in pipelines, grid searches and all else that takes an estimator.

Needs scikit-learn: `pip install 'tensorgrad-engine[sklearn]'`.
"""

from tensorgrad.errors import require as _require

_require("tensorgrad.sklearn", "sklearn", "scikit-learn", extra="sklearn")

from tensorgrad.sklearn.classifier import NeuralClassifier  # noqa: E402
from tensorgrad.sklearn.mlp import MLP  # noqa: E402
from tensorgrad.sklearn.regressor import NeuralRegressor  # noqa: E402

__all__ = ["MLP", "NeuralClassifier", "NeuralRegressor"]
