"""The hostile files that the tests of the formats and of the border make."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from tests import test_archives, test_pickles
from tests.formats import (
    made_keras,
    test_forests,
    test_keras,
    test_onnx,
    test_onnx_external,
    test_openvino,
    test_phones,
    test_pmml,
    test_safetensors,
    test_saved_model,
    test_scoring_source,
    test_skops,
    test_torch_checkpoint,
    test_torch_export,
    test_torchscript,
)
from tests.formats.honest import linear_onnx
from tests.hostile.corpus.attack import Attack, Honest, Make, rewritten, written


def _each(
    format: str, file: str, table: Mapping[str, Any], make: Callable[[Any], Make], where: str = ""
) -> Iterator[Attack]:
    for name, what in table.items():
        yield Attack(format, f"{name}{where}", file, make(what))


def _document(change: Callable[[dict[str, Any]], Any]) -> Make:
    def make(honest: Honest) -> bytes:
        document = json.loads(honest["boosted.json"].read_bytes())
        change(document)
        return ('{"learner":' + json.dumps(document["learner"]) + "}").encode()

    return make


def _checkpoint(value: Callable[[], Any], zipped: bool) -> Make:
    return written(lambda path: torch.save(value(), path, _use_new_zipfile_serialization=zipped))


def _ir(change: tuple[test_openvino.Change, str]) -> Make:
    return lambda honest: written(lambda out: test_openvino.changed(honest, out.parent, change[0]).rename(out))(honest)


def _source(suffix: str, honest: Honest, line: str) -> bytes:
    text = test_scoring_source.rest(honest[f"penguins{suffix}"])
    return written(lambda path: test_scoring_source.resigned(path, f"{text}\n{line}\n"), suffix)(honest)


def _script(call: bytes) -> Make:
    change = partial(test_torchscript.rewritten, old=b"torch.relu(", new=call + b" + torch.relu(")
    return rewritten(change, "script.pt")


@cache
def _words() -> bytes:
    return written(lambda path: made_keras.save("words", path), ".keras")({})


def _network(what: tuple[Callable[[dict[str, Any]], None], tuple[str, ...]]) -> Make:
    def write(out: Path) -> None:
        source = out.with_name("source.keras")
        source.write_bytes(_words())
        test_keras.changed(source, out, what[0])

    return written(write)


def _weights(made: Callable[[], Any]) -> Make:
    return written(lambda path: test_onnx_external.write(path, made(), model_data=test_onnx_external.DATA))


def _exported(change: Callable[[dict[str, Any]], None], member: str = test_torch_export.PROGRAM) -> Make:
    return rewritten(lambda source, out: test_torch_export.changed(source, out, change, member), "net.pt2")


def _beside(files: dict[str, bytes]) -> Make:
    return rewritten(lambda source, out: test_torch_export.changed(source, out, lambda p: None, **files), "net.pt2")


PHONES = {"ncnn": slice(0, 7), "coreml": slice(7, 12), "executorch": slice(12, None)}
"""Which of the attacks of ``test_phones`` are for which format."""

ATTACKS: tuple[Attack, ...] = (
    *_each("pickle", "m.pkl", test_pickles.GADGETS, lambda gadget: lambda honest: gadget()),
    *_each("archive", "m.zip", {k: v for k, v in test_archives.HOSTILE.items() if k != "bomb"}, lambda made: lambda honest: bytes(made())),
    *_each("onnx", "m.onnx", test_onnx.HOSTILE, lambda made: lambda honest: made().SerializeToString()),
    *_each("onnx", "m.onnx", test_onnx.RAW, lambda change: lambda honest: change(linear_onnx().SerializeToString())),
    *_each("onnx_external", "m.zip", test_onnx_external.HOSTILE, _weights),
    *_each("safetensors", "m.safetensors", test_safetensors.HOSTILE, lambda what: written(lambda path: test_safetensors.write(path, **what))),
    *_each("pmml", "m.pmml", test_pmml.HOSTILE, lambda text: lambda honest: text.encode("latin-1")),
    *_each("saved_model", "m.zip", test_saved_model.REFUSED, lambda what: written(lambda path: test_saved_model.zipped(path, what[0]))),
    *_each("openvino", "m.zip", test_openvino.BROKEN, _ir),
    *_each("xgboost", "m.json", test_forests.DOCUMENTS, _document),
    *_each("lightgbm", "m.txt", test_forests.LINES, lambda change: lambda honest: change(honest["boosted.txt"].read_text()).encode()),
    *(one for format, part in PHONES.items() for one in _each(format, "m", dict(list(test_phones.BAD.items())[part]), lambda what: written(what[0]))),
    *_each("keras", "m.keras", test_keras.CODE, _network),
    *_each("keras_h5", "m.h5", test_keras.LINKS, lambda what: written(lambda path: test_keras.h5(path, what[0]), ".h5")),
    *_each("torch_checkpoint", "m.pt", test_torch_checkpoint.VALUES, partial(_checkpoint, zipped=True)),
    *_each("torch_checkpoint", "m.pth", test_torch_checkpoint.VALUES, partial(_checkpoint, zipped=False), ", as torch wrote before 1.6"),
    *_each("torch_export", "m.pt2", test_torch_export.PROGRAMS, _exported),
    *_each("torch_export", "m.pt2", test_torch_export.WEIGHT_LIES, partial(_exported, member=test_torch_export.WEIGHTS), ", in the weights"),
    *_each("torch_export", "m.pt2", test_torch_export.FILES, _beside),
    *_each("torchscript", "m.pt", test_torchscript.CALLS, _script),
    *_each("skops", "m.skops", test_skops.HOSTILE, lambda change: rewritten(partial(test_skops.changed, change=change), "penguins.skops")),
    *_each("skops", "m.skops", test_skops.ARRAYS, lambda array: rewritten(lambda s, out: test_skops.changed(s, out, lambda schema: None, array=array), "penguins.skops"), ", in an array"),
    *_each("python_source", "m.py", {line: line for line in test_scoring_source.EVIL}, lambda line: lambda honest: _source(".py", honest, line)),
)  # fmt: skip
