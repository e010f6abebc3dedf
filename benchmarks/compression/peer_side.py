"""One peer at one setting, run by the interpreter of the peers' environment: ``peer_side.py SETTING SOURCE CALIBRATION.npz OUT``.

Imports nothing of Portolan. Prints the versions that it used as one JSON object; what goes wrong ends it with the peer's own words.
"""

import importlib.metadata
import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import quantization as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType

Rows = dict[str, Any]


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives the samples one by one, as onnxruntime and Neural Compressor ask for them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.rewind()

    def get_next(self) -> Rows | None:
        """Return the next sample, or None after the last."""
        return next(self._left, None)

    def rewind(self) -> None:
        """Begin again."""
        n = len(next(iter(self._rows.values())))
        self._left = iter([{name: array[i : i + 1] for name, array in self._rows.items()} for i in range(n)])


def dynamic(**options: Any) -> Callable[[Path, Rows, Path], None]:
    """Return onnxruntime's dynamic int8 with options."""
    return lambda source, rows, out: ort.quantize_dynamic(prepared(source, out), out, **options)


def static(**options: Any) -> Callable[[Path, Rows, Path], None]:
    """Return onnxruntime's static int8 with options."""
    return lambda source, rows, out: ort.quantize_static(prepared(source, out), out, Reader(rows), **options)


def prepared(source: Path, out: Path) -> Path:
    """Return the source after onnxruntime's own preparation, which its guide asks for; the source itself where that fails."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = out.with_suffix(".ready.onnx")
    try:
        quant_pre_process(source, ready)
    except Exception as error:
        print(f"quant_pre_process: {error}", file=sys.stderr)
        return source
    return ready


def float16(source: Path, rows: Rows, out: Path) -> None:
    """Write the weights as float16 with float32 at the ends, by onnxruntime's own tool."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), out)


def four_bits(source: Path, rows: Rows, out: Path) -> None:
    """Write the weights of MatMul in four bits, by onnxruntime."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=True)
    quantizer.process()
    quantizer.model.save_model_to_file(str(out), use_external_data_format=False)


def nncf(source: Path, rows: Rows, out: Path) -> None:
    """Quantize after training, by NNCF; a model that reads integers is taken for a transformer."""
    import nncf
    import onnx

    n = len(next(iter(rows.values())))
    samples = nncf.Dataset([{name: array[i : i + 1] for name, array in rows.items()} for i in range(n)])
    words = any(array.dtype.kind == "i" for array in rows.values())
    kind = {"model_type": nncf.ModelType.TRANSFORMER} if words else {}
    onnx.save(
        nncf.quantize(onnx.load(source), samples, subset_size=n, preset=nncf.QuantizationPreset.MIXED, **kind), out
    )


def neural_compressor(source: Path, rows: Rows, out: Path) -> None:
    """Quantize after training, by Neural Compressor's ONNX part, which keeps weights in a second file; they are joined."""
    import onnx
    from onnx_neural_compressor.quantization import config, quantize

    quantize(str(source), str(out), config.StaticQuantConfig(calibration_data_reader=Reader(rows), per_channel=True))
    onnx.save(onnx.load(out), out)


def olive(source: Path, rows: Rows, out: Path) -> None:
    """Quantize weights to four bits without data, by Olive."""
    from olive.workflows import run

    folder = out.with_suffix(".olive")
    config = {
        "input_model": {"type": "OnnxModel", "model_path": str(source)},
        "passes": {"quantize": {"type": "OnnxBlockWiseRtnQuantization"}},
        "output_dir": str(folder),
        "log_severity_level": 3,
    }
    run(config)
    shutil.copyfile(next(folder.rglob("*.onnx")), out)


S8, U8 = QuantType.QInt8, QuantType.QUInt8
PAIR = {"quant_format": QuantFormat.QDQ, "activation_type": U8, "weight_type": S8, "per_channel": True}
SETTINGS: dict[str, tuple[str, Callable[[Path, Rows, Path], None]]] = {
    "ort_dynamic": ("onnxruntime: dynamic int8, defaults", dynamic()),
    "ort_dynamic_channels": (
        "onnxruntime: dynamic int8, per channel, U8 weights",
        dynamic(per_channel=True, weight_type=U8),
    ),
    "ort_static_defaults": ("onnxruntime: static int8, defaults", static()),
    "ort_static": ("onnxruntime: static U8S8, per channel", static(**PAIR)),
    "ort_static_reduced": ("onnxruntime: static U8S8, per channel, reduce_range", static(**PAIR, reduce_range=True)),
    "ort_static_u8u8": ("onnxruntime: static U8U8, per channel", static(**{**PAIR, "weight_type": U8})),
    "ort_float16": ("onnxruntime: float16, ends float32", float16),
    "ort_four_bits": ("onnxruntime: MatMul in 4 bits, blocks of 32", four_bits),
    "nncf": ("NNCF: post-training, mixed preset", nncf),
    "neural_compressor": ("Neural Compressor: static, per channel", neural_compressor),
    "olive": ("Olive: 4-bit weights, block-wise", olive),
}
PACKAGES = ("onnxruntime", "onnx", "nncf", "onnx-neural-compressor", "olive-ai")


def versions() -> dict[str, str]:
    """Return the peers' versions, as far as they are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    setting, source, calibration, out = sys.argv[1:]
    SETTINGS[setting][1](Path(source), dict(np.load(calibration)), Path(out))
    print(json.dumps(versions()))
