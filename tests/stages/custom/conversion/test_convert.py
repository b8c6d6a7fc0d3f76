"""Estimators of scikit-learn answer in the same way as arrays, or are refused."""

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import ensemble, linear_model, neural_network, svm, tree  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.dummy import DummyClassifier  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.multioutput import MultiOutputRegressor  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402

from engine.stage import StageError  # noqa: E402
from stages.custom.conversion import _convert  # noqa: E402
from stages.custom.conversion._written import Converted  # noqa: E402
from stages.estimators import archive  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(300, 6)) * [1, 10, 100, 0.1, 1, 1]
AMOUNT = X[:, 0] + X[:, 1] / 10 * X[:, 4] + CHANCE.normal(size=300) * 0.3
TWO, THREE = (AMOUNT > 0) * 1, np.array(["low", "middle", "top"])[np.digitize(AMOUNT, [-0.5, 0.5])]
WITH_GAPS = np.where(CHANCE.random(X.shape) < 0.1, np.nan, X)
ROWS = np.concatenate([X, CHANCE.normal(size=(300, 6)) * 30])
ROWS_WITH_GAPS = np.where(CHANCE.random(ROWS.shape) < 0.2, np.nan, ROWS)

CLASSIFIERS = [
    linear_model.LogisticRegression(max_iter=20),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(),
    linear_model.SGDClassifier(loss="log_loss"),
    linear_model.Perceptron(),
    svm.LinearSVC(),
    neural_network.MLPClassifier((9, 5), max_iter=20),
    neural_network.MLPClassifier(activation="tanh", max_iter=20),
    neural_network.MLPClassifier(activation="logistic", max_iter=20),
    tree.DecisionTreeClassifier(),
    ensemble.RandomForestClassifier(20),
    ensemble.ExtraTreesClassifier(20),
    ensemble.GradientBoostingClassifier(n_estimators=10),
    ensemble.GradientBoostingClassifier(n_estimators=10, init="zero"),
    ensemble.HistGradientBoostingClassifier(max_iter=10),
]
REGRESSORS = [
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(),
    linear_model.ElasticNet(),
    make_pipeline(StandardScaler(), linear_model.SGDRegressor()),
    svm.LinearSVR(),
    neural_network.MLPRegressor(hidden_layer_sizes=(9, 5), max_iter=20),
    tree.DecisionTreeRegressor(),
    ensemble.RandomForestRegressor(20),
    ensemble.ExtraTreesRegressor(20),
    ensemble.GradientBoostingRegressor(n_estimators=10),
    ensemble.GradientBoostingRegressor(n_estimators=10, loss="huber"),
    ensemble.HistGradientBoostingRegressor(max_iter=10),
    ensemble.HistGradientBoostingRegressor(max_iter=10, loss="absolute_error"),
    GridSearchCV(linear_model.Ridge(), {"alpha": [1, 10]}),
]
WITH_MISSING = [
    tree.DecisionTreeClassifier(),
    ensemble.RandomForestClassifier(20),
    ensemble.HistGradientBoostingClassifier(max_iter=10),
    make_pipeline(SimpleImputer(), StandardScaler(), linear_model.LogisticRegression()),
    make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler(clip=True), svm.LinearSVC()),
]
REFUSED = [
    (KNeighborsClassifier(), "RandomForestClassifier"),
    (svm.SVC(), "LinearSVC"),
    (make_pipeline(PCA(2), linear_model.LogisticRegression()), "preprocessing"),
    (make_pipeline(SimpleImputer(add_indicator=True), svm.LinearSVC()), "add_indicator"),
    (make_pipeline(SimpleImputer(missing_values=0), svm.LinearSVC()), "NaN"),
    (DummyClassifier(), "random forests"),
    (
        ensemble.GradientBoostingClassifier(
            n_estimators=3, init=linear_model.LogisticRegression(max_iter=20)
        ),
        "init",
    ),
    (ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[5]), "categorical"),
]


def _name(estimator):
    return type(estimator).__name__


def _exact(estimator, x, y, rows, classes, folder):
    """Fit, convert, write and read; return the outputs for the rows after the comparison."""
    estimator.fit(x, y)
    found = _convert.converted(estimator, classes)
    labels = np.unique(y) if classes else None
    _convert.check_exact(estimator, found, np.concatenate([x, rows]), labels)
    archive.write(folder / "a.npz", found.steps, x.shape[1], found.outputs)
    return found, archive.read(folder / "a.npz").predict(rows)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=_name)
