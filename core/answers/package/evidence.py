"""What goes with a package for people who decide and for tools that keep books: the sign-off as a page, a bill of materials, a model card.

All three are made of what was measured; what nobody measured is said to be missing. None carries a time of day, so that
equal work gives equal bytes.
"""

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from core.domain.artifact import TensorSpec
from core.domain.conversion import Conversion
from core.domain.migration import NOWHERE, Migration, PackagedFile
from core.domain.report import Count, Quality, Verdict
from core.formats import FORMATS

HERE = Path(__file__).parent
HEADS = {
    Verdict.PASS: "Ready to move",
    Verdict.NOT_PROVEN: "Something is still open",
    Verdict.FAIL: "Do not move this model",
}
MISSING = "[More Information Needed]"
"""What Hugging Face's template writes where nobody said anything."""
LIBRARIES = {"onnx": "onnx", "ort": "onnx"}


def page(result: Migration, made: Conversion, files: tuple[PackagedFile, ...]) -> str:
    """Return the sign-off as one HTML page without scripts; every word from a file or a person is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    passed = sum(gate.verdict is Verdict.PASS for gate in result.gates)
    open_gates = [gate for gate in result.gates if gate.verdict is not Verdict.PASS]
    told = {
        "head": HEADS[result.verdict],
        "result": result,
        "made": made,
        "passed": passed,
        "open": open_gates,
        "nowhere": NOWHERE,
        "source": FORMATS[result.source.format].title,
        "format": FORMATS[result.artifact.format].title,
        "accuracy": measured(made),
        "files": files,
    }
    return environment.from_string((HERE / "signoff.txt").read_text()).render(told) + "\n"


def measured(made: Conversion) -> Quality | None:
    """Return the quality of the export on the owner's data, where it is one."""
    found = made.quality.after if made.quality else None
    return None if found is None or found.unmet or found.doubt else found


def shape(spec: TensorSpec) -> str:
    """Say what an input or output holds."""
    return f"{spec.dtype} [{', '.join('n' if size is None else str(size) for size in spec.shape or ())}]"


def bom(result: Migration, made: Conversion, name: str, requirements: str, files: tuple[PackagedFile, ...]) -> str:
    """Return the bill of materials as CycloneDX 1.6 in JSON, with a model card for the model."""
    libraries = [line.split("==") for line in requirements.split() if "==" in line]
    refs = {package: f"pkg:pypi/{package.lower()}@{version}" for package, version in libraries}
    source = {"type": "machine-learning-model", "name": result.source.name, "version": result.source.sha256[:12], **hashes(result.source.sha256)}  # fmt: skip
    ends = {side: [{"format": f"{one.name}: {shape(one)}"} for one in specs] for side, specs in (("inputs", made.summary.inputs), ("outputs", made.summary.outputs))}  # fmt: skip
    model = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": name,
        "version": result.artifact.sha256[:12],
        "description": f"{FORMATS[result.artifact.format].title}, exported from {result.source.name} by Portolan",
        **hashes(result.artifact.sha256),
        "pedigree": {"ancestors": [source], "notes": ", then ".join(step.converter for step in made.steps)},
        "modelCard": {
            "modelParameters": ends,
            "quantitativeAnalysis": {"performanceMetrics": metrics(made)},
            "considerations": {"technicalLimitations": [f"Not run: {one}" for one in result.not_run]},
        },
    }
    library = [
        {"type": "library", "bom-ref": refs[package], "name": package, "version": version, "purl": refs[package]}
        for package, version in libraries
    ]
    own = [
        {"type": "file", "bom-ref": f"file:{one.name}", "name": one.name, **hashes(one.digest)}
        for one in files
        if one.digest != result.artifact.sha256
    ]
    told = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, ' '.join(one.digest for one in files))}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "Portolan"}]},
            "component": {"type": "application", "bom-ref": "package", "name": f"{name}-package", "version": "1"},
        },
        "components": [model, *library, *own],
        "dependencies": [{"ref": "package", "dependsOn": ["model", *refs.values()]}],
    }
    return json.dumps(told, indent=2, sort_keys=True) + "\n"


