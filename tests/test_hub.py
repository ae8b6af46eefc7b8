"""Weights on the hub: headers by range requests from a server that does well, badly, slowly, or lies."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from profiler import profile
from profiler.cli.main import main
from profiler.sources import checkpoints
from profiler.sources.checkpoints import hub
from tests import hub as fake
from tests.checkpoints.writers import safetensors, sharded, whole

pytest.importorskip("huggingface_hub")

PLAIN = whole({"fc.weight": ("F32", (40, 30)), "fc.bias": ("F32", (40,)), "norm.weight": ("BF16", (30,))})
LARGE = {f"layers.{i}.weight": ("F32", (4096, 4096)) for i in range(3)}
MLX = whole({"up.weight": ("U32", (96, 32)), "up.scales": ("F16", (96, 4)), "up.biases": ("F16", (96, 4))})


def headers_of(tensors: dict[str, Any]) -> tuple[bytes, int]:
    """A header, and how long the file with its tensors is."""
    size = sum(4 * shape[0] * shape[1] for _, shape in tensors.values())
    said: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        first, end = end, end + 4 * shape[0] * shape[1]
        said[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [first, end]}
    content = safetensors(said, 0)
    return content, len(content) + size


def gguf_file(vocabulary: int = 5000) -> bytes:
    """One tensor of q4_0, behind a vocabulary."""
    key, texts = b"tokenizer.ggml.tokens", b"".join(struct.pack("<Q", 12) + b"x" * 12 for _ in range(vocabulary))
    metadata = struct.pack("<Q", len(key)) + key + struct.pack("<IIQ", 9, 8, vocabulary) + texts
    name = b"blk.0.weight"
    row = struct.pack("<Q", len(name)) + name + struct.pack("<IQQIQ", 2, 64, 10, 2, 0)
    content = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + metadata + row
    content += bytes(-len(content) % 32)
    return content + bytes(64 * 10 // 32 * 18)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[fake.Server]:
    import huggingface_hub
    from huggingface_hub import constants, utils

    files = {"org/plain/model.safetensors": PLAIN, "org/plain/config.json": b'{"model_type": "nothing"}'}
    with fake.serving(files) as state:
        monkeypatch.setattr(constants, "ENDPOINT", state.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", state.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
        yield state
        close = getattr(huggingface_hub, "close_session", None) or utils.reset_sessions  # the name before version 1
        close()


def refused(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that could not run."""
    assert main([text]) == 2
    found = capsys.readouterr()
    assert not found.out
    assert found.err.count("\n") == 1
    assert "\x1b" not in found.err
    return found.err


# Well -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hf:org/plain/model.safetensors", "hf:org/plain/", "hf:org/plain@v1.0/"])
def test_a_model_of_one_file(server: fake.Server, text: str) -> None:
    found = profile(text)
    assert found.trace.source == "checkpoint"
    assert found.totals.params == 40 * 30 + 40 + 30
    assert found.trace.header is not None
    assert found.trace.header.size_bytes == len(PLAIN)


def test_no_weights_are_fetched(server: fake.Server) -> None:
    """Of 200 MB the first 64 kB, the configuration, and a list."""
    content, size = headers_of(LARGE)
    server.files = {"org/large/model.safetensors": content}
    server.largest = {"org/large/model.safetensors": size}
    found = profile("hf:org/large/model.safetensors")
    assert found.totals.params == 3 * 4096 * 4096
    assert server.sent < 80_000


