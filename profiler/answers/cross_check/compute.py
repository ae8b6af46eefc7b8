"""How is our count checked against the other counters'? Each is run for real, and every difference explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler import counters, errors
from profiler.answers.common.varying import Run
from profiler.answers.cross_check.accounts import Account, account
from profiler.counters.conventions import DEFAULT
from profiler.counters.running.job import Job
from profiler.counters.running.reading import Reading
from profiler.counters.running.run import TIME_LIMIT_S, read_all
from profiler.figures.profile import Profile
from profiler.records import archive
from profiler.records.conditions import AS_IT_IS
from profiler.records.spec import Feed
from profiler.render.answer import Answer

if TYPE_CHECKING:
    from torch import nn

DEFAULT_TOOLS = ("fvcore", "thop")
ALL = "all"


class NotRun(errors.ProfileError, KeyError):
    def __init__(self, tool: str, run: Iterable[str]) -> None:
        super().__init__(f"{tool} was not run; this check has {', '.join(run)}")

    __str__ = Exception.__str__


@dataclass(frozen=True, slots=True)
class Accounts(Answer):
    """Counters' accounts, of one model or several. `verbose` shows the layers of each term."""

    accounts: tuple[Account, ...]
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class CrossCheck(Answer):
    """A model's profile, and each counter's account of it. `print` it, or look at `accounts`.

    profile: of the model, in our own count.
    accounts: how each counter's count comes about from ours, term by term.
    readings: what the counters said, as it was: totals, layers and parameters in their own units.
    """

    profile: Profile
    accounts: tuple[Account, ...]
    readings: tuple[Reading, ...] = ()

    @property
    def closes(self) -> bool:
        """Whether some counter gave a count, and each that did is explained to the last operation."""
        accounts = [entry for entry in self.accounts if entry.problem is None]
        return bool(accounts) and all(entry.closes for entry in accounts)

    def failures(self) -> Iterator[errors.ProfileError]:
        """What is not explained, and that no counter gave a count."""
        if all(entry.problem is not None for entry in self.accounts):
            yield _nothing_read(self.profile.model, [entry.tool for entry in self.accounts])
        for entry in self.accounts:
            for figure, statement in (("operations", entry.operations), ("parameters", entry.parameters)):
                if statement is not None and not statement.closes:
                    layers = [suspect.path for suspect in statement.suspects]
                    yield _unexplained(entry.model, entry.tool, figure, statement.remainder, layers)

    def __getitem__(self, tool: str) -> Account:
        """The account of one counter; raises `ProfileError`, which is a `KeyError` too, where it was not run.

        tool: its name, "fvcore".
        """
        return self.accounts[self._place(tool)]

    def layers(self, tool: str) -> Mapping[str, int | float] | None:
        """What a counter charges to each module itself, by path; None where it does not say.

        tool: its name, "fvcore".
        """
        return self.readings[self._place(tool)].layers

    def _place(self, tool: str) -> int:
        tools = [entry.tool for entry in self.accounts]
        if tool not in tools:
            raise NotRun(tool, tools)
        return tools.index(tool)


def cross_check_spec(
    spec: str,
    feed: Feed,
    tools: Sequence[str],
    run: Run,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[Reading], None] | None = None,
) -> CrossCheck:
    """The cross-check of what a spec names."""
    if spec.endswith(archive.SUFFIXES):
        raise errors.nothing_to_run(spec)
    return cross_checked(run(spec, feed, DEFAULT, AS_IT_IS), spec, feed, tools, time_limit_s, progress)


def tool_names(selection: Sequence[str]) -> tuple[str, ...]:
    """The counters that are meant; raises `errors.ProfileError`."""
    names = counters.names()
    if not selection:
        raise _no_tools(names)
    for name in selection:
        if name != ALL and name not in names:
            raise errors.no_such_counter(name, names)
    return names if ALL in selection else tuple(dict.fromkeys(selection))


def cross_checked(
    profile: Profile,
    model: nn.Module | str,
    feed: Feed,
    tools: Sequence[str],
    time_limit_s: float,
    progress: Callable[[Reading], None] | None = None,
) -> CrossCheck:
    """A model's profile against what the tools say of the same model, fed alike."""
    if profile.trace.is_graph:
        raise errors.nothing_to_run(profile.model, "an exported graph")
    readings = read_all(Job(model, feed), tools, time_limit_s, progress=progress)
    return CrossCheck(profile, tuple(account(profile.trace, reading) for reading in readings), tuple(readings))


# Error messages -------------------------------------------------------------------------------------------------------


def _unexplained(model: str, tool: str, figure: str, remainder: object, layers: Sequence[str]) -> errors.CheckFailed:
    names = list(dict.fromkeys(path or "the model itself" for path in layers))
    places = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    where = f", in {places}" if names else ""
    what = f"{remainder} of the {figure} by {tool} are not explained"
    if remainder == 0:  # what is wrong in one layer makes up for what is wrong in another
        what = f"the {figure} by {tool} add up, and not layer by layer"
    return errors.CheckFailed(f"{model}: {what}{where}; see its account")


def _nothing_read(model: str, tools: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{model}: no counter gave a count ({', '.join(tools)}); their accounts say why")


def _no_tools(names: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"no counter is named to check against; choose from {', '.join(names)}")
