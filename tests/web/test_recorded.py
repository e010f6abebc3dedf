"""Recorded answers keep every array through the form for JavaScript, within their bound."""

import json
import subprocess

import numpy as np
import pytest

from core import web
from core.domain.errors import Refused
from core.web import recorded
from core.web.recorded import Replayed

ARRAYS = [
    *(np.arange(6).reshape(2, 3).astype(kind) for kind in recorded.DTYPES),
    np.array([["ä", ""], ["b\n", "c"]]),
    np.float32(3.5).reshape(()),
    np.zeros((0, 4), np.float32),
    np.array([np.nan, np.inf, -0.0], np.float64),
    np.array([2**62, -(2**62)], np.int64),
]
READ = """
import { decode } from "%s";
import { readFileSync } from "node:fs";
const { cases } = decode(new Uint8Array(readFileSync(process.argv[1])).buffer);
const shown = (value) => (typeof value === "bigint" ? String(value) : Object.is(value, -0) ? "-0" : typeof value === "number" ? String(value) : value);
console.log(JSON.stringify(cases[0].inputs.map(({ type, dims, data }) => [type, dims, Array.from(data, shown)])));
"""


def lifted(place: dict[str, object], body: bytes) -> np.ndarray:
    """Read one array back as JavaScript would."""
    if place["dtype"] == "string":
        return np.array(place["values"]).reshape(place["shape"])
    start = place["at"]
    assert start % recorded.ALIGN == 0
    return np.frombuffer(body[start : start + place["bytes"]], place["dtype"]).reshape(place["shape"])


def case(name: str, *arrays: np.ndarray) -> Replayed:
    """One case with the same arrays as inputs and answers."""
    return Replayed(name, "", 2, list(arrays), list(arrays))


def test_every_array_comes_back() -> None:
    data = recorded.pack(("a",), ("b",), [case("random", *ARRAYS), case("edge", *ARRAYS)])
    head, body = recorded.split(data)
    assert (head["inputs"], head["outputs"], head["recorded"]) == (["a"], ["b"], 2)
    for found in head["cases"]:
        for place, array in zip(found["inputs"] + found["outputs"], ARRAYS * 2, strict=True):
            back = lifted(place, body)
            assert back.shape == array.shape
            np.testing.assert_array_equal(back, array)


def test_javascript_reads_the_same_numbers(node: str, tmp_path: object) -> None:
    path = tmp_path / "r.bin"  # type: ignore[operator]
    path.write_bytes(recorded.pack(("a",), ("b",), [case("random", *ARRAYS)]))
    words = [node, "--input-type=module", "-e", READ % (web.HERE / "tensors.mjs").as_uri(), str(path)]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    for (kind, dims, values), array in zip(found, ARRAYS, strict=True):
        assert dims == list(array.shape)
        if kind == "string":
            assert values == array.reshape(-1).tolist()
        elif kind == "float16":
            assert [int(v) for v in values] == array.reshape(-1).view(np.uint16).tolist()
        else:
            numbers = [v.replace("Infinity", "inf") for v in values]
            kind = array.dtype if array.dtype != bool else np.uint8
            np.testing.assert_array_equal(np.array(numbers, kind), array.reshape(-1))


def test_what_is_too_large_or_unknown_stays_out_and_is_counted() -> None:
    small, large = np.zeros(10, np.float32), np.zeros(1000, np.float32)
    data = recorded.pack(("a",), ("b",), [case("x", small), case("y", large), case("z", small)], limit=500)
    head, _ = recorded.split(data)
    assert [c["name"] for c in head["cases"]] == ["x", "z"]
    assert head["recorded"] == 3
    odd, _ = recorded.split(recorded.pack(("a",), ("b",), [case("x", small.astype(complex))]))
    assert (odd["cases"], odd["recorded"]) == ([], 1)


def test_a_trimmed_recording_keeps_its_first_cases() -> None:
    cases = [case(f"c{n}", np.full(100, n, np.float64)) for n in range(5)]
    whole = recorded.pack(("a",), ("b",), cases)
    head, body = recorded.split(recorded.trim(whole, 3500))
    assert [c["name"] for c in head["cases"]] == ["c0", "c1"]
    assert head["recorded"] == 5
    assert lifted(head["cases"][1]["outputs"][0], body)[0] == 1
    assert recorded.trim(whole, 10**6) == whole
    assert len(recorded.split(recorded.trim(whole, 1))[0]["cases"]) == 1


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\x02\0\0\0{}", b"\xff\xff\xff\xff{}", b"\x02\0\0\0[1"])
def test_broken_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        recorded.split(data)


def test_a_cut_recording_is_refused() -> None:
    data = recorded.pack(("a",), ("b",), [case("x", np.zeros(100))])
    with pytest.raises(Refused, match="beyond the end"):
        recorded.split(data[:-50])
