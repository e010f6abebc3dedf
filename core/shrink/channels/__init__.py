"""Channels, neurons and heads of ONNX models: which go together, which can be spared, how the rest makes up for them, and the cut.

``groups`` walks the graph by ``rules`` and says what can be cut; ``budget`` says how many units of each group stay,
``choice`` which; ``silence`` lets no layer read the others and fits the layers (``fit``); ``cut`` takes them out.
``narrow`` does all of it.
"""
