"""What makes ONNX models smaller or faster, one method a file; techniques put them in order."""
