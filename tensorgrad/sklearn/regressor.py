"""A network as a regressor of scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from tensorgrad import nn
from tensorgrad.sklearn.base import NeuralEstimator


class NeuralRegressor(MultiOutputMixin, RegressorMixin, NeuralEstimator):
    """A network that is trained to predict numbers, as an estimator of scikit-learn.

    The module gives one output per target, `(N, targets)`. Training is `nn.fit`. Scale targets that are far from mean
    0 and deviation 1: `TransformedTargetRegressor(NeuralRegressor(), transformer=StandardScaler())`.

    Args:
        module: a class or function, which is called with the number of features (of channels, for images
            `(N, C, H, W)`) and of targets; or a module, and each `fit` trains a copy of it; or None for a small `MLP`.
        loss: a function (outputs, targets) -> the mean loss; by default `nn.mse_loss`. With sample weights it must
            take `reduction="none"`.
        optimizer, lr, epochs, batch_size, dtype, early_stopping, validation_fraction, patience, random_state,
        callbacks, compile, verbose, options: see `NeuralClassifier`.

    Attributes:
        module_: the trained module.
        optimizer_: its optimizer.
        history_: the records of the last `fit` or `partial_fit`.
        n_iter_: the epochs in it.
        n_features_in_, feature_names_in_: as in scikit-learn.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 60)[:, None]
    >>> net = NeuralRegressor(batch_size=10, lr=1e-2, random_state=0).fit(x, np.sin(3 * x[:, 0]))
    >>> net.score(x, np.sin(3 * x[:, 0])) > 0.95
    True
    """

    default_loss = staticmethod(nn.mse_loss)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new module.

        Args:
            X: the inputs, `(N, features)` or images `(N, C, H, W)`.
            y: numbers, `(N,)` or `(N, targets)`.
            sample_weight: a weight for each example, `(N,)`, ≥ 0.

        Raises:
            ValueError: data that scikit-learn refuses, such as NaN, or all weights are 0.
            ShapeError: the module's outputs aren't `(N, targets)`.
        """
        X, targets = self._targets(X, y, reset=True)
        data = self._with_weights(X, targets, sample_weight)
        self._begin(X, targets.shape[1])
        self._train(data, self.epochs, early_stopping=self.early_stopping)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on some data; the first call makes the module, later ones go on with it."""
        first = not hasattr(self, "module_")
        X, targets = self._targets(X, y, reset=first)
        data = self._with_weights(X, targets, sample_weight)
        if first:
            self._begin(X, targets.shape[1])
        self._train(data, 1)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The outputs, `(N,)` or `(N, targets)` as the targets of `fit`."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_target else outputs

    def _targets(self, X: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = self._checked(X, y, reset=reset, multi_output=True, y_numeric=True)
        self._one_target = y.ndim == 1
        # (N,) or (N, targets) -> (N, targets)
        return X, y.reshape(len(y), -1).astype(X.dtype)
