"""PyTorch Geometric: its models, its convolutions in a net of two, its poolings; on a small random graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch_geometric import nn as graph

from tests.benchmarks.foreign.libraries import Builder

_NODES, _EDGES, _WIDTH, _RELATIONS = 30, 120, 16, 3


def _ids(most: int, *shape: int) -> torch.Tensor:
    """The same numbers each time: how much a graph costs depends on which edges it has."""
    return torch.randint(0, most, shape, generator=torch.Generator().manual_seed(most))


def _edges() -> torch.Tensor:
    return _ids(_NODES, 2, _EDGES)


def _features(width: int = _WIDTH) -> torch.Tensor:
    return torch.rand(_NODES, width)


def _types() -> torch.Tensor:
    return _ids(_RELATIONS, _EDGES)


def _mlp(inputs: int, outputs: int = _WIDTH) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))


def _degrees() -> torch.Tensor:
    return torch.tensor([1, 4, 8, 10, 5, 2])


class Net(nn.Module):
    """Two graph convolutions of one kind, a mean over the nodes and a classifier, as a user would write it."""

    def __init__(self, convolution: Callable[[], nn.Module], width: int = _WIDTH) -> None:
        super().__init__()
        self.first, self.second = convolution(), convolution()
        self.head = nn.Linear(width, 4)

    def forward(self, x: torch.Tensor, edges: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(x, edges, *more))
        pooled: torch.Tensor = self.head(self.second(hidden, edges, *more).mean(0))
        return pooled


# How each convolution is made. Those that take nothing else than nodes and edges:
_ON_EDGES: Mapping[str, Callable[[], nn.Module]] = {
    "SimpleConv": graph.SimpleConv,
    "GCNConv": lambda: graph.GCNConv(_WIDTH, _WIDTH),
    "GCNConv cached": lambda: graph.GCNConv(_WIDTH, _WIDTH, cached=True),
    "ChebConv": lambda: graph.ChebConv(_WIDTH, _WIDTH, K=3),
    "SAGEConv": lambda: graph.SAGEConv(_WIDTH, _WIDTH),
    "SAGEConv max": lambda: graph.SAGEConv(_WIDTH, _WIDTH, aggr="max"),
    "SAGEConv projected": lambda: graph.SAGEConv(_WIDTH, _WIDTH, aggr="mean", project=True),
    "GraphConv": lambda: graph.GraphConv(_WIDTH, _WIDTH),
    "GatedGraphConv": lambda: graph.GatedGraphConv(_WIDTH, 2),
    "ResGatedGraphConv": lambda: graph.ResGatedGraphConv(_WIDTH, _WIDTH),
    "GATConv": lambda: graph.GATConv(_WIDTH, 4, heads=4),
    "GATv2Conv": lambda: graph.GATv2Conv(_WIDTH, 4, heads=4),
    "TransformerConv": lambda: graph.TransformerConv(_WIDTH, 4, heads=4, beta=True),
    "AGNNConv": graph.AGNNConv,
    "TAGConv": lambda: graph.TAGConv(_WIDTH, _WIDTH),
    "GINConv": lambda: graph.GINConv(_mlp(_WIDTH), train_eps=True),
    "ARMAConv": lambda: graph.ARMAConv(_WIDTH, _WIDTH, num_stacks=2, num_layers=2),
    "SGConv": lambda: graph.SGConv(_WIDTH, _WIDTH, K=2),
    "SSGConv": lambda: graph.SSGConv(_WIDTH, _WIDTH, alpha=0.1, K=2),
    "APPNP": lambda: graph.APPNP(K=3, alpha=0.1),
    "MFConv": lambda: graph.MFConv(_WIDTH, _WIDTH),
    "FeaStConv": lambda: graph.FeaStConv(_WIDTH, _WIDTH, heads=2),
    "LEConv": lambda: graph.LEConv(_WIDTH, _WIDTH),
    "PNAConv": lambda: graph.PNAConv(_WIDTH, _WIDTH, ["mean", "max", "std"], ["identity", "amplification"], _degrees()),
    "ClusterGCNConv": lambda: graph.ClusterGCNConv(_WIDTH, _WIDTH),
    "GENConv": lambda: graph.GENConv(_WIDTH, _WIDTH),
    "EdgeConv": lambda: graph.EdgeConv(_mlp(2 * _WIDTH)),
    "FiLMConv": lambda: graph.FiLMConv(_WIDTH, _WIDTH),
    "SuperGATConv": lambda: graph.SuperGATConv(_WIDTH, 4, heads=4),
    "EGConv": lambda: graph.EGConv(_WIDTH, _WIDTH, aggregators=["sum", "max"], num_heads=4),
    "GeneralConv": lambda: graph.GeneralConv(_WIDTH, _WIDTH),
    "LGConv": graph.LGConv,
    "GPSConv": lambda: graph.GPSConv(_WIDTH, graph.GCNConv(_WIDTH, _WIDTH), heads=4),
    "GPSConv performer": lambda: graph.GPSConv(_WIDTH, graph.GCNConv(_WIDTH, _WIDTH), heads=4, attn_type="performer"),
    "AntiSymmetricConv": lambda: graph.AntiSymmetricConv(_WIDTH),
    "DirGNNConv": lambda: graph.DirGNNConv(graph.GCNConv(_WIDTH, _WIDTH)),
    "HypergraphConv": lambda: graph.HypergraphConv(_WIDTH, _WIDTH),
    "ClusterGCN": lambda: graph.ClusterGCNConv(_WIDTH, _WIDTH, diag_lambda=1.0),
}
# Those that take something more for each edge: what, and how the convolution is made.
_WITH_MORE: Mapping[str, tuple[Callable[[], torch.Tensor], Callable[[], nn.Module]]] = {
    "RGCNConv": (_types, lambda: graph.RGCNConv(_WIDTH, _WIDTH, _RELATIONS)),
    "RGCNConv bases": (_types, lambda: graph.RGCNConv(_WIDTH, _WIDTH, _RELATIONS, num_bases=2)),
    "FastRGCNConv": (_types, lambda: graph.FastRGCNConv(_WIDTH, _WIDTH, _RELATIONS)),
    "RGATConv": (_types, lambda: graph.RGATConv(_WIDTH, _WIDTH, _RELATIONS)),
    "GINEConv": (lambda: torch.rand(_EDGES, 5), lambda: graph.GINEConv(_mlp(_WIDTH), edge_dim=5)),
    "GMMConv": (lambda: torch.rand(_EDGES, 3), lambda: graph.GMMConv(_WIDTH, _WIDTH, dim=3, kernel_size=4)),
    "NNConv": (lambda: torch.rand(_EDGES, 5), lambda: graph.NNConv(_WIDTH, _WIDTH, _mlp(5, _WIDTH * _WIDTH))),
    "CGConv": (lambda: torch.rand(_EDGES, 5), lambda: graph.CGConv(_WIDTH, dim=5)),
    "PDNConv": (lambda: torch.rand(_EDGES, 5), lambda: graph.PDNConv(_WIDTH, _WIDTH, 5, 8)),
}


def _net(name: str) -> tuple[nn.Module, Any]:
    return Net(_ON_EDGES[name]), (_features(), _edges())


def _net_with_more(name: str) -> tuple[nn.Module, Any]:
    more, convolution = _WITH_MORE[name]
    return Net(convolution), (_features(), _edges(), more())


class Classifier(nn.Module):
    """A convolution, a pooling of a kind that chooses or merges nodes, and a readout of each graph."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.convolution, self.pool = graph.GCNConv(_WIDTH, _WIDTH), pool
        self.head = nn.Linear(_WIDTH, 4)

    def forward(self, x: torch.Tensor, edges: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        pooled = self.pool(self.convolution(x, edges).relu(), edges, batch=batch)
        found: torch.Tensor = self.head(graph.global_mean_pool(pooled[0], pooled[3]))
        return found


class Readout(nn.Module):
    """A convolution and an aggregation of all nodes of each graph."""

    def __init__(self, aggregation: nn.Module, width: int = _WIDTH) -> None:
        super().__init__()
        self.convolution, self.aggregation = graph.GCNConv(_WIDTH, _WIDTH), aggregation
        self.head = nn.Linear(width, 4)

    def forward(self, x: torch.Tensor, edges: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.aggregation(self.convolution(x, edges).relu(), batch))
        return found


def _batch() -> torch.Tensor:
    return torch.arange(_NODES) // 10


def _on_graphs(model: Callable[[], nn.Module]) -> tuple[nn.Module, Any]:
    return model(), (_features(), _edges(), _batch())


_ON_GRAPHS: Mapping[str, Callable[[], nn.Module]] = {
    "TopKPooling": lambda: Classifier(graph.TopKPooling(_WIDTH)),
    "SAGPooling": lambda: Classifier(graph.SAGPooling(_WIDTH)),
    "mean readout": lambda: Readout(graph.MeanAggregation()),
    "median readout": lambda: Readout(graph.MedianAggregation()),
    "softmax readout": lambda: Readout(graph.SoftmaxAggregation(learn=True)),
    "power mean readout": lambda: Readout(graph.PowerMeanAggregation(learn=True)),
    "LSTM readout": lambda: Readout(graph.LSTMAggregation(_WIDTH, _WIDTH)),
    "GRU readout": lambda: Readout(graph.GRUAggregation(_WIDTH, _WIDTH)),
    "Set2Set": lambda: Readout(graph.Set2Set(_WIDTH, 2), 2 * _WIDTH),
    "sort readout": lambda: Readout(graph.SortAggregation(4), 4 * _WIDTH),
    "attentional readout": lambda: Readout(graph.AttentionalAggregation(nn.Linear(_WIDTH, 1))),
    "set transformer": lambda: Readout(graph.SetTransformerAggregation(_WIDTH, heads=4)),
    "DeepSets": lambda: Readout(graph.DeepSetsAggregation(_mlp(_WIDTH), _mlp(_WIDTH))),
    "variance preserving": lambda: Readout(graph.VariancePreservingAggregation()),
}


def _basic(kind: type[nn.Module], **options: Any) -> tuple[nn.Module, Any]:
    return kind(_WIDTH, 32, 3, out_channels=4, **options), (_features(), _edges())


def _atoms() -> dict[str, torch.Tensor]:
    return {"z": torch.randint(1, 9, (12,)), "pos": torch.rand(12, 3) * 3}


def _complete(positions: torch.Tensor, batch: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """All pairs of atoms with their distance: the library's own search needs a compiled extension."""
    pairs = torch.combinations(torch.arange(len(positions))).T
    edges = torch.cat([pairs, pairs.flip(0)], 1)
    return edges, (positions[edges[0]] - positions[edges[1]]).norm(dim=-1)


def _schnet() -> tuple[nn.Module, Any]:
    model = graph.SchNet(hidden_channels=32, num_filters=32, num_interactions=2, interaction_graph=_complete)
    return model, _atoms()


def _unet() -> tuple[nn.Module, Any]:
    return graph.GraphUNet(_WIDTH, 32, 4, depth=2), (_features(), _edges())


def _attentive() -> tuple[nn.Module, Any]:
    model = graph.AttentiveFP(_WIDTH, 32, 4, edge_dim=5, num_layers=2, num_timesteps=2)
    return model, (_features(), _edges(), torch.rand(_EDGES, 5), _batch())


class Layers(nn.Module):
    """Pre-activated residual graph layers, recomputed in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            graph.DeepGCNLayer(
                graph.GENConv(_WIDTH, _WIDTH, learn_t=True), nn.LayerNorm(_WIDTH), nn.ReLU(), ckpt_grad=place == 1
            )
            for place in range(3)
        )

    def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x, edges)
        return x


def _hetero(kind: str) -> tuple[nn.Module, Any]:
    """Two kinds of nodes, joined both ways."""
    there, back = ("user", "rates", "film"), ("film", "rated by", "user")
    nodes = {"user": torch.rand(10, _WIDTH), "film": torch.rand(20, _WIDTH)}
    edges = {
        there: torch.stack([_ids(10, 40), _ids(20, 40)]),
        back: torch.stack([_ids(20, 40), _ids(10, 40)]),
    }
    if kind == "HeteroConv":
        made: nn.Module = graph.HeteroConv({name: graph.SAGEConv(_WIDTH, _WIDTH) for name in (there, back)})
    else:
        made = getattr(graph, kind)(_WIDTH, _WIDTH, (list(nodes), [there, back]), heads=4)
    return made, (nodes, edges)


def _points(convolution: nn.Module, features: int = _WIDTH) -> tuple[nn.Module, Any]:
    return convolution, (torch.rand(_NODES, features), torch.rand(_NODES, 3), _edges())


_MODELS: Mapping[str, Builder] = {
    "MLP": lambda: (graph.MLP([_WIDTH, 32, 32, 4]), _features()),
    "GCN": partial(_basic, graph.GCN),
    "GCN jumping": partial(_basic, graph.GCN, jk="lstm"),
    "GCN norm": partial(_basic, graph.GCN, norm="graph_norm"),
    "GraphSAGE": partial(_basic, graph.GraphSAGE),
    "GIN": partial(_basic, graph.GIN),
    "GAT": partial(_basic, graph.GAT, heads=2),
    "GATv2": partial(_basic, graph.GAT, heads=2, v2=True),
    "PNA": partial(_basic, graph.PNA, aggregators=["mean", "max"], scalers=["identity"], deg=_degrees()),
    "EdgeCNN": partial(_basic, graph.EdgeCNN),
    "GAE": lambda: (graph.GAE(graph.GCNConv(_WIDTH, 8)), (_features(), _edges())),
    "GraphUNet": _unet,
    "SchNet": _schnet,
    "AttentiveFP": _attentive,
    "DeepGCN": lambda: (Layers(), (_features(), _edges())),
    "RECT_L": lambda: (graph.RECT_L(_WIDTH, 32), (_features(), _edges())),
    "LINKX": lambda: (graph.LINKX(_NODES, _WIDTH, 32, 4, 2), (_features(), _edges())),
    "LightGCN": lambda: (graph.LightGCN(_NODES, 16, 2), (_edges(),)),
    "PMLP": lambda: (graph.PMLP(_WIDTH, 32, 4, 3), (_features(), _edges())),
    "NeuralFingerprint": lambda: (graph.NeuralFingerprint(_WIDTH, 32, 8, 2), (_features(), _edges(), _batch())),
    "SGFormer": lambda: (graph.SGFormer(_WIDTH, 32, 4), (_features(), _edges(), _batch())),
    "Polynormer": lambda: (graph.Polynormer(_WIDTH, 32, 4, local_layers=2, heads=2), (_features(), _edges(), _batch())),
    "GroupAddRev": lambda: (
        graph.GroupAddRev(graph.GCNConv(_WIDTH // 2, _WIDTH // 2), num_groups=2),
        (_features(), _edges()),
    ),
    "DeepGraphInfomax": lambda: (
        graph.DeepGraphInfomax(_WIDTH, graph.GCNConv(_WIDTH, _WIDTH), _summary, _corrupted),
        (_features(), _edges()),
    ),
    "LabelPropagation": lambda: (graph.LabelPropagation(3, 0.9), (_ids(4, _NODES), _edges())),
    "HGTConv": partial(_hetero, "HGTConv"),
    "HANConv": partial(_hetero, "HANConv"),
    "HeteroConv": partial(_hetero, "HeteroConv"),
    "PointNetConv": lambda: _points(graph.PointNetConv(_mlp(_WIDTH + 3), _mlp(_WIDTH))),
    "PointTransformerConv": lambda: _points(graph.PointTransformerConv(_WIDTH, _WIDTH)),
    "dense GCN": lambda: (graph.DenseGCNConv(_WIDTH, 8), (torch.rand(2, 10, _WIDTH), torch.rand(2, 10, 10).round())),
    "dense SAGE": lambda: (graph.DenseSAGEConv(_WIDTH, 8), (torch.rand(2, 10, _WIDTH), torch.rand(2, 10, 10).round())),
    "dense GAT": lambda: (graph.DenseGATConv(_WIDTH, 8), (torch.rand(2, 10, _WIDTH), torch.rand(2, 10, 10).round())),
    "GCN sparse": lambda: (graph.GCN(_WIDTH, 32, 2, 4), (_features(), _adjacency())),
    "SAGE sparse": lambda: (graph.GraphSAGE(_WIDTH, 32, 2, 4), (_features(), _adjacency())),
    "GIN sparse CSR": lambda: (graph.GIN(_WIDTH, 32, 2, 4), (_features(), _adjacency().to_sparse_csr())),
}


def _adjacency() -> torch.Tensor:
    return torch.sparse_coo_tensor(_edges(), torch.ones(_EDGES), (_NODES, _NODES)).coalesce()


def _summary(embedded: torch.Tensor, *_: Any) -> torch.Tensor:
    return embedded.mean(0).sigmoid()


def _corrupted(x: torch.Tensor, edges: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[torch.randperm(len(x))], edges


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_net, name) for name in _ON_EDGES},
    **{name: partial(_net_with_more, name) for name in _WITH_MORE},
    **{name: partial(_on_graphs, model) for name, model in _ON_GRAPHS.items()},
    **_MODELS,
}
