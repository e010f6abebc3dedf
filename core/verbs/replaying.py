"""Ask a served package over HTTP what was recorded, as JSON and as bytes, and what is malformed."""

import base64
import http.client
import json
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.calls.rehearse import array, plain
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import first_line
from core.domain.meaning import Meaning
from core.domain.migration import Gate
from core.domain.report import Verdict
from core.proof import causes
from core.web import recorded

if TYPE_CHECKING:
    import numpy as np

LENGTH = "Inference-Header-Content-Length"
SECONDS = 60
FIRST = 100
"""Numbers of an answer that is nothing else, which are compared."""
JSON_VALUES = 20_000
"""Values up to which a case is asked as JSON too."""
WHERE = "the generated server, in a jailed process on loopback"
DATATYPES = {"bool": "BOOL", "str": "BYTES"} | {f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)} | {
    f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}  # fmt: skip
Answer = tuple[int, bytes, str | None]


@dataclass
class Client:
    """One connection to the server of one model."""

    port: int
    model: str
    signature: Signature
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Send one request, and return the status, the body and where its JSON ends."""
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.getheader(LENGTH)

    def infer(self, inputs: "list[np.ndarray]", binary: bool) -> "list[np.ndarray]":
        """Ask for answers, as bytes both ways or as JSON both ways. Raises ValueError for a status other than 200."""
        status, body, length = self.ask(inputs, binary)
        if status != 200:
            raise ValueError(f"it answered {status}: {body[:200].decode(errors='replace')}")
        return read(body, length, self.signature.outputs)

    def ask(self, inputs: "list[np.ndarray]", binary: bool) -> Answer:
        """Ask for answers, and return what came as it came."""
        pairs = list(zip(self.signature.inputs, inputs, strict=True))
        told = [tensor(spec, value) for spec, value in pairs]
        tails = [to_bytes(value) for _, value in pairs] if binary else []
        for one, tail, (_, value) in zip(told, tails or [b""] * len(told), pairs, strict=True):
            one |= {"parameters": {"binary_data_size": len(tail)}} if binary else {"data": value.reshape(-1).tolist()}
        head = json.dumps({"inputs": told, "parameters": {"binary_data_output": binary}}).encode()
        named = {LENGTH: str(len(head))} if binary else {}
        return self.send("POST", f"/v2/models/{self.model}/infer", head + b"".join(tails), named)


def tensor(spec: TensorSpec, value: "np.ndarray") -> dict[str, Any]:
    """Return what the protocol says of an input besides its values."""
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": list(value.shape)}


def to_bytes(value: "np.ndarray") -> bytes:
    """Return the bytes of a tensor as the protocol sends them."""
    if value.dtype.kind == "U":
        texts = [str(one).encode() for one in value.reshape(-1).tolist()]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return bytes(value.astype(value.dtype.newbyteorder("<")).tobytes())


def read(body: bytes, length: str | None, specs: tuple[TensorSpec, ...]) -> "list[np.ndarray]":
    """Return the answers in order. Raises ValueError for what is no answer."""
    import numpy as np

    end = int(length) if length else len(body)
    found, place = {}, end
    for one in json.loads(body[:end])["outputs"]:
        spec = next(spec for spec in specs if spec.name == one["name"])
        size = one.get("parameters", {}).get("binary_data_size")
        if size is None:
            value = np.array(one["data"], dtype=np.str_ if spec.dtype == "str" else spec.dtype)
        else:
            value, place = from_bytes(body[place : place + size], spec), place + size
        found[spec.name] = value.reshape(one["shape"])
    return [found[spec.name] for spec in specs]


def from_bytes(data: bytes, spec: TensorSpec) -> "np.ndarray":
    """Read the bytes of a tensor."""
    import numpy as np

    if spec.dtype != "str":
        return np.frombuffer(data, dtype=spec.dtype)
    texts, place = [], 0
    while place < len(data):
        (length,) = struct.unpack_from("<I", data, place)
        texts.append(data[place + 4 : place + 4 + length].decode())
        place += 4 + length
    return np.array(texts, dtype=np.str_)


def gates(client: Client, asked: bytes, answered: bytes, which: tuple[int, ...]) -> Iterator[Gate]:
    """Yield the gates of a served package: equal to the engine as bytes, equal as JSON, and alive after malformed requests."""
    questions, values = recorded.split(asked)
    answers, told = recorded.split(answered)
    pairs = [
        ([array(one, values) for one in questions["cases"][place]["inputs"]], [array(one, told) for one in case["outputs"]])
        for place, case in zip(which, answers["cases"], strict=True)
    ]  # fmt: skip
    small = [pair for pair in pairs if sum(one.size for part in pair for one in part) <= JSON_VALUES]
    yield compared(client, pairs, "Served answers, as bytes", True)
    numbers = [pair for pair in small if finite(pair)]
    yield compared(client, numbers, "Served answers, as JSON", False)
    if others := [pair for pair in small if not finite(pair)]:
        yield standard(client, others)
    yield malformed(client)


def one(client: Client, asked: bytes, which: tuple[int, ...]) -> Callable[[], None]:
    """Return what asks the recorded call with the fewest samples once, as bytes both ways."""
    questions, values = recorded.split(asked)
    smallest = min((questions["cases"][place] for place in which), key=lambda case: int(case["samples"]))
    inputs = fitted(client, [array(one, values) for one in smallest["inputs"]])

    def ask() -> None:
        client.infer(inputs, True)

    return ask


def finite(pair: "tuple[list[np.ndarray], list[np.ndarray]]") -> bool:
    """Say whether JSON can write a recorded input with its answer: it has neither NaN nor infinity."""
    import numpy as np

    return all(np.isfinite(one).all() for part in pair for one in part if one.dtype.kind == "f")


def standard(client: Client, pairs: "list[tuple[list[np.ndarray], list[np.ndarray]]]") -> Gate:
    """Ask as JSON what JSON cannot write, and see each refused in JSON that a strict reader takes."""
    name, said = (
        "NaN and infinity",
        "Each was asked as JSON too, which cannot hold it, and is refused in words; as bytes it is answered.",
    )
    for inputs, _ in pairs:
        try:
            status, body, _ = client.ask(fitted(client, inputs), False)
            json.loads(body, parse_constant=refuse)
        except ValueError:
            return Gate(name, WHERE, Verdict.FAIL, "It answered with JSON that strict readers refuse.", len(pairs))
        except (OSError, http.client.HTTPException) as error:
            return Gate(
                name, WHERE, Verdict.FAIL, f"The server ended a connection: {first_line(error)}"[:300], len(pairs)
            )
        if status != 400:
            return Gate(name, WHERE, Verdict.FAIL, f"One was answered with {status}.", len(pairs))
    return Gate(name, WHERE, Verdict.PASS, said, len(pairs))


def refuse(word: str) -> None:
    """Refuse NaN and Infinity, which Python reads and RFC 8259 does not have."""
    raise ValueError(word)


def fitted(client: Client, inputs: "list[np.ndarray]") -> "list[np.ndarray]":
    """Return recorded inputs in the types that the model declares."""
    kinds = [spec.dtype for spec in client.signature.inputs]
    return [plain(one) if kind == "str" else one.astype(kind) for one, kind in zip(inputs, kinds, strict=True)]


def compared(client: Client, pairs: "list[tuple[list[np.ndarray], list[np.ndarray]]]", name: str, binary: bool) -> Gate:
    """Ask every case, and compare with the engine's own answer to the last bit."""
    worst, wrong, found = 0.0, "", []
    for inputs, expected in pairs:
        try:
            answers = client.infer(fitted(client, inputs), binary)
        except (ValueError, KeyError, StopIteration, OSError, http.client.HTTPException) as error:
            return Gate(
                name, WHERE, Verdict.FAIL, f"A recorded input was not answered: {first_line(error)}"[:300], len(pairs)
            )
        found.append(answers)
        for spec, before, after in zip(client.signature.outputs, expected, answers, strict=True):
            gap = distance(before, after)
            worst, wrong = max(worst, gap), wrong or (f"{spec.name} is another answer." if gap else "")
    if not pairs:
        return Gate(name, WHERE, Verdict.NOT_PROVEN, "No recorded input could be sent this way.")
    good = "Each is the answer of ONNX Runtime asked directly, to the last bit."
    if not wrong:
        return Gate(name, WHERE, Verdict.PASS, good, len(pairs), worst)
    asked = [expected for _, expected in pairs]
    places = range(len(client.signature.outputs))
    causing = (causes.of([one[place] for one in asked], [one[place] for one in found]) for place in places)
    cause = next(filter(None, causing), "")
    return Gate(name, WHERE, Verdict.FAIL, f"{cause} {wrong}".strip(), len(pairs), worst)


