"""Networks as estimators: what scikit-learn's tools do with them, and that the training is `nn.fit`'s."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset

pytest.importorskip("sklearn.base")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tensorgrad.sklearn import MLP, NeuralClassifier, NeuralRegressor

QUICK = {"module__hidden": 16, "epochs": 15, "lr": 0.05, "random_state": 0}


def flowers(n=120):
    """Three classes with names."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    return rng.standard_normal((n, 4)) + 2 * np.eye(4)[y], np.array(["aster", "rose", "tulip"])[y]


def curve(n=100, targets=1):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (n, 2))
    y = np.stack([np.sin(3 * x[:, 0]), x[:, 0] * x[:, 1]], 1)
    return x, y[:, 0] if targets == 1 else y


def weights(net):
    return np.concatenate([p.data.ravel() for p in net.module_.parameters()])


# ---------------------------------------------------------------------------------------------------------- training


def test_it_trains_as_nn_fit_does():
    x, y = flowers()
    net = NeuralClassifier(nn.Linear, optimizer="sgd", optimizer__momentum=0.9, lr=0.1, epochs=3, random_state=4).fit(
        x, y
    )
    seeds = np.random.RandomState(4)
    with tg.seeded(seeds.randint(np.iinfo(np.int32).max)):
        model = nn.Linear(4, 3).double()
    sgd = nn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with tg.seeded(seeds.randint(np.iinfo(np.int32).max)):
        data = DataLoader(TensorDataset(x, np.unique(y, return_inverse=True)[1]), 64, shuffle=True)
        history = nn.fit(model, data, loss=nn.cross_entropy, optimizer=sgd, epochs=3, progress=False)
    assert np.array_equal(weights(net), np.concatenate([p.data.ravel() for p in model.parameters()]))
    assert net.history_["loss"] == history["loss"] and net.n_iter_ == 3


def test_the_same_seed_gives_the_same_network_and_leaves_the_generators_alone():
    x, y = flowers()
    before = tg.get_rng_state().numpy().copy(), np.random.get_state()[1].copy()
    first, second = (NeuralClassifier(**QUICK, module__dropout=0.5).fit(x, y) for _ in range(2))
    other = NeuralClassifier(**QUICK, module__dropout=0.5).set_params(random_state=1).fit(x, y)
    assert np.array_equal(weights(first), weights(second)) and not np.array_equal(weights(first), weights(other))
    assert np.array_equal(before[0], tg.get_rng_state().numpy()) and np.array_equal(before[1], np.random.get_state()[1])


@pytest.mark.parametrize("labels", [("no", "yes"), (True, False), (-1.0, 1.0), (7, 3)])
def test_labels_of_any_kind(labels):
    x, y = flowers()
    named = np.array(labels)[(y == "rose").astype(int)]
    net = NeuralClassifier(**QUICK).fit(x, named)
    assert net.predict(x).dtype == named.dtype and set(net.predict(x)) == set(labels)
    assert net.score(x, named) > 0.85
    chances = net.predict_proba(x)
    assert np.array_equal(net.classes_, np.unique(named)) and np.array_equal(
        net.classes_[chances.argmax(1)], net.predict(x)
    )
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_dtype_of_the_data_is_kept_unless_another_is_wanted(dtype):
    x, y = curve()
    net = NeuralRegressor(**QUICK).fit(x.astype(dtype), y)
    assert next(net.module_.parameters()).dtype == net.predict(x).dtype == dtype
    assert NeuralRegressor(**QUICK, dtype="float32").fit(x, y).predict(x).dtype == np.float32


@pytest.mark.parametrize("targets", [1, 2])
def test_regression_of_one_or_several_targets(targets):
    x, y = curve(200, targets)
    net = NeuralRegressor(module__hidden=(32, 32), lr=0.01, epochs=60, random_state=0).fit(x, y)
    assert net.predict(x).shape == y.shape and net.score(x, y) > 0.95


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_sample_weights_are_repetitions(kind):
    x, y = flowers(30) if kind is NeuralClassifier else curve(30)
    count = np.random.default_rng(2).integers(0, 4, 30)
    options = QUICK | {"optimizer": "sgd"}  # Adam would hide a factor of the loss
    repeated = kind(**options).fit(np.repeat(x, count, axis=0), np.repeat(y, count))
    weighted = kind(**options).fit(x, y, sample_weight=count * 0.1)
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=1e-6, atol=1e-8)
    assert not np.allclose(weights(weighted), weights(kind(**options).fit(x, y)), rtol=1e-3)


def test_early_stopping_holds_a_part_out_and_keeps_the_best_weights():
    x, y = flowers(60)
    options = {"module__hidden": 64, "lr": 0.05, "epochs": 200, "random_state": 3, "patience": 4}
    net = NeuralClassifier(**options, early_stopping=True, validation_fraction=0.3).fit(x, y)
    losses = net.history_["validation_loss"]
    assert net.n_iter_ == len(losses) == int(np.argmin(losses)) + 1 + 4 < 200
    assert net.history_.steps[0]["images"] == 42  # of 60; one batch
    weighted = NeuralClassifier(**options, early_stopping=True).fit(x, y, sample_weight=np.ones(60))
    assert weighted.n_iter_ < 200


