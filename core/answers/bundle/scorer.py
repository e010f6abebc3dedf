"""What a bundle holds for PMML: the source of the scorer that the proof ran, since no light one in Python is to be had elsewhere."""

from pathlib import Path

CORE = Path(__file__).resolve().parents[2]
FILES = (
    "__init__.py",
    "domain/__init__.py",
    "domain/errors.py",
    *(
        f"scoring/{name}.py"
        for name in (
            "__init__",
            "form",
            "builder",
            "score",
            "pmml_expressions",
            "pmml_schema",
            "pmml_trees",
            "pmml_models",
            "pmml_read",
        )
    ),
)


def members(format: str) -> dict[str, str]:
    """Return the scorer's files by name; none for a format that other engines replay."""
    if format != "pmml":
        return {}
    return {f"scorer/core/{name}": (CORE / name).read_text() for name in FILES}
