"""An ONNX file as a trace: shapes by ONNX's own inference, nodes as calls of the aten operators that they amount to.

Nothing is run and no torch is needed. `record.read` is the way in.
"""
