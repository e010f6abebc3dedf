"""Pickled models of many kinds: taken with consent, whichever way they are written."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

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


def test_what_lightgbm_learned_is_told(tmp_path: Path) -> None:
    from lightgbm import LGBMClassifier

    rows = np.random.default_rng(0).normal(size=(90, 4))
    joblib.dump(
        LGBMClassifier(n_estimators=2, verbose=-1).fit(rows, np.array(["a", "b", "c"] * 30)), tmp_path / "m.joblib"
    )
    sides = PICKLE.inspect(tmp_path / "m.joblib").signature
    assert sides.inputs[0].shape == ("batch", 4)
    assert [(spec.dtype, spec.shape) for spec in sides.outputs] == [("str", ("batch",)), ("float32", ("batch", 3))]


OLD_TEXT = b"S'caf\\xe9 \xe9'\n"
"""Text as Python 2 wrote it: an escape, and a byte that is no ASCII."""


def test_a_sound_old_pickle_is_told_from_a_broken_one(tmp_path: Path) -> None:
    """Names as scikit-learn 0.19 and its own copy of joblib had them, text as Python 2 wrote it, and an array between."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    joblib.dump(model, tmp_path / "m.joblib")
    data = (tmp_path / "m.joblib").read_bytes()
    for now, then in (
        (b"sklearn.linear_model._logistic", b"sklearn.linear_model.logistic"),
        (b"joblib.numpy_pickle", b"sklearn.externals.joblib.numpy_pickle"),
        (sklearn.__version__.encode(), b"0.19.1"),
    ):
        data = renamed(data, now, then)
    (tmp_path / "old.pkl").write_bytes(data)
    words = refused(tmp_path / "old.pkl")
    assert "sound" in words
    assert "scikit-learn 0.19.1" in words
    assert "sklearn.linear_model.logistic.LogisticRegression" in words
    assert "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper" in words
    (tmp_path / "cut.pkl").write_bytes(data[:-40])
    assert "broken or cut off" in refused(tmp_path / "cut.pkl")


def test_text_of_python_2_is_followed(tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(
        b"ccopy_reg\n_reconstructor\n(csklearn.svm.classes\nSVC\nc__builtin__\nobject\nNtR(dS'kernel'\n"
        + OLD_TEXT
        + b"sb."
    )
    words = refused(tmp_path / "old.pkl")
    assert "another, probably much older scikit-learn" in words
    assert "sklearn.svm.classes.SVC" in words


def test_arrays_in_files_of_their_own_are_told(tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(
        b"\x80\x02csklearn.cluster.k_means_\nKMeans\n)\x81}U\x10cluster_centers_csklearn.externals.joblib.numpy_pickle\n"
        b"NDArrayWrapper\n)\x81}U\x08filenameU\x10model.pkl_01.npysbsb."
    )
    assert ".npy" in refused(tmp_path / "old.pkl")


def test_a_name_that_scikit_learn_never_had_a_reason_to_hold_is_no_old_name(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"csklearn.datasets\nfetch_openml\n(S'x'\ntR.")
    assert "no scikit-learn model needs" in refused(tmp_path / "x.pkl")
    (tmp_path / "y.pkl").write_bytes(b"csklearn.svm.classes\nSVC\n)\x81cos\nsystem\n(S'x'\ntR0.")
    words = refused(tmp_path / "y.pkl")
    assert "posix.system" in words or "os.system" in words


def renamed(data: bytes, now: bytes, then: bytes) -> bytes:
    """Rename in a pickle of protocol 4, where one byte before a text holds its length; frames are as long as they were."""
    return data.replace(bytes([len(now)]) + now, bytes([len(then)]) + then)
