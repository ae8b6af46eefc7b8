"""Experts divided among devices: what each keeps, reads and sends, checked against products; and the option itself."""

from __future__ import annotations

import json
from functools import cache
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler import ProfileError, generate
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.serving import Serving
from profiler.answers.generate.workload import Workload
from profiler.devices.parallel import Plan
from tests.devices.example import G, T, device
from tests.shell import run

pytest.importorskip("transformers")

BANDWIDTH, LINK = 1 * T, 0.5 * T
FAST = device(
    memory_bytes=80 * G,
    memory_bandwidth=BANDWIDTH,
    peak={"bfloat16": 10_000 * T, "float32": 10_000 * T},
    link="ring",
    link_bandwidth=LINK,
)
SEQ, BATCH, BF16 = 16, 8, 2
WIDTH, WORDS, LAYERS = 64, 100, 2

# Like Mixtral: every layer has experts, of which a token meets two. Eight heads of width 8, two of keys and values.
EXPERTS, CHOSEN, INNER, KEYS = 4, 2, 128, 2 * 8
MIXTRAL = (
    f"hf:MixtralConfig(hidden_size={WIDTH}, intermediate_size={INNER}, num_hidden_layers={LAYERS}, vocab_size={WORDS}, "
    f"num_attention_heads=8, num_key_value_heads=2, num_local_experts={EXPERTS}, max_position_embeddings=512)"
)
EXPERT = 3 * WIDTH * INNER
ATTENTION = 2 * WIDTH * WIDTH + 2 * WIDTH * KEYS
ROUTER = EXPERTS * WIDTH
NORMS = (2 * LAYERS + 1) * WIDTH

# Like DeepSeek-V3: a dense layer, and one with eight small experts and one that all tokens meet; a latent cache.
SMALL_EXPERTS, SMALL_INNER = 8, 32
DEEPSEEK = (
    f"hf:DeepseekV3Config(hidden_size={WIDTH}, intermediate_size={INNER}, num_hidden_layers={LAYERS}, "
    f"vocab_size={WORDS}, moe_intermediate_size={SMALL_INNER}, num_attention_heads=4, num_key_value_heads=4, "
    f"n_routed_experts={SMALL_EXPERTS}, num_experts_per_tok={CHOSEN}, n_shared_experts=1, n_group=2, topk_group=1, "
    "first_k_dense_replace=1, q_lora_rank=32, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16)"
)
SMALL_EXPERT = 3 * WIDTH * SMALL_INNER
LATENT_ATTENTION = (
    (WIDTH * 32 + 32 * 4 * (16 + 8))  # queries, by way of a latent
    + (WIDTH * (16 + 8) + 16 * 4 * (16 + 16))  # keys and values, likewise
    + 4 * 16 * WIDTH  # the output
)
DENSE = 3 * WIDTH * INNER
LATENT_NORMS = NORMS + LAYERS * (32 + 16)

LLAMA = f"hf:LlamaConfig(hidden_size={WIDTH}, intermediate_size={INNER}, num_hidden_layers=2, vocab_size={WORDS})"


@cache
def workload(model: str, batch: int = BATCH) -> Workload:
    answer = generate(model, seq=SEQ, batch=batch, dtype="bfloat16")
    assert answer.decode is not None
    return Workload(answer.prefill, answer.decode, answer.decode, positions=answer.positions)


