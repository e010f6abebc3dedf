"""Training of ONNX models towards the answers of another: fine-tuning after a step, pruning in the course of it, distillation.

``train`` takes the network of one file (``student``) through batches of samples (``material``) towards what another file
answers to them (``teacher``, ``lesson``), and keeps what compact storage stands on (``rules``): zeros, values that many
weights share, 16-bit floats. The weights go back into the file's own tensors by name; nothing is exported. Operators
run as in inference throughout: normalisation keeps its stored statistics, and only scale and shift are trained; dropout
stays off. Only the sandboxed child imports this package, because it imports torch.
"""

from core.train.training.loop import Plan, train
from core.train.training.material import require
from core.train.training.student import Student

__all__ = ["Plan", "Student", "require", "train"]
