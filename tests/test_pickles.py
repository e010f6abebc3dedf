"""Pickles that would run code, in the ways known to us: each name is found, and nothing runs."""

import bz2
import collections
import gzip
import io
import lzma
import os
import pickle
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.border import pickles
from core.border.pickles import Global
from core.domain.errors import Refused


class Calls:
    """Pickles as a call."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call = (call, args)

    def __reduce__(self) -> Any:
        return self.call


SHELL = "touch canary"


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def stack_global(module: str, name: str) -> bytes:
    return short(module) + short(name) + b"\x93"


def call(module: str, name: str, *args: str) -> bytes:
    return stack_global(module, name) + b"(" + b"".join(map(short, args)) + b"tR"


def memoised() -> bytes:
    """Build the name from the memo, out of order."""
    return (
        b"\x80\x04"
        + short("system")
        + b"\x94"
        + short("posix")
        + b"\x94"
        + b"00"
        + b"h\x01h\x00\x93"
        + short(SHELL)
        + b"\x85R."
    )


def joblib_array(tail: bytes) -> bytes:
    """A joblib stream that goes on behind the bytes of its array."""
    import joblib

    out = io.BytesIO()
    joblib.dump([np.zeros(4), 1], out)
    data = out.getvalue()
    return data[:-1] + tail


def joblib_objects() -> bytes:
    """A joblib array of objects, whose elements lie in a nested pickle."""
    import joblib

    out = io.BytesIO()
    joblib.dump(np.array([Calls(os.system, SHELL), 1], dtype=object), out)
    return out.getvalue()


def joblib_inside_frame() -> bytes:
    """An array announced inside a frame: joblib reads its bytes behind the frame, a naive reader would pass over the call."""
    import joblib

    out = io.BytesIO()
    joblib.dump(np.zeros(8, np.uint8), out)
    data = out.getvalue()
    place = data.index(b"b", data.index(b"numpy_array_alignment_bytes"))
    head, payload = data[2 : place + 1], call("os", "system", SHELL) + b"."
    head = head[9:] if head[:1] == b"\x95" else head
    body = head + payload
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body + b"\x01\xff" + b"\0" * 8


GADGETS: dict[str, Callable[[], bytes]] = {
    "os.system": lambda: pickle.dumps(Calls(os.system, SHELL)),
    "subprocess": lambda: pickle.dumps(Calls(subprocess.check_call, ["touch", "canary"])),
    "eval": lambda: pickle.dumps(Calls(eval, "open('canary','w')")),
    "exec": lambda: pickle.dumps(Calls(exec, "open('canary','w')")),
    "open": lambda: pickle.dumps(Calls(open, "canary", "w")),
    "getattr": lambda: b"\x80\x04" + call("builtins", "getattr", "a", "b") + b".",
    "importlib": lambda: b"\x80\x04" + call("importlib", "import_module", "os") + b".",
    "runpy": lambda: b"\x80\x04" + call("runpy", "run_path", "x.py") + b".",
    "numpy helper": lambda: b"\x80\x04" + call("numpy.testing._private.utils", "runstring", "x") + b".",
    "numpy load": lambda: b"\x80\x04" + call("numpy", "load", "x") + b".",
    "torch load": lambda: b"\x80\x04" + call("torch", "load", "x") + b".",
    "joblib load": lambda: b"\x80\x04" + call("joblib", "load", "x") + b".",
    "sklearn's own import": lambda: b"\x80\x04" + call("sklearn.utils.validation", "Path", "x") + b".",
    "sklearn data": lambda: b"\x80\x04" + call("sklearn.datasets._base", "load_files", "/etc") + b".",
    "sklearn test": lambda: b"\x80\x04" + call("sklearn.utils._testing", "TempMemmap", "x") + b".",
    "joblib memory": lambda: b"\x80\x04" + call("sklearn.pipeline", "Memory", "x") + b".",
    "dotted name": lambda: b"\x80\x04" + call("sklearn.base", "os.system", SHELL) + b".",
    "class in a class": lambda: b"\x80\x04" + call("sklearn.pipeline", "Pipeline.fit", SHELL) + b".",
    "attrgetter": lambda: b"\x80\x04" + call("operator", "attrgetter", "system") + b".",
    "partial": lambda: b"\x80\x04" + call("functools", "partial", "x") + b".",
    "protocol 0 INST": lambda: b"(S'touch canary'\nios\nsystem\n.",
    "protocol 1 OBJ": lambda: b"(cos\nsystem\nU\x0ctouch canaryo.",
    "protocol 2 python 2 name": lambda: b"\x80\x02c__builtin__\neval\n(U\x011tR.",
    "old name of a module": lambda: b"\x80\x02ccommands\ngetoutput\n(U\x011tR.",
    "memo": memoised,
    "nested": lambda: pickle.dumps({"a": [1, (2, {"b": Calls(os.system, SHELL)})]}),
    "state": lambda: pickle.dumps(collections.OrderedDict(a=Calls(os.system, SHELL))),
    "two steps": lambda: b"\x80\x04" + call("builtins", "getattr", "a", "b") + b"(" + short(SHELL) + b"tR.",
    "pickle in pickle": lambda: b"\x80\x04" + call("pickle", "loads", "x") + b".",
    "extension": lambda: b"\x80\x04\x82\x01.",
    "zlib": lambda: zlib.compress(pickle.dumps(Calls(os.system, SHELL))),
    "gzip": lambda: gzip.compress(pickle.dumps(Calls(os.system, SHELL))),
    "bz2": lambda: bz2.compress(pickle.dumps(Calls(os.system, SHELL))),
    "xz": lambda: lzma.compress(pickle.dumps(Calls(os.system, SHELL))),
    "behind an array": lambda: joblib_array(call("os", "system", SHELL) + b"."),
    "in an array of objects": joblib_objects,
    "behind a frame": joblib_inside_frame,
    "changes a class": lambda: (
        b"\x80\x04" + stack_global("sklearn.pipeline", "Pipeline") + b"}" + short("fit") + short("x") + b"sb."
    ),
    "calls a result": lambda: b"\x80\x04" + call("builtins", "list") + b")R.",
    "computed name": lambda: b"\x80\x04" + call("builtins", "str", "os") + short("system") + b"\x93.",
    "persistent": lambda: b"\x80\x04" + short("key") + b"Q" + b".",
    "second pickle": lambda: pickle.dumps(collections.OrderedDict()) + pickle.dumps(Calls(os.system, SHELL)),
}


def names(data: bytes, path: Path) -> tuple[list[str], list[str]]:
    """Return the names off the list and the strange deeds of a pickle."""
    path.write_bytes(data)
    with pickles.open_pickle(path) as stream:
        trace = pickles.trace(stream)
    return [n.path for n in pickles.off_list(trace.globals.values(), pickles.sklearn_allows)], trace.strange


@pytest.mark.parametrize("kind", GADGETS)
def test_a_gadget_is_refused_by_the_format(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.formats.verdict import refused

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pkl"
    path.write_bytes(GADGETS[kind]())
    assert refused(path)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("os.system", "posix.system"),
        ("memo", "posix.system"),
        ("protocol 0 INST", "os.system"),
        ("old name of a module", "subprocess.getoutput"),
    ],
)
def test_the_name_is_told(kind: str, name: str, tmp_path: Path) -> None:
    assert names(GADGETS[kind](), tmp_path / "x")[0] == [name]


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"\x80",
        b"\x80\x04",
        b"\x80\x04.",
        b"\x80\x04h\x05.",
        b"\x80\x04}(\x8c\x01au.",
        b"\x80\x04\x8d" + b"\xff" * 8,
    ],
)
def test_a_broken_pickle_is_refused(tail: bytes, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        names(tail, tmp_path / "x")


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(zlib.compress(b"\x80\x04" + b"N0" * (100 << 20) + b"N.", 9))
    with pytest.raises(Refused), pickles.open_pickle(path) as stream:
        stream.skip(1 << 40)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_followed(protocol: int, tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    off, strange = names(pickle.dumps(model, protocol), tmp_path / "x")
    assert (off, strange) == ([], [])


def test_scikit_learn_names_are_those_that_it_defines() -> None:
    assert pickles.sklearn_allows(Global("sklearn.pipeline", "Pipeline"))
    assert not pickles.sklearn_allows(Global("sklearn.pipeline", "Bunch"))
    assert not pickles.sklearn_allows(Global("sklearn.pipeline", "clone"))
    assert not pickles.sklearn_allows(Global("sklearn.pipeline.x.y", "Pipeline"))


def test_sparse_torch_tensors_are_off_the_list() -> None:
    assert pickles.torch_allows(Global("torch._utils", "_rebuild_tensor_v2"))
    assert not pickles.torch_allows(Global("torch._utils", "_rebuild_sparse_tensor"))
