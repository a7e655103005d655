"""Weights of networks: where they are looked for, and every way in which a file can be wrong."""

import hashlib
import os
import re

import numpy as np
import pytest
import torch
from random_networks import rife_weights, smooth, xvfi_weights

from spikesim.errors import InputFileError
from spikesim.files import checksum
from spikesim_datasets.interpolation import rife, xvfi
from spikesim_datasets.interpolation.networks.weights import RELEASES, find_weights

LOADERS = {"rife": rife.load_released, "xvfi": xvfi.load_released}
WEIGHTS = {"rife": lambda: dict(rife_weights("4.6")), "xvfi": lambda: dict(xvfi_weights(8))}
NETWORKS = ("rife", "xvfi")


@pytest.fixture
def places(tmp_path):
    """The folders that are searched, in order, and the environment that names them."""
    folders = [tmp_path / "own", tmp_path / "cache" / "spikesim"]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders, {"SPIKESIM_WEIGHTS": str(folders[0]), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.mark.parametrize("name", NETWORKS)
def test_published_names_are_looked_up_in_the_chosen_folder_then_in_the_cache(places, name):
    folders, environment = places
    for folder in reversed(folders):
        file = folder / RELEASES[name].file_name
        file.touch()
        assert find_weights(name, environment=environment) == file


def test_other_names_are_looked_up_as_well(places):
    folders, environment = places
    (folders[1] / "flownet_v4.25.pkl").touch()
    assert find_weights("rife", "flownet_v4.25.pkl", environment) == folders[1] / "flownet_v4.25.pkl"


def test_without_settings_the_cache_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputFileError, match=re.escape(str(tmp_path / ".cache" / "spikesim" / "flownet.pkl"))):
        find_weights("rife", environment={})


def test_a_path_may_be_a_file_or_its_folder(tmp_path, monkeypatch):
    file = tmp_path / "train_log" / "flownet.pkl"
    file.parent.mkdir()
    file.touch()
    assert find_weights("rife", file, {}) == file
    assert find_weights("rife", str(file.parent), {}) == file
    monkeypatch.chdir(file.parent)
    assert find_weights("rife", "flownet.pkl", {}).samefile(file)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_weights("rife", "~/train_log/flownet.pkl", {}) == file


def test_what_is_no_file_is_not_called_missing(places, tmp_path, monkeypatch):
    folders, environment = places
    monkeypatch.chdir(tmp_path)
    for pipe in (tmp_path / "pipe.pkl", folders[0] / "flownet.pkl"):
        os.mkfifo(pipe)
    for given in ("pipe.pkl", tmp_path / "pipe.pkl", folders[0], None, "/dev/zero"):
        with pytest.raises(InputFileError, match=r": it is a pipe, a socket or a device; a file is expected$"):
            find_weights("rife", given, environment)


@pytest.mark.parametrize(
    ("name", "file", "source", "licence"),
    [
        ("rife", "flownet.pkl", "github.com/hzwer/Practical-RIFE", "MIT"),
        ("xvfi", "XVFInet_X4K1000FPS_exp1_latest.pt", "github.com/JihyongOh/XVFI", "research and education only"),
    ],
)
@pytest.mark.parametrize("given", [None, "elsewhere/a.pt", "missing.pt"])
def test_missing_weights_say_what_to_get_where(places, name, file, source, licence, given):
    folders, environment = places
    with pytest.raises(InputFileError) as caught:
        find_weights(name, given, environment)
    looked_for = [str(folder / (given or file)) for folder in folders] if given != "elsewhere/a.pt" else [given]
    for part in (*looked_for, file, source, licence, "$SPIKESIM_WEIGHTS", "'flow' needs no weights"):
        assert part in str(caught.value)


def test_the_checksum_is_that_of_the_bytes(tmp_path):
    file = tmp_path / "a.pt"
    file.write_bytes(b"weights" * 1000)
    assert checksum(file) == hashlib.sha256(b"weights" * 1000).hexdigest()
    with pytest.raises(InputFileError, match=r"cannot read .*b.pt: No such file"):
        checksum(tmp_path / "b.pt")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_gives_the_network_of_its_tensors(tmp_path, name, legacy):
    file = tmp_path / "weights.pt"
    torch.save(WEIGHTS[name](), file, _use_new_zipfile_serialization=not legacy)
    frames = smooth(32, 32, 0), smooth(32, 32, 1)
    expected = LOADERS[name](WEIGHTS[name]())(*frames, 0.5)
    assert torch.equal(LOADERS[name](file)(*frames, 0.5), expected)
    assert torch.equal(LOADERS[name](str(file))(*frames, 0.5), expected)


def test_a_training_checkpoint_may_hold_numpy_scalars_of_any_version(tmp_path):
    """The released one does, and numpy has renamed the function that makes them."""
    held = {"last_epoch": 199, "testPSNR": np.float64(29.5), "state_dict_Model": WEIGHTS["xvfi"]()}
    file = tmp_path / "checkpoint.pt"
    torch.save(held, file, _use_new_zipfile_serialization=False)
    xvfi.load_released(file)
    data = file.read_bytes()
    assert b"numpy._core.multiarray" in data
    file.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    xvfi.load_released(file)