def test_callbacks_and_functions_that_make_them():
    class Epochs(nn.Callback):
        count = 0

        def on_epoch_end(self, record):
            self.count += 1
            return self.count == 4

    x, y = flowers()
    halve = lambda net: tg.callbacks.ScheduleLR(nn.optim.lr_scheduler.StepLR(net.optimizer_, 1, 0.5))  # noqa: E731
    net = NeuralClassifier(**QUICK, callbacks=[Epochs(), halve]).fit(x, y)
    assert net.history_["learning_rate"] == [0.05, 0.025, 0.0125, 0.00625]


@pytest.mark.parametrize(("count", "size", "sizes"), [(65, 64, [63, 2]), (129, 64, [63, 63, 3]), (120, 64, [64, 56])])
def test_no_batch_of_a_single_example_which_batch_norm_refuses(count, size, sizes):
    def network(features, classes):
        return nn.Sequential(nn.Linear(features, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, classes))

    x, y = flowers(count)
    net = NeuralClassifier(network, epochs=1, batch_size=size).fit(x, y)
    assert [record["batch"] for record in net.history_.steps] == sizes


def test_compiled_it_is_the_same():
    x, y = flowers()
    plain, compiled = (NeuralClassifier(**QUICK, compile=compile).fit(x, y) for compile in (False, True))
    assert np.array_equal(weights(plain), weights(compiled))


def test_partial_fit_over_a_stream_that_shows_its_classes_late():
    x, y = flowers(300)
    order = np.argsort(y, kind="stable")  # the first batches have one class alone
    net = NeuralClassifier(module__hidden=16, lr=0.02, random_state=0)
    with pytest.raises(ValueError, match="classes must be passed"):
        net.partial_fit(x[:5], y[:5])
    net.partial_fit(x[order[:50]], y[order[:50]], classes=["tulip", "rose", "aster"])
    assert net.classes_.tolist() == ["aster", "rose", "tulip"]
    module = net.module_
    shuffled = np.random.default_rng(0).permutation(300)
    for _ in range(5):
        for batch in np.split(shuffled, 6):
            net.partial_fit(x[batch], y[batch])
    assert net.module_ is module and net.score(x, y) > 0.85
    with pytest.raises(ValueError, match=r"\['lily'\], which aren't among classes"):
        net.partial_fit(x[:3], ["rose", "lily", "rose"])
    numbers = NeuralRegressor(module__hidden=32, lr=0.02, random_state=0)
    cx, cy = curve(200, 2)
    for _ in range(30):
        numbers.partial_fit(cx, cy)
    assert numbers.score(cx, cy) > 0.8


# --------------------------------------------------------------------------------------------------------- parameters


def small_cnn(channels, classes, width=4):
    return nn.Sequential(
        *(nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(4 * width, classes)),
    )


def test_a_cnn_behind_a_transformer_that_makes_images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    x = rng.standard_normal((80, 36)) * 0.3
    x[y == 1, :18] += 1
    images = FunctionTransformer(lambda rows: rows.reshape(-1, 1, 6, 6))
    pipe = Pipeline([("images", images), ("net", NeuralClassifier(small_cnn, epochs=8, lr=0.05, random_state=0))])
    assert pipe.fit(x, y).score(x, y) > 0.9
    assert pipe.named_steps["net"].input_shape_ == (1, 6, 6)
    with pytest.raises(tg.ShapeError, match=r"shape \(N, 1, 6, 6\)"):
        pipe.named_steps["net"].predict(x.reshape(-1, 1, 4, 9))
    search = GridSearchCV(pipe, {"net__module__width": [2, 6]}, cv=2).fit(x, y)
    assert (
        search.best_estimator_.named_steps["net"].module_[0].out_channels == search.best_params_["net__module__width"]
    )
    by_default = NeuralClassifier(epochs=8, lr=0.05, random_state=0).fit(x.reshape(-1, 1, 6, 6), y)
    assert by_default.module_[1].in_features == 36 and by_default.score(x.reshape(-1, 1, 6, 6), y) > 0.9


def test_an_instance_is_copied_and_goes_on_from_its_weights():
    x, y = flowers()
    own = MLP(4, 3, hidden=())
    before = own[-1].weight.data.copy()
    net = NeuralClassifier(own, lr=0.0, epochs=1).fit(x, y)
    assert np.array_equal(own[-1].weight.data, before) and net.module_ is not own
    np.testing.assert_allclose(net.module_[-1].weight.data, before)
    with pytest.raises(tg.ArgumentError, match=r"takes no options \['hidden'\]"):
        NeuralClassifier(own, module__hidden=3).fit(x, y)


