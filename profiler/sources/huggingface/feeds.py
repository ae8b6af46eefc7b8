"""What is an architecture fed? One tensor for each modality that it takes, with the sizes that its configuration has.

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
_PARTS = ("vision_config", "backbone_config", "image_encoder_config", "audio_config", "encoder_config")


@dataclass(frozen=True, slots=True)
class Needs:
    """What is to be fed: a model, under which name it was asked for, and how much of each."""

    model: Any
    name: str
    batch: int
    seq: int | None
    takes: frozenset[str]
    modalities: frozenset[str]

    def setting(self, *names: str, default: Any = None) -> Any:
        """The first of these settings that the configuration, or a part of it that is about this, has."""
        config = self.model.config
        for part in (*(getattr(config, part, None) for part in _PARTS), config):
            for name in names:
                found = _get(part, name)
                if found is not None:
                    return found
        return default

    @property
    def text(self) -> Any:
        """The configuration of what reads text."""
        return self.model.config.get_text_config()


def _get(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else getattr(part, name, None)


def fed(model: Any, feed: Feed, name: str) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments: what the user gives, and the rest by the configuration."""
    if feed.args:
        return feed.args, feed.kwargs
    needs = _needs(model, feed, name)
    found = dict(feed.kwargs)
    for tensor, make in _MAKERS.items():
        if tensor in needs.takes and tensor not in found and _is_wanted(tensor, needs, found):
            found |= make(needs, found)
    missing = [parameter for parameter in _required(model) if parameter not in found]
    if missing or not found:
        raise _unknown_feed(name, missing or [model.main_input_name])
    if feed.seq is not None and not {"input_ids", "decoder_input_ids"} & set(found):
        raise _no_text(name)
    return (), found


def _needs(model: Any, feed: Feed, name: str) -> Needs:
    takes = frozenset(inspect.signature(model.forward).parameters)
    given = getattr(model, "input_modalities", None) or _implied(takes)  # transformers 4 does not say
    modalities = frozenset((given,) if isinstance(given, str) else given)
    return Needs(model, name, feed.batch or 1, feed.seq, takes, modalities)


def _implied(takes: frozenset[str]) -> set[str]:
    return set[str]().union(*(modalities for tensor, modalities in _MODALITY.items() if tensor in takes))


def _required(model: Any) -> Iterator[str]:
    for parameter in inspect.signature(model.forward).parameters.values():
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            yield parameter.name


def _is_wanted(tensor: str, needs: Needs, found: Mapping[str, Any]) -> bool:
    """The principal input, and those of the modalities. Video is left to models that see nothing else."""
    if tensor in ("decoder_input_ids", "input_ids") and _embedded(tensor) in found:
        return False
    if tensor == "decoder_input_ids":
        return bool(getattr(needs.model.config, "is_encoder_decoder", False))
    return tensor == needs.model.main_input_name or bool(_MODALITY[tensor] & needs.modalities)


def _embedded(tensor: str) -> str:
    return tensor.replace("input_ids", "inputs_embeds")


# A tensor each -------------------------------------------------------------------------------------------------------


def _ids(needs: Needs, found: Mapping[str, Any]) -> dict[str, Any]:
    """Text, behind the places of what the other tensors hold."""
    held = [(*place, count) for place, count in rows(needs.model, found, needs.batch, needs.name)]
    words = _length(needs)
    ids = [token for token, _, count in held for _ in range(count)] + [_word(needs)] * words
    made = {"input_ids": torch.tensor([ids] * needs.batch)}
    if "mm_token_type_ids" in needs.takes:
        kinds = [kind for _, kind, count in held for _ in range(count)] + [0] * words
        made["mm_token_type_ids"] = torch.tensor([kinds] * needs.batch)
    return made


def _decoder_ids(needs: Needs, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"decoder_input_ids": torch.full((needs.batch, _length(needs)), _word(needs))}


def _length(needs: Needs) -> int:
    if needs.seq is not None:
        return needs.seq
    return min(_SEQ, most_tokens(needs.model) or _SEQ)


def most_tokens(model: Any) -> int | None:
    """How many tokens of text its configuration has positions for; None where it does not say."""
    text = model.config.get_text_config()
    positions = [_get(text, name) for name in ("max_position_embeddings", "max_target_positions")]
    return min((most for most in positions if isinstance(most, int) and most > 0), default=None)


def _word(needs: Needs) -> int:
    """A token that means nothing in particular."""
    special: set[int] = set()
    for part in (needs.model.config, needs.text):
        named = [value for name, value in vars(part).items() if name.endswith(("_token_id", "_token_index"))]
        special |= {token for value in named for token in (value if isinstance(value, list) else [value])}
    return next(token for token in range(len(special) + 1) if token not in special)


