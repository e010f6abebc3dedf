"""A worker that loads whatever it is given with no care at all: the jail alone must hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.calls import self_test
from core.calls.call import Here
from core.doors import worker


def by_pickle(path: Path) -> None:
    """Unpickle."""
    import pickle

    with path.open("rb") as file:
        pickle.load(file)


def by_joblib(path: Path) -> None:
    """Unpickle, decompressing whatever is compressed."""
    import joblib

    joblib.load(path)


def by_checker(path: Path) -> None:
    """Run ONNX's checker."""
    import onnx

    onnx.checker.check_model(str(path), full_check=True)


def by_onnxruntime(path: Path) -> None:
    """Open a session."""
    import onnxruntime

    onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def by_torch(path: Path) -> None:
    """Load a checkpoint without a list of allowed names."""
    import torch

    torch.load(path, weights_only=False)


def by_export(path: Path) -> None:
    """Load an exported program."""
    import torch

    torch.export.load(str(path))


LOADERS: dict[str, Callable[[Path], None]] = {
    "pickle": by_pickle,
    "joblib": by_joblib,
    "checker": by_checker,
    "onnxruntime": by_onnxruntime,
    "torch": by_torch,
    "export": by_export,
}


def load(args: dict[str, Any], progress: Here) -> dict[str, Any]:
    """Load ``in/model`` and say how that ended; code in it runs, here, in the jail."""
    try:
        LOADERS[args["loader"]](Path("in/model"))
    except BaseException as error:
        return {"ended": type(error).__name__}
    return {"ended": "loaded"}


PRELOAD = {"light": ("numpy", "onnx", "onnxruntime", "joblib"), "torch": ("torch",), "bare": ()}

if __name__ == "__main__":
    worker.main({"load": load, "self_test": self_test.CALL.serve}, PRELOAD)
