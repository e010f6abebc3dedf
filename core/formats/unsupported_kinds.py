"""Files that are something else: named by their content, each with one sentence on what it seems to be and one on what to do."""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from core.border import archives
from core.domain.errors import Refused

LATER = "It cannot be converted yet. "
ONNX_NEXT = "Export the model as ONNX (.onnx) from the program that made it, and open that file."


@dataclass(frozen=True)
class UnsupportedKind:
    """A kind of file that is not on the shelf: what it is called, what to do, and how it is told by head, zip names and name."""

    what: str
    next_step: str
    tells: Callable[[bytes, tuple[str, ...], str], bool]


def starts(*magics: bytes) -> Callable[[bytes, tuple[str, ...], str], bool]:
    """Tell a file by its first bytes."""
    return lambda head, names, name: head.startswith(magics)


def holds(pattern: bytes, suffix: str = "") -> Callable[[bytes, tuple[str, ...], str], bool]:
    """Tell a file by bytes near its start, with a suffix where the bytes alone are not enough."""
    rule = re.compile(pattern, re.DOTALL)
    return lambda head, names, name: name.lower().endswith(suffix) and bool(rule.search(head[:8192]))


def packs(pattern: str) -> Callable[[bytes, tuple[str, ...], str], bool]:
    """Tell a zip by the name of one of its members."""
    rule = re.compile(pattern, re.IGNORECASE)
    return lambda head, names, name: any(rule.fullmatch(member) for member in names)


def all_pack(pattern: str) -> Callable[[bytes, tuple[str, ...], str], bool]:
    """Tell a zip by the names of all its members."""
    rule = re.compile(pattern, re.IGNORECASE)
    return lambda head, names, name: (
        bool(names) and all(rule.fullmatch(member) for member in names if not member.endswith("/"))
    )


def _is_tensorflow_js(head: bytes, names: tuple[str, ...], name: str) -> bool:
    """Tell the manifest itself, or a zip of it with its weights, as TensorFlow.js, browsers and face-api.js name them."""
    weights = packs(r"(.*/)?(.*-?weights_manifest\.json|.*shard\d+(of\d+)?(\.bin)?|tensorflowjs_model\.pb)")
    described = packs(r"(.*/)?model\.json")(head, names, name) and packs(r".*\.bin")(head, names, name)
    return described or weights(head, names, name) or holds(rb'"(modelTopology|weightsManifest)"')(head, names, name)


def _is_saved_model(head: bytes, names: tuple[str, ...], name: str) -> bool:
    return name.lower().endswith(".pb") and head[:2] == b"\x08\x01" and head[2:3] == b"\x12"


def _is_coreml(head: bytes, names: tuple[str, ...], name: str) -> bool:
    return name.lower().endswith(".mlmodel") and head[:1] == b"\x08"


def _is_windows(head: bytes, names: tuple[str, ...], name: str) -> bool:
    if head[:2] != b"MZ" or len(head) < 64:
        return False
    place = struct.unpack("<I", head[60:64])[0]
    return head[place : place + 2] == b"PE" or name.lower().endswith((".exe", ".dll"))


