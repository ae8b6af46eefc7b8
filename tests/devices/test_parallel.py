"""Devices that share a model: plans, what each device sends, and where sums over devices are needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import ProfileError, generate
from profiler.devices.parallel import Plan, all_reduce_bytes, planned, send_bytes
from profiler.devices.sharding import sums
from profiler.records.trace import Trace

pytest.importorskip("transformers")

WIDTH, LAYERS, SEQ, BATCH, BF16 = 64, 2, 16, 3, 2
_SHAPE = f"hidden_size={WIDTH}, intermediate_size=128, num_hidden_layers={LAYERS}, vocab_size=100"
_HEADS = "num_attention_heads=8, num_key_value_heads=2"

# A model, and how many sums a layer needs: that of its attention and that of what follows, or of both together.
MODELS = {
    f"hf:LlamaConfig({_SHAPE}, {_HEADS})": 2,
    f"hf:MistralConfig({_SHAPE}, {_HEADS}, sliding_window=8)": 2,
    f"hf:Qwen3Config({_SHAPE}, {_HEADS}, head_dim=8)": 2,
    f"hf:MixtralConfig({_SHAPE}, {_HEADS}, num_local_experts=4)": 2,
    f"hf:Gemma3TextConfig({_SHAPE}, {_HEADS}, head_dim=16, sliding_window=8)": 2,
    f"hf:GPT2Config(n_embd={WIDTH}, n_layer={LAYERS}, n_head=4, vocab_size=100)": 2,
    f"hf:GPTJConfig(n_embd={WIDTH}, n_layer={LAYERS}, n_head=4, vocab_size=100, rotary_dim=8)": 1,
    f"hf:DeepseekV3Config({_SHAPE}, moe_intermediate_size=32, num_attention_heads=4, num_key_value_heads=4, "
    "n_routed_experts=8, num_experts_per_tok=2, n_group=2, topk_group=1, first_k_dense_replace=1, q_lora_rank=32, "
    "kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16)": 2,
}


def phases(model: str) -> tuple[Trace, Trace]:
    answer = generate(model, seq=SEQ, batch=BATCH, dtype="bfloat16")
    assert answer.decode is not None
    return answer.prefill.trace, answer.decode.trace


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model[3:].partition("C")[0])
def test_each_layer_adds_up_its_vectors_of_all_tokens(model: str) -> None:
    """And the table of words, whose rows are divided among devices, once."""
    prefill, decode = phases(model)
    number = MODELS[model] * LAYERS + 1
    assert [each.size_bytes for each in sums(prefill)] == number * [BATCH * SEQ * WIDTH * BF16]
    assert [each.size_bytes for each in sums(decode)] == number * [BATCH * 1 * WIDTH * BF16]


@pytest.mark.parametrize(
    ("size", "devices", "sent"),
    [(80, 1, 0), (80, 2, 2 * 80 / 2), (80, 4, 2 * 3 * 80 / 4), (80, 8, 2 * 7 * 80 / 8)],
)
def test_what_a_device_sends_in_a_ring(size: int, devices: int, sent: float) -> None:
    assert all_reduce_bytes(size, devices) == sent


@given(st.integers(0, 10**12), st.integers(1, 1000))
def test_no_device_sends_more_than_twice_the_tensor(size: int, devices: int) -> None:
    assert all_reduce_bytes(size, devices) <= 2 * size
    assert send_bytes(size, devices) * devices == pytest.approx(size)


PLANS = [
    ((None, None, None), Plan(1, 1)),
    ((8, None, None), Plan(8, 1)),
    ((8, 8, None), Plan(8, 1)),
    ((8, 4, None), Plan(4, 2)),
    ((8, None, 4), Plan(2, 4)),
    ((8, 2, 4), Plan(2, 4)),
    ((None, 2, 4), Plan(2, 4)),
    ((None, None, 4), Plan(1, 4)),
]


@pytest.mark.parametrize(("degrees", "plan"), PLANS)
def test_degrees_follow_from_each_other(degrees: tuple[int | None, int | None, int | None], plan: Plan) -> None:
    assert planned(*degrees) == plan


@pytest.mark.parametrize("degrees", [(8, 3, None), (8, None, 3), (8, 2, 2), (1, 2, None)])
def test_degrees_are_those_of_all_devices(degrees: tuple[int, int | None, int | None]) -> None:
    with pytest.raises(ProfileError, match=f"devices, not {degrees[0]}; leave out --devices or choose degrees"):
        planned(*degrees)


def test_a_degree_is_at_least_one() -> None:
    with pytest.raises(ProfileError, match="a model is not divided among 0 devices"):
        Plan(0)
