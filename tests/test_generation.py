"""Language models: prefill, decode steps, the cache and its bytes, sums over new tokens, memory over the context."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from profiler import Profile, ProfileError, generate, largest, profile, scan
from profiler.answers.generate.attention import attention_macs
from profiler.answers.generate.generation import Generation
from profiler.api.profiling import run as profile_spec
from profiler.engine.record.cache import held
from profiler.engine.run.phases import Phases
from profiler.figures import memory
from profiler.figures.cache import by_kind, parts
from profiler.records import archive
from profiler.records.spec import Feed
from profiler.sources import load
from tests.shell import rows, run

transformers = pytest.importorskip("transformers")

WIDTH, INNER, LAYERS, HEADS, KV, HEAD, WORDS, SEQ, FLOAT = 64, 128, 2, 8, 2, 8, 100, 16, 4
WINDOW = 8
_SHAPE = (
    f"hidden_size={WIDTH}, intermediate_size={INNER}, num_hidden_layers={LAYERS}, num_attention_heads={HEADS}, "
    f"num_key_value_heads={KV}, vocab_size={WORDS}"
)
LLAMA = f"hf:LlamaConfig({_SHAPE})"
GPT2 = f"hf:GPT2Config(n_embd={WIDTH}, n_layer={LAYERS}, n_head=4, vocab_size={WORDS})"
MISTRAL = f"hf:MistralConfig({_SHAPE}, sliding_window={WINDOW})"
MIXTRAL = f"hf:MixtralConfig({_SHAPE}, num_local_experts=4)"
GEMMA = (  # every sixth layer sees everything
    f"hf:Gemma3TextConfig(hidden_size={WIDTH}, intermediate_size={INNER}, num_hidden_layers=6, num_attention_heads=4, "
    f"num_key_value_heads=2, head_dim=16, vocab_size={WORDS}, sliding_window={WINDOW})"
)
RANK, ROPE = 16, 8  # of the latent that keys and values are made of, and of what positions turn
DEEPSEEK = (
    f"hf:DeepseekV3Config(hidden_size={WIDTH}, intermediate_size={INNER}, moe_intermediate_size=32, "
    f"num_hidden_layers={LAYERS}, num_attention_heads=4, num_key_value_heads=4, vocab_size={WORDS}, "
    "n_routed_experts=8, num_experts_per_tok=2, n_group=2, topk_group=1, first_k_dense_replace=1, q_lora_rank=32, "
    f"kv_lora_rank={RANK}, qk_rope_head_dim={ROPE}, qk_nope_head_dim=16, v_head_dim=16)"
)
T5 = f"hf:T5Config(d_model={WIDTH}, d_kv=16, d_ff={INNER}, num_layers={LAYERS}, num_heads=4, vocab_size={WORDS})"
STATE, CONV = 16, 4  # Mamba's own defaults, as is an inner width of twice the width
RWKV = f"hf:RwkvConfig(hidden_size={WIDTH}, num_hidden_layers={LAYERS}, vocab_size={WORDS})"
MAMBA = f"hf:MambaConfig(hidden_size={WIDTH}, num_hidden_layers={LAYERS}, vocab_size={WORDS})"
QWEN = (  # three layers with a state, one with keys and values
    f"hf:Qwen3NextConfig(hidden_size={WIDTH}, intermediate_size={INNER}, moe_intermediate_size=32, "
    f"shared_expert_intermediate_size=32, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, "
    f"head_dim=16, vocab_size={WORDS}, num_experts=4, num_experts_per_tok=2, linear_num_key_heads=2, "
    "linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16)"
)
BERT = "hf:BertConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, vocab_size=100)"

LINEAR = LAYERS * (WIDTH * (HEADS + 2 * KV) * HEAD + HEADS * HEAD * WIDTH + 3 * WIDTH * INNER) + WIDTH * WORDS
SCORES = LAYERS * 2 * HEADS * HEAD  # for each query and key: the score, and the weighted value


def one(model: Any, **asked: Any) -> Generation:
    found = generate(model, **asked)
    assert isinstance(found, Generation)
    return found


def both(model: Any, **asked: Any) -> tuple[Any, Any]:
    found = one(model, **asked)
    assert found.decode is not None
    return found.prefill, found.decode


# The cache ------------------------------------------------------------------------------------------------------------

CONV_STATE = (2 * 2 + 4) * 16 * 4  # keys and queries of two heads, values of four, over the kernel
CACHES = [  # after a prompt of SEQ tokens; after one token more
    (LLAMA, {"full": LAYERS * 2 * KV * HEAD * SEQ}, {"full": LAYERS * 2 * KV * HEAD * (SEQ + 1)}),
    (MIXTRAL, {"full": LAYERS * 2 * KV * HEAD * SEQ}, {"full": LAYERS * 2 * KV * HEAD * (SEQ + 1)}),
    (GPT2, {"full": LAYERS * 2 * WIDTH * SEQ}, {"full": LAYERS * 2 * WIDTH * (SEQ + 1)}),
    (DEEPSEEK, {"latent": LAYERS * (RANK + ROPE) * SEQ}, {"latent": LAYERS * (RANK + ROPE) * (SEQ + 1)}),
    (MISTRAL, {"sliding": LAYERS * 2 * KV * HEAD * (WINDOW - 1)}, {"sliding": LAYERS * 2 * KV * HEAD * (WINDOW - 1)}),
    (
        GEMMA,
        {"sliding": 5 * 2 * 2 * 16 * (WINDOW - 1), "full": 2 * 2 * 16 * SEQ},
        {"sliding": 5 * 2 * 2 * 16 * (WINDOW - 1), "full": 2 * 2 * 16 * (SEQ + 1)},
    ),
    (
        T5,
        {"full": LAYERS * 2 * WIDTH * SEQ, "cross": LAYERS * 2 * WIDTH * SEQ},
        {"full": LAYERS * 2 * WIDTH * (SEQ + 1), "cross": LAYERS * 2 * WIDTH * SEQ},
    ),
    (MAMBA, {"state": LAYERS * 2 * WIDTH * (STATE + CONV)}, {"state": LAYERS * 2 * WIDTH * (STATE + CONV)}),
    (RWKV, {"state": LAYERS * 5 * WIDTH}, {"state": LAYERS * 5 * WIDTH}),
    (
        QWEN,
        {"state": 3 * (CONV_STATE + 4 * 16 * 16), "full": 2 * 2 * 16 * SEQ},
        {"state": 3 * (CONV_STATE + 4 * 16 * 16), "full": 2 * 2 * 16 * (SEQ + 1)},
    ),
]


@pytest.mark.parametrize(("model", "after_prefill", "after_step"), CACHES)
def test_what_the_cache_holds_by_kind(model: str, after_prefill: dict[str, int], after_step: dict[str, int]) -> None:
    prefill, decode = both(model, seq=SEQ)
    assert by_kind(prefill.trace) == {kind: FLOAT * elements for kind, elements in after_prefill.items()}
    assert by_kind(decode.trace) == {kind: FLOAT * elements for kind, elements in after_step.items()}
    assert prefill.cache_bytes == FLOAT * sum(after_prefill.values())


def test_growth_is_told_by_kind() -> None:
    found = one(GEMMA, seq=SEQ, batch=2)
    assert found.growth_by_kind == {"sliding": 0, "full": FLOAT * 2 * 2 * 16}
    assert "full 4,352 bytes (256 more with a token)" in str(one(GEMMA, seq=SEQ))


def test_a_cache_grows_with_batch_and_shrinks_with_the_dtype() -> None:
    found = one(LLAMA, seq=SEQ, batch=3, dtype="bfloat16")
    assert found.prefill.cache_bytes == 2 * 3 * LAYERS * 2 * KV * HEAD * SEQ
    assert found.growth_bytes == 2 * LAYERS * 2 * KV * HEAD
    assert found.weight_bytes == {"bfloat16": 2 * profile(LLAMA).totals.params}
    assert (found.prefill.tokens, found.prefill.sequences) == (3 * SEQ, 3)


def test_a_static_cache_has_room_from_the_start_on_and_attends_to_all_of_it() -> None:
    prefill, decode = both(LLAMA, seq=SEQ, cache="static", new_tokens=4)
    room = SEQ + 4
    assert prefill.cache_bytes == decode.cache_bytes == FLOAT * LAYERS * 2 * KV * HEAD * room
    assert decode.attention_macs == SCORES * room


def test_a_quantised_cache_has_a_byte_an_element_and_a_scale_a_tensor() -> None:
    prefill, decode = both(LLAMA, seq=SEQ, cache="fp8")
    assert prefill.cache_bytes == LAYERS * 2 * (KV * HEAD * SEQ + FLOAT)
    assert decode.cache_bytes == LAYERS * 2 * (KV * HEAD * (SEQ + 1) + FLOAT)
    assert {part.dtype for part in parts(prefill.trace)} == {"float8_e4m3fn", "float32"}


def test_a_cache_of_packed_integers_is_as_large_as_what_it_is_packed_into() -> None:
    """Of a real run: its kernels do not run on meta. Four bits an element, a scale and a shift a group of 64."""
    pytest.importorskip("optimum.quanto")
    model = real(LLAMA)
    given = transformers.QuantizedCache(backend="quanto", config=model.config, nbits=4, q_group_size=64)
    with torch.no_grad():
        filled = model(torch.zeros(1, SEQ, dtype=torch.long), past_key_values=given).past_key_values
    elements = KV * HEAD * SEQ
    each = elements * 4 // 8 + 2 * FLOAT * elements // 64
    assert sum(item.tensor.nbytes for item in held(filled)) == LAYERS * 2 * each


def real(spec: str) -> Any:
    """The model with weights, and with attention that torch's counter sees into."""
    subject = load(spec, Feed(seq=SEQ))
    config = subject.model.config  # type: ignore[union-attr]
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    return type(subject.model)(config).eval()  # type: ignore[union-attr]


