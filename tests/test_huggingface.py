"""Models of transformers by folder, name and class: built without weights, fed by their configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from profiler import Profile, cross_check, errors, profile, sources
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed
from tests.benchmarks.allocations import peak_bytes, record
from tests.shell import run

_SMALL = "hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=100"
_LLAMA = f"hf:LlamaConfig({_SMALL}, num_key_value_heads=2)"
_MIXTRAL = f"hf:MixtralConfig({_SMALL}, num_key_value_heads=2, head_dim=16)"
_LLAVA = (
    "hf:LlavaConfig(image_token_id=9,"
    " text_config={'model_type': 'llama', 'hidden_size': 64, 'intermediate_size': 128, 'num_hidden_layers': 2,"
    " 'num_attention_heads': 4, 'vocab_size': 100},"
    " vision_config={'model_type': 'clip_vision_model', 'hidden_size': 32, 'intermediate_size': 64,"
    " 'num_hidden_layers': 3, 'num_attention_heads': 4, 'image_size': 28, 'patch_size': 14, 'projection_dim': 32})"
)
_TILES = _LLAVA.replace("Llava", "LlavaNext").replace(
    "image_token_id", "image_grid_pinpoints=[[56, 28]], image_token_id"
)
# One of each kind; small, where the library's own default is not.
_SPECS = {
    "decoder, grouped queries": _LLAMA,
    "decoder, tied embeddings": "hf:GPT2Config(n_layer=2)",
    "decoder, sliding window": f"hf:MistralConfig({_SMALL}, num_key_value_heads=2, sliding_window=32)",
    "decoder, latent attention": (
        f"hf:DeepseekV3Config({_SMALL}, moe_intermediate_size=32, n_routed_experts=8, n_group=2, topk_group=1,"
        " num_experts_per_tok=2, first_k_dense_replace=1, q_lora_rank=32, kv_lora_rank=16, num_key_value_heads=4)"
    ),
    "mixture of experts": _MIXTRAL,
    "encoder": "hf:BertConfig(num_hidden_layers=2)",
    "encoder and decoder": "hf:T5Config(num_layers=2)",
    "encoder and decoder, with a mask of ones": "hf:BartConfig(encoder_layers=1, decoder_layers=1)",
    "state space": "hf:MambaConfig(num_hidden_layers=1, hidden_size=64, vocab_size=100)",
    "image": "hf:ViTConfig(num_hidden_layers=2)",
    "image, convolutions": "hf:ConvNextConfig()",
    "image, windows": "hf:SwinConfig()",
    "objects in an image": "hf:DetrConfig(encoder_layers=1, decoder_layers=1)",
    "sound": "hf:Wav2Vec2Config(num_hidden_layers=2)",
    "spectrogram": "hf:ASTConfig(num_hidden_layers=2)",
    "speech to text": "hf:WhisperConfig(encoder_layers=1, decoder_layers=1)",
    "text and image": "hf:CLIPConfig(text_config={'num_hidden_layers': 2}, vision_config={'num_hidden_layers': 2})",
    "image in a text": _LLAVA,
    "image in tiles in a text": _TILES,
}


def _loaded(spec: str, feed: Feed | None = None) -> Subject:
    found = sources.load(spec, feed)
    assert isinstance(found, Subject)
    return found


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    return {kind: _loaded(spec) for kind, spec in _SPECS.items()}


@pytest.fixture(scope="module")
def profiles(subjects: dict[str, Subject]) -> dict[str, Profile]:
    return {kind: Profile(trace(subject)) for kind, subject in subjects.items()}


def _real_arguments(subject: Subject) -> dict[str, Any]:
    return {
        name: torch.rand(value.shape) if isinstance(value, TensorSpec) else value
        for name, value in subject.kwargs.items()
    }


# What is counted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", _SPECS)
def test_on_meta_without_an_unknown_operator(kind: str, profiles: dict[str, Profile]) -> None:
    assert (profiles[kind].trace.engine, profiles[kind].unknown_ops) == ("meta", {})


@pytest.mark.parametrize("kind", _SPECS)
def test_parameters_are_the_librarys(kind: str, subjects: dict[str, Subject], profiles: dict[str, Profile]) -> None:
    model: Any = subjects[kind].model
    assert profiles[kind].totals.params == model.num_parameters()


# Of the mixture of experts, torch's counter does not know the grouped products on a CPU.
@pytest.mark.parametrize("kind", sorted(set(_SPECS) - {"mixture of experts", "decoder, latent attention"}))
def test_macs_are_half_of_what_torch_counts(
    kind: str, subjects: dict[str, Subject], profiles: dict[str, Profile]
) -> None:
    """On real tensors, by the attention that torch can see."""
    subject = subjects[kind]
    assert subject.rebuild is not None
    model: Any = subject.rebuild().eval()
    if hasattr(model, "set_attn_implementation"):
        model.set_attn_implementation("eager")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**_real_arguments(subject))
    assert profiles[kind].totals.macs * 2 == counter.get_total_flops()


@pytest.mark.parametrize(
    "kind",
    ["decoder, grouped queries", "encoder", "encoder and decoder", "image", "text and image", "mixture of experts"],
)
def test_peak_is_that_of_a_real_run(kind: str, subjects: dict[str, Subject], profiles: dict[str, Profile]) -> None:
    subject = subjects[kind]
    assert subject.rebuild is not None
    model, kwargs = subject.rebuild().eval(), _real_arguments(subject)
    with torch.inference_mode():
        measured = record(lambda: model(**kwargs))
    assert profiles[kind].totals.peak_activation_bytes == peak_bytes(measured.tensors)


def test_llama_by_hand(profiles: dict[str, Profile]) -> None:
    """Grouped queries: 2 key-value heads of 16 for 4 query heads."""
    attention, mlp = 64 * 64 + 2 * 64 * 32 + 64 * 64, 3 * 64 * 128
    found = profiles["decoder, grouped queries"].totals
    assert found.params == 2 * (attention + mlp + 2 * 64) + 64 + 2 * 100 * 64
    assert found.macs == 128 * (2 * (attention + mlp) + 64 * 100) + 2 * 2 * 4 * 128 * 128 * 16


def test_tied_embeddings_count_once(profiles: dict[str, Profile]) -> None:
    found = profiles["decoder, tied embeddings"]
    assert found["lm_head"].params == 0
    assert found["transformer.wte"].params == 50257 * 768


@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_a_token_meets_two_of_eight_experts(dtype: str | None) -> None:
    found = profile(_MIXTRAL, dtype=dtype)
    expert, layers = 3 * 64 * 128, 2
    assert found.totals.params - found.totals.active_params == layers * (8 - 2) * expert
    assert found["model.layers.0.mlp.experts"].macs == 128 * 2 * expert
    assert "2 of 8 experts in 2 layers" in str(found)


def test_without_experts_all_parameters_are_active(profiles: dict[str, Profile]) -> None:
    found = profiles["encoder"]
    assert found.totals.active_params == found.totals.params
    assert "Active parameters" not in str(found)


def test_an_image_takes_the_place_of_as_many_tokens_as_it_has_patches(
    subjects: dict[str, Subject], profiles: dict[str, Profile]
) -> None:
    ids = subjects["image in a text"].kwargs["input_ids"]
    assert ids[0].tolist().count(9) == (28 // 14) ** 2
    assert ids.shape == (1, (28 // 14) ** 2 + 128)
    assert profiles["image in a text"]["model.language_model.embed_tokens"].output.shape[1] == ids.shape[1]


@pytest.mark.parametrize("train", [False, True])
def test_masks_of_long_texts_are_not_computed(train: bool) -> None:
    """4,096 tokens: a mask of 16 million elements."""
    found = profile(f"{_LLAMA[:-1]}, attn_implementation='eager')", "input_ids=1x4096:int64", train=train)
    assert found.trace.engine == "meta"
    assert found.totals.peak_memory_bytes > 4 * 4096 * 4096 * 4


# What it is fed -------------------------------------------------------------------------------------------------------


def test_batch_and_length() -> None:
    found = _loaded("hf:BartConfig(encoder_layers=1, decoder_layers=1)", Feed(batch=3, seq=20))
    assert {name: tuple(value.shape) for name, value in found.kwargs.items()} == {
        "input_ids": (3, 20),
        "decoder_input_ids": (3, 20),
    }


def test_an_image_is_fed_whole_and_in_tiles(subjects: dict[str, Subject]) -> None:
    given = subjects["image in tiles in a text"].kwargs
    assert given["pixel_values"].shape == (1, 1 + 2, 3, 28, 28)
    assert given["image_sizes"].tolist() == [[28, 28]]


def test_no_more_tokens_than_positions() -> None:
    (ids,) = _loaded("hf:GPT2Config(n_layer=1, n_positions=40)").kwargs.values()
    assert ids.shape == (1, 40)


def test_what_the_user_gives_goes_before() -> None:
    clip = _SPECS["text and image"]
    found = profile(clip, "input_ids=1x9:int64")
    assert {given.name: given.shape for given in found.trace.inputs} == {
        "pixel_values": (1, 3, 224, 224),
        "input_ids": (1, 9),
    }
    embedded = profile(_LLAMA, "inputs_embeds=1x9x64")
    assert [given.name for given in embedded.trace.inputs] == ["inputs_embeds"]


def test_inputs_are_in_the_models_dtype() -> None:
    found = profile("hf:ViTConfig(num_hidden_layers=1, dtype='bfloat16')")
    assert found.trace.inputs[0].dtype == "bfloat16"
    assert found.totals.param_bytes == 2 * found.totals.params


# Which model is meant -------------------------------------------------------------------------------------------------


def _folder(path: Path, **settings: Any) -> str:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(settings))
    return f"hf:{path}"


_TINY = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
}  # fmt: skip


def test_a_folder_and_a_class_are_the_same_model(tmp_path: Path) -> None:
    spec = _folder(tmp_path / "m", architectures=["LlamaForCausalLM"], **_TINY)
    assert profile(spec).totals == profile(_LLAMA).totals
    assert profile(f"{spec}(num_hidden_layers=1)").totals.params < profile(spec).totals.params


def test_the_architecture_can_be_named(tmp_path: Path) -> None:
    spec = _folder(tmp_path / "m", architectures=["LlamaForCausalLM"], **_TINY)
    headless = profile(f"{spec}(architectures=['LlamaModel'])")
    assert profile(spec).totals.params - headless.totals.params == 64 * 100


def test_a_configurations_dtype_is_the_models(tmp_path: Path) -> None:
    found = profile(_folder(tmp_path / "m", dtype="bfloat16", **_TINY))
    assert found.totals.param_bytes == 2 * found.totals.params


def test_a_quantised_configuration_is_said(tmp_path: Path) -> None:
    quantised = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    found = profile(_folder(tmp_path / "m", dtype="float16", quantization_config=quantised, **_TINY))
    (note,) = found.trace.notes
    assert "quantised (gptq, 4 bits); here they are the float16 weights" in note
    assert note in str(found)
    assert profile(_LLAMA).trace.notes == ()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("hf:LlamConfig()", "did you mean LlamaConfig"),
        ("hf:LlamaConfig(num_hiden_layers=2)", "has no setting 'num_hiden_layers'; did you mean num_hidden_layers"),
        ("hf:LlamaConfig(num_hidden_layers='x')", "no configuration of a model"),
        ("hf:LlamaConfig(hidden_size=65)", "no configuration of a model"),
        ("hf:./missing", "missing/config.json is not a file"),
        ("hf:BertConfig(architectures=['BertForNothing'])", "'BertForNothing'"),
        ("hf:Blip2QFormerConfig()", "needs query_embeds, whose shape is not known here"),
    ],
)
def test_mistakes_are_one_line(spec: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, spec)
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a valid JSON"),
        ("[]", "no configuration"),
        ("{}", "model_type"),
        ('{"model_type": "of_tomorrow"}', "of_tomorrow"),
        ('{"model_type": "llama", "hidden_size": "wide"}', "hidden_size"),
    ],
)
def test_folders_that_hold_no_configuration(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(errors.ProfileError, match=words):
        profile(f"hf:{tmp_path}")


def test_settings_that_a_folder_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(errors.ProfileError, match="did you mean num_hidden_layers"):
        profile(f"{_folder(tmp_path / 'm', **_TINY)}(num_hiden_layers=1)")


KERNELS: list[dict[str, Any]] = [
    {"attn_implementation": "kernels-community/flash-attn"},
    {"attn_implementation": "somebody/kernel@v1:forward"},
    {"attn_implementation": "flash_attention_2"},
    {"experts_implementation": "somebody/experts"},
]


@pytest.mark.parametrize("asked", KERNELS, ids=lambda asked: next(iter(asked.values())))
def test_kernels_of_a_hub_are_not_fetched(asked: dict[str, Any], tmp_path: Path) -> None:
    """Whether a file or the spec asks for them; what torch alone computes is counted, and it is said."""
    plain = profile(_folder(tmp_path / "plain", **_TINY))
    found = profile(_folder(tmp_path / "m", **_TINY, **asked))
    assert (found.totals.macs, found.unknown_ops) == (plain.totals.macs, {})
    assert any(next(iter(asked.values())) in note for note in found.trace.notes)


def test_implementations_of_the_library_are_those_that_are_asked_for(tmp_path: Path) -> None:
    found = profile(_folder(tmp_path / "m", **_TINY, attn_implementation="eager"))
    assert not any("kernels" in note for note in found.trace.notes)
    assert "aten.scaled_dot_product_attention.default" not in {s.op for s in found.trace.signatures}


def test_a_name_of_the_hub_that_cannot_be_reached() -> None:
    command = [sys.executable, "-m", "profiler", "hf:nobody/nothing"]
    found = subprocess.run(command, capture_output=True, text=True, env={"HF_HUB_OFFLINE": "1"}, check=False)
    assert found.returncode == 2
    assert "neither in the hub's cache nor to be fetched" in found.stderr


_CODE = """
from pathlib import Path
Path(__file__).with_name("it_ran").touch()
Path({marker!r}).touch()
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

