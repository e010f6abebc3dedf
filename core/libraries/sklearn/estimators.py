"""What a fitted scikit-learn estimator says of its inputs and answers, in the names that its ONNX file will have."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.border.pickles import Global
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, first_line, refusing
from core.domain.runtime import Domain
from core.formats.skops import trusts
from core.libraries.sklearn import Estimator, Table, columns


def load_skops(path: Path, trusted: tuple[str, ...]) -> Estimator:
    """Load a skops file that holds nothing but types of skops' own list, of ``trusted``, and of the audit's rules. Raises Refused."""
    import skops.io

    with refusing("skops cannot load this file", "Save it again with skops.io.dump."):
        named = [name for name in skops.io.get_untrusted_types(file=path) if trusts(Global(*_parted(name)))]
        return skops.io.load(path, trusted=[*trusted, *named])


def _parted(name: str) -> tuple[str, str]:
    module, _, last = name.rpartition(".")
    return module, last


def load_pickle(path: Path) -> Estimator:
    """Load a pickle or joblib file, which runs its code: the owner has consented and the process is jailed."""
    import joblib
    from sklearn.exceptions import InconsistentVersionWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            return joblib.load(path)
    except Exception as error:
        cause = f"{type(error).__name__}: {first_line(error)[:250]}"
        raise Refused(
            f"The pickle does not load here: {cause}",
            "Save the model with skops, or with the library versions listed here.",
        ) from None


def check_fitted(model: Estimator) -> None:
    """Refuse what is no fitted estimator of scikit-learn's kind."""
    if not (hasattr(model, "predict") or hasattr(model, "transform")) or not hasattr(model, "get_params"):
        raise Refused(
            f"The file holds {type(model).__name__}, which is not an estimator.",
            "Save the fitted estimator or pipeline itself.",
        )
    with refusing("The estimator lacks parts that it is made with", "Fit it, and save it again."):
        model.get_params(deep=True)
    if isinstance(classes := getattr(model, "classes_", None), list):
        counts = " and ".join(str(len(one)) for one in classes)
        raise Refused(
            f"The classifier gives {len(classes)} answers at once, with {counts} classes; one answer is supported.",
            "Fit and save one classifier for each answer.",
        )
    if columns.width(model) is None:
        raise Refused("The estimator does not record how many columns it takes.", "Fit it, and save it again.")


def inputs(model: Estimator) -> tuple[TensorSpec, ...]:
    """Return one column per input when the estimator chooses columns by name, else one table ``X``.

    Raises Refused for text and numbers mixed in columns without names.
    """
    texts, names = columns.text_columns(model), getattr(model, "feature_names_in_", None)
    if names is not None and any(True for _ in columns.tables(model)):
        kinds = ["str" if place in texts else "float32" for place in range(len(names))]
        return tuple(TensorSpec(str(n), kind, ("batch", 1)) for n, kind in zip(names, kinds, strict=True))
    count = columns.width(model) or 0
    if texts and len(texts) < count:
        raise Refused(
            "Text and number columns are mixed and have no names.",
            "Fit the pipeline on a DataFrame, and save it again.",
        )
    return (TensorSpec("X", "str" if texts else "float32", ("batch", count)),)


def table_columns(model: Estimator) -> tuple[str, ...]:
    """Return the names of the columns of the one table, in order; nothing where they are inputs of their own or have no names."""
    names = getattr(model, "feature_names_in_", None)
    if names is None or [spec.name for spec in inputs(model)] != ["X"]:
        return ()
    return tuple(map(str, names))


def domains(model: Estimator) -> dict[str, Domain]:
    """Return the values that each input takes: categories of the encoders, else means and spreads that scalers or trees learned."""
    texts, count = columns.text_columns(model), columns.width(model) or 0
    means, spreads = columns.statistics(model, count)
    specs = inputs(model)
    if len(specs) == 1 and specs[0].name == "X":
        if texts:
            return {"X": Domain("choice", values=tuple(dict.fromkeys(v for values in texts.values() for v in values)))}
        return {"X": Domain(mean=tuple(means), spread=tuple(spreads))}
    return {
        spec.name: Domain("choice", values=texts[place])
        if place in texts
        else Domain(mean=means[place], spread=spreads[place])
        for place, spec in enumerate(specs)
    }


