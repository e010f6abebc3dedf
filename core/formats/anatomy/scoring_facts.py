"""What a generated source file tells of its inputs and answers, checked before anybody believes it."""

from core.domain.errors import Refused
from core.domain.format import Summary
from core.formats.anatomy.findings import JsonObject
from core.scoring import signature

DTYPES = ("double", "float", "integer", "string")


def checked(told: object) -> JsonObject:
    """Return the description of inputs and answers. Raises Refused when it is none."""
    if not isinstance(told, dict) or set(told) != {"inputs", "answers"} or not (_inputs(told) and _answers(told)):
        raise Refused("The source text does not state its inputs and outputs.", "Convert the model again.")
    return told


def summary(format: str, told: JsonObject, lines: int, language: str) -> Summary:
    """Return what can be said of a source file."""
    return Summary(
        format=format,
        signature=signature.signature(told),
        precision="float64",
        producer="Portolan",
        notes={"language": language, "lines": lines},
    )


def _inputs(told: JsonObject) -> bool:
    found = told["inputs"]
    return (
        isinstance(found, list)
        and bool(found)
        and all(
            isinstance(one, dict) and isinstance(one.get("name"), str) and one.get("dtype") in DTYPES for one in found
        )
    )


def _answers(told: JsonObject) -> bool:
    found = told["answers"]
    return isinstance(found, list) and bool(found) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str)
        and (type(one.get("count")) is int or (isinstance(one.get("labels"), list | tuple) and len(one["labels"]) > 0))
        for one in found
    )  # fmt: skip
