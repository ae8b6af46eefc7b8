"""From the command line to an exit status, one call a stage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from profiler import conventions, errors, metrics, peers
from profiler.comparison import Entry, comparison
from profiler.crosscheck import ALL, CrossCheck, cross_check_spec
from profiler.metrics import published
from profiler.options import COMMON, EVERYTHING, PUBLISHED, Checking, Options, options
from profiler.progress import counted, shown
from profiler.render import FORMATS, renderer
from profiler.versions import __version__
from profiler.which import Number, Search, candidates, search, which_table

if TYPE_CHECKING:
    from profiler.profiles import Profile

_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
# Options whose value may be left out: what it then is, and what a word has to look like to be their value.
_DEFAULTS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "--explain": (EVERYTHING, lambda word: not word.startswith("-")),
    "--metrics": (PUBLISHED, lambda word: word.lower().endswith(metrics.SUFFIXES)),
    "--bold": (EVERYTHING, lambda word: not word.startswith("-")),
    "--cross-check": (COMMON, lambda word: set(word.split(",")) <= {*peers.names(), ALL}),
}
# typer re-exports the leaves of click's exceptions, but not the class they have in common.
_UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 (fine), 1 (a check failed) or 2 (it could not run)."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        status = _app(args=_with_defaults(arguments), prog_name="profile-model", standalone_mode=False)
    except errors.ProfileError as error:
        return _refuse(str(error), error.status)
    except _UsageError as error:
        return _refuse(f"{_sentence(error)} (see profile-model --help)", 2)
    except KeyboardInterrupt:
        return _refuse("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return int(status or 0)


def _sentence(error: Exception) -> str:
    """What typer would print: with the name of the option."""
    return str(error.format_message() if hasattr(error, "format_message") else error)


def _refuse(sentence: str, status: int) -> int:
    print(f"profile-model: {' '.join(sentence.split())}", file=sys.stderr)
    return status


def _with_defaults(arguments: list[str]) -> list[str]:
    """`--explain`, `--metrics`, `--bold` and `--cross-check` may stand without their value."""
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


def _option(help: str, *names: str, metavar: str | None = None, least: int | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, min=least, show_default=False)


_Specs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        help="resnet34, timm:dpn92, 'resnet34(num_classes=10)', model.py:build, package.module:Class, saved.json, or a "
        "list of models, list.toml",
        show_default=False,
    ),
]
_Shapes = Annotated[
    list[str] | None,
    _option("What to feed it: 1x3x224x224 or ids=1x128:int64. Once per tensor.", "--input", metavar="SHAPE"),
]
_Batch = Annotated[int | None, _option("Batch size.", least=1)]
_Convention = Annotated[str, typer.Option(help=f"What the FLOPs column counts: {', '.join(conventions.names())}.")]
_Columns = Annotated[str | None, _option("Columns, in order.", metavar="NAME,...")]
_Depth = Annotated[int | None, _option("How deep the tree is shown.", least=0)]
_Sort = Annotated[str | None, _option("Sort layers by a column.", metavar="COLUMN")]
_Top = Annotated[int | None, _option("Only the first N layers, by FLOPs or by --sort.", metavar="N", least=1)]
_Filter = Annotated[
    str | None,
    _option("Only layers whose path or class matches, like 'layer1.*' or Conv2d.", metavar="PATTERN"),
]
_Labels = Annotated[
    list[str] | None, _option("A row's name. Once per model, in their order.", "--label", metavar="TEXT")
]
_Metrics = Annotated[
    list[str] | None,
    _option("Add accuracy columns: as published, or from a CSV file by model.", "--metrics", metavar="[FILE.csv]"),
]
_RelativeTo = Annotated[str | None, _option("Add columns relative to a row.", metavar="NAME")]
_Bold = Annotated[str | None, _option("Mark the best of each column, or of some.", metavar="[NAME,LOSS:min,...]")]
_Caption = Annotated[str | None, _option("What stands above the table.", metavar="TEXT")]
_TexLabel = Annotated[str | None, _option("What LaTeX refers to the table by, like tab:cost.", metavar="NAME")]
_Explain = Annotated[str | None, _option("Each layer's counts as formula = numbers = result.", metavar="[PATTERN]")]
_CrossCheck = Annotated[
    str | None,
    _option(
        f"Run other counters and explain every difference: {', '.join(peers.names())}, or all. Default: fvcore,thop.",
        "--cross-check",
        metavar="[TOOL,...]",
    ),
]
_TimeLimit = Annotated[float | None, _option("How long a counter may take, 300 by default.", metavar="SECONDS")]
_Verbose = Annotated[bool, typer.Option("--verbose", help="Show which layers each term of a cross-check is from.")]
_Which = Annotated[
    str | None, _option("Which conventions and input sizes give a number that was read, like 4.09G.", metavar="NUMBER")
]
_Format = Annotated[
    str | None, _option(f"{', '.join(FORMATS)}. Default: by the suffix of --output, else text.", metavar="NAME")
]
_Output = Annotated[str | None, _option("Write the result to a file.", "--output", "-o", metavar="FILE")]
_Save = Annotated[str | None, _option("Keep what was recorded; FILE.json is a model spec.", metavar="FILE")]
_Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 when an operator has no formula.")]
_List = Annotated[str | None, _option("List the model names that match, like 'resnet*'.", "--list", metavar="PATTERN")]
_Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")]


@_app.command()
def _command(
    specs: _Specs = None,
    input: _Shapes = None,
    batch: _Batch = None,
    convention: _Convention = conventions.DEFAULT,
    columns: _Columns = None,
    depth: _Depth = None,
    sort: _Sort = None,
    top: _Top = None,
    filter: _Filter = None,
    label: _Labels = None,
    metrics: _Metrics = None,
    relative_to: _RelativeTo = None,
    bold: _Bold = None,
    caption: _Caption = None,
    tex_label: _TexLabel = None,
    explain: _Explain = None,
    cross_check: _CrossCheck = None,
    time_limit: _TimeLimit = None,
    verbose: _Verbose = False,
    which: _Which = None,
    format: _Format = None,
    output: _Output = None,
    save: _Save = None,
    strict: _Strict = False,
    list_names: _List = None,
    version: _Version = False,
) -> int:
    """What a PyTorch model costs, layer by layer: parameters, FLOPs, megabytes, memory.

    Exit status: 0 fine, 1 a check failed, 2 it could not run.
    """
    if list_names is not None:
        return _list(list_names)
    if not specs:
        raise errors.NoModelGiven()
    return run(
        options(
            specs,
            shapes=input or (),
            batch=batch,
            convention=convention,
            columns=columns,
            depth=depth,
            sort=sort,
            top=top,
            filter=filter,
            labels=label or (),
            metrics=metrics or (),
            relative_to=relative_to,
            bold=bold,
            caption=caption,
            tex_label=tex_label,
            format=format,
            output=output,
            explain=explain,
            cross_check=cross_check,
            time_limit=time_limit,
            verbose=verbose,
            which=which,
            save=save,
            strict=strict,
        )
    )


def _list(pattern: str) -> int:
    from profiler.sources import names  # imports the model libraries

    found = names(pattern)
    if not found:
        raise errors.NothingMatches(pattern)
    print("\n".join(found))
    return 0


def run(chosen: Options) -> int:
    """Profile, render, write, check."""
    if chosen.checking is not None:
        return _cross_check(chosen, chosen.checking)
    if chosen.which is not None:
        return _which(chosen, chosen.which)
    with _opened(chosen.output) as file:
        entries, failures = _entries(chosen)
        profiles = [entry.profile for entry in entries if entry.profile is not None]
        if profiles:
            print(_rendered(entries, chosen), file=file)
    if chosen.save is not None and profiles:
        profiles[0].save(chosen.save)
    return _tell([*failures, *(_unknown(profiles) if chosen.strict else ())])


def _entries(chosen: Options) -> tuple[list[Entry], list[errors.ProfileError]]:
    """Every model that can be profiled, and why the others cannot."""
    from profiler.profiling import profile_spec  # behind --help, which shall not wait for it

    entries: list[Entry] = []
    failures: list[errors.ProfileError] = []
    for model in shown(chosen.models, [model.label for model in chosen.models]):
        found, failure = None, None
        try:
            with redirect_stdout(sys.stderr):  # whatever the model's own code prints
                found = profile_spec(model.spec, model.feed, chosen.convention)
        except errors.ProfileError as error:
            failures.append(error)
            failure = str(error)
        entries.append(Entry(model.spec, model.label, found, failure, model.metrics))
    return entries, failures


def _rendered(entries: Sequence[Entry], chosen: Options) -> str:
    dress, profiles = renderer(chosen.format), [entry.profile for entry in entries if entry.profile is not None]
    if chosen.explain is not None:
        from profiler.explain import explain

        return "\n\n".join(explain(profile, chosen.explain) for profile in profiles)
    if chosen.comparing is None:
        return str(dress.layers(profiles[0], chosen.view))
    comparing = chosen.comparing
    sources = [*([published(profiles)] if comparing.published else []), *comparing.metrics]
    return str(dress.models(comparison(entries, comparing.layout, sources)))


def _cross_check(chosen: Options, checking: Checking) -> int:
    """Profile, run the other counters, render, write; 1 when a difference is not explained."""
    found: list[CrossCheck] = []
    failures: list[errors.ProfileError] = []
    with _opened(chosen.output) as file:
        for model in chosen.models:
            try:
                with (
                    redirect_stdout(sys.stderr),
                    counted(f"{model.label}: {', '.join(checking.tools)}", len(checking.tools)) as done,
                ):
                    found.append(cross_check_spec(model.spec, model.feed, checking.tools, checking.time_limit_s, done))
            except errors.ProfileError as error:
                failures.append(error)
        if found:
            accounts = [account for check in found for account in check.accounts]
            print(renderer(chosen.format).accounts(accounts, checking.verbose), file=file)
    return _tell([*failures, *(failure for check in found for failure in check.failures())])


def _which(chosen: Options, wanted: Number) -> int:
    """Profile each model in every convention and size, render what gives the number; 1 when nothing does."""
    searches: list[Search] = []
    failures: list[errors.ProfileError] = []
    with _opened(chosen.output) as file:
        for model in shown(chosen.models, [model.label for model in chosen.models]):
            try:
                with redirect_stdout(sys.stderr):
                    searches.append(search(model.label, wanted, candidates(model.spec, model.feed)))
            except errors.ProfileError as error:
                failures.append(error)
        if searches:
            print(renderer(chosen.format).write(which_table(searches)), file=file)
    failures += [errors.NothingMatchesNumber(one.model, wanted.text) for one in searches if not one.is_met]
    return _tell(failures)


def _tell(failures: Sequence[errors.ProfileError]) -> int:
    """Say what went wrong, and what the worst of it is as an exit status."""
    for failure in failures:
        _refuse(str(failure), failure.status)
    return max((failure.status for failure in failures), default=0)


@contextmanager
def _opened(path: str | None) -> Iterator[TextIO]:
    """Where the result goes. A file is opened before the work starts, and is not left behind empty when it fails."""
    if path is None:
        yield sys.stdout
        return
    partial = Path(f"{path}.part")
    try:
        file = partial.open("w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise errors.CannotWrite(path, error) from None
    try:
        with file:
            yield file
        if partial.stat().st_size:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _unknown(profiles: Sequence[Profile]) -> list[errors.ProfileError]:
    return [errors.UnknownOperators(found.model, found.unknown_ops) for found in profiles if found.unknown_ops]
