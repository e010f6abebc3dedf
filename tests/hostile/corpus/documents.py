"""What is tried on JSON and XML documents, alone and inside their containers."""

import json
import struct
from collections.abc import Callable
from typing import Any

from tests.formats import test_keras, test_openvino, test_pmml, test_safetensors, test_skops, test_torch_export
from tests.hostile.corpus.attack import Attack, Honest, Make, rewritten, written

DEEP = 50_000
SURROGATE, TERMINAL = "\ud800", "\x1b]52;c;ZXZpbA==\x07"
HEAD = '<?xml version="1.0"?>'
SPOILT: dict[str, Callable[[Any], Any]] = {
    "a list": lambda document: [document],
    "nothing": lambda document: None,
    "a number of 5,000 digits": lambda document: 10**4000,
    "no number": lambda document: float("nan"),
}

XML: dict[str, tuple[str, str]] = {
    "a billion laughs": (
        "<!DOCTYPE a ["
        + '<!ENTITY l0 "ha">'
        + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        + "]>",
        "&l9;",
    ),
    "a quadratic blow-up": (f'<!DOCTYPE a [<!ENTITY x "{"x" * 50_000}">]>', "&x;" * 1000),
    "a file": ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
    "an address": ('<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>', "&x;"),
    "a declaration elsewhere": ('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">', ""),
    "a parameter entity": ('<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>', ""),
    "a stylesheet": ('<?xml-stylesheet href="file:///etc/passwd"?>', "<!DOCTYPE a>"),
}


def pmml(head: str, inside: str) -> Make:
    """Return a PMML file with something before its root and inside it."""
    return lambda honest: (
        test_pmml.pmml(head=HEAD + head)
        .replace("<Header/>", f"<Header><Annotation>{inside}</Annotation></Header>")
        .encode()
    )


def ir(head: str, inside: str) -> Make:
    """Return an OpenVINO model with something before its root and inside it."""
    change = lambda x, w: (HEAD + head + x[x.index("<net ") :].replace("<layers>", f"<layers>{inside}", 1), w)  # noqa: E731
    return lambda honest: written(lambda out: test_openvino.changed(honest, out.parent, change).rename(out))(honest)


def config(change: Callable[[dict[str, Any]], Any]) -> Make:
    """Return a Keras file with its configuration changed."""
    return rewritten(lambda source, out: test_keras.changed(source, out, change), "cnn.keras")


def program(change: Callable[[dict[str, Any]], Any]) -> Make:
    """Return an exported program with its graph changed."""
    return rewritten(lambda source, out: test_torch_export.changed(source, out, change), "net.pt2")


def schema(text: bytes) -> Make:
    """Return a skops file with another schema."""
    return rewritten(lambda source, out: test_skops.changed(source, out, lambda s: text), "penguins.skops")


def header(text: bytes) -> Make:
    """Return a safetensors file with another header."""
    return written(lambda path: test_safetensors.write(path, text))


