"""What classifier and regressor share: parameters in scikit-learn's manner, and training by `nn.fit`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.nn.data import DataLoader, TensorDataset
from tensorgrad.nn.training.callbacks import EarlyStopping
from tensorgrad.nn.training.callbacks.base import EVENTS
from tensorgrad.sklearn.building import is_option, module_of, optimizer_of, options_of

DTYPES = [np.float64, np.float32]
"""Of the inputs, unless `dtype` says it: what is float32 stays float32, all else becomes float64."""

Rows = tuple[np.ndarray, ...]
"""Inputs, targets and perhaps weights, of N rows each."""


class NeuralEstimator(BaseEstimator):
    """The base of `NeuralClassifier` and `NeuralRegressor`."""

    default_loss: Callable[..., Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # scikit-learn reads the parameters off the signature, and would pass one named `options`.
        named = [p for p in inspect.signature(cls.__init__).parameters.values() if p.kind is not p.VAR_KEYWORD]
        cls.__signature__ = inspect.Signature(named[1:])  # type: ignore[attr-defined]

    def __init__(
        self,
        module: Any = None,
        *,
        optimizer: Any = "adam",
        lr: float = 2e-3,
        epochs: int = 100,
        batch_size: int = 64,
        loss: Callable[..., Any] | None = None,
        dtype: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: Any = None,
        callbacks: Any = None,
        compile: bool = False,
        verbose: bool = False,
        **options: Any,
    ) -> None:
        if wrong := [name for name in options if not is_option(name)]:
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {wrong[0]!r}")
        self.module = module
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.loss = loss
        self.dtype = dtype
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.callbacks = callbacks
        self.compile = compile
        self.verbose = verbose
        for name, value in options.items():
            setattr(self, name, value)

    # --------------------------------------------------------------------------------------------------- parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name, options such as `module__hidden` included."""
        return super().get_params(deep) | {name: value for name, value in vars(self).items() if is_option(name)}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, options such as `module__hidden` included."""
        options = {name: value for name, value in params.items() if is_option(name)}
        super().set_params(**{name: value for name, value in params.items() if name not in options})
        for name, value in options.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # ----------------------------------------------------------------------------------------------------- training

    def _begin(self, inputs: np.ndarray, outputs: int) -> None:
        """Make the module and the optimizer, from the first data."""
        call = type(self).__name__
        self.input_shape_ = inputs.shape[1:]
        self._random = check_random_state(self.random_state)
        with tg.seeded(self._seed()):
            module = module_of(call, self.module, self.input_shape_, outputs, options_of(self, "module"))
            self.module_ = module.to(inputs.dtype)
            found = nn.predict(self.module_, inputs[:1])  # lazy layers get their sizes here
            if found.shape != (1, outputs):
                problem = f"module must have {outputs} outputs for these targets, (N, {outputs})"
                raise ShapeError(restate(call, problem, example=inputs[:1], output=found))
            self.optimizer_ = optimizer_of(call, self.optimizer, module, self.lr, options_of(self, "optimizer"))

    def _train(self, data: Rows, epochs: int, stratify: np.ndarray | None = None, early_stopping: bool = False) -> None:
        """Train the module on (inputs, targets), or (inputs, targets, weights)."""
        with tg.seeded(self._seed()):
            data, held_out = self._split(data, stratify) if early_stopping else (data, None)
            self.history_ = nn.fit(
                self.module_,
                DataLoader(TensorDataset(*data), self._batch_size(len(data[0])), shuffle=True),
                loss=self.loss or type(self).default_loss,
                optimizer=self.optimizer_,
                epochs=epochs,
                validation=held_out and DataLoader(TensorDataset(*held_out), 256),
                callbacks=self._callbacks(early_stopping),
                progress=bool(self.verbose),
                compile=self.compile,
                weighted=len(data) == 3,
            )
        self.n_iter_ = len(self.history_.epochs)

    def _callbacks(self, early_stopping: bool) -> list[Any]:
        """The callbacks; functions among them are called with the estimator, which has its module and optimizer now."""
        if not isinstance(self.callbacks, list | tuple | None):
            problem = f"callbacks must be a list, got {type(self.callbacks).__name__}"
            raise DTypeError(restate(type(self).__name__, problem, fix="callbacks=[callback]"))
        made = [
            item(self) if callable(item) and not any(hasattr(item, event) for event in EVENTS) else item
            for item in self.callbacks or ()
        ]
        return [*made, EarlyStopping("validation_loss", self.patience)] if early_stopping else made

    def _split(self, data: Rows, stratify: np.ndarray | None) -> tuple[Rows, Rows]:
        """The rows to train on, and those held out to decide when to stop."""
        parts = train_test_split(
            *data, test_size=self.validation_fraction, random_state=self._seed(), stratify=stratify
        )
        return tuple(parts[::2]), tuple(parts[1::2])

    def _batch_size(self, examples: int) -> int:
        """`batch_size`, or a smaller one that leaves no batch of a single example, which batch norm refuses."""
        smaller = range(self.batch_size, 1, -1) if isinstance(self.batch_size, int) else ()
        return next((size for size in smaller if examples % size != 1), self.batch_size)

    def _seed(self) -> int:
        return int(self._random.randint(np.iinfo(np.int32).max))

    # --------------------------------------------------------------------------------------------------------- data

    def _checked(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, reset=reset, dtype=self.dtype or DTYPES, allow_nd=True, **options)
        if not reset:
            self._check_shape(X)
        return X, y

    def _check_shape(self, X: np.ndarray) -> None:
        if X.shape[1:] != self.input_shape_:
            problem = f"X must have the shape (N, {', '.join(map(str, self.input_shape_))}), as in fit"
            raise ShapeError(restate(type(self).__name__, problem, X=X))

    def _with_weights(self, X: np.ndarray, targets: np.ndarray, sample_weight: Any) -> Rows:
        """Inputs, targets and weights of mean 1, without the rows of weight 0; no weights if there are none."""
        if sample_weight is None:
            return X, targets
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        kept = weight > 0
        if not kept.any():
            problem = "sample_weight must have a weight above 0: all samples have zero weights"
            raise ArgumentError(restate(type(self).__name__, problem))
        return X[kept], targets[kept], weight[kept] / weight[kept].mean()

    def _outputs(self, X: Any) -> np.ndarray:
        """The module's outputs, `(N, outputs)`."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=self.dtype or DTYPES, allow_nd=True)
        self._check_shape(X)
        dtype = next(self.module_.parameters()).dtype
        return nn.predict(self.module_, X.astype(dtype, copy=False)).data
