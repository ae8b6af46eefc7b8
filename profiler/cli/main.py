"""From the command line to an exit status, one call a stage."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, TextIO

import typer

from profiler import errors
from profiler.answers.check import init as budget_init
from profiler.answers.check import run as budget_run
from profiler.answers.check.compute import Limit, verdicts
from profiler.answers.check.file import BudgetFile
from profiler.answers.check.init import Plan
from profiler.answers.common.notes import uncounted
from profiler.answers.cross_check.compute import Accounts, CrossCheck, cross_check_spec
from profiler.answers.diff.compute import Diff
from profiler.answers.diff.table import warnings
from profiler.answers.layers.compute import Layers
from profiler.answers.memory.compute import memory_report
from profiler.answers.models.compute import Entry, comparison
from profiler.answers.models.metrics import published
from profiler.answers.which.compute import Number, Search, Which, candidates, search
from profiler.cli import flags
from profiler.cli.options import Checking, Diffing, Fitting, Generating, Options, Scanning, options
from profiler.cli.progress import counted, shown, told
from profiler.cli.tracebacks import layers_of, traceback_of
from profiler.counters import conventions
from profiler.engine.processes.foreign_code import at_work, interruptible
from profiler.records.conditions import AS_IT_IS
from profiler.records.files import writing
from profiler.records.spec import Feed
from profiler.render import renderer
from profiler.render.formats import github

if TYPE_CHECKING:
    from profiler.figures.profile import Profile
    from profiler.render.answer import Answer

_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
# typer re-exports the leaves of click's exceptions, but not the class they have in common.
_UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 (fine), 1 (a check failed) or 2 (it could not run)."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        with interruptible():
            status = _app(args=flags.with_defaults(arguments), prog_name="profile-model", standalone_mode=False)
        with suppress(AttributeError, ValueError):  # closed by the shell, or by a model's code
            sys.stdout.flush()
    except errors.ProfileError as error:
        return _refuse(str(error), error.status)
    except _UsageError as error:
        return _refuse(f"{_sentence(error)} (see profile-model --help)", 2)
    except KeyboardInterrupt:
        return _refuse("interrupted", 130)
    except BrokenPipeError:
        writing.forget(sys.stdout)
        return 1  # as click has it
    except SystemExit as error:  # click's, where nobody reads on; whoever else ends the command has not passed
        return 1 if error.code == 1 else 2
    except OSError as error:
        if error.filename is not None:
            raise
        return _refuse(str(writing.lost(error)), 2)  # a disk that is full under the help, or a list of names
    return int(status or 0)


def _sentence(error: Exception) -> str:
    """What typer would print: with the name of the option."""
    return str(error.format_message() if hasattr(error, "format_message") else error)


def _refuse(sentence: str, status: int) -> int:
    writing.say(sentence)
    return status


@_app.command()
def _command(
    specs: flags.Specs = None,
    input: flags.Shapes = None,
    batch: flags.Batch = None,
    seq: flags.Seq = None,
    trust_remote_code: flags.TrustRemoteCode = False,
    no_input: flags.NoInput = False,
    convention: flags.Convention = conventions.DEFAULT,
    columns: flags.Columns = None,
    depth: flags.Depth = None,
    sort: flags.Sort = None,
    top: flags.Top = None,
    filter: flags.Filter = None,
    label: flags.Labels = None,
    metrics: flags.Metrics = None,
    relative_to: flags.RelativeTo = None,
    bold: flags.Bold = None,
    caption: flags.Caption = None,
    tex_label: flags.TexLabel = None,
    explain: flags.Explain = None,
    memory: flags.Memory = False,
    dtype: flags.Dtype = None,
    train: flags.Train = False,
    optimizer: flags.Optimizer = None,
    amp: flags.Amp = None,
    freeze: flags.Freeze = None,
    checkpoint: flags.Checkpoint = None,
    zeros: flags.Zeros = False,
    phase: flags.Phase = None,
    new_tokens: flags.NewTokens = None,
    cache: flags.Cache = None,
    weights: flags.Weights = None,
    check_values: flags.CheckValues = False,
    scan: flags.Scan = None,
    largest: flags.Largest = None,
    fits: flags.Fits = None,
    cross_check: flags.CrossCheck = None,
    time_limit: flags.TimeLimit = None,
    verbose: flags.Verbose = False,
    which: flags.Which = None,
    baseline: flags.Baseline = None,
    diff: flags.Diff = False,
    max_increase: flags.MaxIncrease = None,
    format: flags.Format = None,
    output: flags.Output = None,
    save: flags.Save = None,
    strict: flags.Strict = False,
    max_params: flags.MaxParams = None,
    max_trainable: flags.MaxTrainable = None,
    max_size: flags.MaxSize = None,
    max_macs: flags.MaxMacs = None,
    max_flops: flags.MaxFlops = None,
    max_activations: flags.MaxActivations = None,
    max_peak_memory: flags.MaxPeakMemory = None,
    max_unknown: flags.MaxUnknown = None,
    check: flags.Check = None,
    init_budgets: flags.InitBudgets = False,
    head_room: flags.HeadRoom = None,
    traceback: flags.Traceback = False,
    list_names: flags.List = None,
    version: flags.Version = False,
) -> int:
    """What a PyTorch model costs, layer by layer: parameters, FLOPs, megabytes, memory.

    Exit status: 0 fine, 1 a check failed, 2 it could not run.
    """
    if list_names is not None:
        with writing.apart():
            return _list(list_names)
    if not specs and check is None and not init_budgets:
        raise errors.NoModelGiven()
    return run(
        options(
            specs or (),
            shapes=input or (),
            feed=Feed(batch=batch, seq=seq, trusts_code=trust_remote_code, is_run=not no_input),
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
            memory=memory,
            run={
                "dtype": dtype,
                "train": train or None,
                "optimizer": optimizer,
                "amp": amp,
                "freeze": tuple(freeze or ()) or None,
                "checkpoint": tuple(checkpoint or ()) or None,
                "zeros": zeros or None,
            },
            check_values=check_values,
            what_if={
                "weights": weights,
                "scan": tuple(scan or ()) or None,
                "largest": largest,
                "fits": fits,
                "phase": phase,
                "new-tokens": new_tokens,
                "cache": cache,
            },
            cross_check=cross_check,
            time_limit=time_limit,
            verbose=verbose,
            which=which,
            baseline=baseline,
            diff=diff,
            max_increase=max_increase,
            save=save,
            strict=strict,
            limits={
                "params": max_params,
                "trainable": max_trainable,
                "size": max_size,
                "macs": max_macs,
                "flops": max_flops,
                "activations": max_activations,
                "peak-memory": max_peak_memory,
                "unknown": max_unknown,
            },
            check=check,
            init_budgets=init_budgets,
            head_room=head_room,
            traceback=traceback,
        )
    )


def _list(pattern: str) -> int:
    from profiler.sources import names  # imports the model libraries

    found = names(pattern)
    if not found:
        raise errors.NothingMatches(pattern)
    writing.print_result("\n".join(found) + "\n")
    return 0


def run(chosen: Options) -> int:
    """Answer what was asked. What is printed meanwhile, by a model's code or a library, is no part of the answer."""
    with writing.apart():
        try:
            return _answer(chosen)
        except errors.ProfileError as error:
            _trace(error, chosen)
            raise