@pytest.mark.parametrize("spec", [LLAMA, GPT2, MISTRAL, GEMMA])
def test_the_cache_is_as_large_as_that_of_a_real_run(spec: str) -> None:
    prefill, decode = both(spec, seq=SEQ)
    model = real(spec)
    with torch.no_grad():
        cache = model(torch.zeros(1, SEQ, dtype=torch.long)).past_key_values
        assert prefill.cache_bytes == sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        tensors = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
        assert prefill.held_bytes == sum(storages.values())
        model(torch.zeros(1, 1, dtype=torch.long), past_key_values=cache)
        assert decode.cache_bytes == sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)


# What it costs --------------------------------------------------------------------------------------------------------


def test_macs_of_both_phases_and_attentions_part() -> None:
    prefill, decode = both(LLAMA, seq=SEQ)
    assert prefill.macs == SEQ * LINEAR + SCORES * SEQ * SEQ
    assert prefill.attention_macs == SCORES * SEQ * SEQ
    assert decode.macs == LINEAR + SCORES * (SEQ + 1)
    assert decode.attention_macs == SCORES * (SEQ + 1)
    assert (decode.context, decode.tokens, decode.name) == (SEQ, 1, "decode")


def test_the_prefill_is_the_ordinary_profile() -> None:
    found = one(LLAMA, seq=SEQ, phase="prefill")
    assert found.first.trace == profile_spec(LLAMA, Feed(seq=SEQ), "flops").trace
    assert found.decode is None
    assert [phase.name for phase in found.phases] == ["prefill"]


