"""A model that fails on an input, and another input that it runs on: proposed because it was tried."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from profiler import errors, generate, profile


class Images(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)

    def forward(self, x: Any) -> Any:
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.fc = nn.Embedding(10, 4), nn.Linear(4, 2)

    def forward(self, ids: Any) -> Any:
        return self.fc(self.embedding(ids).mean(1))


class Lookup(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(10, 4))

    def forward(self, ids: Any) -> Any:
        return F.embedding(ids, self.table)


class Unpacks(nn.Module):
    def forward(self, x: Any) -> Any:
        batch, _, _, width = x.shape
        return x.reshape(batch, -1, width) @ torch.zeros(width, 2)


class Pair(nn.Module):
    def forward(self, left: Any, right: Any, scale: float = 1.0) -> Any:
        return left @ right * scale


class OfDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, batch: Any) -> Any:
        return self.layer(batch["x"])[batch["ids"]]


class OfList(nn.Module):
    def forward(self, parts: Any) -> Any:
        return parts[0] @ parts[1]


class Faulty(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.nothing


def one_dimension() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4))


CASES = [
    (Images, "1x1x28x28", "try --input 1x3x28x28"),
    (Images, "3x28x28", "try --input 1x3x28x28"),
    (Images, "1x28x28x3", "try --input 1x3x28x28"),
    (Images, "28x28x3", "try --input 1x3x28x28"),
    (Images, "28x28", "try --input 1x3x28x28"),
    (Images, "1x3x28", "try --input 1x3x28x28"),
    (Images, "1x3x28x28:int64", "try --input 1x3x28x28:float32"),
    (Images, "1x1x28x28:uint8", "try --input 1x3x28x28:float32"),
    (lambda: Images().half(), "1x3x28x28", "try --input 1x3x28x28:float16"),
    (lambda: Images(1), "4x3x28x28", "try --input 4x1x28x28"),
    (lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(8)), "8", "try --input 1x8"),
    (one_dimension, "1x1x16", "try --input 1x2x16"),
    (lambda: nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4)), "3x8x8x8", "try --input 1x3x8x8x8"),
    (lambda: nn.GroupNorm(2, 8), "1x6x4", "try --input 1x8x4"),
    (lambda: nn.LayerNorm(8), "1x6", "try --input 1x8"),
    (lambda: nn.Linear(784, 10), "1x28x28", "try --input 1x784"),
    (lambda: nn.Linear(784, 10), "28x28", "try --input 1x784"),
    (lambda: nn.Linear(784, 10), "1x783", "try --input 1x784"),
    (lambda: nn.LSTM(8, 4), "5x1x9", "try --input 5x1x8"),
    (Text, "1x16", "try --input 1x16:int64"),
    (Text, "ids=2x16:float16", "try --input ids=2x16:int64"),
    (Text, "16:int64", "try --input 1x16:int64"),
    (Text, "16", "try --input 1x16:int64"),
    (Lookup, "1x16", "try --input 1x16:int64"),
    (Unpacks, "8x8", "try --input 1x1x8x8"),
    (Faulty, "1x3", "check the model and what it is fed"),
    (Pair, "2x3", "its forward takes left, right, [scale]; give --input left=SHAPE --input right=SHAPE"),
    (Pair, "x=2x3", "its forward takes left, right, [scale]; give --input left=SHAPE --input right=SHAPE"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "given", "remedy"), CASES)
def test_what_is_proposed(build: Any, given: str, remedy: str) -> None:
    model = build()
    with pytest.raises(errors.ModelFailed) as caught:
        profile(model, given)
    assert str(caught.value).endswith(f"; {remedy}")
    for text in [text for text in remedy.split("--input ")[1:] if "SHAPE" not in text]:
        profile(model, text)  # which does not fail


def test_several_inputs_are_proposed_together() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.images, self.text = Images(), Text()

        def forward(self, x: Any, ids: Any) -> Any:
            return self.images(x), self.text(ids)

    with pytest.raises(errors.ModelFailed, match=r"try --input 1x3x28x28 --input 1x16:int64$"):
        profile(Both(), ("3x28x28", "16:int64"))


TOGETHER: list[tuple[type[nn.Module], dict[str, Any], str]] = [
    (OfDict, {"kwargs": {"x": "2x4", "ids": "5:int64"}}, "as one dict, batch"),
    (OfDict, {"kwargs": {"x": torch.rand(2, 4), "ids": torch.zeros(5, dtype=torch.int64)}}, "as one dict, batch"),
    (OfList, {"inputs": ((2, 4), (4, 2))}, "as one list, parts"),
]


@pytest.mark.parametrize(("build", "given", "how"), TOGETHER)
def test_several_inputs_that_the_model_takes_as_one(build: Any, given: dict[str, Any], how: str) -> None:
    with pytest.raises(errors.ModelFailed, match=f"its forward takes them {how}; name a function .FILE.py") as caught:
        profile(build(), **given)
    inputs = eval(str(caught.value).split("returns the model and ")[1], {"torch": torch})
    assert profile(build(), inputs).totals.macs


def test_more_inputs_than_a_model_takes() -> None:
    what = (
        r"; give --input batch=SHAPE, or name a function \(FILE.py:FUNCTION\) that returns the model and what it takes$"
    )
    with pytest.raises(errors.ModelFailed, match=what):
        profile(OfDict(), kwargs={"x": "2x5", "ids": "5:int64"})  # which do not fit as a dict either


def test_a_function_that_returns_the_model_and_what_it_takes(tmp_path: Path) -> None:
    """What the command says is followed."""
    code = """
        import torch
        from torch import nn

        class Net(nn.Linear):
            def forward(self, batch):
                return super().forward(batch["x"]) + super().forward(batch["y"])
    """
    path = tmp_path / "dicts.py"
    path.write_text(textwrap.dedent(code))
    with pytest.raises(errors.ModelFailed) as caught:
        profile(f"{path}:Net(in_features=4, out_features=3)", kwargs={"x": "2x4", "y": "2x4"})
    returned = str(caught.value).split("returns the model and ")[1]
    path.write_text(f"{textwrap.dedent(code)}\ndef both():\n    return Net(4, 3), {returned}\n")
    assert profile(f"{path}:both").totals.macs == 2 * 2 * 4 * 3


PARTS = [torch.rand(3, 4), torch.rand(5, 4)]
FORMS = {
    "nested": lambda: torch.nested.nested_tensor(PARTS),
    "jagged": lambda: torch.nested.nested_tensor(PARTS, layout=torch.jagged),
    "sparse_coo": lambda: torch.eye(4).to_sparse(),
    "sparse_csr": lambda: torch.eye(4).to_sparse_csr(),
    "sparse_bsr": lambda: torch.eye(4).to_sparse_bsr((2, 2)),
    "quantised": lambda: torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.qint8),
}


@dataclasses.dataclass
class Holder:
    x: Any


@pytest.mark.filterwarnings("ignore")  # torch says of some of these forms that they may change
@pytest.mark.parametrize("form", FORMS)
def test_a_failure_on_a_tensor_of_another_form_is_told(form: str) -> None:
    class Raises(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("a size of nothing")  # which is about shapes: others are looked for

    tensor = FORMS[form]()
    for given in (tensor, {"x": tensor}, [tensor], Holder(tensor)):
        with pytest.raises(errors.ModelFailed, match=r"^Raises fails on input .*ValueError: a size of nothing"):
            profile(Raises(), (given,))
    with pytest.raises(errors.ModelFailed, match=r"^Linear fails on input .*RuntimeError: "):
        profile(nn.Linear(5, 2), tensor)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
def test_a_tensor_of_another_form_has_one_size(form: str) -> None:
    with pytest.raises(
        errors.ProfileError, match=r"^(an input is (nested|sparse_\w+), and none|input 2x4:qint8 cannot)"
    ):
        profile(nn.Linear(4, 2), FORMS[form](), batch=2)


@pytest.mark.filterwarnings("ignore")
def test_a_nested_prompt_is_refused() -> None:
    with pytest.raises(errors.ProfileError, match=r"^Text is not fed token ids of shape BATCHxLENGTH"):
        generate(Text(), torch.nested.nested_tensor([torch.zeros(3, dtype=torch.int64)]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["jagged", "sparse_coo"])
def test_an_input_of_another_form_without_values_is_refused(form: str) -> None:
    with pytest.raises(errors.ProfileError, match=r"^an input is \w+ and has no values, on the meta device; feed one"):
        profile(nn.Linear(4, 2), FORMS[form]().to("meta"))


def test_a_quantised_input_is_not_made_of_a_shape() -> None:
    with pytest.raises(errors.ProfileError, match=r"^input 3x4:qint8 cannot be made of a shape; feed it from Python"):
        profile(nn.Linear(4, 2), "3x4:qint8")


def test_a_model_that_stays_broken_is_not_tried_for_long() -> None:
    class Counting(nn.Module):
        runs = 0

        def forward(self, x: Any) -> Any:
            Counting.runs += 1
            raise RuntimeError("dtype")

    with pytest.raises(errors.ModelFailed, match="check the model"):
        profile(Counting(), (2, 3))
    assert Counting.runs < 30


def test_what_no_input_says_is_not_proposed() -> None:
    """A tensor in a list."""

    class ListOfImages(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, images: Any) -> Any:
            return [self.conv(image) for image in images]

    with pytest.raises(errors.ModelFailed, match="check the model"):
        profile(ListOfImages(), [(torch.zeros(1, 8, 8))])


def test_the_line_of_the_users_code_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from torch import nn\nclass Net(nn.Conv2d):\n    def forward(self, x):\n        return super().forward(x)\n"
    (tmp_path / "nets.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.ModelFailed, match=r"at nets.py:4\); try --input 1x3x8x8$"):
        profile("nets.py:Net(in_channels=3, out_channels=4, kernel_size=3)", (1, 1, 8, 8))
