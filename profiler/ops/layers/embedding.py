"""How is an embedding described, and which parameters should it have? A vector for each word."""

from __future__ import annotations

from profiler.ops.cost import Count, product
from profiler.ops.layers.kind import Arguments, Names, Settings, joined, kind, shape_of, torch_nn
from profiler.records.trace import Value


def _words(a: Settings, name: str) -> str:
    return joined(f"{a.number('num_embeddings')}×{a.number('embedding_dim')}", a.text("mode"))


def _parameters(a: Settings, names: Names) -> Count:
    """The padding word's vector, which stays zero, is stored like the others."""
    return product("words dim", a.number("num_embeddings"), a.number("embedding_dim"))


def _settings(call: Arguments) -> dict[str, Value]:
    words, width = shape_of(call["weight"])
    return {"num_embeddings": words, "embedding_dim": width}


kind(
    *torch_nn("sparse", "Embedding"),
    words=_words,
    parameters=_parameters,
    operators={"aten.embedding": "weight"},
    settings=_settings,
)
kind(*torch_nn("sparse", "EmbeddingBag"), words=_words, parameters=_parameters)
