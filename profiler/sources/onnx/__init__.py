"""How does an ONNX file become a trace? Its nodes are translated to calls of the aten operators that compute the same.

Shapes are those of ONNX's own inference.

Nothing is run and no torch is needed. `source.load` is the entry point.
"""
