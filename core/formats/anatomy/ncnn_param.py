"""The text half of an ncnn model: a magic number, two counts, then one line a layer with its blobs and ``key=value`` numbers."""

import re
from dataclasses import dataclass

from core.domain.errors import Refused

MAGIC = "7767517"
MAX_BYTES = 16 << 20
MAX_LAYERS = 100_000
AGAIN = "Convert the model to ncnn again with pnnx."

LAYERS = frozenset(
    [
        "AbsVal",
        "ArgMax",
        "BatchNorm",
        "Bias",
        "BNLL",
        "Concat",
        "Convolution",
        "Crop",
        "Deconvolution",
        "Dropout",
        "Eltwise",
        "ELU",
        "Embed",
        "Exp",
        "Flatten",
        "InnerProduct",
        "Input",
        "Log",
        "LRN",
        "MemoryData",
        "MVN",
        "Pooling",
        "Power",
        "PReLU",
        "Proposal",
        "Reduction",
        "ReLU",
        "Reshape",
        "ROIPooling",
        "Scale",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "SPP",
        "TanH",
        "Threshold",
        "Tile",
        "RNN",
        "LSTM",
        "BinaryOp",
        "UnaryOp",
        "ConvolutionDepthWise",
        "Padding",
        "Squeeze",
        "ExpandDims",
        "Normalize",
        "Permute",
        "PriorBox",
        "DetectionOutput",
        "Interp",
        "DeconvolutionDepthWise",
        "ShuffleChannel",
        "InstanceNorm",
        "Clip",
        "Reorg",
        "YoloDetectionOutput",
        "Quantize",
        "Dequantize",
        "Yolov3DetectionOutput",
        "PSROIPooling",
        "ROIAlign",
        "Packing",
        "Requantize",
        "Cast",
        "HardSigmoid",
        "SELU",
        "HardSwish",
        "Noop",
        "PixelShuffle",
        "DeepCopy",
        "Mish",
        "StatisticsPooling",
        "Swish",
        "Gemm",
        "GroupNorm",
        "LayerNorm",
        "Softplus",
        "GRU",
        "MultiHeadAttention",
        "GELU",
        "Convolution1D",
        "Pooling1D",
        "ConvolutionDepthWise1D",
        "Convolution3D",
        "ConvolutionDepthWise3D",
        "Pooling3D",
        "MatMul",
        "Deconvolution1D",
        "DeconvolutionDepthWise1D",
        "Deconvolution3D",
        "DeconvolutionDepthWise3D",
        "Einsum",
        "DeformableConv2D",
        "GLU",
        "Fold",
        "Unfold",
        "GridSample",
        "CumulativeSum",
        "CopyTo",
        "Erf",
        "Diag",
        "CELU",
        "Shrink",
        "RMSNorm",
        "Spectrogram",
        "InverseSpectrogram",
        "Flip",
        "SDPA",
        "RotaryEmbed",
    ]
)
"""All 110 layer types of ncnn 1.0.20261020."""

NAME = re.compile(r"[!-~]{1,256}")
NUMBER = r"-?(?:\d{1,10}(?:\.\d{1,12})?(?:e[+-]?\d{1,3})?|inf|nan)"
PARAMETER = re.compile(rf'(-?\d{{1,5}})=({NUMBER}(?:,{NUMBER})*|"[!-~]{{0,512}}")')
ARRAY_KEYS = -23300
"""Keys at or below this hold a list that starts with its own length."""
PASSING = ("Split", "Reshape", "Flatten", "Squeeze", "ExpandDims", "Noop", "Cast", "DeepCopy")
SIZES = ("0", "1", "11", "2")
"""An Input layer's keys for width, height, depth and channels."""


@dataclass(frozen=True)
class Row:
    """One layer: its type, its name, the blobs that it takes and gives, and its parameters as text by key."""

    type: str
    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    values: dict[str, str]


def parse(data: bytes) -> list[Row]:
    """Read the layers. Raises Refused for a line, a count or a number that is not of the format."""
    try:
        lines = data.decode("ascii").split("\n")
        magic, counts, *rest = [line for line in lines if line.strip()]
        layers, blobs = (int(word) for word in counts.split())
    except ValueError:
        raise Refused("The .param file is not the text that ncnn writes.", AGAIN) from None
    if magic.strip() != MAGIC:
        raise Refused(f"The .param file starts with {magic[:20]!r}; ncnn writes {MAGIC}.", AGAIN)
    if len(rest) != layers or not 0 < layers <= MAX_LAYERS:
        raise Refused(f"The .param file announces {layers} layers but contains {len(rest)}.", AGAIN)
    rows = [_row(line) for line in rest]
    if sum(len(row.gives) for row in rows) != blobs:
        raise Refused(f"The .param file announces {blobs} blobs, but its layers produce a different number.", AGAIN)
    return rows


