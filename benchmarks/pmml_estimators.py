"""Every estimator of scikit-learn, fitted on small real data, to PMML: k of n convert and agree, k are refused with a reason, none is wrong.

JSON on stdout. The answers come from the stored file, read back by our own reader, on random and edge inputs and on the
data. ``python -m benchmarks.pmml_estimators --files FOLDER`` keeps files, inputs and answers for other engines.
"""

import inspect
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.base import is_regressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

from core.converters import CONVERTERS
from core.domain.errors import Refused
from core.domain.transform import NoOptions
from core.proof import parity, probes
from core.proof.datasets import Dataset
from core.runtimes import runtime_for

SETTINGS: dict[str, dict[str, Any]] = {
    "OneHotEncoder": {"handle_unknown": "ignore"},
    "OrdinalEncoder": {"handle_unknown": "use_encoded_value", "unknown_value": -1},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2])]},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler()), ("b", PCA(2))]},
    "Pipeline": {"steps": [("a", StandardScaler()), ("b", LogisticRegression())]},
    "RandomizedSearchCV": {
        "estimator": LogisticRegression(max_iter=500),
        "param_distributions": {"C": [1, 2]},
        "n_iter": 2,
    },
    "RANSACRegressor": {"estimator": Ridge(), "min_samples": 20, "random_state": 0},
    "GaussianRandomProjection": {"n_components": 2, "random_state": 0},
    "SparseRandomProjection": {"n_components": 2, "random_state": 0},
}
"""Settings without which an estimator has nothing to do, or refuses its own answers."""
STEP = CONVERTERS["skops_to_pmml"]


def built(kind: Any) -> Any:
    """Return an estimator with small settings, or raise what its constructor raises."""
    names = inspect.signature(kind).parameters
    given: dict[str, Any] = dict(SETTINGS.get(kind.__name__, {}))
    regressor = kind.__name__.endswith(("Regressor", "RegressorChain")) or "Regress" in kind.__name__
    if given:
        return kind(**given)
    if "estimators" in names:
        one = Ridge() if regressor else LogisticRegression(max_iter=500)
        given["estimators"] = [("a", one), ("b", type(one)(**one.get_params()))]
    elif "estimator" in names and kind.__name__ not in (
        "AdaBoostClassifier",
        "AdaBoostRegressor",
        "BaggingClassifier",
        "BaggingRegressor",
    ):
        given["estimator"] = Ridge() if regressor else LogisticRegression(max_iter=500)
    small = {"random_state": 0, "n_estimators": 10, "max_iter": 200, "voting": "soft", "param_grid": {}}
    iterative = "Iterative" in kind.__name__ or kind.__name__.startswith("Orthogonal")
    given |= {n: value for n, value in small.items() if n in names and not (n == "max_iter" and iterative)}
    return kind(**given)


def study(name: str, kind: Any, folder: Path) -> dict[str, Any]:
    """Fit, convert and compare one estimator."""
    iris, diabetes = load_iris(), load_diabetes()
    try:
        model = built(kind)
        rows, target = (diabetes.data, diabetes.target) if is_regressor(model) else (iris.data, iris.target)
        rows = np.abs(rows) if "NB" in name or "chi2" in name.lower() else rows
        model.fit(rows, target)
        source = folder / f"{name}.skops"
        skops.io.dump(model, source)
        session = runtime_for("skops").open(source, "skops")
        data = Dataset({"X": rows.astype(np.float32)}, None, len(rows))
        probes.record(session, 7, data, folder / f"{name}.npz")
    except (Exception, Refused) as error:
        return {"name": name, "result": "not fitted here", "reason": f"{type(error).__name__}: {str(error)[:160]}"}
    started = time.process_time()
    try:
        STEP.convert(source, folder / f"{name}.pmml", NoOptions())
        found = parity.compare(
            runtime_for("pmml").open(folder / f"{name}.pmml", "pmml"), folder / f"{name}.npz", STEP.tolerance, 7
        )
    except Refused as refused:
        return {"name": name, "result": "refused", "reason": f"{refused.message} {refused.next_step}"}
    except Exception as error:
        return {"name": name, "result": "accident", "reason": f"{type(error).__name__}: {str(error)[:200]}"}
    return {
        "name": name, "result": str(found.verdict), "max_abs": found.max_abs, "seconds": round(time.process_time() - started, 2),
        "bytes": (folder / f"{name}.pmml").stat().st_size, "reason": found.reason[:200],
    }  # fmt: skip


def main() -> None:
    """Print the table as JSON."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[sys.argv.index("--files") + 1]) if "--files" in sys.argv else Path(temporary)
        rows = [study(name, kind, folder) for name, kind in all_estimators()]
    counts = {
        result: sum(row["result"] == result for row in rows) for result in sorted({row["result"] for row in rows})
    }
    print(json.dumps({"n": len(rows), "counts": counts, "rows": rows}, indent=1, default=str))


if __name__ == "__main__":
    main()
