"""Which inputs does an architecture get? One tensor for each modality, with sizes from its configuration.

    text    128 tokens, or as many as the model has positions for; an encoder-decoder gets as many on either side
    images  one of the configuration's own size, else 224 x 224
    sound   a second of 16,000 samples, or as many frames of a spectrogram as the configuration says

Token ids are real tensors: a model looks into them for the places of images.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from profiler import errors
from profiler.records.inputs import TensorSpec
from profiler.records.spec import Feed
from profiler.sources.huggingface.features import rows

_SEQ, _IMAGE, _CHANNELS, _FRAMES, _SAMPLES = 128, 224, 3, 16, 16_000
_SPECTRUM = 1000  # frames
_ENCODERS = ("vision_config", "backbone_config", "image_encoder_config", "audio_config", "encoder_config")


@dataclass(frozen=True, slots=True)
class InputRequest:
    """The model that inputs are built for, its name in messages, and the sizes of the inputs."""

    model: Any
    name: str
    batch: int
    seq: int | None
    takes: frozenset[str]
    modalities: frozenset[str]

    def setting(self, *names: str, default: Any = None) -> Any:
        """The first of these settings that the configuration of an encoder, or else that of the model, has."""
        config = self.model.config
        for part in (*(getattr(config, part, None) for part in _ENCODERS), config):
            for name in names:
                value = _get(part, name)
                if value is not None:
                    return value
        return default

    @property
    def text(self) -> Any:
        """The configuration of the text model."""
        return self.model.config.get_text_config()


def _get(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else getattr(part, name, None)


def model_arguments(model: Any, feed: Feed, name: str) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments: those of the user, and the missing ones from the configuration."""
    if feed.args:
        return feed.args, feed.kwargs
    request = _request(model, feed, name)
    inputs = dict(feed.kwargs)
    for tensor, build in _BUILDERS.items():
        if tensor in request.takes and tensor not in inputs and _is_wanted(tensor, request, inputs):
            inputs |= build(request, inputs)
    missing = [parameter for parameter in _required(model) if parameter not in inputs]
    if missing or not inputs:
        raise _unknown_feed(name, missing or [model.main_input_name])
    if feed.seq is not None and not {"input_ids", "decoder_input_ids"} & set(inputs):
        raise _no_text(name)
    return (), inputs


def _request(model: Any, feed: Feed, name: str) -> InputRequest:
    takes = frozenset(inspect.signature(model.forward).parameters)
    stated = getattr(model, "input_modalities", None) or _implied(takes)  # transformers 4 has no such attribute
    modalities = frozenset((stated,) if isinstance(stated, str) else stated)
    return InputRequest(model, name, feed.batch or 1, feed.seq, takes, modalities)


def _implied(takes: frozenset[str]) -> set[str]:
    return set[str]().union(*(modalities for tensor, modalities in _MODALITY.items() if tensor in takes))


def _required(model: Any) -> Iterator[str]:
    for parameter in inspect.signature(model.forward).parameters.values():
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            yield parameter.name


def _is_wanted(tensor: str, request: InputRequest, inputs: Mapping[str, Any]) -> bool:
    """The principal input, and those of the modalities. Only a model without another visual input gets a video."""
    if tensor in ("decoder_input_ids", "input_ids") and _embedded(tensor) in inputs:
        return False
    if tensor == "decoder_input_ids":
        return bool(getattr(request.model.config, "is_encoder_decoder", False))
    return tensor == request.model.main_input_name or bool(_MODALITY[tensor] & request.modalities)


def _embedded(tensor: str) -> str:
    return tensor.replace("input_ids", "inputs_embeds")


# The inputs ----------------------------------------------------------------------------------------------------------


