"""Which names a pickle may import: torch's for weights, and scikit-learn's, NumPy's and boosted trees' for fitted models.

A scikit-learn class must be *defined* in the module that the pickle names, in the scikit-learn installed here: a module
also holds what it imports itself, and through such a name a pickle could reach further. The source text is read, not run.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from core.border.pickles.values import Global

PLAIN = {
    *(
        f"builtins.{n}"
        for n in [
            "object",
            "list",
            "dict",
            "set",
            "frozenset",
            "tuple",
            "int",
            "float",
            "complex",
            "bool",
            "bytes",
            "bytearray",
            "slice",
            "range",
            "str",
        ]
    ),
    *("collections.OrderedDict", "collections.defaultdict", "collections.Counter", "collections.deque"),
    *("_codecs.encode", "copyreg._reconstructor"),
}

NUMPY = {
    *(
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.ma.MaskedArray",
        "numpy.ma.core.MaskedArray",
        "numpy.ma.core._mareconstruct",
    ),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
    *(f"numpy.random._pickle.{name}" for name in ("__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor")),
    *(f"numpy.random.bit_generator.{name}" for name in ("SeedSequence", "__pyx_unpickle_SeedSequence")),
    *("numpy.random._mt19937.MT19937", "numpy.random._pcg64.PCG64", "numpy.random._pcg64.PCG64DXSM"),
    *(
        "numpy.random._philox.Philox",
        "numpy.random._sfc64.SFC64",
        "numpy.random.mtrand.RandomState",
        "numpy.random._generator.Generator",
    ),
}
NUMPY_SCALAR = re.compile(
    r"numpy\.(bool_?|u?int(8|16|32|64|p|c)?|(u?long){1,2}|float(16|32|64)|longdouble|complex(64|128)|str_|bytes_|object_|datetime64|timedelta64)"
)
NUMPY_FUNCTION = re.compile(
    r"numpy\.(absolute|abs|arctan|cbrt|ceil|clip|cos|degrees|exp|exp2|expm1|fabs|floor|log|log10|log1p|log2|maximum|minimum|negative"
    r"|positive|radians|reciprocal|rint|round|sign|sin|sqrt|square|tan|tanh|trunc|nan_to_num|mean|median|sum|max|min|std|var)"
)
SPARSE = re.compile(r"scipy\.sparse\.(_?(csr|csc|coo|bsr|dia|dok|lil)\.)?(csr|csc|coo|bsr|dia|dok|lil)_(matrix|array)")
BOOSTED = re.compile(
    r"xgboost\.core\.Booster|xgboost\.sklearn\.XGB(Model|Classifier|Regressor|Ranker|RFClassifier|RFRegressor)"
    r"|lightgbm\.basic\.Booster|lightgbm\.sklearn\.LGBM(Model|Classifier|Regressor|Ranker)"
)
COMPILED = re.compile(
    r"sklearn\.tree\._tree\.Tree"
    r"|sklearn\.neighbors\._(kd|ball)_tree\.((KD|Ball)Tree(32|64)?|BinaryTree(32|64)?|newObj)"
    r"|sklearn\.metrics\._dist_metrics\.([A-Z]\w+Distance(32|64)?|DistanceMetric(32|64)?|newObj)"
    r"|sklearn\._loss\._loss\.(Cy[A-Z]\w+|__pyx_unpickle_Cy[A-Z]\w+)"
    r"|sklearn\.linear_model\._sgd_fast\.(Hinge|SquaredHinge|ModifiedHuber|EpsilonInsensitive|SquaredEpsilonInsensitive|Huber|Log|SquaredLoss)"
)
SCORES = re.compile(r"sklearn\.metrics\._(classification|ranking|regression)")
OUTSIDE = {
    "tests",
    "datasets",
    "externals",
    "conftest",
    "_build_utils",
    "experimental",
    "callback",
    "inspection",
    "_plot",
}
UTILS = {"_bunch", "_encode", "_metadata_requests", "_tags"}
"""Of scikit-learn's own tools, those whose objects lie in fitted models."""
MODULE = re.compile(r"sklearn(\.[A-Za-z_][A-Za-z0-9_]*){1,6}")
CLASS = re.compile(r"_{0,2}[A-Z][A-Za-z0-9_]*")
FUNCTION = re.compile(r"[a-z][a-z0-9_]*")

