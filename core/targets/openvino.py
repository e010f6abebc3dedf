"""OpenVINO on a processor: its own partitioner says which operators its plug-in takes."""

import re
from pathlib import Path

from core.domain.assessment import Cell, Fit, Fits, Known
from core.domain.errors import first_line
from core.domain.target import Target
from core.onnx import one_node

RULE = re.compile(r"No conversion rule found for operations: ([^\n]{1,4000})")


class OpenVino(Target):
    """Intel's engine, asked through its reader of ONNX and its plug-in for processors."""

    title = "OpenVINO"
    sentence = "Intel processors, graphics and accelerators."
    format = "openvino"
    tries = True

    def fit(self, path: Path) -> Fit:
        """Read the graph and have the plug-in partition it; where it cannot be read, name the operators that stay untranslated."""
        import openvino

        operators = one_node.taken(path)
        core = openvino.Core()
        try:
            model = core.read_model(str(path))
            answered = core.query_model(model, "CPU")
        except Exception as error:
            missing = _untranslated(str(error))
            cells = tuple(_cell(one, Fits.NO if one in missing else Fits.UNKNOWN) for one in operators)
            what = f"Not taken: {', '.join(sorted(missing))}." if missing else first_line(error)
            return Fit(Fits.NO, Known.PARTITIONED, what, cells)
        left = [op.get_type_name() for op in model.get_ordered_ops() if op.get_friendly_name() not in answered]
        if left:
            return Fit(Fits.PARTLY, Known.PARTITIONED, f"Its plug-in leaves out: {', '.join(sorted(set(left)))}.")
        cells = tuple(_cell(one, Fits.YES) for one in operators)
        return Fit(Fits.YES, Known.PARTITIONED, f"Its plug-in takes all {len(answered)} operators.", cells)


def _cell(operator: str, fits: Fits) -> Cell:
    return Cell(operator, fits, Known.UNKNOWN if fits is Fits.UNKNOWN else Known.PARTITIONED)


def _untranslated(words: str) -> set[str]:
    """Return the operators for which its reader says that it has no rule."""
    found = RULE.search(words)
    return {name.strip() for name in found[1].split(",")} if found else set()


TARGET = OpenVino()