def test_shards_and_their_index(server: fake.Server, tmp_path: Path) -> None:
    tensors = {f"layers.{i}.weight": ("F32", (16, 16)) for i in range(12)}
    index = sharded(tmp_path, tensors, 4)
    server.files = {f"org/sharded/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}
    assert profile(f"hf:org/sharded/{index.name}").totals.params == 12 * 256
    assert profile("hf:org/sharded/").trace.header.files == 4  # type: ignore[union-attr]


def test_a_folder_in_a_model(server: fake.Server) -> None:
    server.files = {"org/pipeline/unet/diffusion.safetensors": PLAIN, "org/pipeline/vae/other.safetensors": PLAIN}
    assert profile("hf:org/pipeline/unet/diffusion.safetensors").totals.params == 40 * 30 + 40 + 30
    assert profile("hf:org/pipeline/unet/").totals.params == 40 * 30 + 40 + 30


def test_the_configuration_beside_it_says_how_it_is_packed(server: fake.Server) -> None:
    for bits, group, columns in ((2, 128, 512), (4, 64, 256), (8, 32, 128)):
        said = json.dumps({"quantization": {"bits": bits, "group_size": group}}).encode()
        server.files = {"org/mlx/model.safetensors": MLX, "org/mlx/config.json": said}
        found = profile("hf:org/mlx/model.safetensors")
        assert found.totals.params == 96 * columns
        assert found.trace.header is not None
        assert not found.trace.header.doubts


def test_gguf(server: fake.Server) -> None:
    """A vocabulary of 100 kB stands before the table of tensors."""
    server.files = {"org/gguf/model-q4_0.gguf": gguf_file(), "org/gguf/README.md": b"#"}
    assert profile("hf:org/gguf/model-q4_0.gguf").totals.params == 640
    assert profile("hf:org/gguf/").totals.params == 640


def test_a_model_without_a_configuration_is_its_weights(server: fake.Server) -> None:
    server.files = {"org/gguf/model-q4_0.gguf": gguf_file()}
    found = profile("hf:org/gguf")
    assert found.totals.params == 640
    assert found.trace.source == "checkpoint"


def test_a_checkpoint_held_against_a_model(server: fake.Server, tmp_path: Path) -> None:
    code = "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    code += "        self.fc, self.norm = torch.nn.Linear(30, 40), torch.nn.RMSNorm(30)\n"
    (tmp_path / "net.py").write_text(code)
    assert main(["match", f"{tmp_path}/net.py:Net", "hf:org/plain/model.safetensors"]) == 0


def test_a_budget(server: fake.Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hf:org/plain/model.safetensors", "--max-params", "1000"]) == 1
    assert main(["hf:org/plain/model.safetensors", "--max-params", "2000"]) == 0
    capsys.readouterr()


# Again, where it broke off --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        fake.shorter,
        fake.once(fake.refuses(503)),
        fake.once(fake.refuses(429, Retry_After="1")),
        fake.once(fake.refuses(500)),
    ],
    ids=["breaks off", "503", "429", "500"],
)
def test_what_fails_once(server: fake.Server, answer: fake.Answer) -> None:
    server.misbehaves["/cdn/org/plain/model"] = answer
    assert profile("hf:org/plain/model.safetensors").totals.params == 40 * 30 + 40 + 30


