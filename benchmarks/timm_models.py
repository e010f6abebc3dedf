"""One architecture of each timm family, exported and led to every target with the real proof: k of n, seconds, memory.

Weights are random, so nothing here says anything about accuracy; constants that timm starts at zero or one (norms,
layer scales, running statistics) are shaken, so that every layer shows in the answer. Needs timm beside the
requirements; run by ``python -m benchmarks.timm_models FOLDER TARGET [TARGET ...]``, one JSON line a model on stdout;
``python -m benchmarks.timm_models --table < LINES`` makes one table of them.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.calls.bench import Bench
from core.domain.codec import encode
from core.domain.errors import PortolanError
from core.domain.portability import PortabilityRequest
from core.domain.work import Subject
from core.doors.commands import bench
from core.doors.given import subject_of
from core.libraries.architectures.named import define_vision_operators
from core.sandbox.tools import Tools
from core.verbs import portability

NAMES = [
    "test_vit",
    "starnet_s050",
    "test_vit_relpos",
    "mobilevit_xxs",
    "dla46_c",
    "edgenext_xx_small",
    "mobilenetv3_small_050",
    "repghostnet_050",
    "efficientvit_m0",
    "ghostnet_050",
    "regnetx_002",
    "xcit_nano_12_p16_224",
    "ese_vovnet19b_slim",
    "cs3darknet_focus_s",
    "efficientvit_b0",
    "swiftformer_xs",
    "efficientformerv2_s0",
    "pvt_v2_b0",
    "convnext_atto",
    "fasternet_t0",
    "fastvit_t8",
    "inception_next_atto",
    "rexnet_100",
    "pit_ti_224",
    "hardcorenas_a",
    "efficientnet_b0",
    "mobileone_s0",
    "repvit_m0_9",
    "eva02_tiny_patch14_224",
    "convit_tiny",
    "deit_tiny_patch16_224",
    "coat_lite_tiny",
    "hgnetv2_b0",
    "shvit_s1",
    "efficientvim_m1",
    "crossvit_tiny_240",
    "mambaout_femto",
    "levit_128s",
    "densenet121",
    "dpn48b",
    "visformer_tiny",
    "resnest14d",
    "csatv2",
    "resnetv2_18",
    "resnet18",
    "legacy_seresnet18",
    "poolformer_s12",
    "cait_xxs24_224",
    "skresnet18",
    "gcvit_xxtiny",
    "tiny_vit_5m_224",
    "efficientformer_l1",
    "botnet26t_256",
    "hrnet_w18_small",
    "nf_resnet26",
    "nest_tiny",
    "mixer_s32_224",
    "convmixer_768_32",
    "legacy_xception",
    "tnt_s_patch16_224",
    "inception_v3",
    "rdnet_tiny",
    "twins_svt_small",
    "mvitv2_tiny",
    "res2net50_26w_4s",
    "hiera_tiny_224",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "davit_tiny",
    "focalnet_tiny_srf",
    "selecsls42",
    "maxvit_tiny_tf_224",
    "nextvit_small",
    "beit_base_patch16_224",
    "vgg11",
]


def export(name: str, out: Path) -> None:
    """Build an architecture, shake its constants and write it as ``.pt2`` with a free batch; runs in a process of its own."""
    import torch

    define_vision_operators()
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    size = model.pretrained_cfg.get("input_size", (3, 224, 224))
    shake(model, torch.randn(4, *size))
    example = torch.randn(2, *size)
    with torch.no_grad():
        first, second = model(example)
    if not float((first - second).abs().max()) > 1e-4:
        raise SystemExit("degenerate: two inputs get the same answer")
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    torch.export.save(program, out)


def shake(model: Any, example: Any) -> None:
    """Give every vector of constants a spread, and batch norms the statistics of real activations, as training would."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and float(parameter.std()) < 1e-4:
                parameter.copy_(parameter.abs().clamp(min=0.5) + 0.1 * torch.randn_like(parameter))
        norms = [one for one in model.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.train()
            norm.momentum = None
        model(example)
        for norm in norms:
            norm.eval()
            norm.momentum = 0.1


def exported(name: str, folder: Path) -> dict[str, Any]:
    """Export in a child process and say how it went, in seconds and MB."""
    started = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.timm_models", "--export", name, str(folder / f"{name}.pt2")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    reason = (done.stderr.strip().splitlines() or [""])[-1][:200] if done.returncode else None
    return {"seconds": round(time.monotonic() - started, 1), "refused": reason}


def tried(tools: Tools, source: Subject, targets: list[str]) -> dict[str, Any]:
    """Lead one model to each target, sharing the steps that the ways have in common, and return where each stands."""
    wanted = [portability.planned(source.format, target) for target in targets]
    search = portability.Search(Bench(tools), PortabilityRequest(source), source.model, wanted)
    search.prepare()
    rows = {}
    for place, target in enumerate(targets):
        before = time.monotonic()
        try:
            search.visit(place)
            found = encode(search.attempts[place])
        except PortolanError as error:
            found = {"standing": error.kind, "reason": error.message, "max_abs": None}
        row = {key: found.get(key) for key in ("standing", "max_abs", "reason", "samples", "size")}
        peak = {"peak_rss_mb": round(search.bench.cost.peak_rss_mb)}
        rows[target] = {**row, "seconds": round(time.monotonic() - before, 1), **peak}
    return rows


def main(folder: Path, targets: list[str]) -> None:
    """Print one JSON line for each architecture; a line says what was exported and how each target went."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        file = folder / f"{name}.pt2"
        row: dict[str, Any] = {"name": name, "export": exported(name, folder)}
        if file.exists():
            with bench() as tools:
                source = subject_of(tools, file, consent=False)
                row |= {"mb": round(source.size / 1e6, 1), "to": tried(tools, source, targets)}
            file.unlink()
        row["own_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(json.dumps(row), flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the lines of a run as one Markdown table, with k of n for each target above it."""
    targets = list(dict.fromkeys(target for row in rows for target in row.get("to", {})))
    heads = ["architecture", "MB", "export s", *(f"{target}: largest difference, s, peak MB" for target in targets)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [cell(row["to"][target]) if "to" in row else "not exported" for target in targets]
        lines.append(
            "| " + " | ".join([row["name"], str(row.get("mb", "")), str(row["export"]["seconds"]), *cells]) + " |"
        )
    counts = [
        f"{target} {sum(row['to'][target]['standing'] == 'proven here' for row in rows if 'to' in row)} of {len(rows)}"
        for target in targets
    ]
    return "\n".join([f"PASS: {', '.join(counts)}.", "", *lines])


def cell(found: dict[str, Any]) -> str:
    """Return what became of one target."""
    if found["standing"] in ("proven here", "differs"):
        gap = f"{found['max_abs']:.1e}" if found["max_abs"] is not None else "shape"
        verdict = "" if found["standing"] == "proven here" else "FAIL "
        return f"{verdict}{gap}, {found['seconds']}, {found['peak_rss_mb']}"
    return str(found["standing"])


if __name__ == "__main__":
    if sys.argv[1] == "--table":
        print(table([json.loads(line) for line in sys.stdin]))
    elif sys.argv[1] == "--export":
        export(sys.argv[2], Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
