"""JSON for scripts. Its keys are a contract: they are added to, never renamed. Sizes are bytes; null is "not known"."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from profiler.answers.check.compute import BudgetCheck, Checked, Verdict
from profiler.answers.cross_check.accounts import Account, Statement
from profiler.answers.diff.compute import Change, Diff
from profiler.answers.diff.table import diff_notes
from profiler.answers.models.compute import Comparison, Entry
from profiler.figures import stored
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.figures.training import Trained
from profiler.records import foreign_text
from profiler.records.trace import BACKWARD, FORWARD, RECOMPUTE, UPDATE, Header, Tensor, Value, tensors
from profiler.render.answer import Answer
from profiler.render.formats.csv import key
from profiler.render.tables import Table, Unit, View

SUFFIXES = (".json",)
SCHEMA = 1
_KEYS = (
    "schema", "model", "source", "engine", "inputs", "convention", "versions", "asked", "totals", "training", "layers",
    "unknown_ops", "coverage", "file", "notes",
)  # fmt: skip


def layers(profile: Profile, view: View | None = None) -> str:
    """The whole profile, whatever part of it the view shows."""
    return _written(data(profile))


def models(comparison: Comparison) -> str:
    """A list of whole profiles, whatever columns are shown, each with its label and metrics."""
    return _written([_entry(entry) for entry in comparison.entries])


def accounts(found: Sequence[Account], verbose: bool = False) -> str:
    """Every account with all of its terms, whether or not they are asked for; amounts are in the tool's unit."""
    return _written([_account(account) for account in found])


def _account(account: Account) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "model": account.model,
        "tool": account.tool,
        "version": account.version,
        "per_mac": account.per_mac,
        "problem": account.problem,
        "closes": account.closes,
        "operations": account.operations and _statement(account.operations),
        "parameters": account.parameters and _statement(account.parameters),
    }


def _statement(statement: Statement) -> dict[str, Any]:
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


def budgets(check: BudgetCheck) -> str:
    """Every model with its limits; sizes are bytes."""
    return _written([_checked(model) for model in check.models])


def _checked(model: Checked) -> dict[str, Any]:
    problem = None if model.problem is None else str(model.problem)
    passed = problem is None and all(verdict.passed for verdict in model.verdicts)
    limits = [_verdict(verdict) for verdict in model.verdicts]
    return {"schema": SCHEMA, "model": model.model, "passed": passed, "limits": limits} | _error(problem)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    failure = verdict.failure()
    return {
        "figure": verdict.limit.figure.name,
        "unit": "bytes" if verdict.limit.figure.unit is Unit.BYTES else None,
        "measured": verdict.measured,
        "limit": verdict.limit.most,
        "over": None if verdict.measured is None else verdict.over,
        "passed": verdict.passed,
        "place": verdict.limit.place,
        "layers": [{"path": part.path, "amount": part.amount} for part in verdict.parts],
        "unknown_ops": dict(verdict.unknown_ops),
        "message": None if failure is None else str(failure),
    }


def answer(found: Answer) -> str:
    return _written({"schema": SCHEMA} | found.data())


def diff(found: Diff) -> str:
    """Both models, their totals, and every layer that differs in its own figures; amounts are after less before."""
    return _written(
        {
            "schema": SCHEMA,
            "before": _model(found.before) | {"unknown_ops": found.before.unknown_ops},
            "after": _model(found.after) | {"unknown_ops": found.after.unknown_ops},
            "totals": {
                total.name: {
                    "before": total.before,
                    "after": total.after,
                    "difference": total.difference,
                    "growth": total.growth,
                }
                for total in found.totals
            },
            "changes": [_change(change) for change in found.layers],
            "notes": list(diff_notes(found)),
        }
    )


def _change(change: Change) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        "status": change.status,
        "path_before": before and before.path,
        "path_after": after and after.path,
        "kind_before": before and before.kind,
        "kind_after": after and after.kind,
        "reasons": [
            {"what": reason.what, "before": _setting(reason.before), "after": _setting(reason.after)}
            for reason in change.reasons
        ],
        "amounts": dataclasses.asdict(change.amounts),
    }


