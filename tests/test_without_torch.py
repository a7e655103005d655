"""Where torch is not installed: OpenCV deblurs as torch does, and what needs torch says so."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import commands
import cv2
import deblurring_data
import numpy as np
import onnx
import pytest
import torch
from commands import Run, assert_refused
from deblurring_data import EXPOSURE, content, scene
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from spike_strategies import dense_spikes
from torch.nn import functional

from spikesim import SpikeStream, fractional_counts
from spikesim.errors import InputFileError, InvalidValueError, MissingExtraError, SpikesimError
from spikesim_cli.extras import needs_ssdm
from ssdm_models import exposures, load_deblurrer, pretrained
from ssdm_models.checkpoint_file import read_arrays
from ssdm_models.checkpoints import save
from ssdm_models.exposure_spans import PLANES
from ssdm_models.multi_exposure import MultiExposure
from ssdm_models.shipped import SHIPPED
from ssdm_models.without_torch import planes_of_counts
from ssdm_models.without_torch.multi_exposure_graph import image_model, planes_model, weight_shapes
from ssdm_models.without_torch.onnx_model import model, node
from ssdm_models.without_torch.opencv_deblurrer import OpenCVDeblurrer

checkpoint, ldn, recorded, released, run = (
    deblurring_data.checkpoint,
    deblurring_data.ldn,
    deblurring_data.recorded,
    deblurring_data.released,
    commands.run,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose images differ much from the blurry ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        network = MultiExposure()
    with torch.no_grad():
        network.output.weight.mul_(10)
    path = tmp_path_factory.mktemp("trained") / "multi_exposure.safetensors"
    save(path, network, stage="multi_exposure", v_th=(1, 4))
    return path


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)


# The same frames


@pytest.mark.parametrize(("height", "width"), [(4, 4), (20, 44), (36, 52), (64, 128), (180, 316)])
@pytest.mark.parametrize(("readouts", "exposure"), [(1, (0, 1)), (30, EXPOSURE), (211, (40, 190))])
def test_frames_are_those_of_torch(
    trained: Path, height: int, width: int, readouts: int, exposure: tuple[int, int]
) -> None:
    by_torch, by_opencv = load_deblurrer(trained, "cpu"), OpenCVDeblurrer(trained)
    assert (by_torch.engine, by_opencv.engine) == ("torch", "OpenCV")
    for name in ("title", "length", "v_th"):
        assert getattr(by_torch, name) == getattr(by_opencv, name), name
    recording = scene(height, width, readouts)
    times = sorted({0, readouts // 2, readouts - 1})
    frames = [list(engine.frames(*recording, times, exposure)) for engine in (by_torch, by_opencv)]
    for one, other in zip(*frames, strict=True):
        assert one.shape == other.shape == (height, width, 3)
        assert one.dtype == other.dtype == np.uint8
        assert other.flags.c_contiguous
        differences = np.abs(one.astype(int) - other)
        assert differences.max() <= 1
        assert differences.mean() < 0.01
        assert np.abs(one.astype(int) - recording.blur).mean() > 5


def test_weights_are_those_of_torch_in_its_order(trained: Path) -> None:
    """So that a folder of frames that one began can be finished by the other."""
    network = load_deblurrer(trained, "cpu")
    for one, other in zip(network.weights(), OpenCVDeblurrer(trained).weights(), strict=True):
        assert other.dtype == np.float32
        assert np.array_equal(one, other)


def test_the_layers_are_those_of_the_network() -> None:
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in MultiExposure().state_dict().items()}
    assert list(weight_shapes().items()) == list(expected.items())


@pytest.mark.parametrize(("height", "width"), [(4, 8), (12, 20)])
def test_the_models_are_valid_and_compute_what_the_network_does(
    height: int, width: int, rng: np.random.Generator
) -> None:
    _, halves = read_arrays(SHIPPED)
    weights = {name: array.astype(np.float32) for name, array in halves.items()}
    image, planes = (rng.random((1, channels, height, width), np.float32) for channels in (48, PLANES))
    models = image_model(weights, height, width), planes_model(weights, height, width)
    for written in models:
        onnx.checker.check_model(onnx.load_model_from_string(written), full_check=True)
    encoder, network = (cv2.dnn.readNetFromONNX(np.frombuffer(written, np.uint8)) for written in models)
    encoder.setInput(image, "image")
    network.setInput(planes, "planes")
    network.setInput(encoder.forward(), "encoded")
    blur = functional.pixel_shuffle(torch.from_numpy(image), 4)
    with torch.inference_mode():
        change = pretrained()(blur, torch.from_numpy(planes)) - blur
    found = torch.from_numpy(planes_of_counts.unfolded(network.forward()[0]))
    torch.testing.assert_close(found[None], change, rtol=0, atol=1e-5)


def test_a_model_says_its_shapes_and_weights(rng: np.random.Generator) -> None:
    weight = rng.random((5, 3, 2, 2), np.float32)
    nodes = [node("Conv", ["a", "w"], "b", kernel_shape=(2, 2), strides=[2, 2]), node("Relu", ["b"], "c")]
    read = onnx.load_model_from_string(model(nodes, {"w": weight}, {"a": (1, 3, 300, 8)}, {"c": (1, 5, 150, 4)}))
    onnx.checker.check_model(read, full_check=True)
    assert np.array_equal(onnx.numpy_helper.to_array(read.graph.initializer[0]), weight)
    sizes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*read.graph.input, *read.graph.output)]
    assert sizes == [[1, 3, 300, 8], [1, 5, 150, 4]]
    assert [each.op_type for each in read.graph.node] == ["Conv", "Relu"]
    assert {each.name: list(each.ints) for each in read.graph.node[0].attribute} == {
        "kernel_shape": [2, 2],
        "strides": [2, 2],
    }


# What the network sees


@given(dense=dense_spikes(), scale=st.floats(1e-3, 1e3), data=st.data())
def test_planes_are_those_of_torch(dense: np.ndarray, scale: float, data: st.DataObject) -> None:
    readouts = len(dense)
    start = data.draw(st.integers(0, readouts - 1))
    exposure = start, data.draw(st.integers(start + 1, readouts))
    time = data.draw(st.integers(0, readouts - 1))
    counts = fractional_counts(SpikeStream.from_dense(dense))
    found = planes_of_counts.exposure_planes(counts, time, exposure, scale)
    expected = exposures.exposure_planes(
        torch.from_numpy(counts)[None], time, exposure, torch.full((1, 1, 1, 1), scale)
    )
    assert found.dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(found)[None], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("brightest", "most"), [(0.5, 0.5), (1.0, 1.0), (3.0, 3.0), (200.0, 200.0), (1.0, 0.0), (1e-6, 1.0)]
)
def test_the_scale_is_that_of_torch(brightest: float, most: float, rng: np.random.Generator) -> None:
    image = (brightest * rng.random((3, 20, 28), np.float32)).clip(0, 1)
    whole = (most * rng.random((5, 7), np.float32)).clip(0, 1)
    expected = exposures.robust_scale(torch.from_numpy(image)[None], torch.from_numpy(whole)[None, None])
    assert planes_of_counts.robust_scale(image, whole) == pytest.approx(expected.item(), rel=1e-5)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_folding_is_torchs_and_is_undone(channels: int, height: int, width: int) -> None:
    image = np.random.default_rng(1).random((channels, 4 * height, 4 * width), np.float32)
    found = planes_of_counts.folded(image)
    assert torch.equal(torch.from_numpy(found.copy()), functional.pixel_unshuffle(torch.from_numpy(image), 4))
    assert np.array_equal(planes_of_counts.unfolded(found), image)


# What is refused


@pytest.mark.parametrize(
    ("given_values", "problem"),
    [
        ({"times": [30]}, r"a window of 1 readouts around 30 .* outside the spikes' 0\.\.29"),
        ({"times": [-1]}, "around -1"),
        ({"exposure": (20, 31)}, "from 20 to before 31 is empty or not in the stream"),
        ({"exposure": (20, 20)}, "is empty"),
        ({"tile": 64}, "the multi-exposure network does not compute in tiles, got tile 64"),
        ({"blur": np.zeros((36, 48, 3), np.uint8)}, "a quarter of the blurry image, 48×36"),
        ({"blur": np.zeros((36, 52), np.uint8)}, r"blur must be RGB uint8 \(H, W, 3\)"),
    ],
)
@pytest.mark.parametrize("engine", [OpenCVDeblurrer, lambda path: load_deblurrer(path, "cpu")], ids=["opencv", "torch"])
def test_both_refuse_the_same_before_anything_is_computed(
    trained: Path, engine: Any, given_values: dict[str, Any], problem: str
) -> None:
    recording = scene()
    wanted = {"blur": recording.blur, "stream": recording.spikes, "times": [9], "exposure": EXPOSURE, **given_values}
    with pytest.raises(InvalidValueError, match=problem):
        engine(trained).frames(**wanted)


@pytest.mark.usefixtures("without_torch")
def test_networks_and_devices_that_need_torch(checkpoint: Path, released: Path, trained: Path, tmp_path: Path) -> None:
    for path in (checkpoint, released):
        with pytest.raises(
            MissingExtraError, match=rf"{path.name} .*, and torch is not installed; pip install 'spikes"
        ):
            load_deblurrer(path)
    with pytest.raises(MissingExtraError, match="device 'cuda:1' needs torch; pip install"):
        load_deblurrer(trained, "cuda:1")
    with pytest.raises(InvalidValueError, match="device must be"):
        load_deblurrer(trained, "tpu")
    with pytest.raises(InputFileError, match=r"none\.safetensors"):
        load_deblurrer(tmp_path / "none.safetensors")
    for device in ("cpu", "auto"):
        assert load_deblurrer(trained, device).engine == "OpenCV"


def damage(path: Path, out: Path, change: Any) -> Path:
    """A copy of a checkpoint whose arrays and card were changed, without a checksum."""
    card, arrays = read_arrays(path)
    change(card, arrays)
    save_file(arrays, out, {"spikesim": json.dumps({"format": 1, **card})})
    return out


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda card, arrays: arrays.pop("up.bias"), "holds other tensors than the multi-exposure network"),
        (lambda card, arrays: arrays.update({"up.bias": np.zeros(95, np.float32)}), "holds other tensors"),
        (lambda card, arrays: arrays.update({"more": np.zeros(5, np.float32)}), "holds other tensors"),
        (lambda card, arrays: card.pop("v_th"), "the card in .* is damaged: v_th"),
        (lambda card, arrays: card.update(v_th=["a"]), "the card in .* is damaged: v_th"),
    ],
)
def test_damaged_checkpoints(trained: Path, tmp_path: Path, change: Any, problem: str) -> None:
    with pytest.raises(InputFileError, match=problem):
        OpenCVDeblurrer(damage(trained, tmp_path / "a.safetensors", change))


def test_bytes_that_have_changed_are_seen_without_torch(trained: Path, tmp_path: Path) -> None:
    held = bytearray(trained.read_bytes())
    held[-5] ^= 4
    (tmp_path / "a.safetensors").write_bytes(held)
    with pytest.raises(InputFileError, match="its checksum differs"):
        OpenCVDeblurrer(tmp_path / "a.safetensors")


def test_exhausted_memory_is_explained(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deblurrer = OpenCVDeblurrer(trained)
    for code, explained in ((cv2.Error.StsNoMem, True), (cv2.Error.StsBadArg, False)):
        error = cv2.error("a")
        error.code = code

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(cv2.dnn, "readNetFromONNX", fail)
        with pytest.raises(InvalidValueError if explained else cv2.error) as caught:
            next(deblurrer.frames(*scene(), [9], EXPOSURE))
        assert explained == ("memory ran out on an image of 52×36; take a smaller image" in str(caught.value))


# Commands


@pytest.mark.usefixtures("without_torch")
def test_the_command_deblurs_without_torch(run: Run, recorded: Path, tmp_path: Path) -> None:
    words = ("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / "out", "--exposure", 5, 25)
    result = run(*words)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines()[0] == (
        "with the multi-exposure network that comes with spikesim, computed by OpenCV; --checkpoint takes another"
    )
    frames = OpenCVDeblurrer(SHIPPED).frames(*scene(), [5, 24], EXPOSURE)
    for time, frame in zip((5, 24), frames, strict=True):
        assert np.array_equal(deblurring_data.pixels(tmp_path / "out" / f"{time:06d}.png"), frame)


def test_a_folder_that_torch_began_is_finished_without_it(
    run: Run, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / "out", "--exposure", 5, 25)
    assert run(*words).code == 0
    whole = content(tmp_path / "out")
    (tmp_path / "out" / "000011.png").unlink()
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(*words, "--json").json["kept"] == 6
    found = content(tmp_path / "out")
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] in ([], ["000011.png"])


ALONE = """
import sys
sys.modules["torch"] = None
sys.argv = ["spikesim", *sys.argv[1:]]
from spikesim_cli.main import main
try:
    main()
finally:
    loaded = {name.split(".")[0] for name in sys.modules if sys.modules[name]}
    assert not loaded & {"torch", "skimage", "lightning_fabric"}, loaded
"""


def test_nothing_else_of_torchs_extra_is_needed(recorded: Path, tmp_path: Path) -> None:
    words = [recorded / "blur.png", recorded / "bare.dat", tmp_path / "a.png", "--exposure", 5, 25]
    ended = subprocess.run(
        [sys.executable, "-c", ALONE, "deblur", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize("package", ["torch", "skimage"])
def test_commands_that_need_the_extra_name_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] in ("ssdm_models", package)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    result = run("eval-ssdm", "--data", tmp_path)
    assert_refused(result, f"`spikesim eval-ssdm` needs {package}; pip install 'spikesim[ssdm]'")


def test_other_missing_packages_are_not_taken_for_those_of_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needs_ssdm("verify"):
        raise ModuleNotFoundError("No module named 'ssdm_models.nothing'", name="ssdm_models.nothing")
    assert not isinstance(caught.value, SpikesimError)
    with pytest.raises(MissingExtraError), needs_ssdm("verify"):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