TORCH_CALLS = {
    *(
        f"torch._utils._rebuild_{n}"
        for n in ("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor")
    ),
    *("torch._tensor._rebuild_from_type_v2", "torch.serialization._get_layout"),
    *("torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter"),
}
TORCH_KIND = re.compile(
    r"torch\.(Double|Float|Half|BFloat16|Long|Int|Short|Char|Byte|Bool|ComplexFloat|ComplexDouble|QInt8|QUInt8|QInt32)Storage"
    r"|torch\.storage\.(UntypedStorage|TypedStorage)"
    r"|torch\.(float(16|32|64)|double|half|bfloat16|u?int[1-9][0-9]?|long|short|bool|complex(32|64|128)|float8_\w{2,12}|q(u?int8|int32))"
    r"|torch\.(per_tensor_affine|per_tensor_symmetric|per_channel_affine|per_channel_symmetric)"
)
CHECKPOINT_BUILTINS = {
    "builtins.set",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.dict",
    "builtins.list",
    "builtins.tuple",
}


def off_list(found: Iterable[Global], allows: Callable[[Global], bool]) -> tuple[Global, ...]:
    """Return the names that a list does not hold, in order."""
    return tuple(name for name in found if not allows(name))


def torch_allows(name: Global) -> bool:
    """Say whether a name belongs to plain tensors and the containers around them.

    Sparse tensors are left out: a bad index in one ends the process later on.
    """
    path = name.path
    if path in TORCH_CALLS or TORCH_KIND.fullmatch(path) or path in CHECKPOINT_BUILTINS:
        return True
    return path in (
        "collections.OrderedDict",
        "collections.Counter",
        "collections.defaultdict",
        "_codecs.encode",
    ) or _numpy(path)


def sklearn_allows(name: Global) -> bool:
    """Say whether a name belongs to a fitted scikit-learn, XGBoost or LightGBM model."""
    path = name.path
    if (
        path in PLAIN
        or path == "joblib.numpy_pickle.NumpyArrayWrapper"
        or _numpy(path)
        or NUMPY_FUNCTION.fullmatch(path)
    ):
        return True
    return bool(SPARSE.fullmatch(path) or BOOSTED.fullmatch(path) or COMPILED.fullmatch(path)) or sklearn_defines(name)


def sklearn_defines(name: Global) -> bool:
    """Say whether the installed scikit-learn defines this class, or this score, in this very module."""
    parts = name.module.split(".")
    if not MODULE.fullmatch(name.module) or OUTSIDE & set(parts) or (parts[1] == "utils" and parts[-1] not in UTILS):
        return False
    if CLASS.fullmatch(name.name):
        return name.name in _defined(name.module, "class")
    return bool(SCORES.fullmatch(name.module) and FUNCTION.fullmatch(name.name)) and name.name in _defined(
        name.module, "def"
    )


def sklearn_lost(name: Global) -> bool:
    """Say whether a name is one of scikit-learn's that the release installed here does not have, or not in that place."""
    if not (MODULE.fullmatch(name.module) and CLASS.fullmatch(name.name.lstrip("_") or "_")):
        return False
    place = _place(name.module)
    if place is None or any(place.parent.glob(f"{place.name}.*.so")):
        return False
    return name.name not in _defined(name.module, "class")


def _numpy(path: str) -> bool:
    return path in NUMPY or bool(NUMPY_SCALAR.fullmatch(path))


@cache
def _defined(module: str, keyword: str) -> frozenset[str]:
    """Read which names a module of scikit-learn defines at its top level."""
    place = _place(module)
    if place is None:
        return frozenset()
    source = place.with_suffix(".py") if not place.is_dir() else place / "__init__.py"
    if not source.is_file():
        return frozenset()
    return frozenset(re.findall(rf"^{keyword} (\w+)\b", source.read_text(encoding="utf-8"), re.MULTILINE))


def _place(module: str) -> Path | None:
    """Return where a module of scikit-learn lies here, or would lie, without its suffix; None where scikit-learn is not installed."""
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]).joinpath(*module.split(".")[1:])
