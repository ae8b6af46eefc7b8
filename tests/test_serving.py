"""A language model on devices: what each keeps, how fast it is at best, what links carry; checked against products."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler import ProfileError, generate
from profiler.answers.generate.demands import causal_share
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.serving import RESERVE, Serving
from profiler.answers.generate.workload import Workload
from profiler.devices.parallel import Plan
from profiler.figures.experts import distinct_experts
from profiler.records import schemes
from tests.devices.example import G, T, device
from tests.shell import run

pytest.importorskip("transformers")

FAST = device(
    memory_bytes=80 * G,
    peak={"bfloat16": 1000 * T, "float8": 2000 * T, "int8": 2000 * T},
    link="ring",
    link_bandwidth=0.5 * T,
)
PEAK, BANDWIDTH, LINK = 1000 * T, 1 * T, 0.5 * T

# Llama 2 7B, and the same with fewer heads of keys and values.
LAYERS, WIDTH, INNER, HEADS, WORDS, BF16 = 32, 4096, 11008, 32, 32000, 2
SEQ, BATCH = 2048, 8
NORMS = (2 * LAYERS + 1) * WIDTH


def llama(heads: int = HEADS, layers: int = LAYERS) -> str:
    return (
        f"hf:LlamaConfig(hidden_size={WIDTH}, intermediate_size={INNER}, num_hidden_layers={layers}, "
        f"num_attention_heads={HEADS}, num_key_value_heads={heads}, vocab_size={WORDS})"
    )


def matrices(heads: int = HEADS) -> int:
    """Parameters of the products of all layers."""
    keys = heads * WIDTH // HEADS
    return LAYERS * (2 * WIDTH * WIDTH + 2 * WIDTH * keys + 3 * WIDTH * INNER)


@cache
def generated(model: str, seq: int = SEQ, batch: int = BATCH, **more: Any) -> Generation:
    return generate(model, seq=seq, batch=batch, dtype="bfloat16", **more)


def workload(generation: Generation, scheme: str | None = None) -> Workload:
    assert generation.decode is not None
    middle = generation.middle or generation.decode
    kept = None if scheme is None else schemes.named(scheme)
    return Workload(generation.prefill, generation.decode, middle, generation.new, kept)


def serving(tensor: int = 1, pipeline: int = 1, model: str | None = None, **more: Any) -> Serving:
    return Serving(workload(generated(model or llama()), **more), FAST, Plan(tensor, pipeline))


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
def test_matrices_and_heads_are_divided_and_norms_are_not(degree: int) -> None:
    needed = serving(degree).needed
    assert needed.weights == (matrices() + 2 * WORDS * WIDTH) * BF16 // degree + NORMS * BF16
    assert needed.cache == 2 * LAYERS * BATCH * (SEQ + 1) * WIDTH * BF16 // degree
    assert needed.activations == SEQ * (WIDTH + INNER) * BF16


@pytest.mark.parametrize(("degree", "copies"), [(1, 1), (2, 1), (4, 2), (8, 4)])
def test_heads_that_are_fewer_than_devices_are_kept_by_several(degree: int, copies: int) -> None:
    shared = serving(degree, model=llama(heads=2))
    whole = 2 * LAYERS * BATCH * (SEQ + 1) * 2 * (WIDTH // HEADS) * BF16
    assert shared.needed.cache == whole * copies // degree
    assert shared.shares.replicates_heads == (copies > 1)


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_a_stage_has_its_layers(stages: int) -> None:
    """The last has the output's matrix and the last norm besides, the first the table of words."""
    needed = serving(1, stages).needed
    assert needed.weights == (matrices() + 2 * LAYERS * WIDTH) * BF16 // stages + (WORDS + 1) * WIDTH * BF16
    assert needed.cache == 2 * LAYERS * BATCH * (SEQ + 1) * WIDTH * BF16 // stages


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.booleans())
def test_more_devices_never_take_more_each_nor_more_time(tensor: int, pipeline: int, is_tensor: bool) -> None:
    few = serving(tensor, pipeline)
    more = serving(2 * tensor, pipeline) if is_tensor else serving(tensor, 2 * pipeline)
    assert more.needed.total <= few.needed.total
    assert more.largest_batch >= few.largest_batch
    if is_tensor:
        assert more.token.device_seconds <= few.token.device_seconds


def test_weights_of_a_scheme() -> None:
    """Linear layers in int8 with a float32 scale for each output; the table of words stays as it is."""
    outputs = LAYERS * (5 * WIDTH + 2 * INNER) + WORDS
    linear = matrices() + WORDS * WIDTH
    weights = serving(scheme="int8").needed.weights
    assert weights == linear + 4 * outputs + (WORDS * WIDTH + NORMS) * BF16