def hashes(sha256: str) -> dict[str, Any]:
    """Return a checksum as CycloneDX writes it."""
    return {"hashes": [{"alg": "SHA-256", "content": sha256}]}


def metrics(made: Conversion) -> list[dict[str, Any]]:
    """Return the quality of the export with its interval, as CycloneDX writes it."""
    found = measured(made)
    if found is None:
        return []
    told: dict[str, Any] = {"type": found.metric, "value": f"{found.value:.6g}"}
    if found.correct:
        low, high = found.correct.interval
        told["confidenceInterval"] = {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}
    return [told]


def model_card(result: Migration, made: Conversion, name: str) -> str:
    """Return a model card in the layout of Hugging Face's template, filled where something was measured or read."""
    found, kind = measured(made), task_kind(made)
    head: dict[str, Any] = {
        "library_name": LIBRARIES.get(result.artifact.format, result.artifact.format),
        "tags": ["portolan"],
    }
    if kind:
        head["pipeline_tag"] = kind
    if found is not None and made.data is not None:
        row = {
            "task": {"type": kind or "other"},
            "dataset": {"type": "private", "name": made.data.name},
            "metrics": [{"type": found.metric.lower().replace(" ", "_"), "value": round(found.value, 6)}],
        }
        head["model-index"] = [{"name": name, "results": [row]}]
    # JSON is YAML too, so that no name of a stranger's becomes structure.
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items())
    inputs, outputs = (", ".join(f"`{code(one.name)}` {shape(one)}" for one in specs) for specs in (made.summary.inputs, made.summary.outputs))  # fmt: skip
    sections = {
        f"# Model Card for {name}": f"{FORMATS[result.artifact.format].title}, exported from `{code(result.source.name)}` and packed by Portolan for {result.title}.",
        "## Model Details": f"- **Inputs:** {inputs}\n- **Outputs:** {outputs}\n- **Weights:** {made.summary.parameters if made.summary.parameters is not None else MISSING}\n- **SHA-256:** {result.artifact.sha256}\n- **Finetuned from model:** `{code(result.source.name)}`, SHA-256 {result.source.sha256}\n- **License:** {MISSING}",
        "## Uses": MISSING,
        "## Bias, Risks, and Limitations": "\n".join(f"- Not run: {one}" for one in result.not_run) + f"\n- {MISSING}",
        "## How to Get Started with the Model": "See README.md of this package.",
        "## Training Details": MISSING,
        "## Evaluation": evaluated(found, made),
        "## Technical Specifications": "\n".join(
            f"- {gate.verdict}: {gate.name}. {gate.reason}" for gate in result.gates
        ),
    }
    return f"---\n{front}---\n\n" + "\n".join(f"{title}\n\n{text}\n" for title, text in sections.items())


def code(text: str) -> str:
    """Return a stranger's text as it may stand between backticks."""
    return " ".join(text.replace("`", "'").split())[:200]


def evaluated(found: Quality | None, made: Conversion) -> str:
    """Say what was measured, on what, against what."""
    if found is None or made.data is None or made.quality is None:
        return f"- **Testing data:** {MISSING}\n- **Results:** {MISSING}"
    correct = found.correct or Count(0, 0)
    share = f" ({correct.k:,} of {correct.n:,})" if correct.n else ""
    return (
        f"- **Testing data:** `{code(made.data.name)}`, SHA-256 {made.data.sha256}, {found.samples:,} samples\n"
        f"- **Metric:** {found.metric}\n- **Results:** {found.value:.6g}{share}; the source has {made.quality.before.value:.6g}"
    )


def task_kind(made: Conversion) -> str:
    """Return the name that Hugging Face has for the task, where it is known."""
    task = made.golden.evidence.task
    if task is None or not task.prepare:
        return ""
    return "image-to-text" if task.decode else "image-classification" if measured(made) and made.quality and made.quality.after.correct else ""  # fmt: skip
