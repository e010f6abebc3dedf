"""ONNX to a folder that any web browser opens: a page with inputs, answers and a self-test, and everything that it needs."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused
from core.domain.transform import RECORDED, Converter, Tolerance, option
from core.formats.anatomy import onnx_summary, onnx_wire
from core.onnx import files
from core.web import package


@dataclass(frozen=True)
class PageOptions:
    """What the page says at its top."""

    title: str = option("Model in the browser", "Title of the page, up to 80 characters.")


class OnnxToWebPackage(Converter):
    """Packs the file as it is, with the answers of the first source for the page's self-test."""

    title = "ONNX to web package"
    sentence = (
        "A page that runs the model in any browser, offline, from a folder; proven here on ONNX Runtime, and in the "
        "browser by the package's own self-test."
    )
    source, target, suffix = "onnx", "web_package", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = PageOptions
    packs_answers = True

    def convert(self, source: Path, out: Path, options: PageOptions) -> None:
        """Write the zip. Raises Refused for a model that is too large for a page, or that gives no plain tensors."""
        model = source.read_bytes()
        if len(model) > package.MAX_MODEL_BYTES:
            raise Refused(
                f"The model has {len(model) / 1e6:,.0f} MB; the limit for a web package is {package.MAX_MODEL_BYTES / 1e6:,.0f} MB.",
                "Make it smaller on the Compress page first.",
            )
        files.loads(source)
        signature = onnx_summary.signature(onnx_wire.read(source).model.graph)
        odd = [spec.name for spec in (*signature.inputs, *signature.outputs) if "(" in spec.dtype]
        if odd:
            raise Refused(
                f"A browser takes and returns plain tensors only; these are not tensors: {', '.join(odd)[:200]}.",
                "Export the model with tensor outputs (scikit-learn: zipmap off).",
            )
        answers = source.with_name(RECORDED)
        spec = package.spec_of(model, options.title[:80], signature, self.tolerance.absolute, self.tolerance.relative)
        package.write(out, model, spec, answers.read_bytes() if answers.exists() else None)


CONVERTER = OnnxToWebPackage()
