"""Networks as interpolators: one contract for all, and what is said when memory or torch is missing."""

import copy
import hashlib
import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from random_networks import rife_weights, small_network, smooth, xvfi_weights

import spikesim_datasets
from spikesim import thread_limit
from spikesim.errors import InputFileError, InvalidValueError, MissingExtraError
from spikesim_datasets.interpolation import InterpolatorSpec, interpolator_spec, make_interpolator, rife, xvfi
from spikesim_datasets.interpolation.networks import interpolator as interpolator_module
from spikesim_datasets.interpolation.networks import weights as weights_module
from spikesim_datasets.interpolation.networks.memory import available_memory
from spikesim_datasets.interpolation.networks.weights import UnknownWeightsWarning
from spikesim_datasets.shards import ShardReader

NETWORKS = ("rife", "xvfi")
EIGHTFOLD = [i / 8 for i in range(1, 8)]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """A small network's file for each name."""
    folder = tmp_path_factory.mktemp("weights")
    files = {"rife": folder / "flownet.pkl", "xvfi": folder / "XVFInet_X4K1000FPS_exp1_latest.pt"}
    torch.save({f"module.{name}": tensor for name, tensor in rife_weights("4.6").items()}, files["rife"])
    torch.save({"state_dict_Model": xvfi_weights(8)}, files["xvfi"])
    return files


@pytest.fixture
def make(files):
    """Make an interpolator without being warned."""

    def make(name, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownWeightsWarning)
            return make_interpolator(name, files[name], **{"device": "cpu"} | options)

    return make


@pytest.mark.filterwarnings("ignore::spikesim_datasets.interpolation.networks.weights.UnknownWeightsWarning")
def test_a_process_that_finds_other_weights_refuses_and_names_both(files, tmp_path, monkeypatch):
    other = tmp_path / files["rife"].name
    torch.save({f"module.{name}": tensor * 1.5 for name, tensor in rife_weights("4.6").items()}, other)
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(files["rife"].parent))
    planned = InterpolatorSpec("rife").resolve()
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (files["rife"], other)]
    assert (planned.device, planned.describe()["weights"]) == ("cpu", digests[0])
    assert planned.make() is planned.make()
    monkeypatch.setattr(interpolator_spec, "_made", interpolator_spec._Made())  # as in a process of its own
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(tmp_path))
    with pytest.raises(InvalidValueError, match=f"weights was '{digests[0]}', here it is '{digests[1]}'"):
        planned.make()
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(files["rife"].parent))
    assert planned.make().describe() == planned.describe()


def frame(height: int, width: int, seed: int) -> np.ndarray:
    return smooth(height, width, seed)[0].permute(1, 2, 0).mul(255).round().to(torch.uint8).numpy()


CLIP = [frame(50, 70, seed) for seed in range(3)]


@pytest.mark.parametrize("name", NETWORKS)
def test_frames_are_those_of_the_network_in_rgb_rounded_and_clipped(make, files, name):
    network = {"rife": rife, "xvfi": xvfi}[name].load_released(files[name])
    tensors = (torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in CLIP[:2])
    expected = network(*tensors, 0.3)[0].permute(1, 2, 0).numpy() * 255
    (made,) = make(name).between(CLIP[0], CLIP[1], [0.3])
    assert made.shape == (50, 70, 3)
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    assert np.abs(made - np.clip(expected, 0, 255)).max() <= 0.501


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frame_depends_on_nothing_but_its_pair_and_time(make, name):
    interpolator = make(name)
    pair = [frame.copy() for frame in CLIP[:2]]
    expected = list(interpolator.between(*pair, EIGHTFOLD))
    assert len(expected) == 7
    list(interpolator.between(frame(33, 91, 5), frame(33, 91, 6), [0.5]))
    assert np.array_equal(list(interpolator.between(*pair, EIGHTFOLD[::-1]))[::-1], expected)
    assert np.array_equal([next(make(name).between(*pair, [t])) for t in EIGHTFOLD], expected)
    assert all(np.array_equal(frame, same) for frame, same in zip(pair, CLIP, strict=False))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_threads_changes_no_bit_and_settings_are_put_back(make, name):
    made, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            with thread_limit(threads):
                made.append(list(make(name).between(CLIP[0], CLIP[1], EIGHTFOLD)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])