def test_experts_are_weights() -> None:
    prefill, decode = both(MIXTRAL, seq=SEQ)
    assert prefill.attention_macs == SCORES * SEQ * SEQ
    assert decode.attention_macs == SCORES * (SEQ + 1)


class Weighed(nn.Module):
    """Products with a weight that was cast, one that was picked out of several, and a buffer; and one of none."""

    def __init__(self) -> None:
        super().__init__()
        self.cast, self.several = nn.Parameter(torch.ones(8, 8)), nn.Parameter(torch.ones(4, 8, 8))
        self.register_buffer("held", torch.ones(8, 8))

    def forward(self, x: Tensor, which: Tensor) -> Tensor:
        x = (x @ self.cast.double().float()) @ self.held
        return (x @ self.several[which]) @ x.transpose(1, 2)


def test_attention_has_no_weight_for_a_factor() -> None:
    found = profile(Weighed(), ((3, 5, 8), torch.zeros(3, dtype=torch.long)))
    assert found.totals.macs == 3 * 5 * 8 * 8 * 3 + 3 * 5 * 8 * 5
    assert attention_macs(found.trace) == 3 * 5 * 8 * 5


def test_an_encoder_runs_once() -> None:
    prefill, decode = both(T5, seq=SEQ)
    attends = LAYERS * 2 * WIDTH  # of one query with one key
    assert prefill.attention_macs == 3 * attends * SEQ * SEQ  # the encoder's, the decoder's, and between them
    assert decode.attention_macs == attends * (SEQ + 1) + attends * SEQ
    assert [given.name for given in decode.trace.inputs] == ["decoder_input_ids", "encoder_outputs"]
    ran = {decode.trace.modules[call.module].path for call in decode.trace.calls}
    assert not [path for path in ran if path.startswith("encoder.block")]


