"""Is a device whose times follow a known law recovered, kept and read again? No clock of this machine is asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from profiler import errors
from profiler.devices import timing
from profiler.devices.calibration import families, file, run
from profiler.devices.calibration.families import Point
from profiler.devices.calibration.measure import Prepared
from profiler.devices.calibration.predict import Calibration, Machine
from profiler.devices.calibration.shapes import Case
from profiler.records.times import PREDICTED
from profiler.records.trace import Signature, Tensor, Value

DOCUMENT = Path(__file__).parents[3] / "docs" / "calibration.md"
FACTS = Machine("A fake", "cpu", 1, "2.14.1", "2026-11-28", 1e-6, 2e-6, {"float32": 1e11}, {16384: 5e10, 1 << 26: 1e10})


def law(point: Point) -> float:
    """Seconds on the fake device: 5 us a call, 50 GFLOP/s, 10 GB/s."""
    return 5e-6 + point.flops / 50e9 + point.moved_bytes / 10e9


class Fake:
    """A device whose clock goes on by what each call takes, and by a tenth of a second for its preparation."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def prepare(self, case: Case) -> Prepared:
        signature = Signature(case.signature.op, case.signature.args, (), output(case.signature))
        point = families.point(signature)
        assert point is not None
        return Prepared(signature, lambda: self.wait(0.1), lambda: self.wait(law(point)))

    def wait(self, seconds: float) -> None:
        self.now += seconds


def output(signature: Signature) -> Value:
    """What torch says that an operator of the grid returns."""
    import torch

    def built(value: Value) -> object:
        if isinstance(value, Tensor):
            return torch.empty(value.shape, device="meta")
        return [built(item) for item in value] if isinstance(value, tuple) else value

    packet = getattr(torch.ops.aten, signature.op.split(".")[1])
    result = packet(*map(built, signature.args))
    return Tensor(tuple(result.shape), "float32")


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return Calibration("fake.toml", FACTS, tuple(run.fitted(Fake(), ["float32"], 400.0, lambda _: None)))


def test_a_known_law_is_recovered(calibration: Calibration) -> None:
    """Within 5 % of each call, which is left out as its family is fitted."""
    assert {fitted.family for fitted in calibration.fitted} == set(families.SIZES) - {families.VIEW, families.OTHER}
    for fitted in calibration.fitted:
        points = [sample.point for sample in fitted.samples]
        assert fitted.seconds(points) == pytest.approx([law(point) for point in points], rel=0.05), fitted.family


def test_a_file_holds_all_that_predicts(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_text(file.text(calibration))
    again = file.read(path)
    assert again.machine == FACTS
    assert file.text(again) == path.read_text()
    assert isinstance(timing.timer(str(path)), Calibration)


def test_a_prediction_sums_up(calibration: Calibration) -> None:
    from profiler import profile

    trace = profile("resnet18", "1x3x224x224").trace
    times = calibration.times(trace)
    assert times.word == PREDICTED
    assert (
        times.whole.seconds == pytest.approx(sum(times.calls)) == pytest.approx(sum(own.seconds for own in times.own))
    )
    assert times.whole.low < times.whole.seconds < times.whole.high
    points = [families.point(trace.signatures[call.signature]) for call in trace.calls]
    expected = sum(law(point) for point in points if point is not None)
    assert times.whole.seconds == pytest.approx(expected, rel=0.1)
    assert calibration.times(trace) == times


def test_another_dtype_is_refused(calibration: Calibration) -> None:
    from profiler import profile

    trace = profile("resnet18", "1x3x64x64", dtype="bfloat16").trace
    with pytest.raises(errors.ProfileError, match="calibrated for float32, and the model multiplies bfloat16"):
        calibration.times(trace)


def test_predicting_needs_no_torch(calibration: Calibration, tmp_path: Path) -> None:
    from profiler import profile

    path, saved = tmp_path / "device.toml", tmp_path / "model.json"
    path.write_text(file.text(calibration))
    profile("squeezenet1_1", "1x3x64x64").save(str(saved))
    code = (
        "import sys\nfrom profiler.devices import timing\nfrom profiler.records import archive\n"
        f"times = timing.timer({str(path)!r}).times(archive.load({str(saved)!r}))\n"
        "print(times.whole.seconds > 0, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "False"]


def document_example() -> str:
    return DOCUMENT.read_text().split("```toml my-device.toml\n")[1].split("```")[0]


def test_the_example_of_the_document_is_a_calibration() -> None:
    assert file.of(file.toml_files.of_text(document_example(), "my-device.toml")).dtypes == ["float32"]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("calibration = 1", "calibration = 2", "its schema is 2, and this version reads 1"),
        ("threads = 2\n", "", "the key 'threads' is missing"),
        ("calibration = 1\n", "", "the key 'calibration' is missing; run profile-model calibrate again"),
        ("float32 = 1.5e11", "float32 = -1", "'peak' has to be FLOP a second"),
        ("[0.001203,", "[0,", "a sample of matrix product has 6 numbers"),
        ("law = [1.2e-05,", "law = [", "it has to be overhead, per_flop, per_byte"),
        ("noise = 0.05", "noise = 0", "it has to be above 0"),
        ('name = "matrix product"', 'name = "magic"', "'name' has to be"),
    ],
)
def test_a_bad_file_is_refused_in_a_line(before: str, after: str, sentence: str) -> None:
    text = document_example()
    assert before in text
    with pytest.raises(errors.ProfileError, match=r"my-device\.toml") as refusal:
        file.of(file.toml_files.of_text(text.replace(before, after), "my-device.toml"))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