@pytest.mark.parametrize("name", NETWORKS)
def test_as_many_times_at_once_as_threads_and_memory_allow(make, monkeypatch, name):
    interpolator = make(name)
    asked = []

    def pool(workers, *arguments):
        asked.append(workers)
        return ThreadPoolExecutor(workers, *arguments)

    monkeypatch.setattr(interpolator_module, "ThreadPoolExecutor", pool)
    needed = interpolator._network.bytes_needed(50, 70)
    for memory, threads, times, expected in [
        (None, 3, 7, [3]),
        (100 * needed, 1, 7, []),
        (100 * needed, 3, 1, []),
        (100 * needed, 3, 7, [3]),
        (100 * needed, 5, 2, [2]),
        (2 * needed, 5, 7, [2]),
    ]:
        asked.clear()
        monkeypatch.setattr(interpolator_module, "available_memory", lambda device, memory=memory: memory)
        with thread_limit(threads):
            assert len(list(interpolator.between(CLIP[0], CLIP[1], EIGHTFOLD[:times]))) == times
        assert asked == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frame_is_encoded_once_for_both_its_pairs(make, monkeypatch, name):
    interpolator = make(name)
    network, calls = interpolator._network, Counter()

    def count(step, method):
        def counted(*arguments):
            calls[step] += 1
            return method(*arguments)

        monkeypatch.setattr(network, step, counted)

    for step in ("encode", "relate", "render"):
        count(step, getattr(network, step))
    assert list(interpolator.between(CLIP[0], CLIP[1], [])) == []
    interpolator.between(CLIP[0], CLIP[1], [0.5])  # nobody takes the frame
    assert not calls
    reused = CLIP[0].copy()
    for first, second in ((reused, CLIP[1]), (CLIP[1], CLIP[2])):
        assert len(list(interpolator.between(first, second, EIGHTFOLD))) == 7
    assert calls == {"encode": 3, "relate": 2, "render": 14}
    # An array that is used again for another frame is another frame.
    reused[:] = CLIP[2]
    (after,) = interpolator.between(reused, CLIP[1], [0.5])
    assert calls["encode"] == 4
    assert np.array_equal(after, next(make(name).between(CLIP[2], CLIP[1], [0.5])))


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_show_nowhere(make, name):
    first, second = frame(250, 333, 0), frame(250, 333, 1)
    (whole,) = make(name).between(first, second, [0.4])
    (tiled,) = make(name, tile=64).between(first, second, [0.4])
    assert np.abs(tiled.astype(int) - whole).max() <= 1  # level: the last bits of a sum may depend on the tile's size


@pytest.mark.parametrize("name", NETWORKS)
def test_views_and_read_only_frames_are_taken(make, name):
    (expected,) = make(name).between(CLIP[0], CLIP[1], [0.5])
    view = np.flip(np.flip(CLIP[0], 1).copy(), 1)
    locked = CLIP[1].copy()
    locked.setflags(write=False)
    (made,) = make(name).between(view, locked, [0.5])
    assert np.array_equal(made, expected)