class OwnConfig(PreTrainedConfig):
    model_type = "own"

class OwnModel(PreTrainedModel):
    config_class = OwnConfig
    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(10, 4)
        self.post_init()
    def forward(self, input_ids):
        return self.embed(input_ids)
"""


def test_code_is_run_when_it_is_trusted_and_never_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = tmp_path / "marker"
    names = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    spec = _folder(tmp_path / "m", model_type="own", auto_map=names)
    (tmp_path / "m" / "modeling_own.py").write_text(_CODE.format(marker=str(marker)))
    status, _, err = run(capsys, spec)
    assert (status, marker.exists()) == (2, False)
    assert "--trust-remote-code" in err
    status, out, _ = run(capsys, spec, "--trust-remote-code")
    assert (status, marker.exists()) == (0, True)
    assert "Embedding" in out


@pytest.mark.parametrize("option", [("--seq", "8"), ("--trust-remote-code",)])
def test_options_that_are_for_transformers(option: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "resnet18", *option)
    assert status == 2
    assert f"{option[0]} is for models of transformers" in err


def test_images_have_no_length(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, _SPECS["image"], "--seq", "8")
    assert status == 2
    assert "takes no tokens" in err


# As any other model ---------------------------------------------------------------------------------------------------


def test_a_training_step_takes_no_more_than_a_real_one() -> None:
    found = profile(_LLAMA, train=True, optimizer="adamw")
    assert found.training is not None
    assert found.training.optimizer_bytes == 2 * 4 * found.totals.params + 4 * len(found.trace.parameters)
    assert found.training.gradient_bytes == found.totals.param_bytes
    assert found.trace.engine == "meta"


def test_a_mixture_of_experts_can_be_trained() -> None:
    """Each product has two in the backward pass."""
    found = profile(_MIXTRAL, train=True)
    assert found.unknown_ops == {}
    assert found.training is not None
    attention = 2 * 2 * 4 * 128 * 128 * 16  # whose fused kernel computes the scores again
    products = found.training.forward_macs - attention
    assert found.training.backward_macs == 2 * products + attention // 2 * 5


def test_other_counters_are_accounted_for() -> None:
    (account,) = cross_check(_loaded(_LLAMA).rebuild(), "input_ids=1x16:int64", tools="thop").accounts  # type: ignore[misc]
    assert account.closes


def test_budgets_scans_and_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, _LLAMA, "--max-params", "1k")
    assert status == 1
    assert "against 1 k" in err
    status, out, _ = run(capsys, "scan", _LLAMA, "seq=16,32,64", "--format", "markdown")
    assert status == 0
    assert "seq²" in out
    (tmp_path / "profile-model.toml").write_text(
        f'[[models]]\nmodel = "{_LLAMA}"\nlabel = "small"\nseq = 16\nmax-macs = "10M"\n'
    )
    status, out, _ = run(capsys, "check", str(tmp_path / "profile-model.toml"))
    assert status == 0
    status, out, _ = run(capsys, _LLAMA, _MIXTRAL, "--label", "dense", "--label", "sparse", "--columns", "model,active")
    assert status == 0
    assert "sparse" in out


def test_a_live_model_comes_back_untouched() -> None:
    """Its first pass that is asked for hidden states registers hooks."""
    model: Any = _loaded(_LLAVA).rebuild()  # type: ignore[misc]
    before = [list(module._forward_hooks) for module in model.modules()], set(vars(model.model.vision_tower))
    subject = _loaded(_LLAVA)
    first = profile(model, kwargs=dict(subject.kwargs))
    assert before == ([list(m._forward_hooks) for m in model.modules()], set(vars(model.model.vision_tower)))
    assert profile(model, kwargs=dict(subject.kwargs)).totals == first.totals


def test_more_tokens_than_positions_are_said() -> None:
    subject = _loaded("hf:GPT2Config(n_layer=1, n_positions=40)", Feed(seq=41))
    assert subject.notes == ("41 tokens are more than the 40 positions that its configuration has.",)
    assert _loaded("hf:GPT2Config(n_layer=1, n_positions=40)", Feed(seq=40)).notes == ()


def test_code_that_is_not_needed_is_said_not_to_be_run(tmp_path: Path) -> None:
    spec = _folder(tmp_path / "m", auto_map={"AutoModelForCausalLM": "modeling_own.Own"}, **_TINY)
    (note,) = profile(spec).trace.notes
    assert "was not run: this is the library's LlamaForCausalLM" in note


def test_an_architecture_may_stand_alone(tmp_path: Path) -> None:
    assert profile(_folder(tmp_path / "m", architectures="LlamaModel", **_TINY)).layers[0].kind == "LlamaModel"


def test_experts_that_are_stacked_when_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files keep them apart."""
    loaded: Any = _loaded(_MIXTRAL).rebuild()  # type: ignore[misc]
    loaded.save_pretrained(tmp_path / "m")
    status, _, err = run(capsys, "match", f"hf:{tmp_path / 'm'}", str(tmp_path / "m"))
    assert status == 2
    assert "merges or splits" in err
    dense: Any = _loaded(_LLAMA).rebuild()  # type: ignore[misc]
    dense.save_pretrained(tmp_path / "d")
    status, out, _ = run(capsys, "match", f"hf:{tmp_path / 'd'}", str(tmp_path / "d"))
    assert status == 0
    assert "yes" in out


def test_a_live_model_is_fed_as_its_configuration_says() -> None:
    model: Any = _loaded(_LLAMA).rebuild()  # type: ignore[misc]
    assert profile(model).totals == profile(_LLAMA).totals
    assert profile(model, "input_ids=1x16:int64").trace.inputs[0].shape == (1, 16)
    (account,) = cross_check(model, tools="thop").accounts
    assert account.closes
