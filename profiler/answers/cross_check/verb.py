"""What does `profile-model cross-check` do? It sets our count against other counters'."""

from __future__ import annotations

from typing import Annotated

from profiler import counters, errors
from profiler.answers.common.models import check_runs, named_models
from profiler.answers.common.options import (
    InputOptions,
    Labels,
    Model,
    Result,
    TraceCacheOption,
    names,
    option,
    reading,
)
from profiler.answers.common.outcome import COMPARE, Context, Outcome
from profiler.answers.cross_check.compute import DEFAULT_TOOLS, Accounts, CrossCheck, cross_check_spec, tool_names
from profiler.counters.running.run import TIME_LIMIT_S
from profiler.engine.processes.foreign_code import at_work
from profiler.records.quantities import seconds

JOB = COMPARE


def run(
    *models: Model,
    context: Context,
    with_: Annotated[
        str | None,
        option(
            f"Counters: {', '.join(counters.names())}, or all. Default: {','.join(DEFAULT_TOOLS)}.",
            "TOOL,...",
            name="--with",
        ),
    ] = None,
    time_limit: Annotated[
        float,
        option("How long a counter may take, 300 by default.", "SECONDS", converter=reading(seconds)),
    ] = TIME_LIMIT_S,
    verbose: Annotated[bool, option("Show which layers each term is from.")] = False,
    inputs: InputOptions = InputOptions(),
    trace_cache: TraceCacheOption = TraceCacheOption(),
    labels: Labels = Labels(),
    result: Result = Result(),
) -> Outcome:
    """Run other counters, and explain each difference: to the last operation; exit with 1 where one stays.

    Example: profile-model cross-check resnet34 --with fvcore,thop
    """
    tools = tool_names(DEFAULT_TOOLS if with_ is None else names(with_))
    several = named_models(models, inputs, labels.label)
    check_runs(several, "cross-check")
    checks: list[CrossCheck] = []
    failures: list[errors.ProfileError] = []
    for model in several:
        try:
            with at_work(model.label), context.progress_bar(f"{model.label}: {', '.join(tools)}", len(tools)) as done:
                checks.append(cross_check_spec(model.spec, model.feed, tools, context.run, time_limit, done))
        except errors.ProfileError as error:
            failures.append(error)
    accounts = tuple(account for check in checks for account in check.accounts)
    failures += [failure for check in checks for failure in check.failures()]
    return Outcome(Accounts(accounts, verbose) if checks else None, failures)