def test_a_latent_is_projected_anew_for_every_token() -> None:
    found = [one(DEEPSEEK, seq=seq).decode for seq in (SEQ, SEQ + 1)]
    assert found[0] is not None
    assert found[1] is not None
    projected, attended = RANK * 4 * (16 + 16), 4 * (16 + ROPE) + 4 * 16
    assert found[1].macs - found[0].macs == LAYERS * (projected + attended)
    assert found[1].attention_macs - found[0].attention_macs == LAYERS * attended


def counted(spec: str, steps: int) -> Iterator[int]:
    """MACs of the prefill and of each step after it, as torch counts them while it generates."""
    model = real(spec)
    ids, cache = torch.zeros(1, SEQ, dtype=torch.long), None
    for _ in range(steps + 1):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            out = model(ids, past_key_values=cache)
        yield counter.get_total_flops() // 2
        ids, cache = out.logits[:, -1:].argmax(-1), out.past_key_values


@pytest.mark.parametrize("spec", [LLAMA, GPT2, MISTRAL, GEMMA])
def test_a_real_run_under_torchs_counter_says_the_same(spec: str) -> None:
    prefill, *steps = counted(spec, 3)
    found = one(real(spec), seq=SEQ, new_tokens=3)
    assert found.new is not None
    assert found.prefill.macs == prefill
    assert [found.new.ran[context].macs for context in sorted(found.new.ran)] == steps
    assert found.new.macs == sum(steps)


@pytest.mark.parametrize("spec", [LLAMA, MISTRAL.replace(f"sliding_window={WINDOW}", "sliding_window=30"), MAMBA])
def test_sums_are_those_of_every_single_step(spec: str) -> None:
    new = one(spec, seq=SEQ, new_tokens=40).new
    phases = Phases(load(spec, Feed(seq=SEQ)))  # type: ignore[arg-type]
    phases.prefill()
    each = [Profile(phases.decode()) for _ in range(40)]
    assert new is not None
    assert len(new.ran) < new.count == 40
    assert new.macs == sum(step.totals.macs for step in each)
    assert new.flops == sum(step.totals.flops for step in each)
    assert new.bytes_read == sum(step.figures.cost.bytes_read or 0 for step in each)
    assert new.last.cache_bytes == new.cache_bytes


def test_a_generation_in_all() -> None:
    found = json.loads(one(LLAMA, seq=SEQ, new_tokens=100).to_json())
    (prefill, _), new = found["phases"], found["new_tokens"]
    contexts = range(SEQ, SEQ + 100)
    assert prefill["macs"] == SEQ * LINEAR + SCORES * SEQ * SEQ
    assert new["macs"] == 100 * LINEAR + SCORES * sum(context + 1 for context in contexts)
    assert new["cache_bytes"] == FLOAT * LAYERS * 2 * KV * HEAD * (SEQ + 100)


