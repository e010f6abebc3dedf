"""skops: fitted scikit-learn models as a JSON schema with arrays beside it; names are looked up, never unpickled."""

from collections.abc import Iterator
from pathlib import Path

from core.border import archives
from core.border.archives import Archive
from core.border.pickles import Global
from core.border.pickles.allowlists import (
    BOOSTED,
    COMPILED,
    NUMPY_FUNCTION,
    NUMPY_SCALAR,
    PLAIN,
    SPARSE,
    sklearn_defines,
)
from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import estimator, skops_tree
from core.formats.anatomy.findings import info, parse_json

MAX_SCHEMA = 64 << 20

_KERNELS = "CompoundKernel Sum Product Exponentiation ConstantKernel WhiteKernel RBF Matern RationalQuadratic ExpSineSquared DotProduct PairwiseKernel"
_SPLITS = (
    "KFold GroupKFold StratifiedKFold StratifiedGroupKFold TimeSeriesSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
    "GroupShuffleSplit StratifiedShuffleSplit PredefinedSplit LeaveOneOut LeavePOut LeaveOneGroupOut LeavePGroupsOut _CVIterableWrapper"
)
_DISTANCES = (
    "Euclidean SEuclidean Manhattan Chebyshev Minkowski Mahalanobis Hamming Canberra BrayCurtis Jaccard Dice Haversine RogersTanimoto "
    "RussellRao SokalSneath"
)
_CLASSIFICATION = "accuracy_score f1_score precision_score recall_score log_loss balanced_accuracy_score matthews_corrcoef jaccard_score brier_score_loss"
_REGRESSION = "r2_score mean_squared_error mean_absolute_error median_absolute_error root_mean_squared_error explained_variance_score max_error"

TRUSTED: tuple[str, ...] = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    *(f"sklearn._loss.loss.{n}" for n in ("HalfTweedieLoss", "HalfTweedieLossIdentity")),
    *(f"sklearn.calibration.{n}" for n in ("_CalibratedClassifier", "_SigmoidCalibration", "_TemperatureScaling")),
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    *(f"sklearn.gaussian_process.kernels.{n}" for n in _KERNELS.split()),
    "sklearn.impute._iterative.IterativeImputer",
    *(f"sklearn.linear_model._ridge.{n}" for n in ("_RidgeGCV", "_IdentityRegressor", "_IdentityClassifier")),
    *(f"sklearn.metrics._dist_metrics.{n}Distance{w}" for n in _DISTANCES.split() for w in ("", "64", "32")),
    *(f"sklearn.metrics._scorer.{n}" for n in ("_PassthroughScorer", "_Scorer", "_MultimetricScorer", "_CurveScorer")),
    *(f"sklearn.metrics._classification.{n}" for n in _CLASSIFICATION.split()),
    *(f"sklearn.metrics._regression.{n}" for n in _REGRESSION.split()),
    *("sklearn.metrics._ranking.roc_auc_score", "sklearn.metrics._ranking.average_precision_score"),
    *(f"sklearn.model_selection._split.{n}" for n in _SPLITS.split()),
    *(
        f"sklearn.model_selection._search_successive_halving.{n}"
        for n in ("HalvingGridSearchCV", "HalvingRandomSearchCV")
    ),
    *(
        f"sklearn.feature_selection._univariate_selection.{n}"
        for n in ("f_classif", "f_regression", "f_oneway", "chi2", "r_regression")
    ),
    *(f"sklearn.feature_selection._mutual_info.{n}" for n in ("mutual_info_classif", "mutual_info_regression")),
    "sklearn.multiclass._ConstantPredictor",
    *(
        f"sklearn.neighbors._{k}_tree.{n}"
        for k, t in (("kd", "KDTree"), ("ball", "BallTree"))
        for n in (t, t + "64", t + "32")
    ),
    *(f"sklearn.neural_network._stochastic_optimizers.{n}" for n in ("SGDOptimizer", "AdamOptimizer")),
    *("sklearn.utils._bunch.Bunch", "sklearn.utils._encode._nandict", "sklearn.utils._encode.MissingValues"),
    *(f"sklearn.utils._metadata_requests.{n}" for n in ("MetadataRequest", "MethodMetadataRequest")),
    "xgboost.core.Booster",
    *(f"xgboost.sklearn.XGB{n}" for n in ("Classifier", "Regressor", "Ranker", "RFClassifier", "RFRegressor")),
    "lightgbm.basic.Booster",
    *(f"lightgbm.sklearn.LGBM{n}" for n in ("Classifier", "Regressor", "Ranker")),
)
"""What is trusted beyond skops' own list of public estimators: parts of fitted models whose loading only sets values.

Trees are on it because the model is loaded in the sandbox alone, where a crafted tree can end its own process and nothing else.
"""

HELD = {"numpy.ndarray", "numpy.ma.MaskedArray", "numpy.random.mtrand.RandomState", "numpy.random._generator.Generator"}
TRANSFORMS = {
    f"scipy.special._ufuncs.{n}"
    for n in ("expit", "logit", "log1p", "expm1", "exp2", "exp10", "cbrt", "log_ndtr", "ndtr")
}


class Skops(Format):
    """A zip of ``schema.json`` and arrays; declarative with a fixed list of trusted types."""

    title = "scikit-learn (skops)"
    sentence = "A fitted scikit-learn model or pipeline without pickle: safe to open with a fixed list of types."
    suffixes = (".skops",)
    runs_in = Surroundings.PYTHON

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip is a schema with arrays."""
        return "schema.json" in names

    def check(self, path: Path) -> Iterator[Risk]:
        """Check each type in the schema against the list, and each array against its size."""
        with archives.walk(path) as archive:
            schema = _schema(archive)
            if not isinstance(schema, dict) or "__loader__" not in schema:
                yield Risk(
                    "refuse", "The schema describes no object.", next_step="Save the model again with skops.io.dump."
                )
                return
            skops_tree.check(archive, schema, trusts)
            if not estimator.signature(skops_tree.tree(archive, schema)).inputs:
                yield info("The file has no estimator at its top level.")

    def inspect(self, path: Path) -> Summary:
        """Read the fitted model from the schema, with nothing imported."""
        with archives.walk(path) as archive:
            return estimator.summary(self.id, skops_tree.tree(archive, _schema(archive)))

    def graph(self, path: Path, out: Path) -> bool:
        """Write the estimators as a chain, for drawing."""
        from core.formats.anatomy.estimator_view import drawing

        with archives.walk(path) as archive:
            out.write_bytes(drawing(skops_tree.tree(archive, _schema(archive))))
        return True


def trusts(name: Global) -> bool:
    """Say whether a type in a schema is trusted here, or by skops' own list of public estimators."""
    path = name.path
    if path in TRUSTED or path in PLAIN or path in HELD or path in TRANSFORMS:
        return True
    if any(rule.fullmatch(path) for rule in (NUMPY_SCALAR, NUMPY_FUNCTION, SPARSE, BOOSTED, COMPILED)):
        return True
    return name.name[:1].isupper() and sklearn_defines(name)


def _schema(archive: Archive) -> object:
    return parse_json(archive.read("schema.json", MAX_SCHEMA), "The schema")


FORMAT = Skops()
