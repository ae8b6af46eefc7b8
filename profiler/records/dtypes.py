"""What is a dtype called? By torch's name, by its short ones, in any case: "fp16", "half", "torch.float16"."""

from __future__ import annotations

_SHORT = {
    "half": "float16", "float": "float32", "double": "float64", "int": "int32", "long": "int64", "short": "int16",
    "fp16": "float16", "fp32": "float32", "fp64": "float64", "bf16": "bfloat16",
    "f16": "float16", "f32": "float32", "f64": "float64", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
}  # fmt: skip


def name(text: object) -> str:
    """Torch's name of a dtype, of its own object too; a text that is none is given back as it is."""
    written = str(text).removeprefix("torch.").strip()
    return _SHORT.get(written.lower(), written.lower() if written.lower() in _SHORT.values() else written)