def test_a_classifier_answers_the_same_classes(estimator, classes, tmp_path):
    y = TWO if classes == 2 else THREE
    found, outputs = _exact(estimator, X, y, ROWS, classes, tmp_path)
    assert outputs.shape == (len(ROWS), classes)
    if found.form == "margins" or not hasattr(estimator, "predict_proba"):
        return
    if found.form == "logits":
        powers = np.exp(outputs - outputs.max(1, keepdims=True))
        outputs = powers / powers.sum(1, keepdims=True)
    assert outputs == pytest.approx(estimator.predict_proba(ROWS), abs=1e-9)


@pytest.mark.parametrize("estimator", REGRESSORS, ids=_name)
def test_a_regressor_answers_the_same_numbers(estimator, tmp_path):
    _, outputs = _exact(estimator, X, AMOUNT, ROWS, 0, tmp_path)
    assert outputs[:, 0] == pytest.approx(estimator.predict(ROWS), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("estimator", WITH_MISSING, ids=_name)
def test_missing_values_are_treated_in_the_same_way(estimator, tmp_path):
    _exact(estimator, WITH_GAPS, THREE, ROWS_WITH_GAPS, 3, tmp_path)


def test_the_log_odds_of_an_exponential_loss_are_doubled(tmp_path):
    estimator = ensemble.GradientBoostingClassifier(n_estimators=10, loss="exponential")
    _, outputs = _exact(estimator, X, TWO, ROWS, 2, tmp_path)
    assert 1 / (1 + np.exp(-outputs[:, 1])) == pytest.approx(estimator.predict_proba(ROWS)[:, 1])


@pytest.mark.parametrize(("estimator", "word"), REFUSED, ids=lambda one: _name(one))
def test_an_estimator_without_an_exact_form_is_refused_with_a_way_out(estimator, word):
    x = X.copy()
    x[:, 5] = np.abs(x[:, 5]).round()
    with pytest.raises(StageError, match=word):
        _convert.converted(estimator.fit(x, TWO), 2)


def test_several_targets_are_refused():
    both = np.stack([AMOUNT, AMOUNT], 1)
    for estimator in (
        linear_model.LinearRegression(),
        ensemble.RandomForestRegressor(2),
        neural_network.MLPRegressor(max_iter=1),
        MultiOutputRegressor(linear_model.Ridge()),
    ):
        with pytest.raises(StageError):
            _convert.converted(estimator.fit(X, both), 0)


def test_a_loss_with_another_scale_is_refused():
    estimator = ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=3)
    with pytest.raises(StageError, match="logarithm"):
        _convert.converted(estimator.fit(X, np.abs(AMOUNT)), 0)


def test_a_class_of_the_user_is_refused():
    class Own(linear_model.LogisticRegression):
        pass

    with pytest.raises(StageError, match="scikit-learn"):
        _convert.converted(Own().fit(X, TWO), 2)


def test_a_difference_is_found():
    estimator = linear_model.Ridge().fit(X, AMOUNT)
    found = _convert.converted(estimator, 0)
    estimator.intercept_ += 1e-6
    with pytest.raises(StageError, match="300 of 300 rows"):
        _convert.check_exact(estimator, found, X, None)
    other = linear_model.LogisticRegression(max_iter=20).fit(X, TWO)
    logits = _convert.converted(other, 2)
    with pytest.raises(StageError, match="differ"):
        labels = np.array([1, 0])
        _convert.check_exact(other, Converted(logits.steps, 2, "logits"), X, labels)


def test_a_large_forest_is_a_small_file(tmp_path):
    x, y = CHANCE.normal(size=(5000, 8)), CHANCE.integers(0, 2, 5000)
    forest = ensemble.RandomForestClassifier(100, max_leaf_nodes=1000, random_state=0)
    _exact(forest, x, y, x[:1], 2, tmp_path)
    assert (tmp_path / "a.npz").stat().st_size < 4_000_000
    made = archive.read(tmp_path / "a.npz")
    assert made.predict(x[:3]).tolist() == forest.predict_proba(x[:3]).tolist()