def _ids(request: InputRequest, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Token ids: the placeholders of the other inputs, then text."""
    placeholders = [
        (*placeholder, count) for placeholder, count in rows(request.model, inputs, request.batch, request.name)
    ]
    text_tokens = _length(request)
    ids = [token for token, _, count in placeholders for _ in range(count)] + [_ordinary_token(request)] * text_tokens
    tensors = {"input_ids": torch.tensor([ids] * request.batch)}
    if "mm_token_type_ids" in request.takes:
        kinds = [kind for _, kind, count in placeholders for _ in range(count)] + [0] * text_tokens
        tensors["mm_token_type_ids"] = torch.tensor([kinds] * request.batch)
    return tensors


def _decoder_ids(request: InputRequest, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"decoder_input_ids": torch.full((request.batch, _length(request)), _ordinary_token(request))}


def _length(request: InputRequest) -> int:
    if request.seq is not None:
        return request.seq
    return min(_SEQ, most_tokens(request.model) or _SEQ)


def most_tokens(model: Any) -> int | None:
    """How many tokens of text its configuration has positions for; None where it does not say."""
    text = model.config.get_text_config()
    positions = [_get(text, name) for name in ("max_position_embeddings", "max_target_positions")]
    return min((most for most in positions if isinstance(most, int) and most > 0), default=None)


def _ordinary_token(request: InputRequest) -> int:
    """A token that is not special."""
    special: set[int] = set()
    for part in (request.model.config, request.text):
        named = [value for name, value in vars(part).items() if name.endswith(("_token_id", "_token_index"))]
        special |= {token for value in named for token in (value if isinstance(value, list) else [value])}
    return next(token for token in range(len(special) + 1) if token not in special)


def _pixels(request: InputRequest, inputs: Mapping[str, Any]) -> dict[str, Any]:
    channels, height, width = _image(request)
    if "image_grid_thw" in request.takes:
        return _patches(request, channels, height, width)
    if "image_sizes" in request.takes and (grids := request.setting("image_grid_pinpoints")):
        return _tiles(request, channels, height, width, grids)
    shape: tuple[int, ...] = (request.batch, channels, height, width)
    if "video" in request.modalities and "image" not in request.modalities:
        frames = request.setting("num_frames", default=_FRAMES)
        shape = (request.batch, frames, channels, height, width)
    return {"pixel_values": _floats(request, *shape)}


def _image(request: InputRequest) -> tuple[int, int, int]:
    size = request.setting("image_size", "img_size", default=_IMAGE)
    if isinstance(size, dict):
        size = (size.get("height", _IMAGE), size.get("width", _IMAGE))
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    channels = request.setting("num_channels", "in_channels", "in_chans", default=_CHANNELS)
    return channels, height, width


def _patches(request: InputRequest, channels: int, height: int, width: int) -> dict[str, Any]:
    """An image as a list of its patches, and how many there are in each direction."""
    patch, frames = request.setting("patch_size", default=14), request.setting("temporal_patch_size", default=1)
    unit = patch * request.setting("spatial_merge_size", default=1)
    down, across = (max(1, size // unit) * unit // patch for size in (height, width))
    pixels = _floats(request, request.batch * down * across, channels * frames * patch**2)
    return {"pixel_values": pixels, "image_grid_thw": torch.tensor([[1, down, across]] * request.batch)}


def _tiles(request: InputRequest, channels: int, height: int, width: int, grids: Any) -> dict[str, Any]:
    """An image of the encoder's own size: whole, and cut into tiles of that size after it was enlarged to a grid."""
    from transformers.image_processing_utils import select_best_resolution

    tall, wide = select_best_resolution((height, width), grids)
    tiles = 1 + (tall // height) * (wide // width)
    pixels = _floats(request, request.batch, tiles, channels, height, width)
    return {"pixel_values": pixels, "image_sizes": torch.tensor([[height, width]] * request.batch)}


def _video(request: InputRequest, inputs: Mapping[str, Any]) -> dict[str, Any]:
    frames = request.setting("num_frames", "frames_per_clip", default=_FRAMES)
    return {"pixel_values_videos": _floats(request, request.batch, frames, *_image(request))}


def _spectrum(request: InputRequest, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Mel bins by frames where the encoder has positions for half as many frames (Whisper), else frames by features."""
    bins, positions = request.setting("num_mel_bins"), request.setting("max_source_positions")
    if bins and positions and not request.setting("input_feat_per_channel"):
        return {
            "input_features": _floats(request, request.batch, bins, 2 * positions),
            **_unpadded(request, 2 * positions),
        }
    features = request.setting("input_feat_per_channel", "feature_projection_input_dim", "input_dim", "num_mel_bins")
    return {
        "input_features": _floats(request, request.batch, _SPECTRUM, features or 80),
        **_unpadded(request, _SPECTRUM),
    }


def _unpadded(request: InputRequest, frames: int) -> dict[str, Any]:
    """The mask that no frame is padding, for models that take one."""
    names = [name for name in ("feature_attention_mask", "input_features_mask") if name in request.takes]
    return {name: torch.ones(request.batch, frames, dtype=torch.long) for name in names}


def _samples(request: InputRequest, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A waveform, one channel or none; a spectrogram where the configuration has bins and frames of one."""
    bins, frames = request.setting("num_mel_bins"), request.setting("max_length")
    if bins and frames:
        return {"input_values": _floats(request, request.batch, frames, bins)}
    channels = request.setting("audio_channels")
    return {"input_values": _floats(request, request.batch, *([channels] if channels else []), _SAMPLES)}


def _floats(request: InputRequest, *shape: int) -> TensorSpec:
    return TensorSpec(shape, str(request.model.dtype).removeprefix("torch."))


# In this order: the number of tokens depends on the other inputs.
_BUILDERS: Mapping[str, Callable[[InputRequest, Mapping[str, Any]], dict[str, Any]]] = {
    "pixel_values": _pixels,
    "pixel_values_videos": _video,
    "input_features": _spectrum,
    "input_values": _samples,
    "input_ids": _ids,
    "decoder_input_ids": _decoder_ids,
}
_MODALITY: Mapping[str, set[str]] = {
    "pixel_values": {"image"},
    "pixel_values_videos": set(),
    "input_features": {"audio"},
    "input_values": {"audio"},
    "input_ids": {"text"},
}


# Error messages -------------------------------------------------------------------------------------------------------


def _unknown_feed(model: str, names: Iterable[str]) -> errors.ProfileError:
    first, *rest = names
    more = "".join(f", {name}" for name in rest)
    return errors.ProfileError(
        f"{model} needs {first}{more}, whose shape is not known here; give it with --input {first}=SHAPE"
    )


def _no_text(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} takes no tokens, so --seq says nothing about it; give shapes with --input")