def test_it_goes_on_where_it_broke_off(server: fake.Server) -> None:
    server.misbehaves["/cdn/org/plain/model"] = fake.shorter
    profile("hf:org/plain/model.safetensors")
    ranges = [request.rpartition("=")[2] for request in server.requests if "/cdn/org/plain/model" in request]
    assert ranges[0] == "0-65535"
    assert ranges[1].partition("-")[0] == str(len(PLAIN) // 2)


# Badly ----------------------------------------------------------------------------------------------------------------

CLAIMS = struct.pack("<Q", 1 << 60) + b"{" + bytes(100)
DEEP = b"[" * 100_000

BAD: dict[str, tuple[fake.Answer, str]] = {
    "404": (fake.refuses(404, "EntryNotFound"), "there is no such model or file"),
    "401": (fake.refuses(401, "RepoNotFound"), "log in"),
    "gated": (fake.refuses(403, "GatedRepo"), "has to be granted"),
    "500": (fake.refuses(500), "answers 500"),
    "429 for long": (fake.refuses(429, Retry_After="3600"), "wait 3600 seconds"),
    "418": (fake.refuses(418), "answers 418"),
    "another part": (fake.says(PLAIN, 206, Content_Range=f"bytes 7-{len(PLAIN) + 6}/9000"), "another part"),
    "no part": (fake.says(PLAIN, 206), "does not say which part"),
    "a part of nothing": (fake.says(PLAIN, 206, Content_Range="bytes 0-9/*"), "does not say which part"),
    "the whole": (fake.ignores_ranges(1 << 33), "the whole file"),
    "no end": (fake.endless, "begin as safetensors do"),
    "always shorter": (fake.always_shorter, "breaks off"),
    "a header of 2^60": (fake.says(CLAIMS, 206, Content_Range=f"bytes 0-{len(CLAIMS) - 1}/{len(CLAIMS)}"), "claims"),
    "compressed": (
        fake.says(PLAIN, 206, Content_Range=f"bytes 0-{len(PLAIN) - 1}/{len(PLAIN)}", Content_Encoding="gzip"),
        "compresses",
    ),
    "a page": (fake.says(b"<html>hello, this is a proxy</html>"), "begin as safetensors do"),
    "in a circle": (fake.says(b"", 302, Location="/cdn/org/plain/model.safetensors"), "cannot be reached"),
    "to a file": (fake.says(b"", 302, Location="file:///etc/passwd"), "cannot be reached"),
    "silence": (fake.sleeps(3), "in time"),
    "drops": (fake.drips, "slow"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_server_that_does_badly(server: fake.Server, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, soon, and few bytes, whatever it does."""
    answer, words = BAD[name]
    server.misbehaves["/cdn/" if name != "silence" else "/resolve/"] = answer
    before = time.monotonic()
    assert words in refused("hf:org/plain/model.safetensors", capsys)
    assert time.monotonic() - before < 12
    assert server.sent < 8_000_000  # what was written before the other side hung up


LISTS = {
    "no JSON": (b"<html>", "is not JSON"),
    "too deep": (DEEP, "nested too deeply"),
    "no list": (b"{}", "no list of files"),
    "another list": (b'{"siblings": {"a": 1}}', "no list of files"),
    "nothing": (b'{"siblings": []}', "it has none"),
    "strange names": (
        b'{"siblings": [{"rfilename": "../../etc/x.safetensors"}, 7, {"rfilename": null}]}',
        "it has none",
    ),
    "two": (b'{"siblings": [{"rfilename": "a.safetensors"}, {"rfilename": "b.safetensors"}]}', "a.safetensors"),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_are_none(server: fake.Server, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    body, words = LISTS[name]
    server.misbehaves["/api/models/"] = fake.says(body)
    assert words in refused("hf:org/plain/", capsys)


def test_a_list_without_end(server: fake.Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.misbehaves["/api/models/"] = fake.ignores_ranges(1 << 33)
    assert "are the most that is read" in refused("hf:org/plain/", capsys)
    assert server.sent < 50_000_000


def test_an_index_that_names_other_places(server: fake.Server, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("../../other/model/model.safetensors", "/etc/passwd", "https://example.com/x.safetensors"):
        index = json.dumps({"weight_map": {"a": name}}).encode()
        server.files = {"org/bad/model.safetensors.index.json": index}
        refused("hf:org/bad/model.safetensors.index.json", capsys)
    assert all("/org/bad/" in request for request in server.requests)


def test_a_configuration_that_cannot_be_had(server: fake.Server, capsys: pytest.CaptureFixture[str]) -> None:
    """It decides how weights are read, so that no answer is no reason to read them otherwise."""
    server.misbehaves["config.json"] = fake.refuses(403)
    assert "config.json" in refused("hf:org/plain/model.safetensors", capsys)


def test_a_file_that_changes(server: fake.Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.files = {"org/gguf/m.gguf": gguf_file(20_000)}

    def changed(request: fake.Request) -> None:
        content = request.state.files["org/gguf/m.gguf"]
        first, end = request.asked(len(content))
        headers = {"Content-Range": f"bytes {first}-{end - 1}/{len(content)}", "ETag": f'"{first}"'}
        request.answer(206, content[first:end], **headers)

    server.misbehaves["/cdn/"] = changed
    assert "was changed" in refused("hf:org/gguf/m.gguf", capsys)


def test_a_token_does_not_follow_to_another_host(server: fake.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    seen: list[str | None] = []

    def elsewhere(request: fake.Request) -> None:
        url = request.state.url.replace("127.0.0.1", "localhost")
        request.answer(302, b"", Location=f"{url}/cdn/org/plain/model.safetensors")

    def noted(request: fake.Request) -> None:
        seen.append(request.headers.get("Authorization"))
        request.well()

    server.misbehaves = {"/resolve/": elsewhere, "/cdn/": noted}
    hub.Hub().part(hub.HubFile("org/plain", "main", "model.safetensors"), 0, 10)
    assert seen == [None]


# Without a network ----------------------------------------------------------------------------------------------------


def test_offline(server: fake.Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refused("hf:org/plain/model.safetensors", capsys)
    assert server.requests == []


def test_offline_what_the_hubs_client_has_kept(
    server: fake.Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    kept = tmp_path / "models--org--plain" / "snapshots" / fake.COMMIT
    kept.mkdir(parents=True)
    (kept.parent.parent / "refs").mkdir()
    (kept.parent.parent / "refs" / "main").write_text(fake.COMMIT)
    (kept / "model.safetensors").write_bytes(PLAIN)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert profile("hf:org/plain/model.safetensors").totals.params == 40 * 30 + 40 + 30
    assert server.requests == []


@pytest.mark.parametrize("name", ["pytorch_model.bin", "arrays.npz"])
def test_pickles_are_not_fetched(server: fake.Server, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    server.files = {f"org/old/{name}": b"PK\x03\x04" + bytes(100)}
    for text in (f"hf:org/old/{name}", "hf:org/old/"):
        assert "download the file" in refused(text, capsys)


def test_values_are_not_fetched(server: fake.Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["values", "hf:org/plain/model.safetensors"]) == 2
    assert "headers alone are read" in capsys.readouterr().err
    assert server.requests == []


def test_a_model_by_its_configuration_says_so_too(
    server: fake.Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    assert "no config.json" in refused("hf:org/nothing", capsys)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "neither in the hub's cache nor to be fetched" in refused("hf:org/plain", capsys)


def test_nobody_listens(
    server: fake.Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    before = time.monotonic()
    assert "cannot be reached" in refused("hf:org/plain/model.safetensors", capsys)
    assert time.monotonic() - before < 2


@pytest.mark.parametrize(
    ("variable", "proxy", "why"),
    [
        ("HTTPS_PROXY", "http://127.0.0.1:9", "127.0.0.1:9: "),
        ("https_proxy", "127.0.0.1:9", "127.0.0.1:9: "),
        ("ALL_PROXY", "socks5://127.0.0.1:9", "127.0.0.1:9: "),
        ("HTTPS_PROXY", "http://no.such.host.invalid:3128", "no.such.host.invalid:3128: "),
        ("HTTPS_PROXY", "http://user:secret@x:y", "what is no address"),
        ("HTTPS_PROXY", "gopher://{listening}", "the proxy that the environment names cannot be used"),
    ],
)
@pytest.mark.parametrize("spec", ["hf:gpt2", "hf:org/plain/"])
def test_a_proxy_that_is_not_there(
    server: fake.Server,
    variable: str,
    proxy: str,
    why: str,
    spec: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "https://hub.invalid/{repo_id}/{revision}/{filename}")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, proxy.format(listening=server.url.partition("://")[2]))
    before = time.monotonic()
    err = refused(spec, capsys)
    assert time.monotonic() - before < 1.5
    assert why in err
    assert "secret" not in err
    if spec == "hf:gpt2":
        assert "give a folder with a config.json, or HF_HUB_CACHE" in err


def test_a_name_that_is_looked_up_for_long(
    server: fake.Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As without a network: a minute, of which a second is waited for."""
    ended = threading.Event()
    monkeypatch.setattr(socket, "create_connection", lambda *_: ended.wait(20) and socket.socket())
    before = time.monotonic()
    assert "it does not answer within 1 second" in refused("hf:gpt2", capsys)
    assert time.monotonic() - before < 2
    ended.set()


# Names ----------------------------------------------------------------------------------------------------------------

NAMES = {
    "hf:org/name/model.safetensors": True,
    "hf:org/name/sub/model.gguf": True,
    "hf:org/name/": True,
    "hf:org/name@abc/model.safetensors.index.json": True,
    "hf:org/name": False,
    "hf:org/name/config.json": False,
    "hf:./folder/": False,
    "hf:/tmp/model.safetensors": False,
    "hf:LlamaConfig(num_hidden_layers=2)": False,
    "hf:org/name/../other/model.safetensors": False,
    "org/name/model.safetensors": False,
}


@pytest.mark.parametrize("text", NAMES)
def test_what_names_weights_on_the_hub(text: str) -> None:
    assert checkpoints.is_remote(text) == NAMES[text]
