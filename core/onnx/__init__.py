"""ONNX files taken apart: what several books on a shelf need to know of graphs, weights and arithmetic."""
