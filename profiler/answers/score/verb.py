"""What does `profile-model score` do? It says how good predictions are."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from profiler import errors
from profiler.answers.common.figures import FORMATS, LookOptions, TableOrChart  # noqa: F401  formats of the verb
from profiler.answers.common.options import Argument, Top, grouped, names, number, option, reading
from profiler.answers.common.outcome import FILES, Context, Outcome
from profiler.answers.score.compute import Scored, Scores
from profiler.answers.score.rules import TOLERANCE, Rules
from profiler.answers.score.scoring import Source, check, scored, sources, told_apart
from profiler.answers.score.table import TABLES, check_shown
from profiler.records import quantities

JOB = FILES


@grouped("What counts")
class RuleOptions:
    positive: Annotated[
        str | None,
        option("The class that precision and recall are of. Default: 1, true or yes, or the last of two.", "LABEL"),
    ] = None
    threshold: Annotated[
        float | None,
        option("Positive from this score on. Default: 0.5.", "NUMBER", converter=reading(quantities.real)),
    ] = None
    beta: Annotated[
        float | None,
        option("Add F-beta, in which recall counts BETA times.", "BETA", converter=reading(quantities.real)),
    ] = None
    top_k: Annotated[
        int | None, option("The label is among K highest scores. Default: 5.", "K", converter=number(1))
    ] = None
    tolerance: Annotated[
        float | None,
        option(
            f"Of edges: how far matched pixels are apart, by the diagonal. Default: {TOLERANCE:g}.",
            "SHARE",
            converter=reading(quantities.real),
        ),
    ] = None

    @property
    def rules(self) -> Rules:
        return Rules(self.positive, self.threshold, self.beta, self.top_k, self.tolerance)


@grouped("The tables")
class TablesShown(Top):
    show: Annotated[str | None, option(f"Which, in order: {', '.join(TABLES)}.", "NAME,...")] = None


def run(
    *files: Annotated[
        str,
        Argument(
            "FILE.csv, FILE.parquet or FILE.npz with label, and prediction or scores; of edges two folders, "
            "PREDICTED,TRUTH. MODEL=FILE names the model.",
        ),
    ],
    context: Context,
    counted: RuleOptions = RuleOptions(),
    tables: TablesShown = TablesShown(),
    shown: LookOptions = LookOptions(),
    result: TableOrChart = TableOrChart(),
) -> Outcome:
    """How good predictions are: accuracy, precision, recall, F1, AUROC, confusions; ODS and OIS of edges.

    Example: profile-model score predictions.csv
    """
    if not files:
        raise errors.ProfileError("no file is given; name one, like profile-model score predictions.csv")
    chosen, look, rules = names(tables.show), shown.look, counted.rules
    check_shown(chosen)
    given = sources(files)
    check(given, rules)
    of_each: list[tuple[Source, list[Scored]]] = []
    failures: list[errors.ProfileError] = []
    for source in given:
        try:
            with nullcontext() if source.truth else context.progress_line(f"scores of {source.path}"):
                of_each.append((source, scored(source, rules, context.with_progress)))
        except errors.ProfileError as error:
            failures.append(error)
    scores = told_apart(of_each)
    check_shown(chosen, scores or None)
    return Outcome(Scores(tuple(scores), rules, chosen, tables.top, look) if scores else None, failures)