def test_loading_leaves_the_random_state_and_the_tensors_alone():
    weights = WEIGHTS["xvfi"]()
    copies = {name: tensor.clone() for name, tensor in weights.items()}
    state = torch.get_rng_state()
    network = xvfi.load_released(weights)
    assert torch.equal(torch.get_rng_state(), state)
    for parameter in network.parameters():
        parameter.zero_()
    assert all(torch.equal(weights[name], copies[name]) for name in weights)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("share", [0, 0.3, 0.99])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_truncated_file(tmp_path, name, share, legacy):
    file = tmp_path / "weights.pt"
    torch.save(WEIGHTS["xvfi"](), file, _use_new_zipfile_serialization=not legacy)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputFileError, match=r"weights.pt is truncated, damaged or no such file .* download it again"):
        LOADERS[name](file)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_file_of_weights(tmp_path, name):
    page = tmp_path / "download.pt"
    page.write_text("<!DOCTYPE html><html>Sign in to download</html>")
    with pytest.raises(InputFileError, match="a web page, perhaps"):
        LOADERS[name](page)
    with pytest.raises(InputFileError, match=r"cannot read .*nothing.pt: No such file"):
        LOADERS[name](tmp_path / "nothing.pt")
    with pytest.raises(InputFileError, match=r"cannot read .*: Is a directory"):
        LOADERS[name](tmp_path)


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_never_run(tmp_path, monkeypatch, name, legacy):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "weights.pt"
    torch.save(WEIGHTS["xvfi"]() | {"extra": Malicious()}, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputFileError, match=r"holds more than tensors: .* posix.mkdir .* get the file from"):
        LOADERS[name](file)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("held", "message"),
    [([torch.zeros(3)], "holds a list"), ({}, "nothing is in it"), ({"epoch": 7}, "epoch is in")],
)
def test_a_file_of_something_else(tmp_path, name, held, message):
    torch.save(held, tmp_path / "weights.pt")
    with pytest.raises(InputFileError, match=rf"weights.pt must hold tensors by name, but {message}"):
        LOADERS[name](tmp_path / "weights.pt")


def test_weights_of_another_network(tmp_path):
    torch.save(WEIGHTS["xvfi"](), tmp_path / "xvfi.pt")
    torch.save(WEIGHTS["rife"](), tmp_path / "rife.pkl")
    with pytest.raises(InputFileError, match=r"xvfi.pt .* no version of RIFE .*4.6, 4.25, 4.26.* channel_converter"):
        rife.load_released(tmp_path / "xvfi.pt")
    with pytest.raises(InputFileError, match=r"rife.pkl .* XVFI.* rec_ctx_ds.bias, .* is missing"):
        xvfi.load_released(tmp_path / "rife.pkl")


def test_a_version_that_is_not_the_files():
    with pytest.raises(InputFileError, match=r"does not fit RIFE v4.25: it lacks block4.* and \d+ more"):
        rife.load_released(WEIGHTS["rife"](), "4.25")
    weights = {name.replace("block3", "block7"): tensor for name, tensor in WEIGHTS["rife"]().items()}
    with pytest.raises(InputFileError, match=r"no version of RIFE .* block0, block1, block2, block7"):
        rife.load_released(weights)


FIRST = {"rife": "block0.conv0.0.0.weight", "xvfi": "channel_converter.0.weight"}


@pytest.mark.parametrize("name", NETWORKS)
def test_missing_tensors_are_named(name):
    weights = WEIGHTS[name]()
    del weights[FIRST[name]]
    with pytest.raises(InputFileError, match=rf"does not fit {name.upper()} .*: it lacks {FIRST[name]};"):
        LOADERS[name](weights)
    for gone in [other for other in weights if other.endswith("bias") and other != "rec_ctx_ds.bias"]:
        del weights[gone]
    with pytest.raises(InputFileError, match=r"it lacks (\S+, ){2}\S+ and \d+ more;"):
        LOADERS[name](weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_extra_tensors_are_named(name):
    first = FIRST[name].removesuffix("weight")
    with pytest.raises(InputFileError, match=rf"it has, too many, {first}momentum;"):
        LOADERS[name](WEIGHTS[name]() | {first + "momentum": torch.zeros(3)})


@pytest.mark.parametrize("name", NETWORKS)
def test_tensors_of_other_shapes_are_named(name):
    weights = WEIGHTS[name]()
    weights[FIRST[name]] = weights[FIRST[name]][1:]
    with pytest.raises(InputFileError, match=rf"of other shapes {FIRST[name]} \(\d+, .*\), not \(\d+, .*\);"):
        LOADERS[name](weights)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_found(name, value):
    weights = WEIGHTS[name]()
    weights[FIRST[name]] = weights[FIRST[name]].clone()
    weights[FIRST[name]].view(-1)[5] = value
    with pytest.raises(InputFileError, match=rf"values that are no numbers in {FIRST[name]};"):
        LOADERS[name](weights)


def test_names_of_one_tensor_that_hold_two_are_found():
    weights = WEIGHTS["xvfi"]()
    weights["rec_ext_ds_module.3.bias"] = weights["rec_ext_ds_module.3.bias"] + 1
    with pytest.raises(InputFileError, match=r"the values of rec_ext_ds.bias in rec_ext_ds_module.3.bias;"):
        xvfi.load_released(weights)


@pytest.mark.parametrize("bias", [torch.zeros(7), torch.zeros(2, 2)])
def test_a_number_of_channels_that_cannot_be(bias):
    with pytest.raises(InputFileError, match=r"rec_ctx_ds.bias, which tells the number of channels, is \("):
        xvfi.load_released(WEIGHTS["xvfi"]() | {"rec_ctx_ds.bias": bias})
