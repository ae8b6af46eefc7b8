"""Which options do several verbs share? Groups of options, each declared once, with its help text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, TypeVar, dataclass_transform

from profiler.answers.common.limitable import (
    ALL_FIGURES,
    CACHE,
    FIGURES,
    FIRST_TOKEN,
    PEAK_MEMORY,
    PER_TOKEN,
    TIME,
    UNKNOWN,
)
from profiler.counters import conventions
from profiler.records import conditions, quantities
from profiler.records.conditions import CACHES, PHASES, Conditions
from profiler.records.spec import Feed
from profiler.render import FORMATS
from profiler.render.tables import Unit

if TYPE_CHECKING:
    from cyclopts import Parameter

    from profiler.answers.check.compute import Limit
    from profiler.answers.generate.generating import Request
    from profiler.figures.profile import Profile
    from profiler.records.times import Timer

T = TypeVar("T")
G = TypeVar("G", bound="LimitGroup")
HEADINGS: list[tuple[type, str]] = []  # of groups that the reader of the command line has not been told of yet


class Argument(NamedTuple):
    """What is written in a place of the command line, and is no option. It is text."""

    help: str
    metavar: str | None = None
    name: str | None = None
    may_begin_with_dash: bool = False


def option(help: str, metavar: str | None = None, heading: str | None = None, **rest: Any) -> Parameter:
    """An option with its help; where it has a `metavar`, the next word is its value, even "-x".

    To be called in an annotation alone, which nobody reads where no option is written.
    """
    from cyclopts import Group, Parameter

    if heading is not None:
        rest["group"] = Group(heading)
    is_text = metavar is not None
    return Parameter(help=help, metavar=metavar, negative="", show_default=False, allow_leading_hyphen=is_text, **rest)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def grouped(heading: str) -> Callable[[type[T]], type[T]]:
    """A class that has options as its fields: under one heading of `--help`, without a prefix in their names.

    Nobody changes one, for which types are checked: to make a frozen dataclass takes twice as long, in all a
    twentieth of the time of a command that is answered from the cache.
    """

    def with_heading(cls: type[T]) -> type[T]:
        group = dataclass(kw_only=True, unsafe_hash=True)(cls)
        HEADINGS.append((group, heading))
        return group

    return with_heading


def reading(reader: Callable[[str], T]) -> Callable[[Any, Any], T]:
    """A converter of an option's text; its errors name the option."""
    return lambda _, tokens: quantities.read(tokens[0].keyword, tokens[0].value, reader)


def number(least: int) -> Callable[[Any, Any], int]:
    """A converter of whole numbers from `least` up."""
    return reading(lambda text: quantities.whole(text, least))


def names(text: str | None) -> tuple[str, ...]:
    """Names that commas separate, as in `params,macs`."""
    return tuple(name for part in (text or "").split(",") if (name := part.strip()))


Models: TypeAlias = Annotated[
    str,
    Argument(
        "resnet34, timm:dpn92, 'resnet34(num_classes=10)', hf:FOLDER, 'hf:LlamaConfig(num_hidden_layers=2)', "
        "model.py:build, package.module:Class, saved.json, exported.pt2, model.onnx, weights.safetensors (or .pt, "
        ".gguf, an index or a folder), or a list of models, list.toml."
    ),
]
Model: TypeAlias = Annotated[str, Argument("As `profile-model --help` says: resnet34, timm:dpn92, hf:FOLDER, ...")]


@grouped("What it is fed")
class InputOptions:
    input: Annotated[tuple[str, ...], option("1x3x224x224 or ids=1x128:int64. Once for each tensor.", "SHAPE")] = ()
    batch: Annotated[int | None, option("How many samples.", "N", converter=number(1))] = None
    seq: Annotated[int | None, option("Tokens of text, for hf: models.", "N", converter=number(1))] = None
    trust_remote_code: Annotated[bool, option("Run the code that an hf: model's files bring along.")] = False

    @property
    def feed(self) -> Feed:
        """Every option of the input, except its shapes."""
        return Feed(batch=self.batch, seq=self.seq, trusts_code=self.trust_remote_code)


@grouped("How it is run")
class TraceCacheOption:
    """The command looks a trace up before it runs a model, unless this says otherwise."""

    no_cache: Annotated[bool, option("Run it, whatever the cache of traces has (profile-model cache).")] = False


@grouped("How it is run")
class Cast:
    dtype: Annotated[str | None, option("Cast weights and inputs first: float16, bfloat16, ...", "DTYPE")] = None

    @property
    def conditions(self) -> Conditions:
        return conditions.conditions(dtype=self.dtype)