def test_parameters_are_scikit_learns_options_included():
    net = NeuralClassifier(nn.Linear, module__bias=False, optimizer__weight_decay=0.1)
    assert net.get_params()["module__bias"] is False and "options" not in net.get_params()
    again = clone(net).set_params(module__bias=True, lr=0.5)
    assert (again.module__bias, again.lr, again.optimizer__weight_decay) == (
        True,
        0.5,
        0.1,
    ) and net.module__bias is False
    assert "module__bias=False" in repr(net)
    with pytest.raises(TypeError, match="unexpected keyword argument 'hidden'"):
        NeuralClassifier(hidden=3)
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        net.set_params(hidden=3)


def test_values_of_a_search_may_be_numpys():
    x, y = flowers()
    options = {
        "module__hidden": np.array([8, 4]),
        "epochs": np.int64(2),
        "batch_size": np.int64(32),
        "lr": np.float32(0.1),
    }
    net = NeuralClassifier(**options, random_state=0).fit(x, y)
    assert net.n_iter_ == 2 and [layer.out_features for layer in net.module_ if hasattr(layer, "out_features")] == [
        8,
        4,
        3,
    ]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"module": nn.Sequential(nn.Linear(4, 5))}, tg.ShapeError, "module must have 3 outputs"),
        ({"module": "mlp"}, tg.DTypeError, "module must be an nn.Module"),
        ({"module": lambda n, m: 3}, tg.DTypeError, "module must be an nn.Module"),
        ({"optimizer": "adamm"}, tg.ArgumentError, "adamw"),
        ({"module__hidden": (3, 0)}, tg.ArgumentError, "at least one unit"),
        ({"optimizer": None}, tg.DTypeError, "optimizer must be a class"),
        (
            {"optimizer": "sgd", "optimizer__momentumm": 0.9},
            tg.ArgumentError,
            "SGD has no parameter for optimizer__momentumm\n  fix: it takes optimizer__momentum,",
        ),
        ({"module__hiddn": 4}, tg.ArgumentError, "MLP has no parameter for module__hiddn"),
        ({"optimizer__lr": 0.1}, tg.ArgumentError, "the learning rate is the parameter lr"),
        ({"callbacks": tg.callbacks.Doctor()}, tg.DTypeError, "callbacks must be a list, got Doctor"),
        ({"callbacks": [nn.Callback]}, tg.ArgumentError, "got the class Callback"),
        ({"epochs": -1}, tg.ArgumentError, "epochs must be an int"),
    ],
)
def test_what_is_refused(options, error, words):
    with pytest.raises(error) as caught:
        NeuralClassifier(**options).fit(*flowers())
    assert words in str(caught.value)


# ------------------------------------------------------------------------------------------------ scikit-learn's tools


def test_predictions_of_folds_with_labels_that_are_text():
    x, y = flowers()
    found = cross_val_predict(make_pipeline(StandardScaler(), NeuralClassifier(**QUICK)), x, y, cv=3)
    assert found.dtype == y.dtype and np.mean(found == y) > 0.8


def test_a_vote_of_two_networks_and_calibrated_probabilities():
    x, y = flowers()
    nets = [("small", NeuralClassifier(**QUICK)), ("linear", NeuralClassifier(nn.Linear, lr=0.1, random_state=1))]
    assert VotingClassifier(nets, voting="soft", weights=[1, 2]).fit(x, y).score(x, y) > 0.8
    calibrated = CalibratedClassifierCV(NeuralClassifier(**QUICK), cv=3).fit(x, y)
    assert calibrated.predict_proba(x).shape == (120, 3) and calibrated.score(x, y) > 0.8


def test_the_search_in_threads_finds_what_it_finds_alone():
    x, y = flowers()
    grid = {"module__hidden": [4, 16], "module__dropout": [0.0, 0.3]}
    from joblib import parallel_backend

    alone = GridSearchCV(NeuralClassifier(epochs=4, lr=0.05, random_state=0), grid, cv=2).fit(x, y)
    with parallel_backend("threading", n_jobs=2):
        together = GridSearchCV(NeuralClassifier(epochs=4, lr=0.05, random_state=0), grid, cv=2).fit(x, y)
    assert np.array_equal(alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"])


FRESH = """
import pickle, sys
import numpy as np
net, x, chances = pickle.load(open(sys.argv[1], "rb"))
np.testing.assert_array_equal(net.predict_proba(x), chances)
net.partial_fit(x, net.predict(x))
print(net.classes_.tolist())
"""


@pytest.mark.slow
def test_pickled_after_fit_it_works_in_a_fresh_process(tmp_path):
    x, y = flowers()
    net = NeuralClassifier(
        **QUICK, early_stopping=True, compile=True, callbacks=[tg.callbacks.CSVLogger(tmp_path / "log.csv")]
    ).fit(x, y)
    (tmp_path / "net.pickle").write_bytes(pickle.dumps((net, x, net.predict_proba(x))))
    command = [sys.executable, "-c", FRESH, str(tmp_path / "net.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['aster', 'rose', 'tulip']", done.stderr
    assert len(pickle.dumps(net)) < 200_000


def test_without_scikit_learn_the_error_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None\nimport tensorgrad.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'tensorgrad-engine[sklearn]'" in done.stderr and "MissingPackageError" in done.stderr
