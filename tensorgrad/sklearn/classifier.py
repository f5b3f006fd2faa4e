"""A network as a classifier of scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.sklearn.base import NeuralEstimator


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """A network that is trained to tell classes apart, as an estimator of scikit-learn.

    The module gives one logit per class, `(N, classes)`; their softmax are the probabilities. Training is `nn.fit`.

    Args:
        module: a class or function, which is called with the number of features (of channels, for images
            `(N, C, H, W)`) and of classes; or a module, and each `fit` trains a copy of it; or None for a small `MLP`.
        optimizer: a class of `nn.optim`, its name in lower case, or a function (parameters, lr=…, **options).
        lr: the learning rate.
        epochs: passes over the data.
        batch_size: the number of examples per step; a few less where the last batch would hold a single example.
        loss: a function (logits, class indices) -> the mean loss; by default `nn.cross_entropy`. With sample weights
            it must take `reduction="none"`.
        dtype: what the inputs are converted to, "float32" or "float64". By default float32 stays, and all else
            becomes float64; float32 takes about half of the time.
        early_stopping: hold a part of the data out, and end the training when its loss hasn't improved for
            `patience` epochs, with the best weights.
        validation_fraction: how much to hold out, of each class the same share.
        patience: see `early_stopping`.
        random_state: the seed of weights, order, dropout and split: an int, a `RandomState`, or None.
        callbacks: a list of those of `tg.callbacks`, or of functions that make one from the estimator, which then has
            `module_` and `optimizer_`.
        compile: compile the step: the same training, faster for many steps.
        verbose: show the progress.
        options: further arguments of module and optimizer: `module__hidden=32`, `optimizer__weight_decay=1e-4`.

    Attributes:
        classes_: the labels, sorted.
        module_: the trained module.
        optimizer_: its optimizer.
        history_: the records of the last `fit` or `partial_fit`.
        n_iter_: the epochs in it.
        n_features_in_, feature_names_in_: as in scikit-learn.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> net = NeuralClassifier(random_state=0).fit(x, np.where(abs(x[:, 0]) < 0.5, "inside", "outside"))
    >>> net.predict([[0.0], [0.9]]).tolist(), net.score(x, np.where(abs(x[:, 0]) < 0.5, "inside", "outside")) > 0.9
    (['inside', 'outside'], True)
    """

    default_loss = staticmethod(nn.cross_entropy)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new module.

        Args:
            X: the inputs, `(N, features)` or images `(N, C, H, W)`.
            y: labels of any kind, `(N,)`.
            sample_weight: a weight for each example, `(N,)`, ≥ 0.

        Raises:
            ValueError: data that scikit-learn refuses, such as NaN, or all weights are 0.
            ShapeError: the module's outputs aren't `(N, classes)`.
        """
        X, y = self._checked(X, y, reset=True)
        check_classification_targets(y)
        self.classes_, targets = np.unique(y, return_inverse=True)
        data = self._with_weights(X, targets.astype(np.int64), sample_weight)
        self._begin(X, len(self.classes_))
        self._train(data, self.epochs, stratify=data[1], early_stopping=self.early_stopping)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on some data; the first call makes the module, later ones go on with it.

        Args:
            X, y, sample_weight: see `fit`.
            classes: all labels that will ever come; needed in the first call.

        Raises:
            ValueError: no classes in the first call, or others in a later one; a label that isn't among them.
        """
        first = _check_partial_fit_first_call(self, classes) or not hasattr(self, "module_")
        X, y = self._checked(X, y, reset=first)
        check_classification_targets(y)
        if unknown := sorted(set(np.unique(y).tolist()) - set(self.classes_.tolist())):
            problem = f"y has the labels {unknown}, which aren't among classes"
            raise ArgumentError(restate("NeuralClassifier.partial_fit", problem, classes=self.classes_))
        targets = np.searchsorted(self.classes_, y)
        if first:
            self._begin(X, len(self.classes_))
        self._train(self._with_weights(X, targets.astype(np.int64), sample_weight), 1)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, `(N, classes)` in the order of `classes_`: the softmax of the outputs."""
        # in float64, so that the probabilities of a row add up to 1 exactly enough for everybody
        return tg.softmax(tg.tensor(self._outputs(X).astype(np.float64)), dim=1).data

    def predict(self, X: Any) -> np.ndarray:
        """The label of the largest output, `(N,)`."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(1)]