@pytest.mark.parametrize(
    ("name", "network", "licence"),
    [("rife", "RIFE v4.6", "MIT"), ("xvfi", "XVFI nf=8 S=5", "research and education only")],
)
def test_the_description_names_all_that_frames_depend_on(make, files, name, network, licence):
    interpolator = make(name, tile=128)
    description = json.loads(json.dumps(interpolator.describe()))
    assert description == {
        "name": name,
        "version": 1,
        "network": network,
        "weights": hashlib.sha256(files[name].read_bytes()).hexdigest(),
        "licence": licence,
        "tile": 128,
        "precision": "float32",
        "device": "cpu",
        "torch": torch.__version__,
    }
    assert description != make(name).describe()
    assert not interpolator.dense


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_unknown_origin_are_a_warning_until_their_hash_is_listed(files, monkeypatch, name):
    digest = hashlib.sha256(files[name].read_bytes()).hexdigest()
    with pytest.warns(UnknownWeightsWarning, match=rf"{re.escape(str(files[name]))} .*SHA-256 {digest}"):
        make_interpolator(name, files[name], "cpu")
    monkeypatch.setitem(weights_module.KNOWN_SHA256, digest, "of this test")
    make_interpolator(name, files[name], "cpu")


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_found_by_their_published_name(files, monkeypatch, tmp_path, name):
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(files[name].parent))
    with pytest.warns(UnknownWeightsWarning):
        assert make_interpolator(name, device="cpu").name == name
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputFileError, match=r"no weights of .* 'flow' needs no weights"):
        make_interpolator(name, device="cpu")


