"""A network that nothing knows but its declaration: trained, resumed, kept, loaded, evaluated and used to deblur."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_stage
from training_data import SHARP, assert_same, losses, write_moving

from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import checksum
from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import open_dataset
from ssdm_models import checkpoints
from ssdm_models.deblur import deblur_frames, deblur_sequence
from ssdm_models.evaluation import evaluate
from ssdm_models.evaluation.ablation import ablation_tables
from ssdm_models.evaluation.tables import tables
from ssdm_models.ldn import LDN
from ssdm_models.metrics import psnr
from ssdm_models.stages import STAGES
from ssdm_models.training import loop as loop_module
from ssdm_models.training import train_stage
from ssdm_models.training.state import load_state

toy = toy_stage.toy

OPTIONS = {"crop": 32, "batch": 2, "workers": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_moving(root, {"train/a": 2, "train/b": 1, "test/c": 1})
    return root


def test_a_new_stage_learns_and_is_kept(data, tmp_path, toy):
    result = train_stage("toy", data, tmp_path, epochs=20, **OPTIONS)
    assert result.checkpoint == tmp_path / "toy.safetensors"
    fallen = losses(tmp_path, "toy")
    assert np.mean(fallen[-3:]) < 0.5 * np.mean(fallen[:3])
    card = checkpoints.read_card(result.checkpoint)
    assert (card.stage, card.architecture, card.arguments, card.loss) == ("toy", "Toy", {"width": 3}, "mse")
    recorded = json.loads((tmp_path / "toy" / "config.json").read_text())["config"]
    assert recorded["epochs"] == 20
    assert not {"perceptual", "reblur", "precompute_teacher"} & recorded.keys()
    assert train_stage("toy", data, tmp_path, epochs=20, reblur=7.0, **OPTIONS).kept


def test_the_ground_truth_is_what_it_learns_from(data, tmp_path, toy):
    """The same blurry images and spikes with ground truth of black end elsewhere."""
    train_stage("toy", data, tmp_path / "true", **OPTIONS)

    class Dark(SpikeBlurDataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            assert item["sharp"].shape == (len(SHARP), 3, 32, 32)
            return {**item, "sharp": 0 * item["sharp"]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssdm_models.training.job.SpikeBlurDataset", Dark)
        train_stage("toy", data, tmp_path / "dark", **OPTIONS)
    bright, dark = (checkpoints.load(tmp_path / name / "toy.safetensors").layer.bias for name in ("true", "dark"))
    assert (dark < bright).all()


def test_a_new_stage_goes_on_where_it_stopped(data, tmp_path, toy, monkeypatch):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_SAVES", 0)

    def stop(progress):
        if progress.steps == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("toy", data, tmp_path / "halves", on_step=stop, **OPTIONS)
    assert load_state(tmp_path / "halves" / "toy" / "state.pt").steps == 3
    train_stage("toy", data, tmp_path / "halves", **OPTIONS)
    train_stage("toy", data, tmp_path / "whole", **OPTIONS)
    assert_same(tmp_path / "halves" / "toy.safetensors", tmp_path / "whole" / "toy.safetensors")
    assert losses(tmp_path / "halves", "toy") == losses(tmp_path / "whole", "toy")


def test_a_new_network_deblurs_as_ldn_does(data, tmp_path, toy):
    path = tmp_path / "wide.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        checkpoints.save(path, toy_stage.Toy(width=5))
    network = checkpoints.load(path)
    assert isinstance(network, toy_stage.Toy)
    assert network.width == 5
    sample = open_dataset(data, "test")[0]
    item = SpikeBlurDataset(data, "test", sharp="none")[0]
    sharp = deblur_sequence(network, item["blur"], item["spikes"], readouts=(20, 100), exposure=sample.exposure)
    assert sharp.shape == (2, *item["blur"].shape)
    frames = list(deblur_frames(network, sample.blur, sample.spikes[1.0], (20, 100), sample.exposure))
    for frame, image in zip(frames, sharp, strict=True):
        assert np.abs(frame - 255 * image.permute(1, 2, 0).clamp(0, 1).numpy()).max() < 0.501
    with pytest.raises(InvalidValueError, match="Toy does not compute in tiles, got tile 64; leave tile out"):
        deblur_sequence(network, item["blur"], item["spikes"], (20,), sample.exposure, tile=64)
    with pytest.raises(InvalidValueError, match=r"a window of 5 readouts around 1 .* choose times from 2 to 134"):
        deblur_sequence(network, item["blur"], item["spikes"], (1,), sample.exposure)


def test_a_large_image_is_computed_in_one_piece_where_there_are_no_tiles(data, toy, monkeypatch):
    monkeypatch.setattr("ssdm_models.deblur.LARGE", 1)
    item = SpikeBlurDataset(data, "test", sharp="none")[0]
    assert deblur_sequence(toy_stage.Toy(), item["blur"], item["spikes"], (68,), (20, 117)).shape[0] == 1


def test_a_new_network_has_rows_of_its_own(data, tmp_path, toy):
    run, further = tmp_path / "run", tmp_path / "further"
    train_stage("toy", data, run, **OPTIONS)
    train_stage("toy", data, further, seed=1, **OPTIONS)
    checkpoints.save(run / "ldn.safetensors", LDN(), loss="laplacian + 100 reblur")
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes((run / "toy.safetensors").read_bytes())
    results = evaluate(data, runs=[run, further], checkpoints=[copy], v_th=[1], device="cpu")
    assert [card.label for card in results.methods if card.domain == "colour"] == [
        "blur", "SDM", "LDN", "Toy", "Toy of further", "mine",
    ]  # fmt: skip
    cards = {card.label: card for card in results.methods}
    assert (cards["Toy"].parameters, cards["Toy"].student, cards["Toy"].loss) == (3 * 8 * 9 + 3, False, "mse")
    assert cards["Toy"].macs == 3 * 8 * 9 * 64 * 96
    figures = {(f.method, f.frames): f.metrics["psnr"].mean for f in results.summary}
    assert figures["Toy", "sequence"] == figures["mine", "sequence"] != figures["Toy of further", "sequence"]
    item = SpikeBlurDataset(data, "test", sharp="middle")[0]
    shown = deblur_sequence(checkpoints.load(copy), item["blur"], item["spikes"], (68,), (20, 117)).clamp(0, 1)
    exact = psnr(*(image[0].permute(1, 2, 0).numpy() for image in (shown, item["sharp"])))
    assert figures["Toy", "single"] == pytest.approx(exact)
    pairs = {(d.better, d.worse) for d in results.differences}
    assert {("Toy", "blur"), ("LDN", "Toy"), ("mine", "blur")} <= pairs
    assert any(row[1] == "Toy" for table in tables(results) for row in table.rows)
    # The ablations are those of S-SDM.
    assert not any("mse" in row[1] for table in ablation_tables(results) for row in table.rows)
    only = evaluate(data, runs=[further], v_th=[1], device="cpu", sequence=False)
    assert f"{further} has no bsn.safetensors and no sr.safetensors and no ldn.safetensors" in only.notes[0]


def test_files_of_other_networks_name_all_that_would_do(data, tmp_path, toy):
    (tmp_path / "empty").mkdir()
    checkpoints.save(tmp_path / "bsn.safetensors", STAGES["bsn"].network())
    with pytest.raises(
        InputFileError,
        match=r"not the LDN of 'ldn' or the MultiExposure of 'multi_exposure' or the MultiExposure of 'adaptation' or "
        r".*the Toy of 'toy'; give",
    ):
        evaluate(data, checkpoints=[tmp_path / "bsn.safetensors"])
    with pytest.raises(
        InputFileError, match=r"holds no ldn.safetensors and .* no toy.safetensors; train its stage ldn or"
    ):
        evaluate(data, runs=[tmp_path / "empty", tmp_path / "empty"])


@pytest.mark.parametrize("sharp", [(), (68,)])
def test_samples_without_the_same_ground_truth_are_refused_before_the_first_step(tmp_path, toy, sharp):
    write_moving(tmp_path / "data", {"train/a": 1})
    write_moving(tmp_path / "data", {"train/b": 1}, sharp=sharp)
    message = (
        r"b\.000\.h5 has it at \[68\], other shards at \[20, 68, 116\]" if sharp else r"b\.000\.h5 has none; build"
    )
    with pytest.raises(InvalidValueError, match=f"stage toy learns from ground truth.*{message}"):
        train_stage("toy", tmp_path / "data", tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()
    # What needs none trains on these samples.
    assert train_stage("sr", tmp_path / "data", tmp_path / "sr", epochs=1, **OPTIONS).checkpoint is not None


class Wide(toy_stage.Toy):
    """The same with a wider kernel, in the middle of which a narrow one has its place."""

    def __init__(self, width: int = 5) -> None:
        super().__init__(width)

    def grow(self, other: toy_stage.Toy) -> None:
        with torch.no_grad():
            self.layer.weight[..., 1:-1, 1:-1] = other.layer.weight
            self.layer.bias.copy_(other.layer.bias)


@pytest.fixture
def wide(toy):
    spec = replace(toy_stage.SPEC, name="wide", label="Wide", network=Wide, grows_from="toy", grow=Wide.grow)
    STAGES.register(spec)
    yield spec
    STAGES.unregister("wide")


def test_a_network_grows_from_that_of_another_stage(data, tmp_path, wide):
    learned = train_stage("toy", data, tmp_path, **OPTIONS).checkpoint
    still = {**OPTIONS, "epochs": 1, "learning_rate": 1e-12}

    def weights(run, **given):
        network = checkpoints.load(train_stage("wide", data, tmp_path / run, **given, **still).checkpoint)
        assert isinstance(network, Wide)
        return network.layer.weight

    grown, new = weights("grown", init={"wide": learned}), weights("new")
    torch.testing.assert_close(grown[..., 1:-1, 1:-1], checkpoints.load(learned).layer.weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(grown[..., 0, :], new[..., 0, :], rtol=0, atol=1e-6)  # as its seed draws it
    again = weights("again", init={"wide": tmp_path / "grown" / "wide.safetensors"})  # its own is taken as it is
    torch.testing.assert_close(again, grown, rtol=0, atol=1e-6)
    recorded = json.loads((tmp_path / "grown" / "wide" / "config.json").read_text())["networks"]
    assert recorded == {"init": checksum(learned)}
    checkpoints.save(tmp_path / "ldn.safetensors", LDN())
    with pytest.raises(InputFileError, match="not the Wide of 'wide' or the Toy of 'toy'"):
        weights("other", init={"wide": tmp_path / "ldn.safetensors"})
    with pytest.raises(InputFileError, match="holds the Wide of the stage 'wide', not the Toy of 'toy'"):
        train_stage("toy", data, tmp_path / "back", init={"toy": tmp_path / "grown" / "wide.safetensors"}, **still)


class Normalised(toy_stage.Toy):
    """A network that is more than its parameters: what it has seen of batches is kept as well."""

    def __init__(self, width: int = 3) -> None:
        super().__init__(width)
        self.norm = torch.nn.BatchNorm2d(3)

    def forward(self, blur, seen):
        return self.norm(super().forward(blur, seen))


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_buffers_are_kept_as_parameters_are(data, tmp_path, monkeypatch, ema):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_SAVES", 0)

    def stop(progress):
        if progress.steps == 4:
            raise KeyboardInterrupt

    options = {**OPTIONS, "ema": ema}
    STAGES.register(replace(toy_stage.SPEC, network=Normalised))
    try:
        with pytest.raises(KeyboardInterrupt):
            train_stage("toy", data, tmp_path / "halves", on_step=stop, **options)
        halves = train_stage("toy", data, tmp_path / "halves", **options).checkpoint
        whole = train_stage("toy", data, tmp_path / "whole", **options).checkpoint
        first, second = (checkpoints.load(path).state_dict() for path in (halves, whole))
    finally:
        STAGES.unregister("toy")
    assert first.keys() == {
        "layer.weight", "layer.bias", "norm.weight", "norm.bias",
        "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    }  # fmt: skip
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert (first["norm.num_batches_tracked"], first["norm.num_batches_tracked"].dtype) == (24, torch.int64)
    assert (first["norm.running_mean"] != 0).all()


def test_what_is_no_longer_registered_is_not_loaded(tmp_path):
    STAGES.register(toy_stage.SPEC)
    checkpoints.save(tmp_path / "toy.safetensors", toy_stage.Toy())
    STAGES.unregister("toy")
    with pytest.raises(InputFileError, match="stage must be one of bsn, sr, ldn"):
        checkpoints.load(tmp_path / "toy.safetensors")
    with pytest.raises(InvalidValueError, match=r"a checkpoint holds one of BSN, EDSR, LDN, .*, got Toy"):
        checkpoints.save(tmp_path / "toy.safetensors", toy_stage.Toy())