def _answer(chosen: Options) -> int:
    """Profile, render, write, check."""
    if chosen.checking is not None:
        return _cross_check(chosen, chosen.checking)
    if chosen.which is not None:
        return _which(chosen, chosen.which)
    if chosen.budgets.file is not None:
        return _check(chosen, chosen.budgets.file)
    if chosen.budgets.to_write is not None:
        return _init_budgets(chosen, chosen.budgets.to_write)
    if chosen.diffing is not None:
        return _diff(chosen, chosen.diffing)
    what_if = _what_if(chosen)
    if what_if is not None:
        return what_if
    with _opened(chosen) as file:
        entries, failures = _entries(chosen)
        profiles = [entry.profile for entry in entries if entry.profile is not None]
        if profiles:
            print(_rendered(entries, chosen), file=file)
    if chosen.save is not None and profiles:
        profiles[0].save(chosen.save)
    for profile in profiles:
        _warn(uncounted(profile, f"{profile.model}: "), chosen)
    failures += _unknown(profiles) if chosen.strict else ()
    return _tell([*failures, *_over(entries, chosen.budgets.limits)], chosen)


def _diff(chosen: Options, diffing: Diffing) -> int:
    """Profile both models, render what changed; 1 when it grew by more than is allowed, and then nothing is saved."""
    with _opened(chosen) as file:
        entries, failures = _entries(chosen)
        profiles = [entry.profile for entry in entries if entry.profile is not None]
        if failures:
            return _tell(failures, chosen)
        before, after = profiles
        found = Diff(before, after, diffing.top, diffing.columns)
        print(renderer(chosen.format).answer(found), file=file)
    if diffing.max_increase is not None:
        failures += found.failures(diffing.max_increase)
    failures += _unknown([found.after]) if chosen.strict else ()
    failures += _over(entries[1:], chosen.budgets.limits)
    if chosen.save is not None and not failures:
        found.after.save(chosen.save)
    _warn(warnings(found), chosen)
    return _tell(failures, chosen)


