"""LiteRT on telephones and small boards; what it bears is known once a file was exported and replayed."""

from core.domain.target import Target


class LiteRt(Target):
    """Google's engine for telephones, formerly TensorFlow Lite."""

    title = "LiteRT"
    sentence = "Android, small boards and microcontrollers."
    format = "litert"


TARGET = LiteRt()
