"""A layer of a live model is replaced everywhere, and all is put back: objects, order, aliases, hooks, weights."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile
from profiler.engine.changing.identity import Identity
from profiler.engine.changing.replaced import all_replaced, replaced
from tests.untouched.fingerprint import Fingerprint

WIDTH = 3
MACS = WIDTH * WIDTH


class Holder:
    """An object of the user's own."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer


class Net(nn.Module):
    """One block that is held in every way, amid others: three calls of it, and three of other layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(3)))
        self.alias = self.blocks[1]
        self.last = nn.Linear(WIDTH, WIDTH)
        self.listed = [self.alias, self.last]
        self.recent: Any = deque([self.alias])
        self.named = {"b": self.alias, "a": {"deep": self.alias}}
        self.object = Holder(self.alias)
        self.__dict__["past"] = self.alias
        self.alias.register_forward_hook(lambda *_: None)
        self.blocks.register_buffer("mask", torch.ones(2), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.alias(self.first(self.blocks(x)))
        return self.last(self.named["b"](x))


def macs(model: nn.Module) -> int:
    return profile(model, (1, WIDTH)).totals.macs


@contextmanager
def untouched(model: nn.Module) -> Any:
    """Fails where anything of the model is another than before."""
    before = Fingerprint(model, {})
    yield before
    assert before.differences(Fingerprint(model, {})) == []


def test_it_is_replaced_wherever_it_is_held() -> None:
    model, new = Net(), Identity()
    with untouched(model):
        assert macs(model) == 7 * MACS
        with replaced(model, "blocks.1", new) as changed:
            assert changed is model
            held = [model.alias, model.blocks[1], model.listed[0], model.recent[0], model.named["b"]]
            held += [model.named["a"]["deep"], model.object.layer, model.past]  # type: ignore[index]
            assert all(module is new for module in held)
            assert [*dict(model.named_children())] == ["first", "blocks", "alias", "last"]
            assert macs(model) == 4 * MACS


def test_by_another_path_it_is_the_same() -> None:
    model = Net()
    with untouched(model), replaced(model, "alias", Identity()):
        assert macs(model) == 4 * MACS


def _raises(model: Net) -> None:
    raise KeyboardInterrupt


def _runs(model: Net) -> None:
    with suppress(RuntimeError):
        model(torch.ones(1, WIDTH + 1))


def _replaces(model: Net) -> None:
    model.alias = model.last
    model.blocks[1] = nn.ReLU()


@pytest.mark.parametrize("body", [_raises, _runs, _replaces])
def test_whatever_the_body_does(body: Callable[[Net], None]) -> None:
    model = Net()
    with untouched(model), suppress(KeyboardInterrupt), replaced(model, "alias", nn.ReLU()):
        body(model)


def test_what_was_deleted_is_back_at_its_place() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2), nn.Tanh())
    with untouched(model), replaced(model, "1", nn.ReLU()):
        del model._modules["1"]


def test_what_the_body_adds_stays() -> None:
    model = Net()
    with replaced(model, "first", Identity()):
        model.new = nn.Linear(WIDTH, WIDTH)
        del model._modules["first"]
    assert list(dict(model.named_children())) == ["first", "blocks", "alias", "last", "new"]


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_nested_in_any_order(order: tuple[int, ...]) -> None:
    """Two at one path, one at a path inside of what another replaces, and one beside."""
    model = Net()
    paths = ["alias", "alias", "blocks", "last"]
    with untouched(model):
        stacks = [ExitStack() for _ in paths]
        for stack, path in zip(stacks, paths, strict=True):
            stack.enter_context(replaced(model, path, Identity()))
        assert macs(model) == MACS
        for position in order:
            stacks[position].close()


def test_the_inner_one_goes_last() -> None:
    model, outer, inner = Net(), nn.ReLU(), nn.Tanh()
    first, second = ExitStack(), ExitStack()
    first.enter_context(replaced(model, "last", outer))
    second.enter_context(replaced(model, "last", inner))
    first.close()
    assert model.last is inner
    second.close()
    assert isinstance(model.last, nn.Linear)


def test_the_same_module_in_two_places() -> None:
    model, new = Net(), Identity()
    with untouched(model):
        first, second, third = ExitStack(), ExitStack(), ExitStack()
        first.enter_context(replaced(model, "first", new))
        second.enter_context(replaced(model, "last", new))
        third.enter_context(replaced(model, "last", nn.ReLU()))
        assert isinstance(model.first, nn.ReLU)
        for stack in (first, third, second):
            stack.close()


def test_a_wrapper_of_what_it_replaces() -> None:
    model = Net()
    wrapper = nn.Sequential(model.last, nn.Linear(WIDTH, WIDTH))
    with untouched(model), replaced(model, "last", wrapper):
        assert macs(model) == 8 * MACS


def test_several_at_once() -> None:
    model = Net()
    with untouched(model), all_replaced(model, {"first": Identity(), "blocks.0": Identity(), "last": Identity()}):
        assert macs(model) == 4 * MACS


def test_in_threads() -> None:
    models = [Net() for _ in range(6)]
    before = [Fingerprint(model, {}) for model in models]
    found: list[int] = []

    def work(model: Net) -> None:
        for path in ("alias", "first", "blocks.1"):
            with replaced(model, path, Identity()):
                found.append(macs(model))

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([4 * MACS, 6 * MACS, 4 * MACS] * 6)
    assert [was.differences(Fingerprint(model, {})) for was, model in zip(before, models, strict=True)] == [[]] * 6


@pytest.mark.parametrize(
    ("model", "path", "says"),
    [
        (Net(), "", "Net is replaced as a whole by another model"),
        (Net(), "blocks.7", "Net has no layer 'blocks.7'; did you mean blocks"),
        (Net(), "\n\x1b[31m", r"Net has no layer '\\n\\x1b\[31m'; see them with"),
        (torch.jit.script(nn.Sequential(nn.ReLU())), "0", "is scripted"),
    ],
)
def test_what_cannot_be_replaced(model: nn.Module, path: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says), replaced(model, path, Identity()):
        pass


def test_names_with_dots_are_paths_of_a_trace() -> None:
    model = nn.Sequential()
    setattr(model, "a.b", nn.Linear(WIDTH, WIDTH))
    with untouched(model), replaced(model, r"a\u002eb", Identity()):
        assert macs(model) == 0


@pytest.mark.parametrize(
    ("more", "args", "kwargs", "returns"),
    [
        (None, (1, 2), {}, 1),
        (None, (), {"x": 3, "y": 4}, 3),
        (None, (), {}, None),
        (0, (1,), {}, (1,)),
        (2, (1, 5), {"mask": 6}, (1, None, None)),
    ],
)
def test_what_is_left_out_returns_what_it_takes(
    more: int | None, args: tuple[int, ...], kwargs: dict[str, int], returns: Any
) -> None:
    assert Identity(more)(*args, **kwargs) == returns
