"""The catalogue of devices: that every row says what it has to, how a device is named, files of one's own, and the
document that shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import errors
from profiler.devices import catalogue
from profiler.devices.device import DTYPES, KINDS, Device
from tests.shell import run

ROOT = Path(__file__).parent.parent.parent
GB = 1024**3
ROW = """
[my-card]
title = "My card"
kind = "gpu"
memory = "16 GB"
memory_bandwidth = 448e9
peak = { float32 = 11e12, float16 = 44.5e12 }
"""

every = pytest.mark.parametrize("name", catalogue.names())


# Its rows -------------------------------------------------------------------------------------------------------------


@every
def test_a_row_says_what_it_is_and_where_that_is_written(name: str) -> None:
    device = catalogue.named(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert device.kind in KINDS
    assert device.vendor
    assert device.year in range(2015, 2030)
    assert device.sources
    for source in device.sources:
        is_document = re.search(r", (19|20)\d\d$", source)  # title, publisher, year
        assert is_document or re.match(r"https?://[\w.-]+\.[a-z]+/\S+$", source)
    assert len(set(device.sources)) == len(device.sources)


@every
def test_figures_are_such_as_devices_have(name: str) -> None:
    device = catalogue.named(name)
    assert 3 * GB <= device.memory_bytes <= 1024 * GB
    assert 10e9 <= device.memory_bandwidth <= 20e12
    assert "float32" in device.peak
    assert all(1e10 <= peak <= 3e16 for peak in device.peak.values())
    assert all(1e10 <= peak <= 1e15 for peak in device.vector.values())
    assert 1 <= device.headroom <= 1.3
    assert 0 <= device.launch_overhead < 1e-5
    assert (device.link is None) == (device.link_bandwidth is None)
    assert device.link_bandwidth is None or 10e9 <= device.link_bandwidth <= 2e12


@every
def test_ordinary_cores_are_no_faster_than_the_fastest_unit(name: str) -> None:
    device = catalogue.named(name)
    assert all(device.vector[dtype] <= device.peak[dtype] for dtype in device.vector if dtype in device.peak)


@every
def test_peaks_are_without_sparsity(name: str) -> None:
    """Each halving of the bits at most doubles the rate, except on Blackwell Ultra, whose float4 is made so."""
    peak = catalogue.named(name).peak
    halved = [
        ("float16", "float8"),
        ("bfloat16", "float8"),
        ("bfloat16", "int8"),
        ("int8", "int4"),
        ("tf32", "float16"),
    ]
    for wide, narrow in halved:
        if wide in peak and narrow in peak:
            most = 4 if (wide, narrow) in {("bfloat16", "float8"), ("bfloat16", "int8"), ("float16", "float8")} else 2
            assert peak[narrow] <= 1.01 * most * peak[wide]


def test_the_devices_that_people_name_are_there() -> None:
    assert len(catalogue.names()) >= 60
    assert set(catalogue.names()) >= {
        "t4", "v100-sxm2-16gb", "a10", "a100-sxm-40gb", "a100-sxm-80gb", "a100-pcie-40gb", "a100-pcie-80gb", "l4",
        "l40s", "h100-pcie", "h100-sxm", "h100-nvl", "h200-sxm", "b200", "rtx-3090", "rtx-4090", "rtx-5090",
        "jetson-nano", "jetson-orin-nano", "jetson-agx-orin-64gb", "mi210", "mi250x-gcd", "mi300x", "mi325x", "mi355x",
        "rx-7900-xtx", "m1", "m2-ultra", "m3-max", "m4", "tpu-v4", "tpu-v5e", "tpu-v5p", "tpu-v6e",
        "xeon-platinum-8480", "epyc-9654", "ryzen-9-7950x", "graviton4", "raspberry-pi-4", "raspberry-pi-5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [  # multiprocessors or cores x FLOP a cycle x clock
        ("a100-sxm-80gb", "float16", 108 * 2048 * 1.41e9),
        ("a100-sxm-80gb", "tf32", 108 * 1024 * 1.41e9),
        ("h100-sxm", "bfloat16", 132 * 4096 * 1.83e9),
        ("h100-sxm", "float32", 132 * 256 * 1.98e9),
        ("b200", "float16", 148 * 8192 * 1.856e9),
        ("l40s", "int8", 142 * 2048 * 2.52e9),
        ("t4", "float16", 40 * 1024 * 1.59e9),
        ("rtx-4090", "float16", 128 * 512 * 2.52e9),
        ("mi300x", "float8", 304 * 4096 * 2.1e9),
        ("mi250x-gcd", "float16", 110 * 1024 * 1.7e9),
        ("m1", "float32", 8 * 256 * 1.278e9),
        ("xeon-platinum-8480", "bfloat16", 56 * 1024 * 3.8e9),
        ("raspberry-pi-5", "float32", 4 * 16 * 2.4e9),
    ],
)
def test_printed_peaks_are_units_times_clock(name: str, dtype: str, expected: float) -> None:
    assert catalogue.named(name).peak[dtype] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "dtype", "measured"),
    [  # mmapeak on an H100 NVL; CUTLASS on an RTX 5090; cpufp on a Raspberry Pi 5
        ("h100-nvl", "float16", 992e12),
        ("rtx-5090", "float16", 223.7e12),
        ("raspberry-pi-5", "float32", 153.5e9),
    ],
)
def test_what_was_measured_is_no_faster_than_a_device_can_be(name: str, dtype: str, measured: float) -> None:
    peak = catalogue.named(name).matrix_peak(dtype)
    assert peak is not None
    assert peak >= measured


def test_headroom_is_of_both_peaks() -> None:
    device = catalogue.named("h100-sxm")
    assert device.matrix_peak("float16") == device.peak["float16"] * 1.082
    assert device.vector_peak("float16") == device.vector["float16"] * 1.082
    assert device.matrix_peak("float4") is None


def test_memory_is_what_a_program_finds() -> None:
    assert catalogue.named("a100-sxm-80gb").memory_bytes == 80 * GB
    assert catalogue.named("l40s").memory_bytes == 48 * GB * 15 // 16


# Names ----------------------------------------------------------------------------------------------------------------


@given(st.sampled_from(catalogue.names()), st.randoms())
def test_capitals_make_no_difference(name: str, random: object) -> None:
    mixed = "".join(letter.upper() if random.random() < 0.5 else letter for letter in name)  # type: ignore[attr-defined]
    assert catalogue.named(f" {mixed} ") == catalogue.named(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("h100", "h100 is one of h100-pcie, h100-sxm, h100-nvl; name one of them"),
        ("A100-80GB", "A100-80GB is one of a100-pcie-80gb, a100-sxm-80gb; name one of them"),
        ("4090", "no device is called '4090'; did you mean rtx-4090? profile-model list --devices lists them"),
        ("a100-smx-80gb", "no device is called 'a100-smx-80gb'; did you mean a100-sxm-80gb or"),
        ("zzzzzz", "no device is called 'zzzzzz'; profile-model list --devices lists them"),
        ("", "no device is called ''; profile-model list --devices lists them"),
    ],
)
def test_a_name_that_is_none_leads_to_the_nearest(name: str, sentence: str) -> None:
    with pytest.raises(errors.ProfileError) as caught:
        catalogue.named(name)
    assert str(caught.value).startswith(sentence)
    assert caught.value.status == 2


@given(st.text())
def test_any_other_text_is_one_sentence(text: str) -> None:
    try:
        sentence = catalogue.named(text).name
    except errors.ProfileError as error:
        sentence = str(error)
    assert sentence
    assert "\n" not in sentence


def test_devices_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "list", "--devices", "A100-SXM*")
    assert (status, err) == (0, "")
    head, _, *lines = out.splitlines()
    assert re.split(r" {2,}", head) == ["Device", "Title", "Memory GB", "GB/s", "16 bit TFLOP/s", "float32 TFLOP/s"]
    assert [line.split()[0] for line in lines] == ["a100-sxm-40gb", "a100-sxm-80gb"]
    assert lines[1].split()[-4:] == ["80.00", "2039", "312", "19.5"]
    assert run(capsys, "list", "--devices")[1].count("\n") == len(catalogue.names()) + 2
    status, out, err = run(capsys, "list", "--devices", "b100*")
    assert (status, out) == (2, "")
    assert err == "profile-model: no device's name matches 'b100*'; a pattern is written like 'a100*'\n"


# Files of one's own ---------------------------------------------------------------------------------------------------


def own(folder: Path, text: str) -> Device:
    path = folder / "card.toml"
    path.write_text(text, encoding="utf-8")
    return catalogue.read(path)


def test_a_file_holds_a_row(tmp_path: Path) -> None:
    assert own(tmp_path, ROW) == Device(
        name="my-card",
        title="My card",
        kind="gpu",
        vendor=None,
        year=None,
        memory_bytes=16 * GB,
        memory_bandwidth=448e9,
        peak={"float32": 11e12, "float16": 44.5e12},
        vector={},
        launch_overhead=0.0,
        link=None,
        link_bandwidth=None,
        sources=(),
    )


@every
def test_a_row_of_the_catalogue_can_be_copied(name: str, tmp_path: Path) -> None:
    text = Path(catalogue.__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    (row,) = (part for part in re.split(r"\n(?=\[[a-z])", text) if part.startswith(f"[{name}]"))
    assert own(tmp_path, row) == catalogue.named(name)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("448e9", "-448e9", "card.toml:6: the key 'memory_bandwidth' has to be bytes a second"),
        ("448e9", "0", "the key 'memory_bandwidth' has to be bytes a second, from 1e6 to 1e15, and is 0"),
        ("448e9", "448", "has to be bytes a second, from 1e6 to 1e15, and is 448"),
        ("448e9", "inf", "has to be bytes a second, from 1e6 to 1e15, and is Infinity"),
        ("448e9", "nan", "has to be bytes a second, from 1e6 to 1e15, and is NaN"),
        ("448e9", "true", "has to be bytes a second, from 1e6 to 1e15, and is true"),
        ("448e9", '"448 GB/s"', 'has to be bytes a second, from 1e6 to 1e15, and is "448 GB/s"'),
        ("11e12", "-1", "the key 'float32' has to be FLOP a second, from 1e6 to 1e19, and is -1"),
        ("11e12", "1e30", "has to be FLOP a second"),
        ("float32", "flaot32", "no key is called 'flaot32'; did you mean float32?"),
        ('"16 GB"', "16", "the key 'memory' has to be a size, like \"16 GB\", and is 16"),
        ('"16 GB"', '"sixteen"', "the key 'memory' has to be a size"),
        ('"16 GB"', '"0 GB"', "the key 'memory' has to be a size"),
        ('"gpu"', '"fpga"', "the key 'kind' has to be gpu or tpu or cpu, and is \"fpga\""),
        ("peak = { float32 = 11e12, float16 = 44.5e12 }", "peak = 11e12", "has to be a table of FLOP a second"),
        ("peak = { float32 = 11e12, float16 = 44.5e12 }", "", "the key 'peak' is missing; add one, like peak ="),
        ('memory = "16 GB"', "", "the key 'memory' is missing; add one, like memory = \"16 GB\""),
        ("title", "name", "card.toml:3: no key is called 'name'; there are title"),
        ("[my-card]", "link = 'NVLink'\n[my-card]", "it has to hold one device, as a table: [my-card]"),
        ("[my-card]", "[other]\n[my-card]", "it has to hold one device, as a table: [my-card]"),
        ('kind = "gpu"', 'kind = "gpu"\nlink = "PCIe"', "the keys 'link' and 'link_bandwidth' belong together"),
        ('kind = "gpu"', 'kind = "gpu"\nheadroom = 0.5', "the key 'headroom' has to be a number, from 1 to 2"),
        ('kind = "gpu"', 'kind = "gpu"\nlaunch_overhead = 2', "the key 'launch_overhead' has to be seconds"),
        ("[my-card]", "[my-card", "card.toml:2: "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    assert before in ROW
    with pytest.raises(errors.ProfileError) as caught:
        own(tmp_path, ROW.replace(before, after))
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'card.toml'}:")
    assert "\n" not in str(caught.value)
    assert caught.value.status == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.ProfileError, match="cannot be read"):
        catalogue.read(tmp_path / "none.toml")


# The document ---------------------------------------------------------------------------------------------------------


def test_the_document_shows_the_catalogue(request: pytest.FixtureRequest) -> None:
    path = ROOT / "docs" / "devices.md"
    text = path.read_text(encoding="utf-8")
    first, last = "<!-- catalogue -->\n", "<!-- end of catalogue -->\n"
    before, _, rest = text.partition(first)
    shown = before + first + "\n".join(_lines()) + "\n" + last + rest.partition(last)[2]
    if request.config.getoption("--refresh"):
        path.write_text(shown, encoding="utf-8")
    assert text == shown


def _lines() -> Iterator[str]:
    devices = [catalogue.named(name) for name in catalogue.names()]
    yield "| device | GB | GB/s | TFLOP/s of matrix products | of other arithmetic | headroom | link GB/s | sources |"
    yield "|---|---:|---:|---|---|---:|---|---|"
    for device in devices:
        cells = (
            f"`{device.name}`<br>{device.title}, {device.year}",
            f"{device.memory_bytes / GB:g}",
            f"{device.memory_bandwidth / 1e9:g}",
            _peaks(device.peak),
            _peaks(device.vector),
            f"{device.headroom:g}",
            f"{device.link_bandwidth / 1e9:g}, {device.link}" if device.link_bandwidth else "",
            " ".join(_sources(device)),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield from (f"- `{device.name}`: {device.remarks}" for device in devices if device.remarks)


def _peaks(peaks: object) -> str:
    """Those that are alike beside one another: `float16, bfloat16 312`."""
    assert isinstance(peaks, dict)
    alike: dict[float, list[str]] = {}
    for dtype in DTYPES:
        if dtype in peaks:
            alike.setdefault(peaks[dtype], []).append(dtype)
    return "<br>".join(f"{', '.join(dtypes)} {peak / 1e12:g}" for peak, dtypes in alike.items())


def _sources(device: Device) -> Iterator[str]:
    for number, source in enumerate(device.sources, 1):
        yield f"[{number}]({source})" if source.startswith("http") else f"{number}: {source};"
