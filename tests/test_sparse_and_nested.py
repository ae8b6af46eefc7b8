"""Sparse and nested tensors: counted by what is stored, in whatever form and wherever they come from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from profiler import Profile, profile
from tests.test_meta_and_real import Forward

pytestmark = pytest.mark.filterwarnings("ignore")
warnings.filterwarnings("ignore")

SIZE, EDGES, WIDTH = 30, 70, 6


def _adjacency(dtype: torch.dtype = torch.float32) -> Tensor:
    """Of 30 nodes, with exactly 70 edges."""
    flat = torch.randperm(SIZE * SIZE, generator=torch.Generator().manual_seed(0))[:EDGES]
    indices = torch.stack((flat // SIZE, flat % SIZE))
    return torch.sparse_coo_tensor(indices, torch.ones(EDGES, dtype=dtype), (SIZE, SIZE)).coalesce()


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "coo": lambda a: a,
    "csr": lambda a: a.to_sparse_csr(),
    "csc": lambda a: a.to_sparse_csc(),
}

PRODUCTS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "@": (lambda a, x: a @ x, EDGES * WIDTH),
    "matmul": (torch.matmul, EDGES * WIDTH),
    "mm": (torch.mm, EDGES * WIDTH),
    "sparse.mm": (torch.sparse.mm, EDGES * WIDTH),
    "spmm": (torch.spmm, EDGES * WIDTH),
    "addmm": (lambda a, x: torch.addmm(x, a, x), EDGES * WIDTH),
    "sparse.addmm": (lambda a, x: torch.sparse.addmm(x, a, x, beta=0.5), EDGES * WIDTH),
    "mv": (lambda a, x: a.mv(x[:, 0]), EDGES),
    "twice": (lambda a, x: a @ (a @ x), 2 * EDGES * WIDTH),
    "of its values": (lambda a, x: torch.relu(a * 2) @ x, EDGES * WIDTH),
}


class Propagates(nn.Module):
    def __init__(self, product: Callable[[Tensor, Tensor], Tensor], adjacency: Tensor | None = None) -> None:
        super().__init__()
        self.product = product
        self.register_buffer("adjacency", adjacency)

    def forward(self, x: Tensor, adjacency: Tensor | None = None) -> Tensor:
        return self.product(self.adjacency if adjacency is None else adjacency, x)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_counts_what_is_stored(name: str, form: str) -> None:
    """The same whether the matrix is a buffer or an input. What torch has no kernel for is refused by torch."""
    product, macs = PRODUCTS[name]
    adjacency, x = FORMS[form](_adjacency()), torch.rand(SIZE, WIDTH)
    try:
        product(adjacency, x)
    except (RuntimeError, NotImplementedError):
        pytest.skip("torch has no such kernel")
    for found in (profile(Propagates(product, adjacency), x), profile(Propagates(product), (x, adjacency))):
        assert found.totals.macs == macs
        assert found.unknown_ops == {}
        assert found.trace.engine == "cpu"


def test_flops_of_a_sum_are_those_of_what_is_stored() -> None:
    adjacency, x = _adjacency(), torch.rand(SIZE, WIDTH)
    found = profile(Propagates(PRODUCTS["of its values"][0], adjacency), x).figures.cost
    assert (int(found.muls), int(found.comparisons)) == (EDGES, EDGES)


def test_complex_products_are_four_real_ones() -> None:
    adjacency, x = _adjacency(torch.complex64), torch.rand(SIZE, WIDTH, dtype=torch.complex64)
    assert profile(Propagates(torch.sparse.mm, adjacency), x).totals.macs == 4 * EDGES * WIDTH


def test_blocks_count_whole() -> None:
    dense = torch.zeros(8, 8)
    dense[:2, 2:4] = dense[4:6, :2] = torch.eye(2)
    found = profile(Propagates(torch.matmul), (torch.rand(8, 3), dense.to_sparse_bsr((2, 2))))
    assert found.totals.macs == 2 * (2 * 2) * 3


def test_a_linear_layer_with_a_sparse_weight() -> None:
    layer = nn.Linear(SIZE, SIZE, bias=False)
    layer.weight = nn.Parameter(_adjacency().to_sparse_csr(), requires_grad=False)
    found = profile(layer, (5, SIZE))
    assert (found.totals.macs, found.totals.params) == (5 * EDGES, SIZE * SIZE)
    assert found.totals.param_bytes == EDGES * 4 + EDGES * 8 + (SIZE + 1) * 8


def test_a_sampled_product() -> None:
    pattern, a = _adjacency().to_sparse_csr(), torch.rand(SIZE, 4)
    model = Propagates(lambda s, x: torch.sparse.sampled_addmm(s, x, x.t()))
    assert profile(model, (a, pattern)).totals.macs == EDGES * 4


def test_where_two_sparse_matrices_meet_is_unknown() -> None:
    """It depends on where their elements are: never the dense count, and never silently none."""
    found = profile(Propagates(lambda a, x: (a @ a).to_dense() @ x, _adjacency()), torch.rand(SIZE, WIDTH))
    assert sum(found.unknown_ops.values()) == 1
    assert found.totals.macs == SIZE * SIZE * WIDTH  # of the dense product alone


def test_messages_by_index_count_as_messages() -> None:
    """A graph's edges as indices: nothing of it is a sparse tensor, or a dense product."""
    edges = _adjacency().indices()
    model = Forward(lambda self, x, edges: torch.zeros(SIZE, 4).index_add(0, edges[0], x.index_select(0, edges[1])))
    found = profile(model, (torch.rand(SIZE, 4), edges))
    assert (found.totals.macs, found.trace.engine) == (0, "meta")
    assert int(found.figures.cost.adds) == EDGES * 4


