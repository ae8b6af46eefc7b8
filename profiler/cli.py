"""From the command line to an exit status, one call a stage."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from profiler import errors
from profiler.conventions import CONVENTIONS, DEFAULT
from profiler.options import Options, options
from profiler.render import FORMATS, renderer
from profiler.versions import __version__

if TYPE_CHECKING:
    from profiler.profiles import Profile

_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
_EVERYTHING = "*"
# typer re-exports the leaves of click's exceptions, but not the class they have in common.
_UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 (fine), 1 (a check failed) or 2 (it could not run)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _app(args=_with_explain_pattern(arguments), prog_name="profile-model", standalone_mode=False)
    except errors.ProfileError as error:
        return _refuse(str(error), error.status)
    except _UsageError as error:
        return _refuse(f"{getattr(error, 'message', error)} (see profile-model --help)", 2)
    except KeyboardInterrupt:
        return _refuse("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return int(status or 0)


def _refuse(sentence: str, status: int) -> int:
    print(f"profile-model: {' '.join(sentence.split())}", file=sys.stderr)
    return status


def _with_explain_pattern(arguments: list[str]) -> list[str]:
    """`--explain` may stand without its pattern, at the end or before another option."""
    return [
        f"--explain={_EVERYTHING}" if word == "--explain" and following.startswith("-") else word
        for word, following in zip(arguments, [*arguments[1:], "-"], strict=True)
    ]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"profile-model {__version__}")
        raise typer.Exit


@_app.command(no_args_is_help=True)
def _command(
    specs: Annotated[list[str] | None, typer.Argument(metavar="MODEL...", help="resnet34, timm:dpn92, 'resnet34(num_classes=10)', model.py:build, package.module:Class, saved.json", show_default=False)] = None,
    input: Annotated[list[str] | None, typer.Option("--input", metavar="SHAPE", help="What to feed it: 1x3x224x224, ids=1x128:int64. Once per tensor.", show_default=False)] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Batch size of the model's own input.", show_default=False)] = None,
    convention: Annotated[str, typer.Option(help=f"What the FLOPs column counts: {', '.join(CONVENTIONS)}.")] = DEFAULT,
    columns: Annotated[str | None, typer.Option(metavar="NAME,...", help="Columns, in order.", show_default=False)] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="How deep the tree is shown.", show_default=False)] = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Sort layers by a column.", show_default=False)] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Only the first N layers, by FLOPs or by --sort.", show_default=False)] = None,
    filter: Annotated[str | None, typer.Option(metavar="PATTERN", help="Only layers whose path or class matches, like 'layer1.*' or Conv2d.", show_default=False)] = None,
    explain: Annotated[str | None, typer.Option(metavar="[PATTERN]", help="Each layer's counts as formula = numbers = result.", show_default=False)] = None,
    format: Annotated[str | None, typer.Option(help=f"{', '.join(FORMATS)}. Default: by the suffix of --output, else text.", show_default=False)] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result to a file.", show_default=False)] = None,
    save: Annotated[str | None, typer.Option(metavar="FILE", help="Keep what was recorded, to be rendered again as FILE.json.", show_default=False)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when an operator has no formula.")] = False,
    list_names: Annotated[str | None, typer.Option("--list", metavar="PATTERN", help="List the model names that match, like 'resnet*'.", show_default=False)] = None,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")] = False,
) -> int:  # fmt: skip
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
            format=format,
            output=output,
            explain=explain,
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
    with _opened(chosen.output) as file:
        profiles, failures = _profiles(chosen)
        if profiles:
            print(_rendered(profiles, chosen), file=file)
    for failure in failures:
        _refuse(str(failure), failure.status)
    if failures:
        return max(failure.status for failure in failures)
    return _check_known(profiles) if chosen.strict else 0


def _profiles(chosen: Options) -> tuple[list[Profile], list[errors.ProfileError]]:
    """Every model that can be profiled, and why the others cannot."""
    from profiler.profiling import profile_spec  # behind --help, which shall not wait for it

    if chosen.save is not None and len(chosen.specs) > 1:
        raise errors.SaveTakesOne(len(chosen.specs))
    profiles: list[Profile] = []
    failures: list[errors.ProfileError] = []
    for spec in chosen.specs:
        try:
            profiles.append(profile_spec(spec, chosen.feed, chosen.convention))
        except errors.ProfileError as error:
            failures.append(error)
    if chosen.save is not None and profiles:
        profiles[0].save(chosen.save)
    return profiles, failures


def _rendered(profiles: Sequence[Profile], chosen: Options) -> str:
    dress = renderer(chosen.format)
    if chosen.explain is not None:
        from profiler.explain import explain

        return "\n\n".join(explain(profile, chosen.explain) for profile in profiles)
    if len(chosen.specs) == 1:
        return str(dress.layers(profiles[0], chosen.view))
    return str(dress.models(profiles, chosen.view.columns))


@contextmanager
def _opened(path: str | None) -> Iterator[TextIO]:
    """Where the result goes. A file is opened before the work starts, and is not left behind empty when it fails."""
    if path is None:
        yield sys.stdout
        return
    partial = Path(f"{path}.part")
    try:
        file = partial.open("w", encoding="utf-8")
    except OSError as error:
        raise errors.CannotWrite(path, error) from None
    try:
        with file:
            yield file
        if partial.stat().st_size:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check_known(profiles: Sequence[Profile]) -> int:
    unknown = [failure for profile in profiles if (failure := errors.unknown_operators(profile.model, profile.unknown_ops))]
    for failure in unknown:
        _refuse(str(failure), failure.status)
    return errors.CheckFailed.status if unknown else 0
