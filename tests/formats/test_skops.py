"""skops files with names off the list, lying arrays and deep schemas; and fitted models of many kinds."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.formats import FORMATS
from core.formats.skops import TRUSTED
from tests.formats.honest import estimators
from tests.formats.verdict import refused

SKOPS = FORMATS["skops"]


def changed(source: Path, out: Path, change: Callable[[dict[str, Any]], Any], **members: bytes) -> Path:
    """Copy a file with its schema changed and members added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = old.read(info.filename)
            if info.filename == "schema.json":
                schema = json.loads(data)
                schema = change(schema) or schema
                data = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
            elif info.filename.endswith(".npy") and "array" in members:
                data = members["array"]
            new.writestr(info.filename, data)
    return out


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def hide(schema: dict[str, Any], part: Any) -> None:
    schema["content"]["content"]["hidden"] = part


EMPTY = node("DictNode", "builtins", "dict", content={}, key_types=node("ListNode", "builtins", "list", content=[]))

HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "os.system": lambda s: hide(s, node("FunctionNode", "os", "system")),
    "os.system as a type": lambda s: hide(s, node("TypeNode", "posix", "system")),
    "an object of a module": lambda s: hide(s, node("ObjectNode", "subprocess", "Popen", content=EMPTY)),
    "a method": lambda s: hide(s, node("MethodNode", "builtins", "str", content={"func": "format", "obj": EMPTY})),
    "a partial": lambda s: hide(s, node("PartialNode", "functools", "partial", content={})),
    "an operator": lambda s: hide(s, node("OperatorFuncNode", "operator", "methodcaller", attrs=EMPTY)),
    "a constructor": lambda s: hide(s, node("ConstructorFromReduceNode", "sklearn.tree._tree", "Tree")),
    "an unknown loader": lambda s: hide(s, node("JoblibNode", "sklearn.pipeline", "Pipeline", content="x")),
    "no loader": lambda s: hide(s, {"__class__": "system", "__module__": "os"}),
    "a name that scikit-learn imports": lambda s: hide(
        s, node("ObjectNode", "sklearn.pipeline", "Bunch", content=EMPTY)
    ),
    "a private class": lambda s: hide(s, node("ObjectNode", "sklearn.utils._testing", "TempMemmap", content=EMPTY)),
    "a numpy function of files": lambda s: hide(s, node("FunctionNode", "numpy", "load")),
    "a missing file": lambda s: hide(s, node("NdArrayNode", "numpy", "ndarray", type="numpy", file="../x.npy")),
    "a file of another kind": lambda s: hide(s, node("BytesNode", "builtins", "bytes", file="schema.json")),
    "a deep schema": lambda s: b"[" * 100_000 + b"]" * 100_000,
    "a nested schema": lambda s: json.dumps(s).encode()[:-1] + b',"x":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    "no schema": lambda s: b"null",
    "no object": lambda s: b"[]",
    "numbers for names": lambda s: hide(s, {"__loader__": "ObjectNode", "__module__": 1, "__class__": 2}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_schema_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(changed(honest["penguins.skops"], tmp_path / "m.skops", HOSTILE[kind]))


HEADER = b"\x93NUMPY\x01\x00"


def npy(text: str, data: bytes = b"") -> bytes:
    return HEADER + len(text).to_bytes(2, "little") + text.encode() + data


ARRAYS = {
    "empty": b"",
    "no array": b"x" * 50,
    "huge": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,)}"),
    "negative": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
    "objects": npy("{'descr': '|O8', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
    "objects in a record": npy("{'descr': [('a', '|O8')], 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
    "a call in the header": npy("__import__('os').system('touch canary')"),
    "a long header": HEADER + b"\xff\xff" + b" " * 65_535,
    "a cut header": npy("{'descr': '<f8', 'shape'"),
    "deep brackets": npy("(" * 5000),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_lying_array_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(changed(honest["penguins.skops"], tmp_path / "m.skops", lambda s: None, array=ARRAYS[kind]))


def test_fitted_models_of_many_kinds_are_taken_and_load_with_the_fixed_list(tmp_path: Path) -> None:
    import skops.io

    for name, model in estimators().items():
        path = tmp_path / f"{name}.skops"
        skops.io.dump(model, path)
        assert not refused(path), name
        loaded = skops.io.load(path, trusted=list(TRUSTED))
        assert type(loaded) is type(model)
        summary = SKOPS.inspect(path)
        width = getattr(model, "n_features_in_", None)
        columns = [spec for spec in summary.signature.inputs if spec.name != "X"]
        told = len(columns) or (summary.signature.inputs[0].shape or ())[-1]
        assert name == "texts" or told == width, name
        assert SKOPS.graph(path, tmp_path / "graph.onnx")


def test_the_summary_tells_columns_and_answers(honest: dict[str, Path]) -> None:
    for name in ("penguins.skops", "penguins.pkl", "penguins.joblib", "penguins-zlib.joblib"):
        summary = FORMATS["skops" if name.endswith("skops") else "pickle"].inspect(honest[name])
        inputs = [(spec.name, spec.dtype, spec.shape) for spec in summary.signature.inputs]
        assert inputs == [
            ("length", "float32", ("batch", 1)),
            ("width", "float32", ("batch", 1)),
            ("island", "str", ("batch", 1)),
        ]
        outputs = [(spec.name, spec.dtype, spec.shape) for spec in summary.signature.outputs]
        assert outputs == [("label", "str", ("batch",)), ("probabilities", "float32", ("batch", 2))]
        assert summary.operators is not None
        assert summary.operators["ColumnTransformer"] == 1
        assert summary.producer == "scikit-learn 1.9.0"
