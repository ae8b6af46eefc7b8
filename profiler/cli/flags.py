"""What can be said on the command line: every option with its words, and where it stands in `--help`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from profiler import counters, errors
from profiler.answers.check import file as budget_file
from profiler.answers.cross_check.compute import ALL
from profiler.answers.generate.generation import CACHES
from profiler.answers.generate.phases import PHASES
from profiler.answers.models import metrics
from profiler.cli.options import COMMON, EVERYTHING, NEAREST, PUBLISHED
from profiler.counters import conventions
from profiler.records import whole
from profiler.records.schemes import SCHEMES
from profiler.records.versions import __version__
from profiler.render import FORMATS
from profiler.sources import holds_weights_alone

T = TypeVar("T")


def _names_tools(word: str) -> bool:
    """Tools and not a model: every name is one, or nearly one; and no model has a comma, but for its arguments."""
    known = (*counters.names(), ALL)
    has_commas = "," in word and "(" not in word
    return has_commas or word in known or bool(errors.nearest(word, known, most=1, cutoff=0.75))


def _names_weights(word: str) -> bool:
    """Schemes or a checkpoint, and not a model: every name is one, or nearly one; or a file of weights."""
    if holds_weights_alone(word):
        return True
    names = [name.strip() for name in word.split(",") if name.strip()]
    return bool(names) and all(errors.nearest(name, SCHEMES, most=1, cutoff=0.7) for name in names)


# Options whose value may be left out: what it then is, and what a word has to look like to be their value.
_DEFAULTS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "--explain": (EVERYTHING, lambda word: not word.startswith("-")),
    "--metrics": (PUBLISHED, lambda word: word.lower().endswith(metrics.SUFFIXES)),
    "--bold": (EVERYTHING, lambda word: not word.startswith("-")),
    "--cross-check": (COMMON, _names_tools),
    "--weights": (EVERYTHING, _names_weights),
    "--check": (NEAREST, lambda word: word.endswith(budget_file.SUFFIX)),
}


def with_defaults(arguments: list[str]) -> list[str]:
    """`--explain`, `--metrics`, `--bold`, `--cross-check`, `--weights` and `--check` may stand without their value."""
    return [
        f"{word}={_DEFAULTS[word][0]}" if word in _DEFAULTS and not _is_value(word, following) else word
        for word, following in zip(arguments, [*arguments[1:], None], strict=False)
    ]


def _is_value(option: str, following: str | None) -> bool:
    return following is not None and _DEFAULTS[option][1](following)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"profile-model {__version__}")
        raise typer.Exit


_LAYERS, _TABLES = "The table of one model's layers", "Columns, and tables of several models"
_COUNTERS, _RESULTS, _BUDGETS = "Other counters", "The result", "Budgets: exit with 1 when a model is over a limit"
_CHANGES, _MEMORY, _WHAT_IF = "Before and after", "Memory and training", "What if"
_GENERATION = "Language models: prefill, decode steps and the cache"


def _option(help: str, *names: str, metavar: str | None = None, panel: str | None = None, parser: Any = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, parser=parser, show_default=False, rich_help_panel=panel)


def _number(help: str, *names: str, least: int, metavar: str = "INTEGER", panel: str | None = None) -> Any:
    """A whole number from `least` up."""

    def read(text: str) -> int:
        return _read(text, lambda: whole.whole(text, least))

    return _option(help, *names, metavar=metavar, panel=panel, parser=read)


def _seconds(text: str) -> float:
    return _read(text, lambda: whole.seconds(text))


def _read(text: str, reader: Callable[[], T]) -> T:
    try:
        return reader()
    except whole.Malformed as error:
        raise typer.BadParameter(str(error)) from None


Specs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        help="resnet34, timm:dpn92, 'resnet34(num_classes=10)', hf:FOLDER, 'hf:LlamaConfig(num_hidden_layers=2)', "
        "model.py:build, package.module:Class, saved.json, exported.pt2, model.onnx, weights.safetensors (or .pt, "
        ".gguf, an index or a folder), or a list of models, list.toml",
        show_default=False,
    ),
]
Shapes = Annotated[
    list[str] | None,
    _option("What to feed it: 1x3x224x224 or ids=1x128:int64. Once per tensor.", "--input", metavar="SHAPE"),
]
Batch = Annotated[int | None, _number("Batch size.", least=1)]
Seq = Annotated[int | None, _number("Tokens of text, for hf: models.", least=1)]
TrustRemoteCode = Annotated[bool, _option("Run the code that an hf: model's files bring along.", "--trust-remote-code")]
NoInput = Annotated[
    bool, _option("Run nothing: parameters and sizes alone, of a model that says no input.", "--no-input")
]
Convention = Annotated[
    str,
    _option(
        f"What the FLOPs column counts: {', '.join(conventions.names())}. Default: {conventions.DEFAULT}.",
        metavar="NAME",
        panel=_COUNTERS,
    ),
]
Columns = Annotated[str | None, _option("Columns, in order.", metavar="NAME,...", panel=_TABLES)]
Depth = Annotated[int | None, _number("How deep the tree is shown.", least=0, panel=_LAYERS)]
Sort = Annotated[str | None, _option("Sort layers by a column.", metavar="COLUMN", panel=_LAYERS)]
Top = Annotated[
    int | None,
    _number(
        "Only the first N layers, by FLOPs or by --sort; or the first N changes.", metavar="N", least=1, panel=_LAYERS
    ),
]
Filter = Annotated[
    str | None,
    _option("Only layers whose path or class matches, like 'layer1.*' or Conv2d.", metavar="PATTERN", panel=_LAYERS),
]
Labels = Annotated[
    list[str] | None, _option("A row's name. Once per model, in their order.", "--label", metavar="TEXT", panel=_TABLES)
]
Metrics = Annotated[
    list[str] | None,
    _option(
        "Add accuracy columns: as published, or from a CSV file by model.",
        "--metrics",
        metavar="[FILE.csv]",
        panel=_TABLES,
    ),
]
RelativeTo = Annotated[str | None, _option("Add columns relative to a row.", metavar="NAME", panel=_TABLES)]
Bold = Annotated[
    str | None, _option("Mark the best of each column, or of some.", metavar="[NAME,LOSS:min,...]", panel=_TABLES)
]
Caption = Annotated[str | None, _option("What stands above the table.", metavar="TEXT", panel=_TABLES)]
TexLabel = Annotated[
    str | None, _option("What LaTeX refers to the table by, like tab:cost.", metavar="NAME", panel=_TABLES)
]
Baseline = Annotated[
    str | None,
    _option("What changed since a model was saved: its totals and layers.", metavar="FILE.json", panel=_CHANGES),
]
Diff = Annotated[
    bool, typer.Option("--diff", help="What changed between two models or saved ones.", rich_help_panel=_CHANGES)
]
MaxIncrease = Annotated[
    str | None,
    _option(
        "Exit with 1 when a total grew by more: 2%, 0, or params=0,macs=5%.",
        "--max-increase",
        metavar="LIMIT",
        panel=_CHANGES,
    ),
]
Explain = Annotated[
    str | None, _option("Each layer's counts as formula = numbers = result.", metavar="[PATTERN]", panel=_LAYERS)
]
CrossCheck = Annotated[
    str | None,
    _option(
        f"Run other counters and explain every difference: {', '.join(counters.names())}, or all. "
        "Default: fvcore,thop.",
        "--cross-check",
        metavar="[TOOL,...]",
        panel=_COUNTERS,
    ),
]
TimeLimit = Annotated[
    float | None,
    _option("How long a counter may take, 300 by default.", metavar="SECONDS", panel=_COUNTERS, parser=_seconds),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Show which layers each term of a cross-check is from.", rich_help_panel=_COUNTERS),
]
Which = Annotated[
    str | None,
    _option(
        "Which conventions and input sizes give a number that was read, like 4.09G.", metavar="NUMBER", panel=_COUNTERS
    ),
]
Format = Annotated[
    str | None,
    _option(f"{', '.join(FORMATS)}. Default: by the suffix of --output, else text.", metavar="NAME", panel=_RESULTS),
]
Output = Annotated[str | None, _option("Write the result to a file.", "--output", "-o", metavar="FILE", panel=_RESULTS)]
Save = Annotated[
    str | None, _option("Keep what was recorded; FILE.json is a model spec.", metavar="FILE", panel=_RESULTS)
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 when an operator has no formula.")]
Traceback = Annotated[
    bool,
    typer.Option(
        "--traceback",
        help="Where a model's code fails, first its whole traceback, on standard error, and its last layers.",
    ),
]
List = Annotated[str | None, _option("List the model names that match, like 'resnet*'.", "--list", metavar="PATTERN")]
Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")]


# Memory and training ------------------------------------------------------------------------------------------------

Memory = Annotated[
    bool,
    typer.Option(
        "--memory", help="What is alive when most memory is in use, and how it got there.", rich_help_panel=_MEMORY
    ),
]
Dtype = Annotated[
    str | None, _option("Cast weights and inputs first: float16, bfloat16, ...", metavar="DTYPE", panel=_MEMORY)
]
Train = Annotated[
    bool,
    typer.Option("--train", help="A training step: forward and backward, gradients, peak.", rich_help_panel=_MEMORY),
]
Optimizer = Annotated[
    str | None, _option("Add its update and state: sgd, adamw, 'sgd(momentum=0.9)'.", metavar="NAME", panel=_MEMORY)
]
Amp = Annotated[str | None, _option("Train in mixed precision: bf16 or fp16.", metavar="DTYPE", panel=_MEMORY)]
Freeze = Annotated[
    list[str] | None,
    _option("Layers that are not trained, like 'layer1*'. May be repeated.", metavar="PATTERN", panel=_MEMORY),
]
Checkpoint = Annotated[
    list[str] | None,
    _option(
        "Layers that are run again in the backward pass instead of being kept. May be repeated.",
        metavar="PATTERN",
        panel=_MEMORY,
    ),
]
Zeros = Annotated[
    bool,
    typer.Option("--zeros", help="Count the weights that are zero, as pruning makes them.", rich_help_panel=_MEMORY),
]


# Language models ------------------------------------------------------------------------------------------------------

Phase = Annotated[
    str | None,
    _option(f"What each phase costs: {', '.join(PHASES)}. With --scan seq=...: over the context.", panel=_GENERATION),
]
NewTokens = Annotated[
    int | None, _number("Sum up so many decode steps, from --seq on.", "--new-tokens", least=1, panel=_GENERATION)
]
Cache = Annotated[
    str | None,
    _option(
        f"The kind of cache: {', '.join(CACHES)}. Default: what the model makes.", metavar="KIND", panel=_GENERATION
    ),
]


# What if --------------------------------------------------------------------------------------------------------------

Weights = Annotated[
    str | None,
    _option(
        f"How large the weights are in other formats: {', '.join(SCHEMES)}. Default: all of them, a row each. Or "
        "whether a checkpoint fits the model: FILE.safetensors, FILE.pt; exit with 1 when not.",
        metavar="[NAME,...|FILE]",
        panel=_WHAT_IF,
    ),
]
CheckValues = Annotated[
    bool,
    typer.Option(
        "--check-values",
        help="Read a checkpoint's values; exit with 1 when some are NaN or infinite.",
        rich_help_panel=_WHAT_IF,
    ),
]
Scan = Annotated[
    list[str] | None,
    _option(
        "A row for each value of batch, size, seq, {n} of --input or a builder's keyword, and exact polynomials of it.",
        "--scan",
        metavar="NAME=1,8..32",
        panel=_WHAT_IF,
    ),
]
Largest = Annotated[
    str | None,
    _option("The largest batch (or {n} of --input) whose peak memory fits --fits.", metavar="batch", panel=_WHAT_IF),
]
Fits = Annotated[str | None, _option("The memory there is for --largest, like 8GB.", metavar="SIZE", panel=_WHAT_IF)]


# Budgets --------------------------------------------------------------------------------------------------------------


def _limit(help: str, name: str, metavar: str) -> Any:
    return _option(help, f"--max-{name}", metavar=metavar, panel=_BUDGETS)


MaxParams = Annotated[str | None, _limit("The most parameters, like 25M.", "params", "COUNT")]
MaxTrainable = Annotated[str | None, _limit("The most trainable parameters.", "trainable", "COUNT")]
MaxSize = Annotated[str | None, _limit("The most that the parameters take, like 100MB.", "size", "SIZE")]
MaxMacs = Annotated[str | None, _limit("The most MACs, like 4G.", "macs", "COUNT")]
MaxFlops = Annotated[str | None, _limit("The most FLOPs, in the convention chosen.", "flops", "COUNT")]
MaxActivations = Annotated[
    str | None, _limit("The most that the forward pass allocates, like 50MB.", "activations", "SIZE")
]
MaxPeakMemory = Annotated[
    str | None,
    _limit("The most memory at once: parameters, buffers, inputs and live activations.", "peak-memory", "SIZE"),
]
MaxUnknown = Annotated[
    str | None, _limit("How many calls may lack a formula; else any fails a limit on MACs.", "unknown", "COUNT")
]
Check = Annotated[
    str | None,
    _option(
        f"Hold all models of a budget file to their limits. Default: the nearest {budget_file.NAME}, or "
        f"{budget_file.PROJECT} that has a table tool.profile-model.",
        "--check",
        metavar="[FILE.toml]",
        panel=_BUDGETS,
    ),
]
InitBudgets = Annotated[
    bool,
    typer.Option(
        "--init-budgets",
        help="Measure the models named, or those of the budget file, and write limits for them into it.",
        rich_help_panel=_BUDGETS,
    ),
]
HeadRoom = Annotated[
    str | None,
    _option("What --init-budgets adds to what it measures, 10% by default.", metavar="PERCENT", panel=_BUDGETS),
]