def distance(before: "np.ndarray", after: "np.ndarray") -> float:
    """Return the largest difference; 0 only where type of values, shape and every value are the same."""
    import numpy as np

    if before.shape != after.shape or before.dtype.kind != after.dtype.kind:
        return float("inf")
    if np.array_equal(before, after, equal_nan=before.dtype.kind == "f"):
        return 0.0
    if before.dtype.kind != "f":
        return float("inf")
    gap = np.abs(before.astype(float) - after.astype(float))
    return float(np.nan_to_num(gap, nan=np.inf).max())


def raw(client: Client, samples: list[dict[str, Any]], meanings: tuple[Meaning, ...]) -> Gate:
    """Ask the served task raw samples, as bytes and in base64, and compare what the answers mean with what the package says without a server."""
    name, asked = "Served raw samples", 0
    for sample, meant in zip(samples, meanings, strict=False):
        if not all(map(math.isfinite, meant.numbers)):
            continue
        for binary in (True, False):
            try:
                found = answered(client, base64.b64decode(sample["raw"]), max(1, len(meant.words)), binary)
            except (ValueError, KeyError, OSError, http.client.HTTPException) as error:
                return Gate(name, WHERE, Verdict.FAIL, f"A raw sample was not answered: {first_line(error)}"[:300], len(samples))  # fmt: skip
            if found != meant:
                return Gate(name, WHERE, Verdict.FAIL, "A raw sample is answered otherwise than without the server.", len(samples))  # fmt: skip
        asked += 1
    if not asked:
        return Gate(name, WHERE, Verdict.NOT_PROVEN, "No raw sample could be asked.")
    return Gate(name, WHERE, Verdict.PASS, "Each is answered as without the server, as bytes and in base64.", asked)


