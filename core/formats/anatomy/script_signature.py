"""The inputs of a TorchScript file that this program wrote: TorchScript keeps no shapes, so they lie beside it as JSON."""

from core.border.archives import Archive
from core.domain.artifact import Signature
from core.domain.codec import decode
from core.domain.errors import Refused
from core.formats.anatomy.findings import JsonObject, parse_json

MEMBER = "portolan_signature.json"
MAX_BYTES = 1 << 20
MAX_SPECS, MAX_DIMS, MAX_NAME = 256, 16, 200
DTYPES = {"float16", "float32", "float64", "bfloat16", "bool"}
DTYPES |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def read(archive: Archive, top: str) -> Signature | None:
    """Return the signature beside a script, or None where there is none or it is not one."""
    name = f"{top}/extra/{MEMBER}"
    if name not in archive.members:
        return None
    try:
        value = parse_json(archive.read(name, MAX_BYTES), "The signature")
        return decode(Signature, value) if _holds(value) else None
    except (Refused, KeyError, TypeError, ValueError):
        return None


def _holds(value: JsonObject) -> bool:
    specs = [*value["inputs"], *value["outputs"]]
    return len(specs) <= MAX_SPECS and all(_is_spec(spec) for spec in specs)


def _is_spec(spec: JsonObject) -> bool:
    name, dtype, shape = spec["name"], spec["dtype"], spec["shape"]
    if not isinstance(name, str) or len(name) > MAX_NAME or dtype not in DTYPES:
        return False
    return shape is None or (len(shape) <= MAX_DIMS and all(_is_dim(dim) for dim in shape))


def _is_dim(dim: object) -> bool:
    if isinstance(dim, str):
        return len(dim) <= MAX_NAME
    return dim is None or (type(dim) is int and 0 <= dim < 2**31)
