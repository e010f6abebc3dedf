"""Sets two ONNX graphs beside each other: what each operator reads, which stand for which, and what differs between those.

``drawing`` reads a graph, ``matching`` pairs its operators with another's whatever they are called, ``difference`` names changes.
"""
