"""Core ML itself: a package is written here, and only an Apple device can run it."""

from core.domain.target import Target


class CoreMl(Target):
    """Apple's own format."""

    title = "Core ML"
    sentence = "Apple devices without ONNX Runtime."
    format = "coreml"


TARGET = CoreMl()
