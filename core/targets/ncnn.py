"""ncnn on telephones; its layers have names of their own, so what it bears is known once a file was exported and replayed."""

from core.domain.target import Target


class Ncnn(Target):
    """Tencent's small engine."""

    title = "ncnn"
    sentence = "Telephones and small boards without further libraries."
    format = "ncnn"


TARGET = Ncnn()