@pytest.mark.parametrize("name", NETWORKS)
def test_without_cuda_auto_takes_the_processor_and_cuda_is_refused(make, monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert make(name, device="auto").describe()["device"] == "cpu"
    with pytest.raises(
        InvalidValueError, match=r"'cuda' was asked for, .* finds 0 CUDA devices here; use 'cpu' or 'auto'"
    ):
        make(name, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["4.6", "4.25", "xvfi"])
def test_both_devices_agree_and_a_gpu_repeats_its_bits(name):
    frames = smooth(250, 333, 0), smooth(250, 333, 1)
    network = copy.deepcopy(small_network(name))
    expected = network(*frames, 0.4)
    network.cuda()
    made = [network(*(frame.cuda() for frame in frames), 0.4) for _ in range(2)]
    assert (made[0].cpu() - expected).abs().max() <= 1e-3
    assert torch.equal(*made)


@pytest.mark.parametrize("tile", [63, 0, -512])
def test_tiles_must_not_be_tiny(make, tile):
    with pytest.raises(InvalidValueError, match=f"tile must be a whole number of at least 64 pixels, got {tile}"):
        make("rife", tile=tile)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frame_larger_than_memory_is_refused_by_the_call_itself(make, monkeypatch, name):
    large = np.broadcast_to(np.zeros(3, np.uint8), (2160, 3840, 3))
    monkeypatch.setattr(interpolator_module, "available_memory", lambda device: 1_900_000_000)
    with pytest.raises(
        InvalidValueError, match=r"2160×3840 is too large for .* 1.9 GB are free; .*tiles \(--tile 512\)"
    ):
        make(name).between(large, large, [0.5])
    make(name, tile=512).between(large, large, [0.5])
    monkeypatch.setattr(interpolator_module, "available_memory", lambda device: 300_000_000)
    with pytest.raises(InvalidValueError, match=r"take tiles under 512 \(--tile\)"):
        make(name, tile=512).between(large, large, [0.5])


def test_memory_that_runs_out_all_the_same_is_explained(make, monkeypatch):
    interpolator = make("rife")
    for error in (torch.OutOfMemoryError("CUDA out of memory"), MemoryError()):
        monkeypatch.setattr(interpolator._network, "encode", lambda frames, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(InvalidValueError, match=r"50×70 is too large for RIFE v4.6: memory ran out; .*--tile"):
            list(interpolator.between(CLIP[0], CLIP[1], [0.5]))
    monkeypatch.setattr(interpolator._network, "encode", lambda frames: torch.empty(1 << 50))
    with pytest.raises(InvalidValueError, match="memory ran out"):
        list(interpolator.between(CLIP[0], CLIP[1], [0.5]))
    monkeypatch.setattr(interpolator._network, "encode", lambda frames: frames @ torch.zeros(2, 2))
    with pytest.raises(RuntimeError, match="size"):
        list(interpolator.between(CLIP[0], CLIP[1], [0.5]))


def test_free_memory_is_what_the_system_and_every_group_above_leave(tmp_path):
    def write(name: str, text: str) -> None:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    cpu = torch.device("cpu")
    assert available_memory(cpu, tmp_path) is None
    write("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable:    5000 kB\n")
    assert available_memory(cpu, tmp_path) == 5000 * 1024
    write("proc/self/cgroup", "0::/batch/job\n")
    write("sys/fs/cgroup/batch/job/memory.max", "max\n")
    assert available_memory(cpu, tmp_path) == 5000 * 1024
    write("sys/fs/cgroup/batch/memory.max", "1000000\n")
    write("sys/fs/cgroup/batch/memory.current", "900000\n")
    write("sys/fs/cgroup/batch/memory.stat", "anon 5\ninactive_file 300000\nactive_file 7\n")
    assert available_memory(cpu, tmp_path) == 400_000
    write("sys/fs/cgroup/batch/memory.current", "1900000\n")
    assert available_memory(cpu, tmp_path) == 0
    assert available_memory(cpu) is None or available_memory(cpu) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_without_torch_the_extra_is_named(files, monkeypatch, name):
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "torch", None)
        for module in [module for module in sys.modules if module.startswith("spikesim_datasets.interpolation.")]:
            if module.split(".")[2] in ("networks", "rife", "xvfi"):
                patched.delitem(sys.modules, module)
        with pytest.raises(MissingExtraError, match=r"needs torch; pip install 'spikesim\[ssdm\]'"):
            make_interpolator(name, files[name])
        assert make_interpolator("flow").name == "flow"
    assert spikesim_datasets.interpolation.rife is rife


@pytest.mark.parametrize("name", NETWORKS)
def test_a_dataset_names_its_weights_and_their_licence(tmp_path, files, name):
    frames = tmp_path / "GOPRO" / "train" / "GOPR0001"
    frames.mkdir(parents=True)
    for number in range(29):
        cv2.imwrite(str(frames / f"{number:06d}.png"), frame(20, 32, number))
    words = ["--root", tmp_path / "GOPRO", "--out", tmp_path / "out", "--interp", name, "--weights", files[name]]
    command = [Path(sys.executable).with_name("spikesim"), "build-gopro", *words, "--device", "cpu", "--workers", "2"]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    digest = hashlib.sha256(files[name].read_bytes()).hexdigest()
    licence = {"rife": "MIT", "xvfi": "research and education only"}[name]
    assert result.stderr.count(f"no known weights file of {name.upper()} (SHA-256 {digest})") == 1
    assert f"weights {digest[:12]}..., {licence}" in result.stderr
    with ShardReader(tmp_path / "out/train/GOPR0001.000.h5") as shard:
        interpolation = shard.recipe["choices"]["interpolation"]
        assert len(shard) == 1
    assert (interpolation["name"], interpolation["weights"], interpolation["licence"]) == (name, digest, licence)


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_changes_little_and_is_told(make, name):
    exact, rough = make(name), make(name, precision="bfloat16")
    frames, others = (np.array(list(each.between(CLIP[0], CLIP[1], EIGHTFOLD)), int) for each in (exact, rough))
    assert 0 < np.abs(frames - others).mean() < 2
    assert (exact.describe()["precision"], rough.describe()["precision"]) == ("float32", "bfloat16")
    for other in ("half", "float64"):
        with pytest.raises(
            InvalidValueError, match=f"precision must be one of 'float32', 'bfloat16', 'float16', got '{other}'"
        ):
            make(name, precision=other)
    with pytest.raises(InvalidValueError, match="precision 'float16' is for GPUs"):
        make(name, precision="float16")


@pytest.mark.parametrize("name", ["flow", "linear", "none"])
def test_what_is_no_network_has_no_precision(name):
    with pytest.raises(InvalidValueError, match=f"interpolator '{name}' is no network, got precision 'bfloat16'"):
        make_interpolator(name, precision="bfloat16")