def serving(experts: int, tensor: int = 1, pipeline: int = 1, model: str = MIXTRAL, batch: int = BATCH) -> Serving:
    return Serving(workload(model, batch), FAST, Plan(tensor, pipeline, experts))


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_experts_are_divided_and_all_else_is_on_every_device(degree: int) -> None:
    others = LAYERS * (ATTENTION + ROUTER) + 2 * WORDS * WIDTH + NORMS
    needed = serving(degree).needed
    assert needed.weights == (LAYERS * EXPERTS // degree * EXPERT + others) * BF16
    assert needed.cache == LAYERS * 2 * KEYS * (BATCH // degree) * (SEQ + 1) * BF16


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
def test_an_expert_of_all_tokens_is_on_every_device(degree: int) -> None:
    """The latent is one for all heads; each device has that of its sequences."""
    layers = LAYERS * LATENT_ATTENTION + DENSE + SMALL_EXPERTS * WIDTH + SMALL_EXPERT
    others = layers + 2 * WORDS * WIDTH + LATENT_NORMS
    needed = serving(degree, model=DEEPSEEK).needed
    assert needed.weights == (SMALL_EXPERTS // degree * SMALL_EXPERT + others) * BF16
    assert needed.cache == LAYERS * (16 + 8) * (BATCH // degree) * (SEQ + 1) * BF16


# Parameters of experts, of what tensor parallelism divides, and of what is on every device.
PARAMETERS = {
    MIXTRAL: (LAYERS * EXPERTS * EXPERT, LAYERS * (ATTENTION + ROUTER) + 2 * WORDS * WIDTH, NORMS),
    DEEPSEEK: (
        SMALL_EXPERTS * SMALL_EXPERT,
        LAYERS * LATENT_ATTENTION + DENSE + SMALL_EXPERTS * WIDTH + SMALL_EXPERT + 2 * WORDS * WIDTH,
        LATENT_NORMS,
    ),
}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(PARAMETERS)), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.integers(1, 9))
def test_what_all_devices_have_of_the_experts_is_the_whole(model: str, experts: int, tensor: int, batch: int) -> None:
    """Where they are divided among fewer than the rest is, their matrices are divided as well."""
    shared = serving(experts, tensor, model=model, batch=batch)
    of_experts, divided, everywhere = PARAMETERS[model]
    kept = shared.needed.weights - (divided // tensor + everywhere) * BF16
    assert kept * shared.plan.devices == of_experts * BF16
    assert shared.needed.cache * shared.plan.devices >= shared.workload.cache_bytes
    assert shared.shares.sequences * shared.plan.replicas >= batch


def test_sequences_that_are_not_divided_evenly() -> None:
    shared = serving(2, batch=3)
    assert shared.shares.sequences == 2
    assert shared.needed.cache == LAYERS * 2 * KEYS * 2 * (SEQ + 1) * BF16
    assert shared.largest_batch % 2 == 0
    assert serving(4, batch=1).shares.sequences == 1


@pytest.mark.parametrize(("experts", "tensor", "rows"), [(1, 1, 1), (4, 1, 1), (2, 4, 1 / 2), (4, 4, 1 / 4)])
def test_rows_of_experts_are_of_the_prompts_that_all_devices_read(experts: int, tensor: int, rows: float) -> None:
    """The largest product takes vectors, and gives two of an expert's inner width."""
    assert serving(experts, tensor).needed.activations == rows * CHOSEN * SEQ * (WIDTH + 2 * INNER) * BF16


# Links ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [2, 4])
def test_tokens_go_to_their_experts_and_come_back(degree: int) -> None:
    one_way = BATCH // degree * CHOSEN * WIDTH * BF16 * (degree - 1) / degree
    shared = serving(degree)
    assert shared.token.sent_bytes == (0, LAYERS * 2 * one_way, 0)
    assert shared.first_token.sent_bytes == (0, LAYERS * 2 * SEQ * one_way, 0)
    assert shared.first_token.sent_seconds.routed == LAYERS * 2 * SEQ * one_way / LINK
    assert shared.first_token.link_seconds == LAYERS * 2 * SEQ * one_way / LINK


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_a_layer_without_experts_sends_nothing(degree: int) -> None:
    one_way = BATCH // degree * CHOSEN * WIDTH * BF16 * (degree - 1) / degree
    assert serving(degree, model=DEEPSEEK).token.sent_bytes == (0, 1 * 2 * one_way, 0)


# Sums that are left: of the table of words, and of each attention; a dense layer and an expert of all tokens have one.
LEFT = {MIXTRAL: 1 + LAYERS, DEEPSEEK: 1 + LAYERS + 1 + 1}


@pytest.mark.parametrize("model", LEFT, ids=lambda model: model[3:].partition("C")[0])
def test_devices_that_share_layers_send_each_a_part_of_their_tokens(model: str) -> None:
    """Two groups of two devices: each group adds up its own sequences' vectors."""
    layers = LAYERS if model == MIXTRAL else 1
    sent = serving(4, 2, model=model).token.sent_bytes
    assert sent.routed == layers * 2 * BATCH / 4 * CHOSEN * WIDTH * BF16 * 3 / 4
    assert sent.sums == LEFT[model] * BATCH / 2 * WIDTH * BF16 * 2 * 1 / 2


@pytest.mark.parametrize("experts", [2, 4])
def test_nothing_is_sent_where_all_devices_have_all_tokens(experts: int) -> None:
    assert serving(experts, 4).token.sent_bytes == serving(1, 4).token.sent_bytes
    assert serving(experts, 4).token.sent_bytes.sums == (2 * LAYERS + 1) * BATCH * WIDTH * BF16 * 2 * 3 / 4


def test_a_stage_sends_what_its_own_layers_do() -> None:
    one_way = BATCH / 2 * CHOSEN * WIDTH * BF16 * 1 / 2
    sent = serving(2, pipeline=2).token
    assert sent.sent_bytes.routed == 2 * one_way
    assert sent.sent_bytes.handed == BATCH / 2 * WIDTH * BF16
    assert sent.sent_seconds.routed == LAYERS * 2 * one_way / LINK


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("batch", [1, 2, 8, 64])
def test_a_device_reads_those_of_its_experts_that_a_token_is_sent_to(degree: int, batch: int) -> None:
    """In expectation, and on the fullest device no fewer than one token has to find there."""
    sequences = ceil(batch / degree)
    met = max(EXPERTS / degree * (1 - (1 - CHOSEN / EXPERTS) ** batch), ceil(CHOSEN / degree))
    matrices = LAYERS * (ATTENTION + ROUTER + met * EXPERT) + WORDS * WIDTH
    rest = NORMS + sequences * WIDTH + LAYERS * 2 * KEYS * sequences * (SEQ + 1)  # norms, rows of words, cache
    shared = serving(degree, batch=batch)
    assert shared.token.device_seconds == pytest.approx((matrices + rest) * BF16 / BANDWIDTH, rel=1e-9)
    assert shared.shares.experts == (EXPERTS, EXPERTS // degree, pytest.approx(met))


def test_an_experts_weights_are_read_while_it_multiplies() -> None:
    """Not before: views of weights cost nothing."""
    of_experts = [demand for demand in workload(MIXTRAL).decode_step.demands if demand.experts]
    assert [demand.weight_bytes for demand in of_experts] == LAYERS * [
        EXPERTS * 2 * WIDTH * INNER * BF16,
        EXPERTS * WIDTH * INNER * BF16,
    ]
    assert sum(demand.flops for demand in of_experts) == 2 * LAYERS * BATCH * CHOSEN * EXPERT


@pytest.mark.parametrize("model", [MIXTRAL, DEEPSEEK], ids=lambda model: model[3:].partition("C")[0])
def test_one_device_for_all_experts_is_no_division(model: str) -> None:
    undivided, asked = (
        generate(model, seq=SEQ, batch=BATCH, dtype="bfloat16", device="h100-sxm", devices=4, **more)
        for more in ({}, {"expert_parallel": 1})
    )
    assert asked.to_json() == undivided.to_json()
    assert str(asked) == str(undivided)


# Which devices --------------------------------------------------------------------------------------------------------


# A latent, which tensor parallelism has on every device; and heads of keys and values, which it divides.
LATENT = DEEPSEEK.replace("kv_lora_rank=16", "kv_lora_rank=16384")
HEADS = "hf:MixtralConfig(num_hidden_layers=8)"


@pytest.mark.parametrize(("model", "batch", "divides_experts"), [(LATENT, 1024, True), (HEADS, 16, False)])
def test_the_plan_that_is_faster_is_chosen(model: str, batch: int, divides_experts: bool) -> None:
    answer = generate(model, seq=512, batch=batch, dtype="bfloat16", devices=4)
    assert answer.choices is not None
    several = [serving for serving in answer.choices.servings if serving.plan.devices > 1]
    assert several
    for chosen in several:
        number = chosen.plan.devices
        assert chosen.plan == (Plan(expert_parallel=number) if divides_experts else Plan(number))
        plans = [Serving(chosen.workload, chosen.device, plan) for plan in (Plan(number), Plan(1, 1, number))]
        assert chosen.token.seconds == min(serving.token.seconds for serving in plans if serving.fits)


# The option -----------------------------------------------------------------------------------------------------------

_ASKED = ("--seq", str(SEQ), "--batch", str(BATCH), "--dtype", "bfloat16")
_ON = ("--device", "h100-sxm")

BAD = {
    "--expert-parallel 3 does not divide 4 experts": (MIXTRAL, *_ON, "--expert-parallel", "3"),
    "--expert-parallel 8 does not divide 4 experts": (MIXTRAL, *_ON, "--devices", "8", "--expert-parallel", "8"),
    "--expert-parallel 3 does not divide --devices 8; 2 and 4 would": (
        *(MIXTRAL, *_ON, "--devices", "8"),
        *("--expert-parallel", "3"),
    ),
    "--tensor-parallel 3 does not divide --devices 8; 2 and 4 would": (
        *(MIXTRAL, *_ON, "--devices", "8"),
        *("--tensor-parallel", "3"),
    ),
    "--pipeline-parallel 5 does not divide --devices 6; 3 and 6 would": (
        *(MIXTRAL, *_ON, "--devices", "6"),
        *("--pipeline-parallel", "5"),
    ),
    "--tensor-parallel 2 and --expert-parallel 4 x --pipeline-parallel 2 are 8 devices, not 4": (
        *(MIXTRAL, *_ON, "--devices", "4", "--tensor-parallel", "2"),
        *("--expert-parallel", "4", "--pipeline-parallel", "2"),
    ),
    "--tensor-parallel 3 and --expert-parallel 4: the devices of a stage": (
        *(MIXTRAL, *_ON, "--tensor-parallel", "3"),
        *("--expert-parallel", "4"),
    ),
    "--expert-parallel 2 divides the experts of a mixture, and hf:LlamaConfig": (LLAMA, *_ON, "--expert-parallel", "2"),
    "--expert-parallel means something with --device alone": (MIXTRAL, "--devices", "8", "--expert-parallel", "2"),
    "--expert-parallel 0": (MIXTRAL, *_ON, "--expert-parallel", "0"),
}


@pytest.mark.parametrize("message", BAD)
def test_one_line_and_exit_2(capsys: pytest.CaptureFixture[str], message: str) -> None:
    status, out, err = run(capsys, "generate", *BAD[message], *_ASKED)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("plan", [{"expert_parallel": 4}, {"expert_parallel": 4, "tensor_parallel": 2, "devices": 8}])
def test_the_function_is_the_verb(capsys: pytest.CaptureFixture[str], plan: dict[str, int]) -> None:
    flags = [text for name, number in plan.items() for text in (f"--{name.replace('_', '-')}", str(number))]
    status, out, _ = run(capsys, "generate", MIXTRAL, *_ASKED, *_ON, *flags, "--format", "json")
    more: dict[str, Any] = plan
    answer = generate(MIXTRAL, seq=SEQ, batch=BATCH, dtype="bfloat16", device="h100-sxm", **more)
    assert (status, json.loads(out)) == (0, json.loads(answer.to_json()))
    assert json.loads(out)["serving"]["expert_parallel"] == 4


def test_what_links_carry_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "generate", MIXTRAL, *_ASKED, *_ON, "--expert-parallel", "4", "--tensor-parallel", "2")
    assert status == 0
    assert "tensor parallel 2, expert parallel 4:" in out
    assert "To experts and back" in out
    assert "All but the experts is divided among 2 devices, which have 4 of 8 sequences." in out
    _, dense, _ = run(capsys, "generate", MIXTRAL, *_ASKED, *_ON, "--tensor-parallel", "2")
    assert "To experts and back" not in dense


def test_a_plan_in_python_raises_the_same() -> None:
    with pytest.raises(ProfileError, match="--expert-parallel 3 does not divide 4 experts"):
        serving(3)


# Positions ------------------------------------------------------------------------------------------------------------


def on_h100(model: str, **more: Any) -> Generation:
    return generate(model, seq=SEQ, batch=BATCH, dtype="bfloat16", device="h100-sxm", **more)


def test_no_context_is_longer_than_the_models_positions() -> None:
    answer = on_h100(MIXTRAL)
    assert json.loads(answer.to_json())["serving"]["longest_context"] == 512
    assert json.loads(answer.to_json())["serving"]["positions"] == 512
    assert "512  of 8 at once, all that the model has positions for" in str(answer)


def test_memory_ends_a_context_before_the_positions_do() -> None:
    answer = on_h100(MIXTRAL.replace("=512)", f"={10**12})"))
    assert answer.serving is not None
    longest = answer.serving.longest_context
    assert longest is not None
    assert SEQ < longest < 10**12
    assert "all that the model has positions for" not in str(answer)
