"""Browsers: the engine is compiled to WebAssembly, and a run in a real browser says whether it takes a file."""

from core.domain.target import Target


class OnnxRuntimeWeb(Target):
    """A page that runs the model where it is opened."""

    title = "Web browser"
    sentence = "A page that runs the model on the visitor's own device."
    format = "web_package"
    elsewhere = "No browser was asked; run the export in yours on the Convert page."


TARGET = OnnxRuntimeWeb()
