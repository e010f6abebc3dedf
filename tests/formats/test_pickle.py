"""Pickled models of many kinds: taken with consent, whichever way they are written."""

import pickle
from pathlib import Path

import joblib

from core.formats import FORMATS
from tests.formats.honest import estimators
from tests.formats.verdict import refused

PICKLE = FORMATS["pickle"]


def test_fitted_models_of_many_kinds_need_consent_and_nothing_else(tmp_path: Path) -> None:
    for name, model in estimators().items():
        (tmp_path / "plain.pkl").write_bytes(pickle.dumps(model))
        (tmp_path / "old.pkl").write_bytes(pickle.dumps(model, 2))
        joblib.dump(model, tmp_path / "raw.joblib")
        joblib.dump(model, tmp_path / "packed.joblib", compress=("gzip", 3))
        for path in tmp_path.glob("*.*"):
            assert not refused(path), f"{name} {path.name} {refused(path)}"
            assert [risk.level for risk in PICKLE.audit(path)] == ["consent"]
            assert PICKLE.inspect(path).operators, name


def test_consent_is_asked_with_the_number_of_names(honest: dict[str, Path]) -> None:
    (risk,) = PICKLE.audit(honest["penguins.pkl"])
    assert "program" in risk.what
    assert "names" in risk.where
    assert PICKLE.code_bearing


def test_plain_values_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"a": 1}))
    assert "not a model" in refused(tmp_path / "x.pkl")


def test_a_function_of_the_owner_is_named(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer

    (tmp_path / "x.pkl").write_bytes(pickle.dumps(FunctionTransformer(estimators)))
    assert "tests.formats.honest.estimators" in refused(tmp_path / "x.pkl")