@grouped("The training step")
class TrainingOptions:
    optimizer: Annotated[str | None, option("Add its update and state: sgd, adamw, 'sgd(momentum=0.9)'.", "NAME")] = (
        None
    )
    amp: Annotated[str | None, option("Mixed precision: bf16 or fp16.", "DTYPE")] = None
    freeze: Annotated[tuple[str, ...], option("Layers that are not trained: 'layer1*'. Repeatable.", "PATTERN")] = ()
    recompute: Annotated[
        tuple[str, ...],
        option("Layers that are run again in the backward pass instead of being kept. Repeatable.", "PATTERN"),
    ] = ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The options that are present, as keywords of `conditions`."""
        named = {"optimizer": self.optimizer, "amp": self.amp, "freeze": self.freeze, "recompute": self.recompute}
        return {name: value for name, value in named.items() if value}


@grouped("How it is run")
class ExecutionOptions(Cast):
    """A forward pass; or a training step, where `--training` or any option of `TrainingOptions` is present."""

    training: Annotated[bool, option("A training step, not a forward pass.")] = False
    step: TrainingOptions = TrainingOptions()

    @property
    def conditions(self) -> Conditions:
        settings = self.step.settings
        return conditions.conditions(dtype=self.dtype, train=self.training or bool(settings), **settings)


@grouped("Language models")
class Generating:
    phase: Annotated[str | None, option(f"One phase: {', '.join(PHASES)}.", "PHASE")] = None
    cache: Annotated[
        str | None, option(f"The kind of cache: {', '.join(CACHES)}. Default: the model's own.", "KIND")
    ] = None

    def request(self, profile: Callable[..., Profile]) -> Request | None:
        """Which phases to run; None where neither option is present."""
        from profiler.answers.generate.generating import requested  # which imports much that `--help` does not need

        return requested(self.phase, self.cache, profile)


@grouped("On a device")
class OnDevice:
    """Whatever profile the verb makes is one on this device: the command sees to that."""

    device: Annotated[
        str | None, option("A device of `profile-model list --devices`, or FILE.toml: adds its time.", "NAME")
    ] = None

    @property
    def timer(self) -> Timer | None:
        """Raises `errors.ProfileError`."""
        if self.device is None:
            return None
        from profiler.devices.timing import timer  # which reads formulas that `--help` does not need

        return timer(self.device)


@grouped("The FLOPs column")
class ConventionOption:
    convention: Annotated[
        str, option(f"What it counts: {', '.join(conventions.names())}. Default: {conventions.DEFAULT}.", "NAME")
    ] = conventions.DEFAULT

    @property
    def name(self) -> str:
        """Raises `errors.ProfileError`."""
        return conventions.named(self.convention).name


@grouped("The table")
class Columns:
    columns: Annotated[str | None, option("Columns, in order.", "NAME,...")] = None

    @property
    def chosen(self) -> tuple[str, ...]:
        return names(self.columns)


@grouped("The table")
class Captions:
    caption: Annotated[str | None, option("What stands above the table.", "TEXT")] = None
    tex_label: Annotated[str | None, option("What LaTeX refers to it by: tab:cost.", "NAME")] = None


@grouped("The table")
class Labels:
    label: Annotated[tuple[str, ...], option("A row's name. Once for each model, in order.", "TEXT")] = ()


@grouped("The table")
class Top:
    top: Annotated[int | None, option("Only the first N rows.", "N", converter=number(1))] = None


_CHECKS = "Checks: exit with 1 above a limit"


class LimitGroup:
    """Options that are limits on figures, `--max-size`; a subclass says which by `limited`."""

    __slots__ = ()

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Raises `errors.ProfileError`."""
        texts = [(figure, getattr(self, figure.keyword, None)) for figure in ALL_FIGURES.values()]
        limited = [(figure, text) for figure, text in texts if text is not None]
        if not limited:
            return ()
        from profiler.answers.check.compute import limit  # which a command without limits does not need

        return tuple(limit(figure.name, text, f"--{figure.key}", f"--{figure.key} {text}") for figure, text in limited)


def limited(*names: str, heading: str = _CHECKS) -> Callable[[type[G]], type[G]]:
    """Give a group of limits its options, one a figure."""

    def with_options(cls: type[G]) -> type[G]:
        cls.__module__ = __name__  # where its annotations are read
        cls.__annotations__ = {ALL_FIGURES[name].keyword: f"Annotated[str | None, _limit({name!r})]" for name in names}
        for keyword in cls.__annotations__:
            setattr(cls, keyword, None)
        return grouped(heading)(cls)

    return with_options


def _limit(name: str) -> Parameter:
    figure = ALL_FIGURES[name]
    return option(figure.help, {Unit.BYTES: "SIZE", Unit.NANOSECONDS: "TIME"}.get(figure.unit, "COUNT"))


@limited(*(name for name in FIGURES if name != CACHE))
class Limits(LimitGroup):
    """On the figures of a run."""


@limited("size", "macs", "flops", CACHE, PEAK_MEMORY, UNKNOWN, FIRST_TOKEN, PER_TOKEN)
class PhaseLimits(LimitGroup):
    """On the figures of each phase of a language model."""


@limited(TIME)
class TimeLimit(LimitGroup):
    """On the time of a run."""


@limited("size")
class SizeLimit(LimitGroup):
    """On the size of weights."""


@grouped(_CHECKS)
class Strict:
    strict: Annotated[bool, option("Exit with 1 when an operator has no formula.")] = False


@grouped("The result")
class Saved:
    save: Annotated[str | None, option("Keep what was recorded; FILE.json is a model.", "FILE")] = None


@grouped("The result")
class OutputOptions:
    """How every verb's result is written."""

    format: Annotated[
        str | None, option(f"{', '.join(FORMATS)}. Default: by the suffix of --output, else text.", "NAME")
    ] = None
    output: Annotated[str | None, option("Write the result to a file.", "FILE", name=["--output", "-o"])] = None
    traceback: Annotated[
        bool, option("Where a model's code fails: its whole traceback, and its last layers, on stderr.")
    ] = False


@grouped("The result")
class TextOptions(OutputOptions):
    """How a result is written that is no table."""

    format: Annotated[str | None, option("text, as which alone it is written.", "NAME")] = None


@grouped("The result")
class Result(OutputOptions):
    """How tables are written."""

    notes: Annotated[
        str | None, option("What stands under a table: short, full (what words mean, versions) or none.", "HOW_MUCH")
    ] = None
