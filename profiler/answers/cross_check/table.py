"""How are accounts shown? As a statement line by line, with the balance after each; or raw, one row a term."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from profiler.answers.cross_check.accounts import Account, Statement, Term
from profiler.answers.cross_check.compute import Accounts, CrossCheck
from profiler.counters import conventions
from profiler.counters.conventions import Replica
from profiler.render import numbers
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit

_COLUMNS = (
    Column("term", "Account", Unit.TEXT, most=60),
    Column("layers", "Layers", Unit.EXACT, rank=1),
    Column("amount", "Amount", Unit.DIFFERENCE),
    Column("balance", "Balance", Unit.EXACT, rank=2),
)
_NOTHING = ""  # a cell that there is nothing to say in


def account_tables(accounts: Iterable[Account], verbose: bool = False) -> Iterator[Table]:
    """One table for each account. `verbose` shows each term's layers."""
    for account in accounts:
        title = f"{account.tool} {account.version}".strip()
        rows, facts = tuple(_rows(account, title, verbose)), tuple(_facts(account))
        yield Table(_COLUMNS, rows, facts, tuple(_notes(account)), caption=f"{account.model} by {title}", chosen=True)


def _rows(account: Account, title: str, verbose: bool) -> Iterator[Row]:
    if account.problem is not None:
        yield Row((title, _NOTHING, _NOTHING, _NOTHING), failure=account.problem)
    unit = "MACs" if account.per_mac == 1 else f"MACs, {account.per_mac} for each"
    for words, statement in ((unit, account.operations), ("parameters", account.parameters)):
        if statement is not None and (statement.reported is not None or statement.suspects):
            yield from _statement(statement, title, words, verbose)


def _statement(statement: Statement, title: str, words: str, verbose: bool) -> Iterator[Row]:
    yield Row((f"our {words}", _NOTHING, _NOTHING, statement.ours))
    balance = statement.ours
    for term in statement.terms:
        balance += term.amount
        yield Row((f"{term.family}: {term.why}", len(term.shares), term.amount, balance))
        for share in term.shares if verbose else ():
            yield Row((_place(share.path), _NOTHING, int(share.amount), _NOTHING), 1)
    yield Row((f"{title} reports", _NOTHING, _NOTHING, statement.reported))
    yield Row(("not explained", len(statement.suspects) or _NOTHING, statement.remainder, _NOTHING))
    for suspect in statement.suspects:
        actual, expected = numbers.exact(suspect.found), numbers.exact(suspect.expected)
        words = f"{actual} for {expected} {suspect.why}, in {_place(suspect.path)}"
        yield Row((words, _NOTHING, suspect.found - suspect.expected, _NOTHING), 1)


def _place(path: str) -> str:
    return path or "the model itself"


def _facts(account: Account) -> Iterator[tuple[str, float, Unit, str]]:
    """How much of our figure the tool bears out, where it is not all."""
    operations = account.operations
    if operations is not None and operations.alike < operations.ours:
        yield (
            "Checked, %",
            operations.alike / operations.ours,
            Unit.SHARE,
            "of our MACs: the tool counts them, and alike",
        )


def _notes(account: Account) -> Iterator[str]:
    replica = conventions.named(account.tool)
    assert isinstance(replica, Replica)
    if account.problem is None and not account.version.startswith(replica.version):
        yield f"The terms are those of {account.tool} {replica.version}; {account.version} may count otherwise."


# Raw ------------------------------------------------------------------------------------------------------------------

_RAW = tuple(
    Column(name, name, unit)
    for name, unit in (
        *((name, Unit.TEXT) for name in ("model", "tool", "version", "figure", "line", "why", "path")),
        ("amount", Unit.EXACT),
    )
)


def raw_account_table(accounts: Iterable[Account], verbose: bool = False) -> Table:
    """One row for each figure, term and remainder of all accounts; one for each of a term's layers when `verbose`."""
    return Table(_RAW, tuple(row for account in accounts for row in _raw_rows(account, verbose)), chosen=True)


def _raw_rows(account: Account, verbose: bool) -> Iterator[Row]:
    about = (account.model, account.tool, account.version)
    if account.problem is not None:
        yield Row((*about, "", "", "", "", ""), failure=account.problem)
    for figure, statement in (("operations", account.operations), ("parameters", account.parameters)):
        if statement is None:
            continue
        yield Row((*about, figure, "ours", "", "", statement.ours))
        for term in statement.terms:
            for path, amount in _parts(term, verbose):
                yield Row((*about, figure, term.family, term.why, path, amount))
        yield Row((*about, figure, "reported", "", "", statement.reported))
        yield Row((*about, figure, "not explained", "", "", statement.remainder))


def _parts(term: Term, verbose: bool) -> Sequence[tuple[str, int]]:
    return [(share.path, int(share.amount)) for share in term.shares] if verbose else [("", term.amount)]


# Data -----------------------------------------------------------------------------------------------------------------


def _account(account: Account) -> dict[str, Any]:
    return {
        "model": account.model,
        "tool": account.tool,
        "version": account.version,
        "per_mac": account.per_mac,
        "problem": account.problem,
        "closes": account.closes,
        "operations": account.operations and _statement_data(account.operations),
        "parameters": account.parameters and _statement_data(account.parameters),
    }


def _statement_data(statement: Statement) -> dict[str, Any]:
    return {
        "ours": statement.ours,
        "terms": [
            {
                "family": term.family,
                "why": term.why,
                "amount": term.amount,
                "layers": {share.path: int(share.amount) for share in term.shares},
            }
            for term in statement.terms
        ],
        "alike": statement.alike,
        "explained": statement.explained,
        "reported": statement.reported,
        "remainder": statement.remainder,
        "suspects": [dataclasses.asdict(suspect) for suspect in statement.suspects],
    }


show(
    Accounts,
    Shown(
        lambda answer: account_tables(answer.accounts, answer.verbose),
        lambda answer: raw_account_table(answer.accounts, answer.verbose),
        lambda answer: [_account(account) for account in answer.accounts],
    ),
)
show(
    CrossCheck,
    Shown(
        lambda check: account_tables(check.accounts),
        lambda check: raw_account_table(check.accounts),
        lambda check: [_account(account) for account in check.accounts],
    ),
)