def frame(model: Estimator, arrays: dict[str, np.ndarray]) -> Table:
    """Build what ``predict`` is called with: numbers in float64 as a DataFrame or a table holds them."""
    if columns.sentences(model):
        return arrays["X"].reshape(-1).astype(object)
    specs, filled = inputs(model), bool(columns.text_imputers(model))
    if specs[0].name == "X" and len(specs) == 1:
        table = _cells(arrays["X"], filled)
        names = getattr(model, "feature_names_in_", None)
        return table if names is None else _data_frame({str(n): table[:, i] for i, n in enumerate(names)})
    return _data_frame({s.name: _cells(arrays[s.name].reshape(-1), filled) for s in specs})


def answers(model: Estimator, table: Table) -> dict[str, np.ndarray]:
    """Return the answers in the order of the ONNX file: label and probabilities, label and scores, or variable."""
    from sklearn.base import is_classifier, is_outlier_detector

    if is_classifier(model):
        return {"label": _labels(model.predict(table)), **_scores(model, table)}
    if is_outlier_detector(model):
        return {
            "label": _column(model.predict(table)).astype(np.int64),
            "scores": _column(model.decision_function(table)),
        }
    if hasattr(model, "predict") and hasattr(_last(model), "cluster_centers_"):
        scores = {"scores": np.asarray(model.transform(table), np.float32)} if hasattr(model, "transform") else {}
        return {"label": model.predict(table).astype(np.int64), **scores}
    call = model.predict if hasattr(model, "predict") else model.transform
    value = call(table)
    value = value.toarray() if hasattr(value, "toarray") else np.asarray(value)
    return {"variable": value.reshape(len(table), -1).astype(np.float32)}


def outputs(model: Estimator) -> tuple[TensorSpec, ...]:
    """Return the specs of ``answers``."""
    from sklearn.base import is_classifier, is_outlier_detector

    if is_classifier(model):
        kind = _labels(np.asarray(model.classes_)).dtype
        label = TensorSpec("label", "str" if kind.kind == "U" else str(kind), ("batch",))
        if not hasattr(model, "predict_proba") and not hasattr(model, "decision_function"):
            return (label,)
        name = "probabilities" if hasattr(model, "predict_proba") else "scores"
        return label, TensorSpec(name, "float32", ("batch", len(model.classes_)))
    if is_outlier_detector(model):
        return TensorSpec("label", "int64", ("batch", 1)), TensorSpec("scores", "float32", ("batch", 1))
    if hasattr(model, "predict") and hasattr(_last(model), "cluster_centers_"):
        label = TensorSpec("label", "int64", ("batch",))
        scores = TensorSpec("scores", "float32", ("batch", len(_last(model).cluster_centers_)))
        return (label, scores) if hasattr(model, "transform") else (label,)
    return (TensorSpec("variable", "float32", ("batch", None)),)


def _last(model: Estimator) -> Estimator:
    """Return the step that answers."""
    return getattr(model, "_final_estimator", model)


def _cells(array: np.ndarray, filled: bool) -> np.ndarray:
    """Return text as objects, where an empty one is missing if the model fills missing text, and numbers in float64."""
    if array.dtype.kind not in "UO":
        return array.astype(np.float64)
    cells = array.astype(object)
    return np.where(cells == "", np.nan, cells) if filled else cells


def _data_frame(cells: dict[str, np.ndarray]) -> Table:
    import pandas as pd

    return pd.DataFrame(cells)


def _labels(values: npt.ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind in "OU":
        return values.astype(np.str_)
    return values.astype(np.int64)


def _scores(model: Estimator, table: Table) -> dict[str, np.ndarray]:
    if hasattr(model, "predict_proba"):
        return {"probabilities": np.asarray(model.predict_proba(table), np.float32)}
    if not hasattr(model, "decision_function"):
        return {}
    scores = np.asarray(model.decision_function(table), np.float32)
    return {"scores": np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores}


def _column(values: npt.ArrayLike) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(-1, 1)