# Memory ---------------------------------------------------------------------------------------------------------------


def test_memory_is_weights_and_cache_and_activations() -> None:
    prefill, decode = both(LLAMA, seq=SEQ)
    totals, given = decode.profile.totals, memory.cache_bytes(decode.trace)
    assert given == prefill.cache_bytes
    rest = totals.param_bytes + totals.buffer_bytes + totals.input_bytes
    assert totals.peak_memory_bytes == rest + given + totals.peak_activation_bytes
    assert sum(piece.size_bytes for piece in memory.alive_at_peak(decode.trace)) == given + totals.peak_activation_bytes


def test_what_a_step_replaces_is_released_and_a_static_cache_is_not() -> None:
    _, dynamic = both(LLAMA, seq=SEQ)
    _, static = both(LLAMA, seq=SEQ, cache="static")
    for decode, is_released in ((dynamic, True), (static, False)):
        given = [storage for storage in decode.trace.storages if storage.role == "cache" and storage.size_bytes > 8]
        assert len(given) == LAYERS * 2
        assert {storage.died is not None for storage in given} == {is_released}


def test_a_step_with_a_real_model_has_as_much_alive_as_on_meta() -> None:
    """The same step, on real tensors, whose storages are watched as they come and go."""
    spec = LLAMA.replace(f"num_hidden_layers={LAYERS}", "num_hidden_layers=3")
    on_meta, model = one(spec, seq=SEQ).decode, real(spec)
    model.set_attn_implementation("sdpa")
    assert on_meta is not None
    with torch.inference_mode():
        cache, token = model(torch.zeros(1, SEQ, dtype=torch.long)).past_key_values, torch.zeros(1, 1, dtype=torch.long)
        watch = Watch(tensor for layer in cache.layers for tensor in (layer.keys, layer.values))
        with watch:
            model(token, past_key_values=cache)
    assert watch.most == memory.peak_bytes(on_meta.trace)


