"""A web package: a page, ONNX Runtime for the web and one ONNX model in a zip, which opens in a browser without a server."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.border import archives
from core.domain.errors import Refused
from core.domain.format import Risk, Surroundings
from core.formats.anatomy import onnx_audit, onnx_summary, onnx_wire
from core.formats.anatomy.findings import parse_json
from core.formats.anatomy.onnx_dtypes import EXTERNAL
from core.formats.anatomy.onnx_summary import OnnxInside
from core.web import package

MANIFEST_BYTES = 1 << 20


class WebPackage(OnnxInside):
    """Its code is ours byte for byte, so that it needs no consent; model and answers are data and are checked as such."""

    title = "Web package (zip)"
    sentence = (
        "A page that runs the model in any browser, offline, from a folder. The proof here compares the model inside on "
        "ONNX Runtime; the run in a browser is proven by the package's own self-test."
    )
    suffixes = (".zip",)
    runs_in = Surroundings.BROWSER

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds a web package's manifest."""
        return package.MANIFEST in names

    def check(self, path: Path) -> Iterator[Risk]:
        """Check that nothing is inside but our page, data, and a model that passes the audit of ONNX files."""
        with archives.walk(path) as archive:
            ours = package.fixed()
            data = {package.MANIFEST, package.MODEL, package.MODEL_SCRIPT, package.RECORDED_SCRIPT}
            if odd := sorted(set(archive.names) ^ (data | set(ours))):
                raise Refused(
                    f"A web package contains unexpected files, or lacks some: {', '.join(odd)[:200]}.", package.AGAIN
                )
            for name, content in ours.items():
                if archive.members[name].size != len(content) or archive.read(name) != content:
                    raise Refused(f"{name} is not the file that this version of Portolan writes.", package.AGAIN)
            manifest = archive.read(package.MANIFEST, MANIFEST_BYTES)
            spec = package.Spec.from_json(parse_json(manifest, package.MANIFEST))
            model = archive.read(package.MODEL, package.MAX_MODEL_BYTES)
            package.check_model(model, spec)
            package.check_model_script(archive.read(package.MODEL_SCRIPT), spec, model)
            package.check_recorded_script(archive.read(package.RECORDED_SCRIPT, 2 * package.MAX_RECORDED_BYTES))
        with self.model(path) as inside:
            skeleton = onnx_wire.read(inside)
            yield from onnx_audit.check(skeleton)
            if any(tensor.data_location == EXTERNAL for tensor, _ in onnx_audit.walked(skeleton).tensors):
                raise Refused(
                    "The model in the package has weights in another file.", "Convert the model to a web package again."
                )
            if onnx_summary.signature(skeleton.model.graph) != spec.signature:
                raise Refused(f"{package.MANIFEST} describes another model.", package.AGAIN)

    @contextmanager
    def model(self, path: Path) -> Iterator[Path]:
        """Copy the model to a name of ours."""
        with archives.walk(path) as archive, tempfile.TemporaryDirectory(prefix="web-") as folder:
            copy = Path(folder) / "model"
            archive.copy(package.MODEL, copy)
            yield copy


FORMAT = WebPackage()
