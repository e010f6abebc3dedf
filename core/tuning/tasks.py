"""The things that a child does for a search, each a thin function from plain arguments to a plain answer; see ``core.tasks``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.errors import Refused
from core.tasks import IN, OUT, Progress, open_dataset, open_session, runtime_of

if TYPE_CHECKING:
    from core.proof.datasets import Dataset


def sensitivity(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Say what each weight tensor of the ONNX ``file`` bears, on samples of ``data``; the answer is a HeatMap."""
    from core.proof import heat_map

    dataset = required(open_dataset(args, open_session(args)))
    return heat_map.measure(IN / args["file"], dataset.samples(0, heat_map.MOMENTS), progress).to_json()


def answers(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write ``out/answers.npz``, what ``file`` answers to ``data``; the answer tells its Quality where there are labels."""
    from core.proof import attempts, quality

    session = open_session(args)
    dataset = required(open_dataset(args, session))
    outputs = quality.answers(session, dataset)
    attempts.write_answers(outputs, OUT / "answers.npz")
    found = None if dataset.labels is None else quality.graded(outputs, dataset.labels).quality
    return {"quality": found.to_json() if found else None, "samples": dataset.n}


def attempt(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Apply ``steps`` in a row to ``file``, then those of ``after`` that gain, and score the last result.

    ``out/0.onnx``, ``out/1.onnx`` ... are what each wrote.

    Techniques learn from the part ``learns`` of ``data``, the Score is of the part ``scores``. Where the loss is within
    ``packs``, if that is a number, the answer also has the bytes of the result when it is packed.
    """
    from core.proof import attempts

    whole = required(open_dataset(args, open_session(args)))
    expected = attempts.read_answers(IN / args["answers"])
    material = attempts.Material(IN / args["file"], whole.half(args["learns"]), whole.half(args["scores"]), expected)
    ran = attempts.run(material, args["steps"], args["after"], OUT, progress)
    last = OUT / f"{len(ran) - 1}.onnx"
    score = attempts.score(material, runtime_of(args).open_with(last, args["format"], {}))
    packs = args["packs"] is not None and score.loss.within(args["packs"])
    return {"ran": ran, "score": score.to_json(), "travel": packed_size(last) if packs else None}


def packed_size(path: Path) -> int | None:
    """Return the bytes of a file when it is packed; None where it is too large for that, or does not come back."""
    from core import pack

    try:
        return len(pack.packed(path.read_bytes())) if path.stat().st_size <= pack.LARGEST else None
    except Refused:
        return None


def required(dataset: "Dataset | None") -> "Dataset":
    """Return the data set. Raises Refused where there is none."""
    if dataset is None:
        raise Refused(
            "A search compares candidates on samples, and there are none.", "Add a data set, preferably with labels."
        )
    return dataset
