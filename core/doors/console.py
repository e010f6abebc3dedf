"""What the commands say to people; with ``--json`` nothing of this is printed."""

from pathlib import Path
from typing import Any

from core.domain.portability import Attempt


def summary(title: str, summary: dict[str, Any]) -> None:
    """Print a summary in lines."""
    print(f"{title}, {summary['size']:,} bytes, sha256 {summary['sha256']}")
    for key in ("producer", "opset", "parameters", "precision", "sparsity"):
        if summary[key] is not None:
            print(f"{key}: {summary[key]}")
    for side in ("inputs", "outputs"):
        for spec in summary[side]:
            print(f"{side[:-1]} {spec['name']}: {spec['dtype']} {spec['shape']}")
    if summary["operators"]:
        print("operators: " + ", ".join(f"{name} {n}" for name, n in summary["operators"].items()))
    for risk in summary["risks"]:
        print(f"{risk['level']}: {risk['what']} {risk['where']}".rstrip())


def conversion(result: dict[str, Any], out: Path) -> None:
    """Print the verdict with its evidence."""
    parity, size = result["parity"], result["size"]
    for step in result["steps"]:
        print(f"{step['parity']['verdict']}: {step['converter']}")
    print(f"{parity['verdict']}: {out}, {size['before']:,} -> {size['after']:,} bytes")
    for check in parity["checks"]:
        print(
            f"  {check['name']}: {check['samples']} samples, largest difference {check['max_abs']}, {check['verdict']}"
        )
    if parity["reason"]:
        print(parity["reason"])


def compression(result: dict[str, Any], out: Path) -> None:
    """Print what was won and what was lost."""
    parity, size = result["parity"], result["size"]
    print(
        f"{parity['verdict']}: {out}, {size['before']:,} -> {size['after']:,} bytes ({size['ratio']:.2f} times smaller)"
    )
    print(f"zipped {size['zipped_before']:,} -> {size['zipped_after']:,} bytes")
    if size["packed_after"]:
        print(f"packed {size['packed_before'] or size['zipped_before']:,} -> {size['packed_after']:,} bytes")
    for sentence in (*(one["text"] for one in result["why"]), parity["reason"]):
        print(sentence)
    print(f"Safe on: {result['safe_on']}")


def matrix(attempts: list[Attempt]) -> None:
    """Print one line a target."""
    for one in attempts:
        figures = f"{one.samples:,} samples, largest difference {one.max_abs:.2g}. " if one.max_abs is not None else ""
        print(f"{one.standing:<26} {one.title:<32} {figures}{one.reason} {one.next_step}".rstrip())


def evaluation(result: dict[str, Any]) -> None:
    """Print the quality, and the verdict against the parent."""
    for name, quality in (("model", result["quality"]), ("against", (result["against"] or {}).get("quality"))):
        if quality:
            of = f" ({quality['correct']['k']} of {quality['correct']['n']})" if quality["correct"] else ""
            print(f"{name}: {quality['metric']} {quality['value']:.4f}{of} on {quality['samples']} samples")
    if result["against"]:
        print(f"{result['against']['parity']['verdict']}: {result['against']['parity']['reason']}")
