"""Estimators that skl2onnx does not write, or writes with other answers, go the whole way to a PASS; the rest is refused by name."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_diabetes, load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

from benchmarks import estimators, fitted
from core.converters import CONVERTERS
from core.domain.errors import Refused
from core.domain.report import Parity, Verdict
from core.domain.transform import parse_options
from core.libraries.sklearn import kept_samples
from core.libraries.sklearn.estimators import check_fitted
from core.proof import parity, probes
from core.runtimes import runtime_for
from tests.formats.honest import pipeline

PROVEN = [
    "AdditiveChi2Sampler", "FactorAnalysis", "FixedThresholdClassifier", "KernelRidge", "LabelSpreading", "MeanShift",
    "NearestCentroid", "NuSVR", "PLSRegression", "QuadraticDiscriminantAnalysis", "RFECV", "SelectKBest", "SparsePCA", "SparseRandomProjection",
    "SVR", "VotingRegressor", "bins", "clusters, unscaled", "forest behind a robust scaler", "imputer that tells gaps", "logarithms", "norms, largest", "one-hot, rare together", "power, box-cox", "quantiles, uniform",
    "target encoder", "text imputer", "voting, hard", "voting, soft, weighted", "word pairs", "words",
]  # fmt: skip


@pytest.mark.parametrize("name", PROVEN)
def test_an_estimator_is_converted_and_proven(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = estimators.ours(fitted.case(name))["onnx"]
    assert found["result"] == "PASS", found


def test_an_estimator_that_always_answers_the_same_is_not_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = estimators.ours(fitted.case("DummyClassifier"))["onnx"]
    assert found["result"] == "NOT PROVEN", found
    assert "Every answer is the same number" in found["reason"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("NMF", "NMF"),
        ("RegressorChain", "RegressorChain"),
        ("quantiles, normal", "normal"),
        ("HashingVectorizer", "columns"),
    ],
)
def test_what_has_no_form_is_refused_by_name(
    name: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = estimators.ours(fitted.case(name))["onnx"]
    assert found["result"] == "refused"
    assert word in found["reason"]
    assert found["next"].endswith(".")


def test_a_row_of_the_study_holds_every_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    row = estimators.outcome("GaussianNB")
    row["plain"] = estimators.plain("GaussianNB", row["folder"])
    assert all(estimators.counts([row], side) == {"PASS": 1} for side in estimators.SIDES)


def test_every_step_without_a_form_is_named_at_once(tmp_path: Path) -> None:
    import skops.io
    from sklearn.decomposition import NMF, LatentDirichletAllocation
    from sklearn.pipeline import make_pipeline

    samples = fitted.case("TfidfTransformer").samples
    skops.io.dump(make_pipeline(NMF(3, max_iter=2000), LatentDirichletAllocation(2)).fit(samples), tmp_path / "m.skops")
    converter = CONVERTERS["skops_to_onnx"]
    with pytest.raises(Refused, match="NMF, LatentDirichletAllocation"):
        converter.convert(tmp_path / "m.skops", tmp_path / "m.onnx", converter.Options())


def test_naive_bayes_is_right_far_along_the_border_of_two_classes(tmp_path: Path) -> None:
    """There the squares are large and their difference small, which float32 loses."""
    import skops.io
    from sklearn.naive_bayes import GaussianNB

    x = np.random.default_rng(0).normal(size=(400, 2))
    model = GaussianNB().fit(x, np.repeat([0, 1], 200))
    model.theta_, model.var_ = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.ones((2, 2))
    skops.io.dump(model, tmp_path / "m.skops")
    converter = CONVERTERS["skops_to_onnx"]
    converter.convert(tmp_path / "m.skops", tmp_path / "m.onnx", converter.Options())
    session = runtime_for("onnx").open(tmp_path / "m.onnx", "onnx")
    far = np.array([[0.01, y] for y in (1e3, 1e4, 3e4)], np.float32)
    given = list(session.run({session.signature.inputs[0].name: far}).values())[1]
    assert np.allclose(given, model.predict_proba(far), atol=1e-6)


@pytest.mark.parametrize("kind", ["KMeans", "NearestCentroid"])
def test_the_nearest_centre_far_away_is_that_of_scikit_learn(kind: str, tmp_path: Path) -> None:
    """There the square of a sample is so large that differences of distances are lost in it, where it is added."""
    import skops.io
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestCentroid

    x = np.random.default_rng(0).normal(size=(200, 2)) + np.repeat([[-3.0, 0.0], [3.0, 0.0]], 100, axis=0)
    model = KMeans(2, n_init=1, random_state=0) if kind == "KMeans" else NearestCentroid()
    model.fit(x, np.repeat([0, 1], 100))
    centres = np.array([[-3.0, 0.0], [3.0, 0.0]])
    setattr(model, "cluster_centers_" if kind == "KMeans" else "centroids_", centres)
    skops.io.dump(model, tmp_path / "m.skops")
    converter = CONVERTERS["skops_to_onnx"]
    converter.convert(tmp_path / "m.skops", tmp_path / "m.onnx", converter.Options())
    session = runtime_for("onnx").open(tmp_path / "m.onnx", "onnx")
    far = np.array([[side, 2.0**34] for side in (-200, -50, 50, 200)], np.float32)
    label = next(iter(session.run({session.signature.inputs[0].name: far}).values()))
    assert label.tolist() == model.predict(far.astype(np.float64)).tolist()


def asked(model: object, x: np.ndarray, folder: Path) -> list[np.ndarray]:
    """Convert an estimator, and return what the result answers."""
    import skops.io

    skops.io.dump(model, folder / "m.skops")
    converter = CONVERTERS["skops_to_onnx"]
    converter.convert(folder / "m.skops", folder / "m.onnx", converter.Options())
    session = runtime_for("onnx").open(folder / "m.onnx", "onnx")
    return list(session.run({session.signature.inputs[0].name: x}).values())


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_discriminants_answer_with_their_own_probabilities(classes: int, tmp_path: Path) -> None:
    """Of two classes, skl2onnx takes the one score twice."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x = np.random.default_rng(0).normal(size=(300, 3)) + np.array([0, 10, -300])
    model = LinearDiscriminantAnalysis().fit(x, np.arange(300) * classes // 300)
    label, given = asked(model, x.astype(np.float32), tmp_path)
    assert np.allclose(given, model.predict_proba(x), atol=1e-4)
    assert (label == model.predict(x)).mean() > 0.99


def test_a_discriminant_is_asked_where_its_classes_lie() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    from core.libraries.sklearn import columns

    x = np.random.default_rng(0).normal(size=(300, 2)) + np.array([0, -300])
    means, _ = columns.statistics(LinearDiscriminantAnalysis().fit(x, np.arange(300) % 2), 2)
    assert abs(means[1] + 300) < 1


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("classifies", [False, True])
def test_the_nearest_neighbour_far_away_is_that_of_scikit_learn(weights: str, classifies: bool, tmp_path: Path) -> None:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    rng = np.random.default_rng(0)
    x, far = rng.normal(size=(200, 3)), (1e4 * rng.normal(size=(300, 3))).astype(np.float32)
    kind = KNeighborsClassifier if classifies else KNeighborsRegressor
    model = kind(1, weights=weights).fit(x, np.arange(200) % 7 if classifies else np.arange(200.0))
    answers = asked(model, far, tmp_path)
    assert np.allclose(answers[0].reshape(-1), model.predict(far.astype(np.float64)), rtol=1e-6)
    assert all(answer.dtype in (np.int64, np.float32) for answer in answers)


@pytest.mark.parametrize("classifies", [True, False])
def test_neighbours_weigh_by_their_distance(classifies: bool, tmp_path: Path) -> None:
    """On samples that are kept too, of which each counts alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    asked_for = np.concatenate([x[:20], rng.normal(size=(50, 3)).astype(np.float32)])
    kind = KNeighborsClassifier if classifies else KNeighborsRegressor
    model = kind(5, weights="distance").fit(x, np.arange(200) % 3 if classifies else rng.normal(size=200))
    answers = asked(model, asked_for, tmp_path)
    right = model.predict_proba(asked_for) if classifies else model.predict(asked_for)
    np.testing.assert_allclose(answers[-1].reshape(right.shape), right, atol=1e-5)


def test_numbers_between_two_steps_stay_in_float64(tmp_path: Path) -> None:
    """A discriminant that weighs small differences heavily sees what float32 would round off."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.default_rng(0).normal(size=(300, 2))
    model = make_pipeline(StandardScaler(with_mean=False), LinearDiscriminantAnalysis()).fit(x, np.arange(300) % 2)
    model[0].scale_, model[1].coef_, model[1].intercept_ = np.ones(2) * 3, np.array([[3e5, -3e5]]), np.array([0.1])
    near = np.float32(1.7) + np.array([[0.0, 0.0], [1.2e-7, 0.0], [0.0, 1.2e-7]], np.float32)
    _, given = asked(model, near, tmp_path)
    assert np.allclose(given, model.predict_proba(near.astype(np.float64)), atol=1e-4)


def held(model: object, folder: Path) -> Parity:
    """Convert an estimator to ONNX and compare without data."""
    source, made = folder / "model.skops", folder / "model.onnx"
    skops.io.dump(model, source)
    converter = CONVERTERS["skops_to_onnx"]
    converter.convert(source, made, parse_options(converter.Options, {}))
    probes.record(runtime_for("skops").open(source, "skops"), 7, None, folder / "golden.npz", "")
    return parity.compare(runtime_for("onnx").open(made, "onnx"), folder / "golden.npz", converter.tolerance, 7)


@pytest.mark.parametrize("steps", [[], [StandardScaler()], [MinMaxScaler(), StandardScaler()]], ids=len)
def test_samples_that_a_model_keeps_are_asked(steps: list[object], tmp_path: Path) -> None:
    model = make_pipeline(*steps, KNeighborsClassifier()).fit(*load_iris(return_X_y=True))
    found = held(model, tmp_path)
    assert found.verdict is Verdict.PASS, found.reason
    assert "128 samples 'stored samples'" in found.reason


def doubled(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1,000 samples, of which so many at middle distance stand at the end again with another answer, and their answers."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 3)).astype(np.float32)
    x = x[np.argsort(np.linalg.norm(x, axis=1))]
    x[1000 - count :] = x[500 : 500 + count]
    return x, rng.normal(size=1000)


def test_a_result_that_answers_otherwise_on_kept_samples_is_not_proven(tmp_path: Path) -> None:
    """Of two at the same distance, scikit-learn takes now the one and now the other."""
    found = held(KNeighborsRegressor(1).fit(*doubled(3)), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN, found.reason
    assert "never are the very samples that the model learned from" in found.reason


def test_of_many_kept_samples_those_with_an_equal_one_are_asked_first() -> None:
    """An even choice of 128 of a thousand leaves most of them out."""
    x, y = doubled(8)
    asked_first = kept_samples.raw(KNeighborsRegressor(1).fit(x, y), 3)[:16].astype(np.float32)
    assert {tuple(row) for row in asked_first} == {tuple(row) for row in x[-8:]}


def test_equal_samples_with_other_answers_behind_steps_that_cannot_be_taken_back_are_told(tmp_path: Path) -> None:
    told = held(make_pipeline(Normalizer(), KNeighborsRegressor(1)).fit(*doubled(3)), tmp_path)
    assert told.verdict is Verdict.NOT_PROVEN, told.reason
    assert "keeps 6 of its 1000 samples more than once with other answers" in told.reason
    few = held(make_pipeline(Normalizer(), KNeighborsRegressor(2)).fit(*doubled(3)), tmp_path)
    assert few.verdict is Verdict.PASS, few.reason


def test_kept_samples_are_where_the_answers_of_a_narrow_process_vary(tmp_path: Path) -> None:
    """On all others, far from each of them, it answers the same number."""
    x, y = load_diabetes(return_X_y=True)
    found = held(GaussianProcessRegressor(RBF(1e-5), optimizer=None).fit(x[:200], y[:200]), tmp_path)
    assert found.verdict is Verdict.PASS, found.reason


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbours_answer_several_numbers(weights: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)).astype(np.float32), rng.normal(size=(100, 2))
    model = KNeighborsRegressor(4, weights=weights).fit(x, y)
    wanted = rng.normal(size=(30, 3)).astype(np.float32)
    (answer,) = asked(model, wanted, tmp_path)
    np.testing.assert_allclose(answer, model.predict(wanted), atol=1e-5)


@pytest.mark.parametrize("strategy", ["mean", "constant"])
def test_gaps_that_are_filled_and_told_are_columns_of_the_result(strategy: str, tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    x[::7, 1] = np.nan
    model = make_pipeline(SimpleImputer(strategy=strategy, add_indicator=True), LogisticRegression(max_iter=500))
    model.fit(x, y)
    _, shares = asked(model, x[:40].astype(np.float32), tmp_path)
    np.testing.assert_allclose(shares, model.predict_proba(x[:40].astype(np.float32)), atol=1e-5)


def test_an_estimator_that_lacks_what_it_is_made_with_is_refused() -> None:
    model = pipeline()
    check_fitted(model)
    del model.named_steps["split"].transformers
    with pytest.raises(Refused, match="lacks parts"):
        check_fitted(model)