def answered(client: Client, sample: bytes, top: int, binary: bool) -> Meaning:
    """Ask one raw sample. Raises ValueError for a status other than 200."""
    told: dict[str, Any] = {"name": "raw", "datatype": "BYTES", "shape": [1]}
    tail = struct.pack("<I", len(sample)) + sample if binary else b""
    told |= {"parameters": {"binary_data_size": len(tail)}} if binary else {"data": [base64.b64encode(sample).decode()]}
    head = json.dumps({"inputs": [told], "parameters": {"top": top}}).encode()
    named = {LENGTH: str(len(head))} if binary else {}
    status, body, _ = client.send("POST", f"/v2/models/{client.model}-raw/infer", head + tail, named)
    if status != 200:
        raise ValueError(f"it answered {status}: {body[:200].decode(errors='replace')}")
    outputs = json.loads(body)["outputs"]
    by_name = {one["name"]: one["data"] for one in outputs}
    if by_name.keys() & {"label", "text"} and {spec.name for spec in client.signature.outputs} != by_name.keys():
        words = by_name.get("label", by_name.get("text")) or []
        return Meaning(tuple(map(str, words)), tuple(map(float, by_name.get("score", ()))))
    return Meaning(numbers=tuple(map(float, outputs[0]["data"][:FIRST])))


def malformed(client: Client) -> Gate:
    """Send requests that no server should take, and see it refuse each and live."""
    path = f"/v2/models/{client.model}/infer"
    first = tensor(client.signature.inputs[0], array({"values": [], "shape": [0]}, b""))
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (b"", {}),
        (b"{", {}),
        (b"[" * 100_000, {}),
        (b'{"inputs": 3}', {}),
        (json.dumps({"inputs": [{**first, "name": "nobody"}]}).encode(), {}),
        (json.dumps({"inputs": [{**first, "shape": [-1]}]}).encode(), {}),
        (json.dumps({"inputs": [{**first, "datatype": "FP128", "data": []}]}).encode(), {}),
        (json.dumps({"inputs": [{**first, "parameters": {"binary_data_size": 10**12}}]}).encode(), {}),
        (b'{"inputs": []}', {LENGTH: "-1"}),
        (b'{"inputs": []}', {LENGTH: "99999"}),
    ]
    name = "Malformed requests"
    for body, headers in bodies:
        try:
            status, _, _ = client.send("POST", path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            return Gate(
                name, WHERE, Verdict.FAIL, f"The server ended a connection: {first_line(error)}"[:300], len(bodies)
            )
        if not 400 <= status < 500:
            return Gate(name, WHERE, Verdict.FAIL, f"One was answered with {status}.", len(bodies))
    alive = client.send("GET", "/v2/health/ready")[0] == 200
    words = "Each is refused, and the server answers as before." if alive else "The server is not ready afterwards."
    return Gate(name, WHERE, Verdict.PASS if alive else Verdict.FAIL, words, len(bodies))
