"""An ONNX file as a trace: shapes by ONNX's own inference, nodes as calls of the aten operators that compute the same.

Nothing is run and no torch is needed. `source.load` is the entry point.
"""
