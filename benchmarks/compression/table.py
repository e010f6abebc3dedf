"""Turns the figures into Markdown: what was to be reached and whether it was, then every row of ours and of the peers."""

from typing import Any

from benchmarks.compression.works import RUNS, SPEED, TRAVELS, WORKS, Aim, Line, Work

HEADS = (
    "who",
    "as it runs",
    "as it travels",
    "right on test data",
    "same answers",
    "speed (95 % interval)",
    "within the drop",
)


def table(figures: dict[str, Any]) -> str:
    """Return the whole page."""
    parts = [opening(figures)]
    parts += [section(name, figures["works"][name]) for name in WORKS if name in figures["works"]]
    if figures.get("students"):
        parts.append(students(figures["students"]))
    return "\n\n".join(parts) + "\n"


def opening(figures: dict[str, Any]) -> str:
    """Return the title, the rules and the aims, one line each."""
    machine = figures["machine"]
    lines = ["| model | to be reached | best within the drop | |", "|---|---|---|---|"]
    for name, work in WORKS.items():
        for line, aim in ((one, aim) for one in work.lines for aim in one.aims):
            lines.append(
                f"| {work.title} | {_wanted(aim)} | {' | '.join(verdict(figures['works'].get(name), line, aim))} |"
            )
    return "\n".join(["# Compression, measured", "", _rules(machine), "", *lines])


def section(name: str, figures: dict[str, Any]) -> str:
    """Return one model's table."""
    work, source = WORKS[name], figures["source"]
    words = f"{figures['data']}. Source: {source['bytes']:,} bytes, {source['packed']:,} packed, {_of(source['right'])} right; "
    words += f"{_of(source['choosing'])} right on the choosing samples. Allowed drop: {100 * work.drop:g} points."
    published = [f"Published: {work.published}."] if work.published else []
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    lines += [row(one, source, work) for one in (*figures["ours"], *figures["peers"])]
    return "\n".join([f"## {work.title}", "", words, *published, "", *lines])


def row(one: dict[str, Any], source: dict[str, Any], work: Work) -> str:
    """Return one line: ours or a peer's, or its own words where it made no file."""
    if one.get("refused"):
        return f"| {one['title']} | {_cell(one['refused'])} |" + " |" * (len(HEADS) - 2)
    cells = [
        one["title"],
        f"{one['smaller']:g}x ({one['bytes']:,})",
        f"{one['smaller_travelling']:g}x ({one['packed']:,})",
        _of(one["right"]),
        _of(one["same"]),
        _speed(one["race"]),
        "yes" if within(one, source, work.drop, work.flips) else "**no**",
    ]
    return "| " + " | ".join(cells) + " |"


def within(one: dict[str, Any], source: dict[str, Any], drop: float, flips: bool) -> bool:
    """Say whether the file loses no more right answers on test data than is allowed, or with ``flips`` False changes no answer."""
    if not flips:
        return bool(one["same"][0] == one["same"][1])
    return bool(source["right"][0] - one["right"][0] <= drop * source["right"][1] + 1e-9)


def verdict(figures: dict[str, Any] | None, line: Line, aim: Aim) -> tuple[str, str]:
    """Return what our files of a line came to, and whether that is the aim."""
    fitting = [one for one in (figures or {}).get("ours", []) if one["line"] == line.name and not one.get("refused")]
    if figures is None or not fitting:
        return "not measured", ""
    work = WORKS[figures["name"]]
    drop = work.drop if aim.drop is None else aim.drop
    kept = [one for one in fitting if within(one, figures["source"], drop, work.flips)]
    if not kept:
        return "nothing within the drop", "**missed**"
    best = max(kept, key=lambda one: reached(one, aim))
    found = reached(best, aim)
    return (
        f"{found:g}x, {_of(best['right'])} after {_of(figures['source']['right'])}",
        "reached" if found >= aim.least else "**missed**",
    )


def reached(one: dict[str, Any], aim: Aim) -> float:
    """Return how many times smaller or faster a file is by the measure of an aim."""
    if aim.measure == SPEED:
        return float(one["race"]["ratio"]) if isinstance(one["race"], dict) else 0.0
    return float(one[{RUNS: "smaller", TRAVELS: "smaller_travelling"}[aim.measure]])


def students(rows: list[dict[str, Any]]) -> str:
    """Return the table of distillation."""
    lines = ["| setting | seed | on labels | teacher | taught | gap closed |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {one['setting']} | {one['seed']} | {_of(one['labels'])} | {_of(one['teacher'])} | {_of(one['taught'])} | {one['closed']:.0%} |"
        for one in rows
    ]
    return "\n".join(
        [
            "## Distillation: LeNet-300-100 learns from LeNet-5, MNIST",
            "",
            "To be reached: 80 % of the gap (Hinton 2015: 91 %, of another pair).",
            "",
            *lines,
        ]
    )


def _rules(machine: dict[str, Any]) -> str:
    return (
        "Written by `python -m benchmarks.compression` from `compression.json`, which holds recipes, seeds, seconds and versions. Techniques learn from "
        "training data alone; all rows of ours are recipes that were set beforehand, and the one marked *chosen* is the strongest that keeps to the drop on training samples "
        "that were kept apart. Every file is asked the test data once. Bytes as it travels are those of `core.pack`, for the peers' files too, and both ratios are to the float32 file as it runs. "
        f"Speed is processor time of the source to that of the file, one thread, one sample, in pairs. {machine['processor']}, {machine['cores']} cores shared with other work."
    )


def _wanted(aim: Aim) -> str:
    return f"{aim.measure} {aim.least:g}x{', ' + aim.words if aim.words else ''}"


def _of(count: list[int]) -> str:
    return f"{count[0]:,} of {count[1]:,}"


def _speed(race: Any) -> str:
    return f"{race['ratio']:.2f} ({race['low']:.2f} to {race['high']:.2f})" if isinstance(race, dict) else _cell(race)


def _cell(text: str) -> str:
    return " ".join(str(text).replace("|", "/").split())[:160]