def _entries(chosen: Options) -> tuple[list[Entry], list[errors.ProfileError]]:
    """Every model that can be profiled, and why the others cannot."""
    from profiler.api import run as run_model  # behind --help, which shall not wait for it

    entries: list[Entry] = []
    failures: list[errors.ProfileError] = []
    for model in shown(chosen.models, [model.label for model in chosen.models]):
        found: Profile | None = None
        failure = None
        try:
            with at_work(model.label):
                under = AS_IT_IS if model.is_saved else chosen.conditions
                found = run_model(model.spec, model.feed, chosen.convention, under)
        except errors.ProfileError as error:
            failures.append(error)
            failure = str(error)
            found = _held(error, chosen)
        entries.append(Entry(model.spec, model.label, found, failure, model.metrics))
    return entries, failures


def _held(error: errors.ProfileError, chosen: Options) -> Profile | None:
    """What is known of a model that waits for an input: its layers, for the table of one model."""
    if not isinstance(error, errors.InputsNeeded) or error.held is None or chosen.comparing is not None:
        return None
    if chosen.explain is not None or chosen.memory or chosen.conditions != AS_IT_IS:
        return None
    from profiler.figures import profile

    return profile.Profile(error.held())


def _rendered(entries: Sequence[Entry], chosen: Options) -> str:
    dress, profiles = renderer(chosen.format), [entry.profile for entry in entries if entry.profile is not None]
    if chosen.explain is not None:
        from profiler.answers.explain.compute import explain

        return "\n\n".join(explain(profile, chosen.explain) for profile in profiles)
    if chosen.memory:
        return str(dress.answer(memory_report(profiles[0], chosen.view.top)))
    if chosen.comparing is None:
        return str(dress.answer(Layers(profiles[0], chosen.view)))
    comparing = chosen.comparing
    sources = [*([published(profiles)] if comparing.published else []), *comparing.metrics]
    return str(dress.answer(comparison(entries, comparing.layout, sources)))


def _cross_check(chosen: Options, checking: Checking) -> int:
    """Profile, run the other counters, render, write; 1 when a difference is not explained."""
    from profiler.api import run as run_model

    found: list[CrossCheck] = []
    failures: list[errors.ProfileError] = []
    with _opened(chosen) as file:
        for model in chosen.models:
            try:
                with (
                    at_work(model.label),
                    counted(f"{model.label}: {', '.join(checking.tools)}", len(checking.tools)) as done,
                ):
                    found.append(
                        cross_check_spec(model.spec, model.feed, checking.tools, run_model, checking.time_limit_s, done)
                    )
            except errors.ProfileError as error:
                failures.append(error)
        if found:
            accounts = tuple(account for check in found for account in check.accounts)
            print(renderer(chosen.format).answer(Accounts(accounts, checking.verbose)), file=file)
    return _tell([*failures, *(failure for check in found for failure in check.failures())], chosen)