def _setting(value: Any) -> Any:
    """A module's setting, shapes, or a tensor that it holds."""
    if isinstance(value, Tensor):
        return {"shape": list(value.shape), "dtype": value.dtype}
    if isinstance(value, tuple):
        return [_setting(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def write(table: Table) -> str:
    """Any other table: a list of rows by column, and what is said under it."""
    keys = [key(column) for column in table.columns]
    rows = [dict(zip(keys, map(_raw, row.values), strict=True)) | _error(row.failure) for row in table.rows]
    facts = {label: _raw(value) for label, value, *_ in table.facts}
    return _written({"caption": table.caption or None, "rows": rows, "facts": facts, "notes": list(table.notes)})


def _written(value: Any) -> str:
    """Letters of all languages as they are; what a terminal or a job's log would act on as JSON's own escapes."""
    return foreign_text.printable(json.dumps(value, indent=2, ensure_ascii=False))


def _model(profile: Profile) -> dict[str, Any]:
    """Which model, fed and counted how."""
    trace = profile.trace
    return {
        "model": trace.model,
        "source": trace.source,
        "engine": trace.engine,
        "inputs": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in trace.inputs],
        "convention": profile.convention.name,
        "versions": dict(trace.versions),
        "asked": {name: list(said) if isinstance(said, tuple) else said for name, said in trace.asked.items()},
    }


def data(profile: Profile) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        **_model(profile),
        "totals": dataclasses.asdict(profile.totals) | {"cost": _cost(profile.figures.cost, profile.trace.was_run)},
        "training": None if profile.training is None else dataclasses.asdict(profile.training),
        "layers": [_layer(layer) for layer in profile.layers],
        "unknown_ops": profile.unknown_ops if profile.trace.was_run else None,
        "coverage": dataclasses.asdict(profile.coverage) if profile.trace.was_run else None,
        "file": None if profile.trace.header is None else _file(profile.trace.header),
        "notes": list(profile.trace.notes),
    }


def _file(header: Header) -> dict[str, Any]:
    """What a checkpoint says beside its weights."""
    found = dataclasses.asdict(header)
    doubts = [doubt._asdict() for doubt in header.doubts]
    return found | {"besides": [besides._asdict() for besides in header.besides], "doubts": doubts}


def _entry(entry: Entry) -> dict[str, Any]:
    """A model that could not be profiled has the reason, and null for all that is not known."""
    known = dict.fromkeys(_KEYS) | {"schema": SCHEMA, "model": entry.model}
    found = known if entry.profile is None else data(entry.profile)
    metrics = {name: _raw(value) for name, value in entry.metrics.items()}
    return found | {"label": entry.label, "metrics": metrics} | _error(entry.failure)


def _error(failure: str | None) -> dict[str, str]:
    return {} if failure is None else {"error": failure}


def _raw(value: Any) -> Any:
    """A number as JSON has it: whole ones as whole ones."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, (Tensor, tuple)):
        return _shapes(value)
    return value


def _layer(layer: Layer) -> dict[str, Any]:
    total, own = layer.total, layer.own
    return {
        "path": layer.path,
        "kind": layer.kind,
        "depth": layer.depth,
        "params": layer.params,
        "stored_params": total.stored_params,
        "zeros": stored.zeros(total),
        "trainable_params": total.trainable_params,
        "buffers": total.buffers,
        "macs": layer.macs,
        "flops": layer.flops,
        "param_bytes": total.param_bytes,
        "buffer_bytes": total.buffer_bytes,
        "activation_bytes": layer.activation_bytes,
        "calls": layer.calls if layer.was_run else None,
        "ran": layer.ran,
        "unknown_calls": total.unknown_calls,
        "shared_with": layer.shared_with,
        "input_shapes": _shapes(layer.inputs),
        "output_shapes": _shapes(layer.output),
        "own": {
            "params": own.params,
            "macs": int(own.cost.macs) if layer.was_run else None,
            "flops": layer.own_flops if layer.was_run else None,
            "activation_bytes": own.activation_bytes if layer.was_run else None,
            "cost": _cost(own.cost, layer.was_run),
        },
        "training": None if layer.trained is None else _trained(layer.trained),
    }


def _trained(step: Trained) -> dict[str, Any]:
    return {
        "forward_macs": int(step.forward.macs),
        "backward_macs": int(step.backward.macs),
        "recompute_macs": int(step.recompute.macs),
        "saved_bytes": step.saved_bytes,
        "gradient_bytes": step.gradient_bytes,
        "cost": {kind: _cost(getattr(step, kind)) for kind in (FORWARD, BACKWARD, RECOMPUTE, UPDATE)},
    }


def _cost(cost: Any, is_known: bool = True) -> dict[str, int] | None:
    return {field.name: int(getattr(cost, field.name)) for field in dataclasses.fields(cost)} if is_known else None


def _shapes(value: Value) -> list[list[int]] | None:
    """None for a module that never ran."""
    return None if value is None else [list(t.shape) for t in tensors(value)]
