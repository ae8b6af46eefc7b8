"""Which of an architecture's classes is built? What its configuration names, else what it is mostly used for."""

from __future__ import annotations

from typing import Any

from profiler import errors
from profiler.records.spec import Spec
from profiler.sources.huggingface.configs import transformers

# The tasks in the order in which an architecture is looked up, by the library's own tables. BERT can be used to write
# text from left to right, and CLIP to classify images; neither is what it is for, so what is more particular is first.
_TASKS = (
    "SEQ_TO_SEQ_CAUSAL_LM",
    "SPEECH_SEQ_2_SEQ",
    "IMAGE_TEXT_TO_TEXT",
    "MASKED_LM",
    "CAUSAL_LM",
    "ZERO_SHOT_IMAGE_CLASSIFICATION",
    "OBJECT_DETECTION",
    "IMAGE_CLASSIFICATION",
    "VIDEO_CLASSIFICATION",
    "SEMANTIC_SEGMENTATION",
    "CTC",
    "AUDIO_CLASSIFICATION",
)


def head(config: Any, spec: Spec) -> Any:
    """The class of `config.architectures`, which a spec may set too: `hf:BertConfig(architectures=["BertModel"])`."""
    architectures = config.architectures
    first = architectures[0] if isinstance(architectures, (list, tuple)) and architectures else architectures
    name = first or _usual(config.model_type)
    cls = getattr(transformers(), name, None) if isinstance(name, str) else None
    if cls is None:
        raise _no_such_architecture(spec.text, name, config.model_type)
    return cls


def _usual(model_type: str) -> str | None:
    from transformers.models.auto import modeling_auto

    tables = [getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES") for task in _TASKS]
    for table in (*tables, modeling_auto.MODEL_MAPPING_NAMES):
        if model_type in table:
            classes = table[model_type]
            return str(classes if isinstance(classes, str) else classes[0])
    return None


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_architecture(spec: str, name: str | None, kind: str) -> errors.ProfileError:
    what = f"names the architecture {name!r}" if name else f"is of the kind {kind!r}"
    return errors.ProfileError(
        f"{spec} {what}, which this version of transformers does not have; "
        "name one it has, like (architectures=['LlamaForCausalLM'])"
    )