def _pixels(needs: Needs, found: Mapping[str, Any]) -> dict[str, Any]:
    channels, height, width = _image(needs)
    if "image_grid_thw" in needs.takes:
        return _patches(needs, channels, height, width)
    if "image_sizes" in needs.takes and (grids := needs.setting("image_grid_pinpoints")):
        return _tiles(needs, channels, height, width, grids)
    shape: tuple[int, ...] = (needs.batch, channels, height, width)
    if "video" in needs.modalities and "image" not in needs.modalities:
        frames = needs.setting("num_frames", default=_FRAMES)
        shape = (needs.batch, frames, channels, height, width)
    return {"pixel_values": _floats(needs, *shape)}


def _image(needs: Needs) -> tuple[int, int, int]:
    size = needs.setting("image_size", "img_size", default=_IMAGE)
    if isinstance(size, dict):
        size = (size.get("height", _IMAGE), size.get("width", _IMAGE))
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    channels = needs.setting("num_channels", "in_channels", "in_chans", default=_CHANNELS)
    return channels, height, width


def _patches(needs: Needs, channels: int, height: int, width: int) -> dict[str, Any]:
    """An image as a list of its patches, and how many there are in each direction."""
    patch, frames = needs.setting("patch_size", default=14), needs.setting("temporal_patch_size", default=1)
    unit = patch * needs.setting("spatial_merge_size", default=1)
    down, across = (max(1, size // unit) * unit // patch for size in (height, width))
    pixels = _floats(needs, needs.batch * down * across, channels * frames * patch**2)
    return {"pixel_values": pixels, "image_grid_thw": torch.tensor([[1, down, across]] * needs.batch)}


def _tiles(needs: Needs, channels: int, height: int, width: int, grids: Any) -> dict[str, Any]:
    """An image of the encoder's own size: whole, and cut into tiles of that size after it was enlarged to a grid."""
    from transformers.image_processing_utils import select_best_resolution

    tall, wide = select_best_resolution((height, width), grids)
    tiles = 1 + (tall // height) * (wide // width)
    pixels = _floats(needs, needs.batch, tiles, channels, height, width)
    return {"pixel_values": pixels, "image_sizes": torch.tensor([[height, width]] * needs.batch)}


def _video(needs: Needs, found: Mapping[str, Any]) -> dict[str, Any]:
    frames = needs.setting("num_frames", "frames_per_clip", default=_FRAMES)
    return {"pixel_values_videos": _floats(needs, needs.batch, frames, *_image(needs))}


def _spectrum(needs: Needs, found: Mapping[str, Any]) -> dict[str, Any]:
    """Mel bins by frames where the encoder has positions for half as many frames (Whisper), else frames by features."""
    bins, positions = needs.setting("num_mel_bins"), needs.setting("max_source_positions")
    if bins and positions and not needs.setting("input_feat_per_channel"):
        return {"input_features": _floats(needs, needs.batch, bins, 2 * positions), **_heard(needs, 2 * positions)}
    features = needs.setting("input_feat_per_channel", "feature_projection_input_dim", "input_dim", "num_mel_bins")
    return {"input_features": _floats(needs, needs.batch, _SPECTRUM, features or 80), **_heard(needs, _SPECTRUM)}


def _heard(needs: Needs, frames: int) -> dict[str, Any]:
    """That no frame is padding, for models that have to be told."""
    names = [name for name in ("feature_attention_mask", "input_features_mask") if name in needs.takes]
    return {name: torch.ones(needs.batch, frames, dtype=torch.long) for name in names}


def _samples(needs: Needs, found: Mapping[str, Any]) -> dict[str, Any]:
    """A waveform, one channel or none; a spectrogram where the configuration has bins and frames of one."""
    bins, frames = needs.setting("num_mel_bins"), needs.setting("max_length")
    if bins and frames:
        return {"input_values": _floats(needs, needs.batch, frames, bins)}
    channels = needs.setting("audio_channels")
    return {"input_values": _floats(needs, needs.batch, *([channels] if channels else []), _SAMPLES)}


def _floats(needs: Needs, *shape: int) -> TensorSpec:
    return TensorSpec(shape, str(needs.model.dtype).removeprefix("torch."))


# In this order: how many tokens there are depends on what else is fed.
_MAKERS: Mapping[str, Callable[[Needs, Mapping[str, Any]], dict[str, Any]]] = {
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


# What is said ---------------------------------------------------------------------------------------------------------


def _unknown_feed(model: str, names: Iterable[str]) -> errors.ProfileError:
    first, *rest = names
    more = "".join(f", {name}" for name in rest)
    return errors.ProfileError(
        f"{model} needs {first}{more}, whose shape is not known here; give it with --input {first}=SHAPE"
    )


def _no_text(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} takes no tokens, so --seq says nothing about it; give shapes with --input")