def _is_text(head: bytes, names: tuple[str, ...], name: str) -> bool:
    sample = head[:4096]
    try:
        text = sample.decode("utf-8", "strict" if len(head) < 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return bool(text) and sum(c.isprintable() or c in "\r\n\t" for c in text) > 0.97 * len(text)


def _is_csv(head: bytes, names: tuple[str, ...], name: str) -> bool:
    lines = head[:8192].splitlines()[:5]
    counts = {line.count(b",") for line in lines} | {
        line.count(b";") + line.count(b"\t") for line in lines if b"," not in line
    }
    return (
        _is_text(head, names, name)
        and len(lines) > 1
        and (name.lower().endswith((".csv", ".tsv")) or (len(counts) == 1 and counts != {0}))
    )


def _is_zeros(head: bytes, names: tuple[str, ...], name: str) -> bool:
    return not head.strip(b"\0")


UNSUPPORTED_KINDS: tuple[UnsupportedKind, ...] = (
    UnsupportedKind(
        "a Git LFS pointer, not the model itself",
        "Run `git lfs pull` in the repository and open the real file.",
        starts(b"version https://git-lfs"),
    ),
    UnsupportedKind(
        "a web page, perhaps an error or login page saved instead of a download",
        "Download the file again in your browser, and check its size.",
        holds(rb"^\s*(<!doctype html|<html|<HTML|<!DOCTYPE (html|HTML))"),
    ),
    UnsupportedKind(
        "a GGUF or GGML model, as llama.cpp and whisper.cpp read it",
        LATER + "Run it with the program that it was made for, or look for an ONNX version of the model.",
        starts(b"GGUF", b"lmgg", b"tjgg"),
    ),
    UnsupportedKind(
        "a Keras model inside a folder, or without its configuration",
        "Save it with model.save('model.keras'), and open that file as it is.",
        packs(r"(.*/)?model\.weights\.h5"),
    ),
    UnsupportedKind(
        "a part of a TensorFlow SavedModel, or one in a deeper folder",
        "Zip the folder that holds saved_model.pb and variables, and open the zip.",
        lambda h, n, f: _is_saved_model(h, n, f) or packs(r"(.*/)?saved_model\.pb(txt)?")(h, n, f),
    ),
    UnsupportedKind(
        "a TensorFlow.js model",
        LATER
        + "Convert the original Keras or TensorFlow model; where only this one is left, a layers model becomes Keras again by "
        "`tensorflowjs_converter --input_format tfjs_layers_model --output_format keras model.json model.h5`.",
        _is_tensorflow_js,
    ),
    UnsupportedKind(
        "a fastText model (word vectors, or a text classifier on them)",
        LATER
        + "Run it with the fasttext package; for a text classifier that converts, fit scikit-learn's TfidfVectorizer "
        "with LogisticRegression on the same texts, and open that.",
        starts(b"\xba\x16\x4f\x2f"),
    ),
    UnsupportedKind(
        "a CRFsuite model (conditional random fields for sequences)",
        "Run it with python-crfsuite; such models have no form in ONNX.",
        starts(b"lCRF"),
    ),
    UnsupportedKind(
        "a joblib file of before 2016 (joblib 0.9 or older, compressed)",
        "Load it with the versions of joblib and scikit-learn that saved it, and write it as ONNX there; or fit the model again.",
        lambda h, n, f: h[:2] == b"ZF" and bool(re.match(rb"ZF0x[0-9a-f]+", h)),
    ),
    UnsupportedKind(
        "a Core ML model of the old kind, or half of a package",
        "Zip the whole .mlpackage; an .mlmodel cannot be converted back: convert the original model.",
        lambda h, n, f: _is_coreml(h, n, f) or packs(r".*\.mlpackage/.*|(.*/)?com\.apple\.CoreML/.*")(h, n, f),
    ),
    UnsupportedKind(
        "the graph of an OpenVINO model (.xml) without its weights (.bin)",
        "Zip the .xml and the .bin together, and open the zip.",
        holds(rb"<net\s[^>]*(version|name)="),
    ),
    UnsupportedKind(
        "a PaddlePaddle model",
        LATER + "Convert it with paddle2onnx and open the ONNX file.",
        lambda h, n, f: (
            f.lower().endswith((".pdmodel", ".pdiparams", "__model__"))
            or packs(r"(.*/)?(__model__|.*\.pdmodel|.*\.pdiparams)")(h, n, f)
        ),
    ),
    UnsupportedKind(
        "an XGBoost model in the old binary form",
        "Load it in the XGBoost that wrote it, and save it as .json or .ubj.",
        lambda h, n, f: h[:4] in (b"binf", b"bs64"),
    ),
    UnsupportedKind(
        "a TensorFlow checkpoint or frozen graph",
        "Save the whole model with tf.saved_model.save, zip its folder, and open the zip.",
        lambda h, n, f: f.lower().endswith((".pb", ".index", ".data-00000-of-00001", ".meta")),
    ),
    UnsupportedKind(
        "half of an ncnn model (.param) without its weights (.bin)",
        "Zip the .param and the .bin together, and open the zip.",
        starts(b"7767517\n"),
    ),
    UnsupportedKind(
        "an MNN or TensorRT file, which is bound to one engine",
        ONNX_NEXT,
        lambda h, n, f: f.lower().endswith((".mnn", ".engine", ".plan", ".trt")),
    ),
    UnsupportedKind(
        "NumPy arrays (.npz): data, not a model",
        "Choose a model first, and add these arrays as its data set.",
        all_pack(r"[^/]+\.npy"),
    ),
    UnsupportedKind(
        "a NumPy array (.npy): data, not a model",
        "Save the arrays as .npz and add them as a data set.",
        starts(b"\x93NUMPY"),
    ),
    UnsupportedKind(
        "a Parquet table: data, not a model",
        "Choose a model first, and add this table as its data set.",
        starts(b"PAR1"),
    ),
    UnsupportedKind(
        "a picture: data, not a model",
        "Open the model file; test pictures are added to it as arrays in an .npz.",
        lambda h, n, f: (h.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")) and not n) or h[8:12] == b"WEBP",
    ),
    UnsupportedKind(
        "pictures in a zip: data, not a model",
        "Choose a model first, and add this zip as its data set.",
        all_pack(r".*\.(png|jpe?g|gif|bmp|webp)"),
    ),
    UnsupportedKind("a PDF document", "Open the model file that the document describes.", starts(b"%PDF")),
    UnsupportedKind(
        "a program for Linux (ELF)",
        "Open the model file itself, not the program or library that runs it.",
        starts(b"\x7fELF"),
    ),
    UnsupportedKind("a program for Windows", "Open the model file itself, not the program that runs it.", _is_windows),
    UnsupportedKind(
        "a program for macOS",
        "Open the model file itself, not the program that runs it.",
        starts(b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"),
    ),
    UnsupportedKind(
        "a tar archive",
        "Unpack it and open the model file; put several files into one zip.",
        lambda h, n, f: h[257:262] == b"ustar",
    ),
    UnsupportedKind(
        "a gzip file", "Unpack it (gunzip, or tar -xzf) and open the model file inside.", starts(b"\x1f\x8b")
    ),
    UnsupportedKind("a 7z archive", "Unpack it and open the model file inside.", starts(b"7z\xbc\xaf\x27\x1c")),
    UnsupportedKind("a RAR archive", "Unpack it and open the model file inside.", starts(b"Rar!\x1a\x07")),
    UnsupportedKind("an xz file", "Unpack it and open the model file inside.", starts(b"\xfd7zXZ\x00")),
    UnsupportedKind("a bzip2 file", "Unpack it and open the model file inside.", starts(b"BZh")),
    UnsupportedKind(
        "an LZ4 file, perhaps a compressed joblib model",
        "Save the model again with skops.io.dump, or with joblib and compress=3.",
        starts(b"\x04\x22\x4d\x18"),
    ),
    UnsupportedKind("a Zstandard file", "Unpack it and open the model file inside.", starts(b"\x28\xb5\x2f\xfd")),
    UnsupportedKind("a Python package (wheel)", "Open the model file inside it.", packs(r"[^/]+\.dist-info/.*")),
    UnsupportedKind(
        "a JAR or Android package",
        "Open the model file inside it.",
        packs(r"META-INF/MANIFEST\.MF|AndroidManifest\.xml|classes\.dex"),
    ),
    UnsupportedKind("an office document", "Open a model file.", packs(r"\[Content_Types\]\.xml|mimetype")),
    UnsupportedKind(
        "a MLflow or transformers folder in a zip",
        "Take the model file out of it (.onnx, .safetensors, .skops), and open that.",
        packs(r"(.*/)?(MLmodel|config\.json)"),
    ),
    UnsupportedKind("an R object", "In R, write the model as PMML or ONNX.", starts(b"RDX3", b"RDX2", b"X\n\x00\x00")),
    UnsupportedKind("a notebook", "Run it, and open the model file that it saves.", holds(rb'"cells"\s*:', ".ipynb")),
    UnsupportedKind("Python source", "Open the model file that it saves.", holds(rb"^|import ", ".py")),
    UnsupportedKind(
        "a JSON file",
        "Open the model file itself; settings alone do not make a model.",
        lambda h, n, f: bool(re.match(rb'\s*(\{\s*["}]|\[\s*[\[{"\d\]])', h)) and _is_text(h, n, f),
    ),
    UnsupportedKind("an XML file of an unknown kind", ONNX_NEXT, holds(rb"^\s*(\xef\xbb\xbf)?<\?xml")),
    UnsupportedKind(
        "a table in text (CSV): data, not a model", "Choose a model first, and add this table as its data set.", _is_csv
    ),
    UnsupportedKind(
        "only weights (.bin), without the graph that they belong to",
        "For OpenVINO, zip the .xml and the .bin together, and open the zip; for another format, open its main file.",
        lambda h, n, f: f.lower().endswith(".bin") and not n,
    ),
    UnsupportedKind("a plain text file", "Open the model file itself.", _is_text),
    UnsupportedKind("nothing but zero bytes, as a broken download leaves them", "Download the file again.", _is_zeros),
)

MODELS = re.compile(
    r".*\.(onnx|pt2?|pth|ts|safetensors|skops|pkl|pickle|joblib|ort|keras|h5|tflite|gguf)", re.IGNORECASE
)
SUFFIXES = {
    ".onnx": "an ONNX model", ".pt2": "an exported torch program", ".pt": "a torch file", ".pth": "a torch file", ".ort": "an ORT model",
    ".safetensors": "a safetensors file", ".skops": "a skops file", ".pkl": "a pickle", ".joblib": "a joblib file",
}  # fmt: skip


def refusal(head: bytes, names: tuple[str, ...], name: str, size: int) -> Refused:
    """Return the refusal that names what a file seems to be, and what to do with it."""
    if not size:
        return Refused("The file is empty.", "Download or export it again; the upload had 0 bytes.")
    for kind in UNSUPPORTED_KINDS:
        if kind.tells(head, names, name):
            return Refused(f"This seems to be {kind.what}.", kind.next_step)
    if names:
        return _zip(names)
    claimed = next((what for suffix, what in SUFFIXES.items() if name.lower().endswith(suffix)), None)
    if claimed:
        return Refused(
            f"The name suggests {claimed}, but the content is damaged or something else.",
            "Download or export the file again.",
        )
    return Refused(
        "The content is of an unknown kind.",
        "Open a file of a known format, such as ONNX, .pt2, TorchScript, a torch checkpoint, safetensors, Keras, LiteRT, "
        "OpenVINO, SavedModel, skops, joblib, XGBoost, LightGBM or PMML; `python -m core formats` lists all of them.",
    )


def _zip(names: tuple[str, ...]) -> Refused:
    inside = [name for name in names if not archives.JUNK.fullmatch(name)]
    models = [name for name in inside if MODELS.fullmatch(name)]
    if models:
        listed = ", ".join(name[:80] for name in models[:3])
        return Refused(
            f"This is a zip around {len(models)} model file(s): {listed}.",
            "Unpack it and open the model file; an ONNX model with data files stays zipped.",
        )
    return Refused(
        f"This is a zip of {len(inside)} file(s) without a model of a known format.", "Open the model file itself."
    )