def _which(chosen: Options, wanted: Number) -> int:
    """Profile each model in every convention and size, render what gives the number; 1 when nothing does."""
    searches: list[Search] = []
    failures: list[errors.ProfileError] = []
    with _opened(chosen) as file:
        for model in shown(chosen.models, [model.label for model in chosen.models]):
            try:
                with at_work(model.label):
                    searches.append(search(model.label, wanted, candidates(model.spec, model.feed)))
            except errors.ProfileError as error:
                failures.append(error)
        if searches:
            print(renderer(chosen.format).answer(Which(tuple(searches))), file=file)
    failures += [errors.NothingMatchesNumber(one.model, wanted.text) for one in searches if not one.is_met]
    return _tell(failures, chosen)


def _what_if(chosen: Options) -> int | None:
    """What it would be otherwise, or what weights are worth; None where that is not asked."""
    if chosen.check_values:
        return _check_values(chosen)
    if chosen.generating is not None:
        return _generation(chosen, chosen.generating)
    if chosen.checkpoint is not None:
        return _fits(chosen, chosen.checkpoint)
    if chosen.schemes is not None:
        return _weights(chosen, chosen.schemes)
    if chosen.scanning is not None:
        return _scan(chosen, chosen.scanning)
    return None if chosen.fitting is None else _largest(chosen, chosen.fitting)


def _weights(chosen: Options, schemes: tuple[str, ...]) -> int:
    """Render how large the weights are: one model in one scheme layer by layer, else a row each."""
    from profiler.answers.weights.compute import overview, quantised

    with _opened(chosen) as file:
        entries, failures = _entries(chosen)
        profiles = [entry.profile for entry in entries if entry.profile is not None]
        if profiles:
            labels = [entry.label for entry in entries if entry.profile is not None]
            found: Answer = overview(profiles, labels, schemes)
            if len(schemes) == len(chosen.models) == 1:
                found = quantised(profiles[0], schemes[0], chosen.view.top)
            print(renderer(chosen.format).answer(found), file=file)
    return _tell(failures, chosen)


def _fits(chosen: Options, path: str) -> int:
    """Build the model, hold a checkpoint against it, render; 1 when it does not fit."""
    from profiler.answers.match.compute import fit

    (model,) = chosen.models
    with _opened(chosen) as file:
        with at_work(model.label):
            found = fit(model.spec, path, chosen.view.top, model.feed)
        print(renderer(chosen.format).answer(found), file=file)
    failure = found.failure()
    return _tell([] if failure is None else [failure], chosen)


def _check_values(chosen: Options) -> int:
    """Read the values of each checkpoint, render; 1 when some are not finite."""
    from profiler.answers.values.compute import check_values

    failures: list[errors.ProfileError] = []
    with _opened(chosen) as file:
        for model in shown(chosen.models, [model.label for model in chosen.models]):
            try:
                found = check_values(model.spec)
            except errors.ProfileError as error:
                failures.append(error)
                continue
            print(renderer(chosen.format).answer(found), file=file)
            failure = found.failure()
            failures += [] if failure is None else [failure]
    return _tell(failures, chosen)


def _scan(chosen: Options, scanning: Scanning) -> int:
    """Profile a model at each value, render; a value that fails keeps its row."""
    from profiler.answers.scan.compute import at, of_points

    varying, view = scanning.varying, chosen.view
    with _opened(chosen) as file:
        with at_work(varying.label):
            names = [f"{varying.label}, {varying.name} {value}" for value in scanning.values]
            points = [at(varying, value) for value in shown(scanning.values, names)]
            found = of_points(varying, points, view.columns, caption=view.caption, anchor=view.anchor)
        print(renderer(chosen.format).answer(found), file=file)
    return _tell([*found.failures, *(_unknown(found.profiles[:1]) if chosen.strict else ())], chosen)


