"""Write a model in another format."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here, Nothing
from core.calls.opening import file_key, files, must_be_safe
from core.converters import CONVERTERS
from core.domain.errors import Refused, Unavailable
from core.domain.recipe import Option
from core.domain.transform import RECORDED, Converter, parse_options
from core.domain.work import Golden, Model
from core.runtimes import child_kind

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The key of the file, its format, the converter and its options."""

    file: str
    format: str
    converter: str
    options: dict[str, Option]


def work(request: Request, here: Here) -> Nothing:
    """Write ``out/artifact`` in the target format of the converter."""
    must_be_safe(request.format, here)
    converter = CONVERTERS[request.converter]
    if converter.source != request.format:
        raise Refused(f"{converter.title} does not read {request.format}.", f"It reads {converter.source}.")
    converter.convert(IN / request.file, OUT / "artifact", parse_options(converter.Options, request.options))
    return Nothing()


CALL = Call("convert", Request, Nothing, work)


def ask(
    bench: "Bench", source: Model, converter: Converter, options: dict[str, Option], golden: Golden | None = None
) -> Model:
    """Write the model in the converter's target format once, and keep the bytes; ``golden`` goes to a converter that packs it.

    Raises Unavailable where the converter is not installed.
    """
    if reason := converter.unavailable():
        raise Unavailable(reason, "Install it, start Portolan again, and repeat the conversion.")
    answers = {RECORDED: golden.recorded} if golden and converter.packs_answers else {}
    key = ("convert", source, converter.id, tuple(sorted(options.items())), tuple(answers.values()))
    return bench.once(key, lambda: _ask(bench, source, converter, options, answers))


def _ask(
    bench: "Bench", source: Model, converter: Converter, options: dict[str, Option], answers: dict[str, str]
) -> Model:
    request = Request(file_key(source.format), source.format, converter.id, options)
    kind = converter.kind or child_kind(source.format)
    with bench.call(CALL, request, {**answers, **files(bench, source)}, kind) as done:
        blob = bench.keep(done.folder / "artifact")
    return Model(blob.sha256, blob.size, converter.target)
