"""Arrays do not name their axes: one that is read in another order than it was written is never read in silence."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import assert_refused, command, run  # noqa: F401

from spikesim import SpikeCamera, SpikeStream, read_spikes, simulate, write_spikes
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.axis_order import AXES
from spikesim_cli.main import COMMANDS

# What each order makes of T, H, W; written down here on its own.
WRITTEN = {"THW": "thw->thw", "HWT": "thw->hwt", "TWH": "thw->twh", "WHT": "thw->wht"}

EXTENSIONS = (".npz", ".npy", ".h5")


def save(path: Path, array: np.ndarray) -> Path:
    """A dense array as other programs write it."""
    if path.suffix == ".npz":
        np.savez(path, spk=array)
    elif path.suffix == ".npy":
        np.save(path, array)
    else:
        with h5py.File(path, "w") as file:
            file["raw_spike"] = array
    return path


def light(height: int = 37, width: int = 31) -> np.ndarray:
    """A still scene, smooth, from dark to bright."""
    y, x = np.mgrid[:height, :width]
    return np.repeat((0.1 + 0.4 * (x / width + y / height)).astype(np.float32)[None], 120, 0)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("order", WRITTEN)
def test_every_order_is_read_when_it_is_said(tmp_path, extension, order):
    dense = np.random.default_rng(1).integers(0, 2, (7, 5, 11), np.uint8)
    path = save(tmp_path / f"a{extension}", np.einsum(WRITTEN[order], dense))
    stream = read_spikes(path, axes=order)
    assert np.array_equal(stream.dense(), dense)
    assert set(WRITTEN) == set(AXES)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((250, 400, 9), "HWT"), ((180, 320, 5), "HWT"), ((400, 250, 9), "WHT"), ((9, 400, 250), "TWH"),
        ((1000, 1000, 2), "HWT"),
    ],
)  # fmt: skip
def test_the_size_of_a_known_sensor_in_another_order_is_asked_about(tmp_path, extension, shape, order):
    path = save(tmp_path / f"a{extension}", np.zeros(shape, np.uint8))
    with pytest.raises(
        InputFileError, match=rf"a known sensor; say with axes which it is: --axes {order}, or --axes THW$"
    ):
        read_spikes(path)
    assert read_spikes(path, axes="THW").shape == shape  # nothing is out of reach
    lengths = dict(zip(order, shape, strict=True))
    assert read_spikes(path, axes=order).shape == (lengths["T"], lengths["H"], lengths["W"])


@pytest.mark.parametrize("shape", [(9, 250, 400), (137, 180, 320), (2, 1000, 1000), (7, 24, 40)])
def test_the_usual_order_is_read(tmp_path, shape):
    assert read_spikes(save(tmp_path / "a.npy", np.zeros(shape, np.uint8))).shape == shape


@pytest.mark.parametrize("preset", ["ideal", "ssdm", "realistic", "spikingsim"])
@pytest.mark.parametrize("v_th", [1, 2])
def test_spikes_tell_which_axis_is_time(tmp_path, preset, v_th):
    dense = simulate(light(), SpikeCamera.preset(preset, v_th=v_th), seed=3).dense()
    assert read_spikes(save(tmp_path / "a.npy", dense)).shape == dense.shape
    path = save(tmp_path / "b.npy", np.einsum("thw->hwt", dense))
    with pytest.raises(InputFileError, match=r"keep apart along the last axis .*: --axes HWT, or --axes THW$"):
        read_spikes(path)
    assert np.array_equal(read_spikes(path, axes="HWT").dense(), dense)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 0.9, 1.0])
def test_what_tells_nothing_is_taken_as_usual(tmp_path, rate):
    dense = (np.random.default_rng(2).random((40, 37, 31)) < rate).astype(np.uint8)
    assert read_spikes(save(tmp_path / "a.npy", dense)).shape == dense.shape


def test_where_two_orders_have_a_known_size_the_spikes_decide(tmp_path):
    """320 readouts of 180×320, written as T, H, W or as W, H, T."""
    still = np.full((320, 180, 320), 0.3, np.float32)
    dense = simulate(still, SpikeCamera.preset("ssdm"), seed=3).dense()
    assert np.array_equal(read_spikes(save(tmp_path / "a.npy", dense)).dense(), dense)
    path = save(tmp_path / "b.npy", np.einsum("thw->wht", dense))
    with pytest.raises(InputFileError, match=r"keep apart along the last axis .*--axes WHT"):
        read_spikes(path)


def test_spikes_speak_also_against_a_known_size(tmp_path):
    """400 readouts of 40×250, which as T, H, W are 40 of 250×400."""
    dense = simulate(np.full((400, 40, 250), 0.3, np.float32), SpikeCamera.preset("ssdm"), seed=3).dense()
    assert np.array_equal(read_spikes(save(tmp_path / "a.npy", dense)).dense(), dense)
    path = save(tmp_path / "b.npy", np.einsum("thw->hwt", dense))
    with pytest.raises(InputFileError, match=r"40 readouts of height×width 250×400 .* but 400 .*--axes HWT"):
        read_spikes(path)
    assert np.array_equal(read_spikes(path, axes="HWT").dense(), dense)


def textures() -> dict[str, np.ndarray]:
    """Light of 90 readouts of 49×61 in which neighbours differ as much as they can; still but for the last."""
    y, x = np.mgrid[:49, :61]
    still = {
        "stripes across": np.where(x % 2, 0.9, 0.0),
        "faint stripes across": np.where(x % 2, 0.6, 0.2),
        "stripes along": np.where(y % 2, 0.9, 0.1),
        "checks": np.where((x + y) % 2, 0.8, 0.1),
        "noise": np.random.default_rng(6).random((49, 61)),
        "dark": np.full((49, 61), 0.02),
        "saturated": np.full((49, 61), 1.0),
    }
    moving = np.stack([np.where((x + readout // 8) % 2, 0.9, 0.1) for readout in range(90)])
    return {name: np.repeat(light[None], 90, 0) for name, light in still.items()} | {"moving stripes": moving}


@pytest.mark.parametrize("v_th", [0.5, 1, 2, 8])
@pytest.mark.parametrize("texture", textures())
def test_fine_texture_is_not_taken_for_time(tmp_path, texture, v_th):
    for preset in ("ideal", "realistic"):
        camera = SpikeCamera.preset(preset, v_th=v_th)
        dense = simulate(textures()[texture].astype(np.float32), camera, seed=5).dense()
        assert np.array_equal(read_spikes(save(tmp_path / f"{preset}.npy", dense)).dense(), dense)


def test_the_size_of_the_caller_decides(tmp_path):
    dense = simulate(light(), SpikeCamera.preset("ideal"), seed=3).dense()
    path = save(tmp_path / "a.npy", np.einsum("thw->hwt", dense))
    with pytest.raises(InputFileError, match="the size you give; say with axes which it is: --axes HWT"):
        read_spikes(path, 37, 31)
    assert read_spikes(path, 31, 120).shape == (37, 31, 120)  # who says so knows
    known = save(tmp_path / "b.npy", np.zeros((250, 400, 9), np.uint8))
    assert read_spikes(known, 400, 9).shape == (250, 400, 9)


@pytest.mark.recordings
def test_a_real_recording_is_not_misread(shared):
    with pytest.raises(InputFileError, match=r"but 500 readouts of height×width 250×400 in the order H, W, T"):
        read_spikes(shared / "data/real_spike.npz")


@pytest.mark.recordings
def test_real_recordings_in_the_usual_order_are_read(tmp_path, shared):
    """They are of the size of a known sensor; the spikes alone tell the other order."""
    for stream in (
        read_spikes(shared / "data/real_spike.npz", axes="HWT"),
        read_spikes(shared / "data/reds_250x400.dat", 250, 400),
    ):
        dense = stream.dense()
        assert np.array_equal(read_spikes(save(tmp_path / "a.npy", dense)).dense(), dense)
        part = save(tmp_path / "b.npy", np.einsum("thw->hwt", dense[:, :200, :300]))
        with pytest.raises(InputFileError, match=r"keep apart along the last axis .*--axes HWT"):
            read_spikes(part)


def test_orders_there_are_not_are_refused(tmp_path):
    for extension in EXTENSIONS:
        with pytest.raises(InvalidValueError, match="axes must be one of 'THW'"):
            read_spikes(save(tmp_path / f"a{extension}", np.zeros((2, 3, 4), np.uint8)), axes="HTW")
    write_spikes(tmp_path / "ours.h5", SpikeStream.from_dense(np.zeros((2, 3, 4), np.uint8)))
    with pytest.raises(InputFileError, match="knows its axes; leave axes='HWT' out"):
        read_spikes(tmp_path / "ours.h5", axes="HWT")


# The command line


def test_commands_ask_and_take_what_they_are_told(run, tmp_path):  # noqa: F811
    dense = np.random.default_rng(4).integers(0, 2, (40, 180, 320), np.uint8)
    path = save(tmp_path / "a.npz", np.einsum("thw->hwt", dense))
    for words in (("info", path), ("view", path, tmp_path / "a.png"), ("convert", path, tmp_path / "b.npy")):
        assert_refused(run(*words), "--axes HWT")
        assert run(*words, "--axes", "HWT").code == 0
    assert np.array_equal(np.load(tmp_path / "b.npy"), dense)


def test_which_array_is_said_by_key(run, tmp_path):  # noqa: F811
    dense = np.random.default_rng(4).integers(0, 2, (30, 6, 10), np.uint8)
    np.savez(tmp_path / "two.npz", spk=dense, label=np.arange(3))
    path = tmp_path / "two.npz"
    for words in (("info", path), ("view", path, tmp_path / "a.png"), ("convert", path, tmp_path / "b.npy")):
        assert_refused(run(*words), "spk, label", "--key")
        assert_refused(run(*words, "--key", "spikes"), "spk, label")
        assert run(*words, "--key", "spk").code == 0
    assert np.array_equal(np.load(tmp_path / "b.npy"), dense)
    assert_refused(run("info", tmp_path / "b.npy", "--key", "spk"), "--key has no meaning for .npy files; leave it out")


def test_all_that_read_spike_files_take_the_same_options():
    taken = {name: {option.name for option in command(name).params} for name in COMMANDS}
    assert {name for name, options in taken.items() if "header_columns" in options} == {
        "info", "view", "report", "convert", "verify", "deblur", "calibrate",
    }  # fmt: skip
    for options in taken.values():
        assert not {"header_columns"} & options or {"height", "width", "no_flip", "key", "axes"} <= options