def _generation(chosen: Options, generating: Generating) -> int:
    """Run the phases of a language model, at one length of its prompt or at several; render."""
    if generating.lengths:
        return _lengths(chosen, generating)
    from profiler.answers.generate.generating import generated

    (model,) = chosen.models
    with _opened(chosen) as file:
        with at_work(model.label):
            found = generated(model.spec, model.feed, generating.wish)
        answer: Answer = memory_report(found.first, chosen.view.top) if chosen.memory else found
        print(renderer(chosen.format).answer(answer), file=file)
    if chosen.save is not None:
        found.first.save(chosen.save)
    return _tell(_unknown([phase.profile for phase in found.phases]) if chosen.strict else [], chosen)


def _lengths(chosen: Options, generating: Generating) -> int:
    """A row for each length; one that fails keeps its row."""
    from profiler.answers.generate.generating import at_length, of_rows

    (model,), wish = chosen.models, generating.wish
    with _opened(chosen) as file:
        with at_work(model.label):
            names = [f"{model.label}, seq {value}" for value in generating.lengths]
            rows = [at_length(model.spec, model.feed, value, wish) for value in shown(generating.lengths, names)]
            found = of_rows(model.spec, model.feed, rows, wish)
        print(renderer(chosen.format).answer(found), file=file)
    profiles = [phase.profile for phase in found.first.phases]
    return _tell([*found.failures, *(_unknown(profiles) if chosen.strict else ())], chosen)


def _largest(chosen: Options, fitting: Fitting) -> int:
    """Run a model at one batch size after another, render the largest that fits; 1 when none does."""
    from profiler.answers.largest.compute import largest

    with _opened(chosen) as file:
        with at_work(fitting.varying.label), told(f"{fitting.varying.label}: {fitting.varying.name}") as tell:
            found = largest(fitting.varying, fitting.limit_bytes, fitting.words, tell)
        print(renderer(chosen.format).answer(found), file=file)
    failure = found.failure()
    return _tell([] if failure is None else [failure], chosen)


def _over(entries: Sequence[Entry], limits: Sequence[Limit]) -> Iterator[errors.ProfileError]:
    """What is over the limits that stand on the command line."""
    for entry in entries:
        for verdict in verdicts(entry.profile, entry.label, limits) if entry.profile is not None else ():
            failure = verdict.failure()
            if failure is not None:
                yield failure


def _check(chosen: Options, file: BudgetFile) -> int:
    """Hold the models of a budget file to their limits, render; 1 when one is over."""
    from profiler.api import run as run_model

    with _opened(chosen) as out:
        check = budget_run.check(file, run_model, shown)
        print(renderer(chosen.format).answer(check), file=out)
    return _tell(list(check.failures()), chosen)


def _init_budgets(chosen: Options, plan: Plan) -> int:
    """Measure, write limits for the user to commit, render them."""
    from profiler.api import run as run_model

    with _opened(chosen) as out:
        check = budget_init.write(plan, run_model, shown)
        print(renderer(chosen.format).answer(check), file=out)
    return _tell(list(check.failures()), chosen)


def _warn(sentences: Iterable[str], chosen: Options) -> None:
    """Where a job's page is to show what a table says under it, say it there."""
    if chosen.format == github.NAME:
        for sentence in sentences:
            writing.print_result(github.annotation("warning", sentence) + "\n")


def _tell(failures: Sequence[errors.ProfileError], chosen: Options) -> int:
    """Say what went wrong, and what the worst of it is as an exit status."""
    for failure in failures:
        _trace(failure, chosen)
        if chosen.format == github.NAME:
            writing.print_result(github.annotation("error", str(failure)) + "\n")
        else:
            _refuse(str(failure), failure.status)
    return max((failure.status for failure in failures), default=0)


def _trace(failure: errors.ProfileError, chosen: Options) -> None:
    """Where that is asked for, what led to a failure."""
    if chosen.traceback:
        writing.say_lines(traceback_of(failure) + layers_of(failure))


def _opened(chosen: Options) -> AbstractContextManager[TextIO]:
    """Where the result goes, once the work is done."""
    return writing.result(chosen.output, github.summary() if chosen.format == github.NAME else None)


def _unknown(profiles: Sequence[Profile]) -> list[errors.ProfileError]:
    return [errors.UnknownOperators(found.model, found.unknown_ops) for found in profiles if found.unknown_ops]