class Watch(TorchDispatchMode):
    """The most bytes of storages alive after any operator: those given, and those that operators make."""

    def __init__(self, given: Iterable[Tensor]) -> None:
        super().__init__()
        self.most = 0
        self._alive: dict[int, int] = {}
        for tensor in given:
            self._see(tensor)

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._alive:
            self._alive[key] = storage.nbytes()
            weakref.finalize(storage, self._alive.pop, key, None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {arg.untyped_storage()._cdata for arg in args if isinstance(arg, Tensor)}
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.untyped_storage()._cdata not in before:
            self._see(out)
        self.most = max(self.most, sum(self._alive.values()))
        return out


def test_a_saved_step_holds_its_cache(tmp_path: Path) -> None:
    _, decode = both(GEMMA, seq=SEQ)
    decode.profile.save(tmp_path / "step.json")
    again = Profile.load(tmp_path / "step.json")
    assert again.trace == decode.trace
    assert again.totals == decode.profile.totals
    older = archive.to_json(decode.trace)
    del older["cache"]
    assert archive.from_json(older).cache == ()


# Lengths --------------------------------------------------------------------------------------------------------------


def test_figures_are_polynomials_of_the_context() -> None:
    found: Any = scan(LLAMA, "seq", (16, 64, 128), phase="both")
    polynomials = found.polynomials
    assert polynomials["prefill", "macs"].coefficients == (0, LINEAR, SCORES)
    assert polynomials["prefill", "attention_macs"].coefficients == (0, 0, SCORES)
    assert polynomials["decode", "macs"].coefficients == (LINEAR + SCORES, SCORES)
    assert polynomials["prefill", "cache_bytes"].coefficients == (0, FLOAT * LAYERS * 2 * KV * HEAD)
    assert list(found.by_value) == [16, 64, 128]


def test_phases_over_anything_that_varies(capsys: pytest.CaptureFixture[str]) -> None:
    by_batch: Any = scan(LLAMA, "batch", (1, 2), seq=SEQ, phase="decode")
    assert by_batch.polynomials["decode", "cache_bytes"].coefficients == (0, FLOAT * LAYERS * 2 * KV * HEAD * (SEQ + 1))
    assert [generation.decode.tokens for generation in by_batch.results] == [1, 2]
    argv = ("scan", LLAMA, "num_hidden_layers=1,2", "--seq", str(SEQ), "--cache", "static", "--columns", "value,cache")
    assert [(row["value"], int(row["cache_bytes"])) for row in rows(capsys, *argv)] == [
        (str(layers), FLOAT * layers * 2 * KV * HEAD * (SEQ + 1)) for layers in (1, 2)
    ]
    _, out, _ = run(capsys, *argv, "--caption", "Layers")
    assert out.startswith("Layers\n\nnum_hidden_layers")


@pytest.mark.parametrize(("phase", "cache"), [("prefill", None), ("decode", None), ("decode", "fp8"), (None, "static")])
def test_the_longest_prompt_that_fits(phase: str | None, cache: str | None) -> None:
    """Of both phases, the one that takes more."""

    def peak(seq: int) -> int:
        phases = one(LLAMA, seq=seq, phase=phase, cache=cache).phases
        return max(p.peak_memory_bytes for p in phases if phase in (None, p.name))

    answer = largest(LLAMA, "seq", peak(100), phase=phase, cache=cache)
    assert answer.value is not None
    assert answer.value >= 100
    assert peak(answer.value) <= peak(100) < peak(answer.value + 1)


def test_the_most_sequences_beside_quantised_weights(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("largest", LLAMA, "batch", "--in", "1MB", "--seq", "64", "--phase", "decode", "--as", "nf4")
    status, out, _ = run(capsys, *argv, "--format", "json")
    answer = json.loads(out)
    batch = answer["value"]
    step = one(LLAMA, seq=64, batch=batch, phase="decode").first
    stored = profile(LLAMA).weights("nf4").stored_bytes
    assert status == 0
    assert answer["fitting"]["peak_bytes"] == step.totals.peak_memory_bytes - step.totals.param_bytes + stored
    assert (answer["asked"]["phase"], answer["weights"]) == ("decode", "nf4")


def test_a_length_that_fails_keeps_its_row() -> None:
    found: Any = scan(Short(), "seq", (16, 64), "1x5:int64", phase="both")
    assert [point.failure is None for point in found.points] == [True, False]
    assert "too long" in str(found)
    assert found.data()["rows"][1] == {"value": 64, "context": 64, "phases": None, "error": str(found.failures[0])}


# Other models ---------------------------------------------------------------------------------------------------------


class Toy(nn.Module):
    """A decoder that is nobody's library, with a cache that is a list of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.into = nn.Embedding(10, 8), nn.Linear(8, 24)

    def forward(self, ids: Tensor, past_key_values: Any = None) -> Any:
        q, k, v = self.into(self.words(ids)).chunk(3, -1)
        if past_key_values is not None:
            k, v = (torch.cat([old, new], 1) for old, new in zip(past_key_values[0], (k, v), strict=True))
        return {"logits": nn.functional.softmax(q @ k.transpose(1, 2), -1) @ v, "past_key_values": [(k, v)]}


class Short(Toy):
    def forward(self, ids: Tensor, past_key_values: Any = None) -> Any:
        if ids.shape[1] > 20:
            raise ValueError("too long")
        return super().forward(ids, past_key_values)


def test_any_model_that_returns_a_cache() -> None:
    model = Toy()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = one(model, inputs=torch.zeros(2, 5, dtype=torch.long), new_tokens=20)
    assert found.new is not None
    assert found.prefill.macs == 2 * 5 * 8 * 24 + 2 * 2 * 5 * 5 * 8
    assert found.new.macs == sum(2 * 8 * 24 + 2 * 2 * (context + 1) * 8 for context in range(5, 25))
    assert found.growth_bytes == 2 * 8 * FLOAT
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_lengths_of_a_live_model_whose_prompt_is_a_shape() -> None:
    found: Any = scan(Toy(), "seq", (4, 8), "1x5:int64", phase="both")
    assert [one.prefill.tokens for one in found.results] == [4, 8]


class Returns(Toy):
    """Something like a cache, which it does not take again."""

    def forward(self, ids: Tensor) -> Any:
        return super().forward(ids)


def test_a_cache_that_is_not_taken_again_is_none() -> None:
    with pytest.raises(ProfileError, match="returns no cache"):
        generate(Returns(), "1x5:int64")


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        (BERT, {"phase": "decode"}, "returns no cache"),
        ("resnet18", {}, "not fed token ids"),
        (LLAMA, {"phase": "both ways"}, "known are prefill, decode, both"),
        (LLAMA, {"cache": "int3"}, "known are dynamic, static, fp8"),
        (LLAMA, {"new_tokens": 0}, "from 1 up"),
        (MISTRAL, {"cache": "fp8"}, "cannot be given a fp8 cache"),
        (LLAMA.replace("vocab_size", "use_cache=False, vocab_size"), {}, "returns no cache"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(model: str, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError, match=said) as caught:
        generate(model, **asked)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_cache_has_a_prefill() -> None:
    found = one(BERT, seq=SEQ, phase="prefill")
    assert found.prefill.cache_bytes == 0
    assert len(list(found.tables())) == 1


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_shows_phases_and_new_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "generate", LLAMA, "--seq", str(SEQ), "--new-tokens", "5", "--notes", "full")
    assert status == 0
    macs = SEQ * LINEAR + SCORES * SEQ**2 + sum(LINEAR + SCORES * (c + 1) for c in range(SEQ, SEQ + 5))
    assert f"{macs:,}" in out
    assert "5 decode steps" in out
    assert "Choosing the next token is not included" in out


def test_the_command_over_the_context(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "scan", LLAMA, "seq=16,64", "--phase", "both", "--format", "json")
    assert status == 0
    found = json.loads(out)["rows"]
    assert [row["phases"][0]["cache_bytes"] for row in found] == [FLOAT * LAYERS * 2 * KV * HEAD * n for n in (16, 64)]


def test_the_command_saves_a_step_and_shows_its_memory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "step.json"
    status, out, _ = run(capsys, "memory", LLAMA, "--seq", str(SEQ), "--phase", "decode", "--save", str(path))
    assert status == 0
    assert "of the tokens that were read before" in out
    status, out, _ = run(capsys, str(path))
    assert status == 0
    assert f"phase decode, context {SEQ}" in out


def test_columns_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    over_context = ("scan", LLAMA, "seq=16,64", "--phase", "decode", "--columns", "decode_macs,context")
    assert [tuple(row) for row in rows(capsys, *over_context)] == [("decode_macs", "context")] * 2
    (row,) = rows(capsys, "generate", LLAMA, "--seq", "16", "--phase", "decode", "--columns", "macs")
    assert row == {"macs": str(LINEAR + SCORES * (SEQ + 1))}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", LLAMA, "--phase", "decode", "--columns", "prefill_macs"), "prefill_macs"),
        (("generate", BERT, "--phase", "decode"), "returns no cache"),
        (("generate", LLAMA, "--phase", "both", "--save", "x.json"), "--save means something with one phase"),
        (("generate", LLAMA, "--train"), "no option is called --train here"),
        ((LLAMA, "--cache", "fp8"), "see profile-model generate MODEL --cache"),
        (("memory", LLAMA, "--phase", "both"), "say --phase prefill or decode"),
        (("memory", LLAMA, "--phase", "decode", "--training"), "means something with a forward pass"),
        (("scan", LLAMA, "seq=8,16", "--phase", "decode", "--optimizer", "sgd"), "means something with a forward pass"),
        (("generate", LLAMA, GPT2), "generate takes no"),
    ],
)
def test_the_command_refuses_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert said in err.splitlines()[-1]
