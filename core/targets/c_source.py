"""Plain C for machines without any engine: statistical models as source code."""

from core.domain.target import Target


class CSource(Target):
    """Source code that any C compiler takes."""

    title = "Plain C"
    sentence = "Controllers and programs without any library."
    format = "c_source"


TARGET = CSource()