def test_what_fits() -> None:
    whole = serving()
    needed = whole.needed
    free = 80 * G - int(RESERVE * 80 * G) - needed.weights - needed.buffers - needed.activations
    assert whole.fits
    assert whole.left_bytes == free - needed.cache
    assert whole.largest_batch == free // (2 * LAYERS * (SEQ + 1) * WIDTH * BF16)
    token = BATCH * 2 * LAYERS * WIDTH * BF16 + (WIDTH + INNER) * BF16
    assert whole.longest_context == SEQ + 1 + whole.left_bytes // token


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_a_decode_step_reads_weights_and_cache(degree: int) -> None:
    """Eight tokens are far from what a device computes meanwhile. Of the table of words it reads eight rows."""
    divided = matrices() + WORDS * WIDTH + BATCH * WIDTH
    cache = 2 * LAYERS * BATCH * (SEQ + 1) * WIDTH
    read = ((divided + cache) / degree + NORMS) * BF16
    assert serving(degree).token.device_seconds == pytest.approx(read / BANDWIDTH, rel=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_a_prompt_is_multiplied_with_all_weights_and_half_of_itself(degree: int) -> None:
    """Of the logits those of the last tokens, whose matrix is rather read than multiplied."""
    products = 2 * matrices() * BATCH * SEQ
    attention = 2 * 2 * LAYERS * BATCH * WIDTH * SEQ * (SEQ + 1) / 2
    read = ((WORDS * WIDTH + BATCH * SEQ * WIDTH) / degree + NORMS) * BF16  # logits, rows of words, norms
    seconds = (products + attention) / degree / PEAK + read / BANDWIDTH
    assert serving(degree).first_token.device_seconds == pytest.approx(seconds, rel=1e-9)


def test_int8_is_multiplied_where_it_is_faster() -> None:
    slow, fast = serving(), serving(scheme="int8")
    products = 2 * matrices() * BATCH * SEQ
    saved = products / PEAK - products / (2 * PEAK) + (WORDS * WIDTH * (BF16 - 1) - 4 * WORDS) / BANDWIDTH
    assert slow.first_token.seconds - fast.first_token.seconds == pytest.approx(saved, rel=1e-9)


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_sums_of_each_layer(degree: int) -> None:
    """Two a layer and that of the rows of words, each of all tokens' vectors."""
    vectors = (2 * LAYERS + 1) * BATCH * WIDTH * BF16
    shared = serving(degree)
    assert shared.token.sent_bytes.sums == vectors * 2 * (degree - 1) / degree
    assert shared.first_token.sent_bytes.sums == SEQ * vectors * 2 * (degree - 1) / degree
    assert shared.first_token.link_seconds == SEQ * vectors * 2 * (degree - 1) / degree / LINK
    assert shared.token.sent_bytes.handed == 0


def test_a_stage_hands_on_the_vectors_of_all_tokens() -> None:
    assert serving(1, 4).first_token.sent_bytes.handed == BATCH * SEQ * WIDTH * BF16
    assert serving(2, 4).token.sent_bytes.handed == BATCH * WIDTH * BF16 / 2


@pytest.mark.parametrize(
    ("length", "seen", "pairs"),
    [(8, 8, 8 * 9 / 2), (8, 100, 8 * 9 / 2), (8, 3, 1 + 2 + 6 * 3), (8, 1, 8), (2, 3, 1 + 2)],
)
def test_pairs_of_tokens_that_a_mask_leaves(length: int, seen: int, pairs: float) -> None:
    assert causal_share(length, seen, length) * length**2 == pytest.approx(pairs)


# Other architectures --------------------------------------------------------------------------------------------------

_TINY = "hidden_size=64, intermediate_size=128, num_hidden_layers=2, vocab_size=100"
MISTRAL = f"hf:MistralConfig({_TINY}, num_attention_heads=8, num_key_value_heads=2, sliding_window=8)"
MIXTRAL = f"hf:MixtralConfig({_TINY}, num_attention_heads=8, num_key_value_heads=2, num_local_experts=4)"
DEEPSEEK = (
    f"hf:DeepseekV3Config({_TINY}, moe_intermediate_size=32, num_attention_heads=4, num_key_value_heads=4, "
    "n_routed_experts=8, num_experts_per_tok=2, n_group=2, topk_group=1, first_k_dense_replace=2, q_lora_rank=32, "
    "kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16)"
)


def test_a_window_is_all_that_a_step_reads() -> None:
    near, far = (workload(generated(MISTRAL, seq=seq, batch=3)).decode_step for seq in (16, 64))
    assert sum(demand.cache_bytes for demand in near.demands) == pytest.approx(2 * 2 * 3 * 2 * 7 * 8 * BF16)
    assert sum(demand.cache_bytes for demand in near.demands) == sum(demand.cache_bytes for demand in far.demands)
    assert sum(demand.flops for demand in near.demands) == sum(demand.flops for demand in far.demands)


def test_a_latent_is_read_and_not_projected_again() -> None:
    """What was read before was projected before: the step's products do not grow with the context but in attention."""
    near, far = (workload(generated(DEEPSEEK, seq=seq, batch=3)).decode_step for seq in (16, 64))
    assert sum(demand.cache_bytes for demand in far.demands) == pytest.approx(2 * 3 * 65 * (16 + 8) * BF16)
    grown = sum(demand.flops for demand in far.demands) - sum(demand.flops for demand in near.demands)
    assert grown == 2 * 2 * 3 * 4 * (24 + 16) * (64 - 16)


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_a_batch_meets_some_of_the_experts(batch: int) -> None:
    step = workload(generated(MIXTRAL, seq=16, batch=batch)).decode_step
    expert, met = 3 * 64 * 128 * BF16, 4 * (1 - (1 - 2 / 4) ** batch)
    read = sum(demand.weights_read(1.0, 1) for demand in step.demands if demand.experts)
    assert read == pytest.approx(2 * met * expert)
    assert distinct_experts(4, 2, 1) == 2


# The command ----------------------------------------------------------------------------------------------------------

TINY = f"hf:LlamaConfig({_TINY}, num_attention_heads=8, num_key_value_heads=2)"
_ASKED = ("generate", TINY, "--seq", "16", "--dtype", "bfloat16")

BAD = {
    "no device is called 'h100-smx'": ("--device", "h100-smx"),
    "--tensor-parallel 16 does not divide 8 heads of attention": ("--device", "h100-sxm", "--tensor-parallel", "16"),
    "--pipeline-parallel 4 does not divide 2 layers": ("--device", "h100-sxm", "--pipeline-parallel", "4"),
    "--tensor-parallel 3 x --pipeline-parallel 2 are 6 devices, not 8": (
        *("--device", "h100-sxm", "--devices", "8"),
        *("--tensor-parallel", "3", "--pipeline-parallel", "2"),
    ),
    "raspberry-pi-5 has no link to others of its kind": ("--device", "raspberry-pi-5", "--devices", "2"),
    "v100-sxm2-16gb does not multiply bfloat16": ("--device", "v100-sxm2-16gb"),
    "--tensor-parallel means something with --device alone": ("--devices", "8", "--tensor-parallel", "8"),
    "--as means something with --device or --devices alone": ("--as", "int8"),
    "no scheme for weights is called 'int9'": ("--device", "h100-sxm", "--as", "int9"),
    "an efficiency is above 0 and at most 100%": ("--device", "h100-sxm", "--efficiency", "120%"),
    "--efficiency half: not a percentage": ("--device", "h100-sxm", "--efficiency", "half"),
    "--phase is about the phases alone": ("--device", "h100-sxm", "--phase", "decode"),
    "--columns is about the phases alone": ("--device", "h100-sxm", "--columns", "macs"),
    "2000 devices do not serve a model": ("--device", "h100-sxm", "--devices", "2000"),
}


@pytest.mark.parametrize("message", BAD)
def test_one_line_and_exit_2(capsys: pytest.CaptureFixture[str], message: str) -> None:
    status, out, err = run(capsys, *_ASKED, *BAD[message])
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_json_has_bytes_and_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--device", "h100-sxm", "--devices", "2", "--new-tokens", "3", "--format", "json")
    status, out, _ = run(capsys, *_ASKED, *asked)
    data = json.loads(out)["serving"]
    assert (status, data["devices"], data["tensor_parallel"], data["fits"]) == (0, 2, 2, True)
    bound, assumed = data["lower_bound"], data["at_efficiency"]
    assert assumed["token_seconds"] == pytest.approx(bound["token_seconds"] / data["efficiency"])
    assert bound["request_seconds"] == pytest.approx(bound["first_token_seconds"] + 3 * bound["token_seconds"])


def test_what_does_not_fit_has_no_tokens_a_second() -> None:
    answer = generated(llama(), device="rtx-3060-12gb")
    assert answer.serving is not None
    assert not answer.serving.fits
    assert "It does not fit" in str(answer)
    data = json.loads(answer.to_json())["serving"]
    assert data["lower_bound"]["tokens_per_second"] is None
    assert data["largest_batch"] == 0


def test_devices_that_hold_it_the_least_memory_first() -> None:
    answer = generated(llama(), devices=4)
    assert answer.choices is not None
    servings = answer.choices.servings
    memory = [serving.plan.devices * serving.device.memory_bytes for serving in servings]
    assert memory == sorted(memory)
    assert all(serving.fits for serving in servings)
    assert {serving.plan.devices for serving in servings} == {1, 2, 4}
    two = next(serving for serving in servings if serving.plan.devices == 2)
    assert not Serving(two.workload, two.device, Plan()).fits
    assert len(answer.to_csv().splitlines()) == 1 + len(servings)


def test_no_head_no_division() -> None:
    with pytest.raises(ProfileError, match="--tensor-parallel 8 does not divide 4 heads"):
        generated(DEEPSEEK, seq=16, batch=1, device="h100-sxm", tensor_parallel=8)
