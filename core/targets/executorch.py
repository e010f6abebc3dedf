"""ExecuTorch on telephones; what it bears is known once a file was exported and replayed."""

from core.domain.target import Target


class ExecuTorch(Target):
    """torch's engine for telephones."""

    title = "ExecuTorch"
    sentence = "Telephones and small devices, from torch."
    format = "executorch"


TARGET = ExecuTorch()