def check(rows: list[Row]) -> None:
    """Check that the layers are ncnn's own and form a graph in order. Raises Refused with all unknown layers at once."""
    if unknown := unknown_layers(rows):
        raise Refused(f"ncnn has no layer of the type {', '.join(unknown)}.", AGAIN)
    known: set[str] = set()
    for row in rows:
        if lost := set(row.takes) - known:
            raise Refused(f"The layer {row.name!r} takes {min(lost)!r}, which no earlier layer produces.", AGAIN)
        if known & set(row.gives) or len(set(row.gives)) != len(row.gives):
            raise Refused(f"The layer {row.name!r} produces a blob that already exists.", AGAIN)
        known |= set(row.gives)
    if not inputs(rows) or not outputs(rows):
        raise Refused("The model has no input, or no output.", AGAIN)


def unknown_layers(rows: list[Row]) -> list[str]:
    """Return the layer types that ncnn does not have, each once with one of its places."""
    return [f"{row.type} ({row.name})" for row in {row.type: row for row in rows if row.type not in LAYERS}.values()]


def inputs(rows: list[Row]) -> list[Row]:
    """Return the input layers, in the order of their numbers (in0, in1, ...)."""
    return sorted((row for row in rows if row.type == "Input" and row.gives), key=lambda row: _natural(row.gives[0]))


def outputs(rows: list[Row]) -> list[str]:
    """Return the blobs that nothing takes, in the order of their numbers (out0, out1, ...)."""
    taken = {name for row in rows for name in row.takes}
    return sorted((name for row in rows for name in row.gives if name not in taken), key=_natural)


def shape(row: Row) -> tuple[int, ...] | None:
    """Return the shape of one sample that an input layer tells (CHW order), or None when it tells none."""
    sizes = [
        int(row.values[key]) for key in reversed(SIZES) if row.values.get(key, "0").isdecimal() and key in row.values
    ]
    return tuple(size for size in sizes if size > 0) or None


def id_bounds(rows: list[Row]) -> dict[str, int]:
    """Return, for each input blob that an Embed layer looks up, the rows of its smallest table."""
    origin = {row.gives[0]: row.gives[0] for row in inputs(rows)}
    bounds: dict[str, int] = {}
    for row in rows:
        source = origin.get(row.takes[0]) if row.takes else None
        if source and row.type == "Embed":
            table = int(row.values.get("1", "1"))
            bounds[source] = min(bounds.get(source, table), table)
        elif source and row.type in PASSING:
            origin.update(dict.fromkeys(row.gives, source))
    return bounds


def _row(line: str) -> Row:
    words = line.split()
    try:
        type, name, takes, gives = words[0], words[1], int(words[2]), int(words[3])
    except (IndexError, ValueError):
        raise Refused(f"The .param file has a line that is not a layer: {line[:60]!r}.", AGAIN) from None
    blobs, pairs = words[4 : 4 + max(0, takes) + max(0, gives)], words[4 + max(0, takes) + max(0, gives) :]
    if min(takes, gives) < 0 or len(blobs) != takes + gives or not all(map(NAME.fullmatch, (type, name, *blobs))):
        raise Refused(f"The layer {name[:60]!r} does not name as many blobs as it announces.", AGAIN)
    return Row(type, name, tuple(blobs[:takes]), tuple(blobs[takes:]), dict(_pair(name, word) for word in pairs))


def _pair(layer: str, word: str) -> tuple[str, str]:
    match = PARAMETER.fullmatch(word)
    if match is None:
        raise Refused(f"The layer {layer[:60]!r} has a parameter that is not a number: {word[:40]!r}.", AGAIN)
    key, value = match[1], match[2]
    listed = value.split(",")
    if (int(key) <= ARRAY_KEYS and listed[0] != str(len(listed) - 1)) or (
        int(key) > ARRAY_KEYS and len(listed) > 1 and value[0] != '"'
    ):
        raise Refused(
            f"The layer {layer[:60]!r} has a list whose length is not the declared one: {word[:40]!r}.", AGAIN
        )
    return key, value


def _natural(name: str) -> tuple[str, int]:
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)
