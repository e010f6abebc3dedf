"""How the export of a move is asked of the conversion: the format of the target, at the newest versions that it reads."""

from core.converters import route
from core.domain.conversion import ConvertRequest
from core.domain.recipe import Option
from core.domain.target import Target
from core.domain.transform import option_fields
from core.domain.work import Code, Data, Subject


def request(
    subject: Subject, target: Target, opset: int | None, data: Data | None, code: Code | None, chosen: dict[str, Option] | None = None
) -> ConvertRequest:  # fmt: skip
    """Return the conversion for a target; ``chosen`` goes over what the target asks. Raises Refused where there is no way."""
    steps = route(subject.format, target.format)
    names = {f.name for converter in steps for f in option_fields(converter.Options)}
    asked = {name: value for name, value in target.options(subject.format, opset).items() if name in names}
    return ConvertRequest(subject, target.format, {**asked, **(chosen or {})}, data, code)