def learner(honest: Honest, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Return an XGBoost file with its document changed."""
    document = json.loads(honest["boosted.json"].read_bytes())
    change(document["learner"])
    return json.dumps(document).encode()


def ubjson(honest: Honest, old: bytes, new: bytes) -> bytes:
    """Return an XGBoost file in UBJSON with some bytes changed."""
    return honest["boosted.ubj"].read_bytes().replace(old, new, 1)


def attribute(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what sets one entry of a Keras configuration's first layer."""
    return lambda c: c["config"]["layers"][0].__setitem__(place, value)


ATTACKS: tuple[Attack, ...] = (
    *(Attack("pmml", f"{name} by XML", "m.pmml", pmml(*parts)) for name, parts in XML.items()),
    *(Attack("openvino", f"{name} by XML", "m.zip", ir(*parts)) for name, parts in XML.items()),
    Attack("pmml", "elements in elements", "m.pmml", lambda honest: test_pmml.pmml("<Node>" * DEEP + "</Node>" * DEEP).encode()),
    Attack("pmml", "an attribute of a megabyte", "m.pmml", lambda honest: test_pmml.pmml(f'<Node id="{"x" * (1 << 20)}"/>').encode(), harmless=True),
    Attack("pmml", "another encoding than it says", "m.pmml", lambda honest: test_pmml.pmml(head='<?xml version="1.0" encoding="UTF-7"?>').encode("utf-16")),
    Attack("openvino", "elements in elements", "m.zip", ir("", "<layer>" * DEEP)),
    *(Attack("keras", f"{name} for a configuration", "m.keras", config(lambda c, change=change: (c.update(config=change(c["config"])), c)[1])) for name, change in SPOILT.items() if name != "a list"),
    Attack("keras", "a class of half a letter", "m.keras", config(attribute("class_name", SURROGATE))),
    Attack("keras", "a class that is a list", "m.keras", config(attribute("class_name", ["Dense"]))),
    Attack("keras", "a module of the system", "m.keras", config(attribute("module", "os"))),
    Attack("keras", "a registered name with a command", "m.keras", config(attribute("registered_name", "x>__import__('os').system('id')")), harmless=True),
    Attack("keras", "layers in layers", "m.keras", config(lambda c: c["config"]["layers"].append(nested(400))), harmless=True),
    *(Attack("torch_export", f"{name} for a graph", "m.pt2", program(lambda p, change=change: p.__setitem__("graph_module", change(p["graph_module"])))) for name, change in SPOILT.items()),
    Attack("torch_export", "a target of half a letter", "m.pt2", program(lambda p: test_torch_export.nodes(p)[0].__setitem__("target", SURROGATE))),
    Attack("torch_export", "a target with codes for a terminal", "m.pt2", program(lambda p: test_torch_export.nodes(p)[0].__setitem__("target", TERMINAL))),
    Attack("skops", "half a letter for a schema", "m.skops", schema(b'"\\ud800"')),
    Attack("skops", "a schema in UTF-16", "m.skops", schema("{}".encode("utf-16"))),
    Attack("skops", "a schema with a number of 5,000 digits", "m.skops", schema(b'{"content": ' + b"9" * 5000 + b"}")),
    Attack("safetensors", "a name of half a letter and no place", "m.safetensors", header(b'{"\\ud800": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}')),
    Attack("safetensors", "a number of 5,000 digits", "m.safetensors", header(b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 12]}}')),
    Attack("safetensors", "notes that are a list", "m.safetensors", header(b'{"__metadata__": [1]}')),
    Attack("safetensors", "a header of the largest length", "m.safetensors", lambda honest: struct.pack("<Q", 2**64 - 1) + b"{}"),
    *(Attack("xgboost", f"{name} for its trees", "m.json", lambda honest, change=change: learner(honest, lambda d: d["gradient_booster"].__setitem__("model", change(d["gradient_booster"]["model"])))) for name, change in SPOILT.items()),
    Attack("xgboost", "lists in lists", "m.json", lambda honest: b'{"learner": ' + b"[" * DEEP),
    Attack("xgboost", "a list of 2**62 numbers in UBJSON", "m.ubj", lambda honest: b"{L\0\0\0\0\0\0\0\x07learner[$d#L\x3f\xff\xff\xff\xff\xff\xff\xff"),
    Attack("xgboost", "a negative length in UBJSON", "m.ubj", lambda honest: ubjson(honest, b"#L\0\0\0\0", b"#L\xff\xff\xff\xff")),
    Attack("xgboost", "lists in lists in UBJSON", "m.ubj", lambda honest: b"{L\0\0\0\0\0\0\0\x07learner" + b"[" * DEEP),
)  # fmt: skip


def nested(depth: int) -> dict[str, Any]:
    """Return a layer that holds a layer, and so on."""
    layer: dict[str, Any] = {}
    for _ in range(depth):
        layer = {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"name": "t", "layer": layer}}
    return layer