def test_bytes_are_those_of_values_and_indices() -> None:
    coo = _adjacency()
    model, x = Propagates(torch.sparse.mm), torch.rand(SIZE, WIDTH)
    assert profile(model, (x, coo)).totals.input_bytes == x.nbytes + EDGES * 4 + 2 * EDGES * 8
    assert (
        profile(model, (x, coo.to_sparse_csr().clone())).totals.input_bytes
        == x.nbytes + EDGES * 4 + (EDGES + SIZE + 1) * 8
    )


def test_what_a_model_makes_sparse_allocates_what_is_stored() -> None:
    model = Forward(lambda self, x, i: torch.sparse_coo_tensor(i, x, (SIZE, SIZE)) @ torch.ones(SIZE, 2))
    found = profile(model, (torch.rand(EDGES), _adjacency().indices()))
    assert found.totals.macs == EDGES * 2
    assert found.totals.activation_bytes < SIZE * SIZE * 4  # a dense one would be as large


def test_a_training_step_with_a_sparse_matrix() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(5, WIDTH, bias=False)
            self.register_buffer("adjacency", _adjacency())

        def forward(self, x: Tensor) -> Tensor:
            return torch.sparse.mm(self.adjacency, self.lin(x))

    found = profile(Net(), torch.rand(SIZE, 5), train=True)
    assert found.unknown_ops == {}
    assert found.totals.macs == 2 * (SIZE * 5 * WIDTH) + 2 * (EDGES * WIDTH)


def test_a_saved_trace_keeps_what_is_stored(tmp_path: Path) -> None:
    found = profile(Propagates(torch.sparse.mm), (torch.rand(SIZE, WIDTH), _adjacency()))
    found.save(tmp_path / "a.json")
    again = Profile.load(tmp_path / "a.json")
    assert again.totals == found.totals
    assert again.trace.signatures == found.trace.signatures


# Nested tensors -------------------------------------------------------------------------------------------------------

LENGTHS = (3, 7, 2)
ROWS = sum(LENGTHS)


def _nested(layout: torch.layout) -> Tensor:
    return torch.nested.nested_tensor([torch.rand(length, 8) for length in LENGTHS], layout=layout)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_nested_inputs_count_their_rows(layout: torch.layout) -> None:
    found = profile(Block(), _nested(layout))
    assert found.totals.macs == ROWS * 8 * 16 * 2
    assert found.unknown_ops == {}
    assert found.figures.cost.specials == ROWS * (1 + 16)  # of the norm and of gelu
    assert found.trace.inputs[0].shape == (3, 7, 8)


def test_nested_tensors_that_a_model_makes_count_their_rows() -> None:
    class Packs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Block()

        def forward(self, samples: list[Tensor]) -> Any:
            packed = torch.nested.as_nested_tensor(samples, layout=torch.jagged)
            return torch.nested.to_padded_tensor(self.block(packed), 0.0)

    found = profile(Packs(), ([torch.rand(length, 8) for length in LENGTHS],))
    assert found.totals.macs == ROWS * 8 * 16 * 2


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_attention_of_nested_tensors_counts_their_own_pairs(layout: torch.layout) -> None:
    def attend(self: Any, x: Tensor) -> Tensor:
        heads = (
            x.view(3, -1, 2, 4).transpose(1, 2).contiguous()
            if layout is torch.strided
            else x.unflatten(-1, (2, 4)).transpose(1, 2)
        )
        return F.scaled_dot_product_attention(heads, heads, heads)

    found = profile(Forward(attend), _nested(layout))
    assert found.totals.macs == 2 * sum(2 * length * length * 4 for length in LENGTHS)
    assert found.unknown_ops == {}


def test_a_training_step_with_jagged_tensors() -> None:
    found = profile(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), _nested(torch.jagged), train=True)
    assert found.totals.macs == 2 * ROWS * 8 * 4
