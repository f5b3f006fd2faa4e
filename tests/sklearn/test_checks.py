"""scikit-learn's own checks of estimators: all of them, none excused."""

import pytest

pytest.importorskip("sklearn.base")

from sklearn.utils.estimator_checks import parametrize_with_checks

from tensorgrad.sklearn import NeuralClassifier, NeuralRegressor

QUICK = {"epochs": 12, "lr": 0.05}


@parametrize_with_checks([NeuralClassifier(**QUICK), NeuralRegressor(**QUICK)])
def test_scikit_learns_check(estimator, check):
    check(estimator)
