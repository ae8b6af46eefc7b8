"""Known, free and unknown are three things, and nobody can be two of them."""

import importlib
import os
import subprocess
import sys

import pytest
import torch
import torchvision  # noqa: F401  (registers its operators)

from profiler.ops import Cost, Uncovered, cost, formula, free, free_reason, is_known, registry
from profiler.records.remembered import Recent
from profiler.records.trace import Signature, Tensor

X = Tensor((3, 4), "float32")


@pytest.fixture(autouse=True)
def _restored_registry(monkeypatch):
    for name in ("_formulas", "_free"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    monkeypatch.setattr(registry, "_costs", Recent(8))


def call(op: str, *args, out=X, **kwargs) -> Signature:
    return Signature(op, args, tuple(kwargs.items()), out)


def nothing(*args, out):
    return Cost()


def test_a_custom_operator_is_known_once_it_has_a_formula() -> None:
    signature = call("mylib.scale_add.default", X, X, 2.0)
    assert cost(signature) is None
    assert not is_known(signature.op)

    @formula("mylib.scale_add")
    def scale_add(x, y, scale, *, out):
        return Cost(muls=out.numel, adds=out.numel)

    assert is_known(signature.op)
    assert cost(signature) == Cost(muls=12, adds=12, bytes_read=2 * 48, bytes_written=48)


def test_the_second_registration_is_an_error() -> None:
    formula("mylib.a")(nothing)
    with pytest.raises(ValueError, match=r"mylib\.a has a formula already"):
        formula("mylib.a")(nothing)
    with pytest.raises(ValueError, match=r"mylib\.a has a formula already"):
        free("a view", "mylib.a")
    free("a view", "mylib.b")
    with pytest.raises(ValueError, match=r"mylib\.b is declared free already"):
        formula("mylib.b")(nothing)
    with pytest.raises(ValueError, match=r"mylib\.b is declared free already"):
        free("another reason", "mylib.b")


def test_replace_takes_the_place_of_formula_and_of_free() -> None:
    formula("aten.relu", replace=True)(lambda x, *, out: Cost(adds=1))
    formula("aten.view", replace=True)(lambda x, shape, *, out: Cost(adds=2))
    assert cost(call("aten.relu.default", X)).adds == 1
    assert cost(call("aten.view.default", X, (12,))).adds == 2
    assert free_reason("aten.view.default") is None


def test_a_new_formula_outdates_remembered_costs() -> None:
    assert cost(call("aten.relu.default", X)).comparisons == 12
    formula("aten.relu", replace=True)(lambda x, *, out: Cost(comparisons=5))
    assert cost(call("aten.relu.default", X)).comparisons == 5


def test_the_most_exact_name_wins() -> None:
    formula("mylib.op")(lambda *args, out: Cost(adds=1))
    formula("mylib.op_")(lambda *args, out: Cost(adds=2))
    formula("mylib.op.Scalar")(lambda *args, out: Cost(adds=3))
    found = [
        cost(call(op)).adds for op in ("mylib.op.Tensor", "mylib.op_.Tensor", "mylib.op.Scalar", "mylib.op_.Scalar")
    ]
    assert found == [1, 2, 3, 2]


def test_out_and_in_place_twins_share_the_formula() -> None:
    assert cost(call("aten.exp_.default", X)) == cost(call("aten.exp.default", X))
    with_out = Signature("aten.exp.out", (X,), (("out", X),), X)
    assert cost(with_out) == cost(call("aten.exp.default", X))


def test_uncovered_is_unknown() -> None:
    @formula("mylib.picky")
    def picky(*, out):
        raise Uncovered("never")

    assert cost(call("mylib.picky.default")) is None


def test_free_operators_say_why_and_what_they_move() -> None:
    assert free_reason("aten.view.default").startswith("a view")
    assert cost(call("aten.view.default", X, (12,))) == Cost(bytes_read=0, bytes_written=0)
    assert cost(call("aten.clone.default", X)) == Cost(bytes_read=48, bytes_written=48)
    assert cost(call("aten.zeros_like.default", X)) == Cost(bytes_read=0, bytes_written=48)
    assert not is_known("aten.view.default")
    assert free_reason("aten.relu.default") is None
    assert free_reason("aten.no_such_operator.default") is None


IMAGE = torch.empty(2, 3, 4, 5)
LAID_OUT = {
    "row-major": IMAGE,
    "channels last": IMAGE.contiguous(memory_format=torch.channels_last),
    "transposed": IMAGE.transpose(2, 3),
    "permuted channels last": IMAGE.contiguous(memory_format=torch.channels_last).transpose(2, 3),
    "a slice": IMAGE[:, :, 1:3],
    "expanded": IMAGE[:1].expand(2, 3, 4, 5),
    "1x1, channels last": torch.empty(2, 3, 1, 1).contiguous(memory_format=torch.channels_last),
    "one channel": torch.empty(2, 1, 4, 5).transpose(0, 1),
    "empty": torch.empty(2, 0, 4, 5).transpose(2, 3),
}
REORDERED = {
    "aten.reshape.default": lambda x: x.reshape(-1),
    "aten.reshape.default, the same": lambda x: x.reshape(x.shape),
    "aten.flatten.using_ints": lambda x: x.flatten(1),
    "aten.flatten.using_ints, images": lambda x: x.flatten(2),
    "aten.contiguous.default": torch.Tensor.contiguous,
    "aten.contiguous.default, channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
}


def of_torch(tensor: torch.Tensor) -> Tensor:
    """As a trace has it: without strides where they are row-major."""
    plain = torch.empty(tensor.shape)
    strides = None if tensor.stride() == plain.stride() else tensor.stride()
    return Tensor(tuple(tensor.shape), "float32", strides)


@pytest.mark.parametrize("operator", REORDERED)
@pytest.mark.parametrize("layout", LAID_OUT)
def test_what_may_be_a_view_has_traffic_where_torch_copies(layout: str, operator: str) -> None:
    x = LAID_OUT[layout]
    out = REORDERED[operator](x)
    size = 0 if out.data_ptr() == x.data_ptr() else 4 * out.numel()
    signature = call(operator.partition(",")[0], of_torch(x), out=of_torch(out))
    assert cost(signature) == Cost(bytes_read=size, bytes_written=size)


def test_no_name_is_both_known_and_free() -> None:
    assert len(registry._formulas) > 400
    assert len(registry._free) > 200
    assert not set(registry._formulas) & set(registry._free)


# What registers operators when it is imported.
REGISTERING = (
    "torch.ao.quantization.fx._decomposed", "torch.nn.attention.varlen", "torch._prims",
    "torch.nn.modules.linear_cross_entropy", "transformers.integrations.moe",
)  # fmt: skip


def test_every_name_is_an_operator_of_torch() -> None:
    """bitsandbytes has its own, which are looked up in tests/test_foreign_layers.py where it is installed."""
    known = (*registry._formulas, *registry._free)
    for registering in REGISTERING:
        importlib.import_module(registering)
    names = [name for name in known if not name.startswith(("prim.", "bitsandbytes."))]
    assert [name for name in names if not exists(name)] == []
    assert not exists("aten.no_such_operator")


def exists(name: str) -> bool:
    namespace, packet, *overload = name.split(".")
    library = getattr(torch.ops, namespace)
    found = getattr(library, packet, None) or getattr(library, f"{packet}_", None)
    return found is not None and (not overload or overload[0] in found.overloads())


def test_the_whole_core_set_is_known_or_free() -> None:
    """What torch.export comes down to, https://docs.pytorch.org/docs/stable/torch.compiler_ir.html."""
    core = {str(op) for op in overloads("aten") if torch.Tag.core in op.tags}
    assert any("backward" in op for op in core)
    assert len(core) > 150
    assert sorted(op for op in core if not is_known(op) and free_reason(op) is None) == []


def overloads(namespace: str):
    for schema in torch._C._jit_get_all_schemas():
        library, _, name = schema.name.partition("::")
        packet = getattr(getattr(torch.ops, namespace), name, None) if library == namespace else None
        for overload in packet.overloads() if packet is not None else ():
            yield getattr(packet, overload)


IMPORT = "import sys; import profiler.ops; {more}; sys.exit('torch' in sys.modules)"


@pytest.mark.parametrize(
    ("more", "status"), [("pass", 0), ("import torch", 1)], ids=["ops alone", "and it would be seen"]
)
def test_torch_is_not_imported(more, status) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", IMPORT.format(more=more)]
    assert subprocess.run(command, env=environment, check=False).returncode == status
