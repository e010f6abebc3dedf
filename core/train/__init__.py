"""Training of ONNX models, in torch; only the sandboxed child imports what is in here."""
