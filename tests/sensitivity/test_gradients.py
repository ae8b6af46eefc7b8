"""Gradients are those of `torch.autograd.grad`, to the last bit, and those of central differences."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from profiler import ProfileError, sensitivity
from profiler.answers.sensitivity.compute import Sensitivity
from profiler.engine.gradients import weights as of_weights
from tests.sensitivity.models import CLASSES, MODELS, SAMPLES, logits, model


def measured(made: nn.Module, *data: tuple[Tensor, Tensor], **options: object) -> Sensitivity:
    answer = sensitivity(made, data=list(data), **options)  # type: ignore[arg-type]
    assert isinstance(answer, Sensitivity)
    return answer


def loss_by_hand(made: nn.Module, samples: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits(made, samples), labels)


@pytest.mark.parametrize("name", MODELS)
def test_of_weights_they_are_those_by_hand(name: str) -> None:
    made, samples, labels = model(name)
    answer = measured(made, (samples, labels))
    weights = dict(made.named_parameters())
    loss = loss_by_hand(made, samples, labels)
    gradients = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True, allow_unused=True)
    assert sum(answer.gradients.values) / SAMPLES == pytest.approx(loss.item(), rel=1e-15)
    for of, (weight_name, weight), gradient in zip(answer.gradients.weights, weights.items(), gradients, strict=True):
        assert of.name == weight_name
        assert of.norm == float(torch.linalg.vector_norm(gradient))
        assert of.absolute == float(gradient.abs().sum())
        assert of.importance == float((weight * gradient).abs().sum().detach())


@pytest.mark.parametrize("name", MODELS)
def test_fisher_is_the_mean_of_the_squares_of_single_samples(name: str) -> None:
    made, samples, labels = model(name)
    answer = measured(made, (samples, labels))
    weights = list(made.parameters())
    squares = [0.0] * len(weights)
    for i in range(SAMPLES):
        loss = loss_by_hand(made, samples[i : i + 1], labels[i : i + 1])
        for at, gradient in enumerate(torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True)):
            squares[at] += float(gradient.square().sum())
    assert [of.fisher for of in answer.gradients.weights] == pytest.approx([s / SAMPLES for s in squares], rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_they_are_those_of_central_differences(name: str) -> None:
    made, samples, labels = model(name)
    answer = measured(made, (samples, labels))
    step = 1e-5
    for of, weight in zip(answer.gradients.weights, made.parameters(), strict=True):
        differences = torch.zeros_like(weight)
        flat, out = weight.data.view(-1), differences.view(-1)
        for i in range(len(flat)):
            before = float(flat[i])
            ends = []
            for moved in (before + step, before - step):
                flat[i] = moved
                ends.append(float(loss_by_hand(made, samples, labels).detach()))
            flat[i] = before
            out[i] = (ends[0] - ends[1]) / (2 * step)
        assert of.norm == pytest.approx(float(torch.linalg.vector_norm(differences)), rel=1e-5, abs=1e-9)
        assert of.importance == pytest.approx(float((weight * differences).abs().sum()), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", ["loss", "largest", 1])
def test_of_inputs_they_are_those_of_each_sample_by_hand(name: str, target: str | int) -> None:
    made, samples, labels = model(name)
    (of,) = measured(made, (samples, labels), target=target).gradients.inputs
    for i in range(SAMPLES):
        one = samples[i : i + 1].clone().requires_grad_()
        output = logits(made, one)
        value = {
            "loss": lambda output=output, i=i: F.cross_entropy(output, labels[i : i + 1]),
            "largest": lambda output=output: output.max(),
            1: lambda output=output: output[0, 1],
        }[target]()
        (gradient,) = torch.autograd.grad(value, one)
        assert of.norms[i] == pytest.approx(float(torch.linalg.vector_norm(gradient)), rel=1e-12)
        assert of.absolutes[i] == pytest.approx(float(gradient.abs().mean()), rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_batches_are_no_part_of_the_result(name: str) -> None:
    made, samples, labels = model(name)
    whole = measured(made, (samples, labels)).gradients
    parts = measured(made, (samples[:2], labels[:2]), (samples[2:], labels[2:]), samples=4).gradients
    first = measured(made, (samples[:4], labels[:4])).gradients
    for of, of_first in zip(parts.weights, first.weights, strict=True):
        assert (of.norm, of.importance) == pytest.approx((of_first.norm, of_first.importance), rel=1e-12)
        assert of.fisher == pytest.approx(of_first.fisher, rel=1e-12)
    assert whole.inputs[0].norms[:4] == pytest.approx(parts.inputs[0].norms, rel=1e-12)


def test_a_recurrent_layer_is_not_differentiated_at_once() -> None:
    """`vmap` takes no notice of the weights that it keeps in a list, which has to be seen."""
    from profiler import sources
    from profiler.engine.gradients.held import held
    from profiler.engine.gradients.samples import Batch
    from profiler.engine.gradients.targets import Target
    from profiler.records.spec import Feed

    ways = {}
    for name in ("recurrent", "attending"):
        made, samples, labels = model(name)
        batch, target = Batch((samples,), {}, labels), Target("loss", "cross_entropy")
        with held(sources.subject_of(made, Feed((samples,)))) as of:
            mean = of.gradients(of.values(batch, target).mean(), list(of.parameters.values()))
            ways[name] = of_weights._at_once(of, batch, target, mean) is not None
    assert ways == {"recurrent": False, "attending": True}


def test_a_layer_sums_its_weights_and_what_is_in_it() -> None:
    made, samples, labels = model("residual")
    answer = measured(made, (samples, labels))
    inner = [of for of in answer.gradients.weights if of.name.startswith("inner.")]
    layer = answer["inner"]
    assert layer.norm == pytest.approx(sqrt(sum(of.norm**2 for of in inner)), rel=1e-15)
    assert layer.importance == pytest.approx(sum(of.importance for of in inner), rel=1e-15)
    assert layer.mean_absolute == pytest.approx(sum(of.absolute for of in inner) / (2 * (4 * 4 + 4)), rel=1e-15)
    assert layer.macs == 2 * 4 * 4
    assert layer.importance_per_mac == layer.importance / (2 * 4 * 4)
    assert answer[""].params == 2 * (4 * 4 + 4) + 4 * CLASSES + CLASSES


def test_a_shared_weight_is_that_of_its_first_layer() -> None:
    made, samples, labels = model("tied")
    answer = measured(made, (samples, labels))
    assert answer["first"].sums.elements == 4 * 4 + 4
    assert answer["second"].sums.elements == 4


LOSSES = {
    "mse": (F.mse_loss, torch.rand(SAMPLES, CLASSES, dtype=torch.float64)),
    "l1": (F.l1_loss, torch.rand(SAMPLES, CLASSES, dtype=torch.float64)),
    "bce": (F.binary_cross_entropy_with_logits, torch.ones(SAMPLES, CLASSES, dtype=torch.float64)),
    "nll": (F.nll_loss, torch.tensor([0, 1, 2, 0, 1])),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_by_name_is_that_of_torch(name: str) -> None:
    made, samples, _ = model("perceptron")
    loss, labels = LOSSES[name]
    answer = measured(made, (samples, labels), loss=name)
    by_hand = torch.autograd.grad(loss(logits(made, samples), labels), list(made.parameters()))
    norms = [float(torch.linalg.vector_norm(gradient)) for gradient in by_hand]
    assert [of.norm for of in answer.gradients.weights] == pytest.approx(norms, rel=1e-13)


def test_a_loss_may_be_a_function() -> None:
    made, samples, labels = model("perceptron")
    by_name = measured(made, (samples, labels))
    by_function = measured(made, (samples, labels), loss=F.cross_entropy)
    norms = [[of.norm for of in answer.gradients.weights] for answer in (by_name, by_function)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-13)


def test_without_labels_the_loss_is_that_of_the_prediction() -> None:
    made, samples, _ = model("perceptron")
    labels = logits(made, samples).argmax(1)
    alone = sensitivity(made, samples, target="loss")
    assert "predictions" in str(alone)
    assert alone.gradients.weights == measured(made, (samples, labels)).gradients.weights  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "mse"}, "the loss mse needs labels"),
        ({"loss": "hinge"}, "--loss hinge is not known"),
        ({"target": 7}, "--target 7: the output of a sample is 3"),
        ({"target": "most"}, "target most: it is loss, largest, or the index"),
        ({"samples": 0}, "samples=0: it is a whole number from 1 up"),
        ({"by": "shrink"}, "--by shrink: a layer is changed by"),
        ({"by": "quantise=int3"}, "no scheme for weights is called 'int3'"),
        ({"by": "quantise=q4_K"}, "its tool searches for the scales"),
        ({"by": "prune=2"}, "it is a share of the weights from 0 to 1"),
        ({"each": "0"}, "--each means something with --by alone"),
        ({"run_on": "tpu"}, "--run-on tpu is not known"),
        ({"method": "smooth"}, "--method smooth is not known"),
        ({"columns": ["trace"]}, "--columns trace means something with --hessian alone"),
        ({"weights": "weights.pt"}, "Sequential is a model with weights of its own"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(options: dict[str, object], words: str) -> None:
    made, samples, _ = model("perceptron")
    with pytest.raises(ProfileError, match=words) as refusal:
        sensitivity(made, samples, **options)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)
