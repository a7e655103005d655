"""Checkpoints: what is saved comes back, and every way in which a file can be wrong."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_data import rewrite, rewrite_card
from golden_weights import rebuilt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikesim.errors import InputFileError, InvalidValueError, OutputError
from ssdm_models.bsn import BSN
from ssdm_models.checkpoints import load, load_released, read_card, save
from ssdm_models.edsr import EDSR
from ssdm_models.ldn import LDN
from ssdm_models.released import slots
from ssdm_models.stages import STAGES

KINDS = {"ldn": LDN, "bsn": BSN, "edsr": EDSR}


def released(kind: str) -> dict[str, torch.Tensor]:
    """Random weights of a network under their released names."""
    return rebuilt({slot.released[0]: slot.shape for slot in slots(KINDS[kind](), kind)}, kind, {})


@pytest.fixture
def file(tmp_path) -> Path:
    """A checkpoint of an LDN of five readouts."""
    path = tmp_path / "ldn.safetensors"
    save(path, LDN(5), v_th=(1, 2), data="ab12", loss="laplacian", metrics={"psnr": 27.5, "epoch": 3})
    return path


@pytest.mark.parametrize("network", [BSN(), BSN(square=False), EDSR(), LDN(), LDN(7)], ids=lambda n: n.title)
def test_what_is_saved_comes_back(tmp_path, network):
    path = tmp_path / "runs" / "one.safetensors"
    card = save(path, network)
    loaded = load(path)
    assert type(loaded) is type(network) is STAGES[card.stage].network
    assert {name: getattr(loaded, name) for name in card.arguments} == card.arguments
    saved = dict(network.named_parameters())
    assert {name for name, value in loaded.named_parameters() if torch.equal(value, saved[name])} == saved.keys()
    assert [p.requires_grad for p in loaded.parameters()] == [p.requires_grad for p in network.parameters()]
    assert list(path.parent.iterdir()) == [path]


def test_the_card_says_what_the_weights_are(file):
    card = read_card(file)
    assert (card.architecture, card.stage, card.arguments) == ("LDN", "ldn", {"length": 5})
    assert (card.v_th, card.data, card.loss) == ((1.0, 2.0), "ab12", "laplacian")
    assert card.metrics == {"psnr": 27.5, "epoch": 3}
    assert card.versions["torch"] == torch.__version__
    assert card == save(file, LDN(5), v_th=[1, 2], data="ab12", loss="laplacian", metrics={"psnr": 27.5, "epoch": 3})


def test_a_network_that_is_none_of_ours_is_not_saved(tmp_path):
    with pytest.raises(InvalidValueError, match=r"one of BSN, EDSR, LDN, .*, got Sequential; unwrap"):
        save(tmp_path / "a.safetensors", torch.nn.Sequential(LDN()))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"v_th": (1, 0)}, "each of v_th must be a positive finite number"),
        ({"v_th": (float("nan"),)}, "each of v_th must be a positive finite number"),
        ({"metrics": {"psnr": float("inf")}}, "the metric 'psnr' must be a finite number"),
        ({"metrics": {"psnr": "27"}}, "the metric 'psnr' must be a finite number"),
        ({"loss": None}, "loss must be a str, got NoneType"),
    ],
)
def test_a_wrong_card_is_not_written(file, facts, message):
    before = file.read_bytes()
    with pytest.raises(InvalidValueError, match=message):
        save(file, LDN(), **facts)
    assert file.read_bytes() == before


def test_weights_that_are_no_numbers_do_not_replace_good_ones(file):
    before = file.read_bytes()
    network = LDN(5)
    network.output.bias.data[1] = float("nan")
    with pytest.raises(InvalidValueError, match=r"no numbers in output.bias; nothing is written"):
        save(file, network)
    assert file.read_bytes() == before


def test_a_full_disk_leaves_the_last_checkpoint(file, monkeypatch):
    before = file.read_bytes()

    def fail(path, data):
        path.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OutputError, match=r"No space left .* untouched"):
        save(file, LDN(5))
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_the_wanted_network_is_given(file):
    assert load(file, "ldn", length=5).length == 5


def test_a_checkpoint_of_another_stage(file):
    with pytest.raises(InputFileError, match=r"holds the LDN of the stage 'ldn', not the EDSR of 'sr'; give"):
        load(file, "sr")


def test_a_checkpoint_of_another_length(file):
    with pytest.raises(InputFileError, match=r"holds a LDN with length=5, not 21; give one .* with length=21"):
        load(file, "ldn", length=21)


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.5, 0.9999])
def test_a_truncated_checkpoint(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputFileError, match=r"ldn.safetensors is truncated, damaged or no checkpoint"):
        load(file)


def test_files_that_are_no_checkpoints(tmp_path):
    (tmp_path / "page").write_text("<!DOCTYPE html><html>Sign in</html>")
    torch.save(released("ldn"), tmp_path / "released.pth")
    for name in ("page", "released.pth"):
        with pytest.raises(InputFileError, match=r"no checkpoint of spikesim .* are read by load_released"):
            load(tmp_path / name)
    with pytest.raises(InputFileError, match=r"cannot read .*nothing: No such file"):
        load(tmp_path / "nothing")
    with pytest.raises(InputFileError, match=r"cannot read "):
        load(tmp_path)


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_code_in_a_file_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(released("ldn") | {"extra": Malicious()}, "weights.pth")
    with pytest.raises(InputFileError, match="no checkpoint of spikesim"):
        load("weights.pth")
    with pytest.raises(InputFileError, match=r"holds more than tensors: .* posix.mkdir"):
        load_released("weights.pth", "ldn")
    assert not Path("executed").exists()


def test_missing_extra_misshaped_and_broken_tensors_are_named(file):
    for change, message in (
        (lambda tensors, _: tensors.pop("output.bias"), r"does not fit LDN: it lacks output.bias;"),
        (lambda tensors, _: tensors.update(extra=torch.zeros(2)), r"it has, too many, extra;"),
        (
            lambda tensors, _: tensors.update({"output.bias": torch.zeros(4)}),
            r"of other shapes output.bias \(4,\), not \(3,\);",
        ),
        (
            lambda tensors, _: tensors.update({"output.bias": torch.full((3,), float("nan"))}),
            r"no numbers in output.bias;",
        ),
        *(
            (
                lambda tensors, _, kind=kind: tensors.update({"output.bias": torch.ones(3).to(kind)}),
                rf"has not as plain numbers output.bias \({kind}\);",
            )
            for kind in (torch.float8_e4m3fn, torch.int8, torch.bool, torch.complex64)
        ),
    ):
        good = file.read_bytes()
        rewrite(file, change)
        with pytest.raises(InputFileError, match=message):
            load(file)
        file.write_bytes(good)
    assert load(file).length == 5


def test_a_card_that_is_missing(file):
    rewrite(file, lambda tensors, metadata: metadata.clear())
    with pytest.raises(InputFileError, match=r"has no card .* no checkpoint of spikesim"):
        load(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.pop("stage") and None,
        lambda card: card.pop("format") and None,
        lambda card: card.update(stage="gan"),
        lambda card: card.update(stage=["ldn"]),
        lambda card: card.update(surplus=1),
        lambda card: card.update(architecture="EDSR"),
        lambda card: card.update(v_th=["x"]),
        lambda card: card.update(v_th=None),
        lambda card: card.update(metrics=3),
        lambda card: card.update(metrics={"psnr": None}),
        lambda card: card.update(arguments={"length": 20}),
        lambda card: card.update(arguments={"length": "5"}),
        lambda card: card.update(arguments={"depth": 5}),
        lambda card: card.update(arguments=[5]),
        lambda card: [card],
        lambda card: 7,
    ],
)
def test_a_card_that_is_damaged(file, change):
    rewrite_card(file, change)
    with pytest.raises(InputFileError, match=r"the card in .*ldn.safetensors is damaged: .*; take another copy"):
        load(file)


def test_a_card_of_a_stage_that_does_not_exist(file):
    rewrite_card(file, lambda card: card.update(stage="gan"))
    with pytest.raises(InputFileError, match=r"is damaged: stage must be one of bsn, sr, ldn"):
        read_card(file)


def test_a_card_that_is_no_json(file):
    rewrite(file, lambda tensors, metadata: metadata.update(spikesim="{'stage'"))
    with pytest.raises(InputFileError, match=r"is damaged: it is no JSON \(Expecting property name"):
        read_card(file)


def test_a_card_of_a_newer_format(file):
    rewrite_card(file, lambda card: card.update(format=2))
    with pytest.raises(InputFileError, match="another format than 1; read it with a newer spikesim"):
        load(file)


def test_a_card_that_disagrees_with_its_tensors(file):
    rewrite_card(file, lambda card: card.update(arguments={"length": 7}))
    with pytest.raises(InputFileError, match=r"spike_encoder.0.weight \(16, 5, 3, 3\), not \(16, 7, 3, 3\)"):
        load(file)


@torch.inference_mode()
def test_the_released_student_is_turned_from_bgr_to_rgb():
    weights = released("ldn")
    copies = {name: tensor.clone() for name, tensor in weights.items()}
    blur, spikes = torch.rand(1, 3, 24, 36), torch.rand(1, 21, 6, 9).round()
    rgb = load_released(weights, "ldn")
    # The same network, its weights as released, takes and gives BGR.
    bgr = LDN()
    bgr.load_state_dict({slot.name: weights[slot.released[0]] for slot in slots(bgr, "ldn")})
    torch.testing.assert_close(rgb(blur, spikes), bgr(blur.flip(1), spikes).flip(1), rtol=0, atol=1e-5)
    assert all(torch.equal(weights[name], copies[name]) for name in weights)  # what was given is left as it was


@pytest.mark.parametrize("kind", KINDS)
def test_released_files_and_what_they_hold_are_read(tmp_path, kind):
    weights = released(kind)
    torch.save({f"module.{name}": tensor for name, tensor in weights.items()}, tmp_path / "net.pth")
    from_file, from_dict = load_released(tmp_path / "net.pth", kind), load_released(weights, kind)
    assert type(from_file) is KINDS[kind]
    for name, value in from_file.named_parameters():
        assert torch.equal(value, from_dict.get_parameter(name))
    assert not from_file.training


@pytest.mark.parametrize(("kind", "other"), [("ldn", "bsn"), ("bsn", "edsr"), ("edsr", "ldn")])
def test_released_weights_of_another_network(kind, other):
    with pytest.raises(InputFileError, match=rf"does not fit {KINDS[kind].title}: it lacks .* and \d+ more"):
        load_released(released(other), kind)


def test_a_kind_that_does_not_exist():
    with pytest.raises(InvalidValueError, match="kind must be one of 'bsn', 'edsr', 'ldn', got 'sr'"):
        load_released({}, "sr")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing(file, where, bit):
    whole = file.read_bytes()
    expected = load(file).state_dict()
    content = bytearray(whole)
    content[int(where * len(content))] ^= 1 << bit
    file.write_bytes(content)
    try:
        found = load(file).state_dict()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
    except InputFileError:
        assert content != whole
    finally:
        file.write_bytes(whole)


def test_any_flipped_bit_of_the_weights_is_found(file):
    whole = file.read_bytes()
    first = int.from_bytes(whole[:8], "little") + 8
    for place in np.random.default_rng(0).integers(first, len(whole), 40):
        content = bytearray(whole)
        content[place] ^= 1  # the last bit of a weight or so: still a number
        file.write_bytes(content)
        with pytest.raises(InputFileError, match=r"holds other bytes than when it was written|no numbers"):
            load(file)
