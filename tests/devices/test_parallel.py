"""Devices that share a model: plans, what each device sends, and where sums over devices are needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import ProfileError, generate
from profiler.devices.parallel import Plan, all_reduce_bytes, all_to_all_bytes, planned, send_bytes
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
    # both halves of an expert's first product together are as wide as what is handed from layer to layer
    f"hf:Qwen3MoeConfig({_SHAPE}, {_HEADS}, moe_intermediate_size={WIDTH // 2}, num_experts=8)": 2,
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


@pytest.mark.parametrize("model", [name for name in MODELS if "experts" in name], ids=lambda name: name[3:11])
def test_what_experts_give_is_whole_where_tokens_are_sent_to_them(model: str) -> None:
    """A dense layer and an expert of all tokens have sums as before: DeepSeek's two layers have both."""
    number = 1 + 2 * LAYERS if "Deepseek" in model else 1 + LAYERS
    for trace, tokens in zip(phases(model), (SEQ, 1), strict=True):
        sizes = [each.size_bytes for each in sums(trace, sends_tokens=True)]
        assert sizes == number * [BATCH * tokens * WIDTH * BF16]


@given(st.integers(0, 10**12), st.integers(1, 1000))
def test_no_device_sends_more_than_twice_the_tensor(size: int, devices: int) -> None:
    assert all_reduce_bytes(size, devices) <= 2 * size
    assert 2 * all_to_all_bytes(size, devices) == pytest.approx(all_reduce_bytes(size, devices))
    assert send_bytes(size, devices) * devices == pytest.approx(size)


Degrees = tuple[int | None, ...]  # devices, tensor, pipeline and expert parallel

PLANS: list[tuple[Degrees, Plan]] = [
    ((None, None, None), Plan(1, 1)),
    ((8, None, None), Plan(8, 1)),
    ((8, 8, None), Plan(8, 1)),
    ((8, 4, None), Plan(4, 2)),
    ((8, None, 4), Plan(2, 4)),
    ((8, 2, 4), Plan(2, 4)),
    ((None, 2, 4), Plan(2, 4)),
    ((None, None, 4), Plan(1, 4)),
    ((None, None, None, 8), Plan(1, 1, 8)),
    ((8, None, None, 8), Plan(1, 1, 8)),
    ((16, None, None, 8), Plan(1, 2, 8)),
    ((16, 8, None, 8), Plan(8, 2, 8)),
    ((8, 8, None, 2), Plan(8, 1, 2)),
    ((None, 2, 2, 8), Plan(2, 2, 8)),
    ((8, None, None, 1), Plan(8, 1)),
]


@pytest.mark.parametrize(("degrees", "plan"), PLANS)
def test_degrees_follow_from_each_other(degrees: Degrees, plan: Plan) -> None:
    devices, tensor, pipeline, *expert = degrees
    assert planned(devices, tensor, pipeline, *expert) == plan


@pytest.mark.parametrize(
    ("plan", "devices", "replicas", "of_an_expert"),
    [
        (Plan(2, 3), 2 * 3, 1, 2),
        (Plan(1, 1, 8), 8, 8, 1),
        (Plan(2, 1, 8), 8, 8 // 2, 1),
        (Plan(8, 2, 8), 8 * 2, 1, 1),
        (Plan(8, 1, 2), 8, 1, 8 // 2),
    ],
)
def test_the_devices_of_a_stage_are_divided_twice(plan: Plan, devices: int, replicas: int, of_an_expert: int) -> None:
    assert (plan.devices, plan.replicas, plan.expert_devices) == (devices, replicas, of_an_expert)


NOT_THOSE: dict[Degrees, str] = {
    (8, 2, 2): "--tensor-parallel 2 x --pipeline-parallel 2 are 4 devices, not 8; leave out --devices or choose",
    (8, None, 3, 4): "--expert-parallel 4 x --pipeline-parallel 3 are 12 devices, not 8; leave out --devices or choose",
    (8, 3, None): "--tensor-parallel 3 does not divide --devices 8; 2 and 4 would, or leave out --devices",
    (8, None, 3): "--pipeline-parallel 3 does not divide --devices 8; 2 and 4 would, or leave out --devices",
    (8, 16, None): "--tensor-parallel 16 does not divide --devices 8; 8 would, or leave out --devices",
    (1, 2, None): "--tensor-parallel 2 does not divide --devices 1; 1 would, or leave out --devices",
    (6, 2, None, 4): "--expert-parallel 4 does not divide --devices 6; 3 and 6 would, or leave out --devices",
}


@pytest.mark.parametrize("degrees", NOT_THOSE)
def test_degrees_are_those_of_all_devices(degrees: Degrees) -> None:
    devices, tensor, pipeline, *expert = degrees
    with pytest.raises(ProfileError) as error:
        planned(devices, tensor, pipeline, *expert)
    assert str(error.value).startswith(NOT_THOSE[degrees])


def test_one_of_the_degrees_within_a_stage_divides_the_other() -> None:
    with pytest.raises(ProfileError, match="--tensor-parallel 2 and --expert-parallel 3: the devices of a stage"):
        Plan(2, 1, 3)


def test_a_degree_is_at_least_one() -> None:
    with pytest.raises(ProfileError, match="a model is not divided among 0 devices"):
        Plan(0)
