"""Published networks as methods: trained on shards, resumed, kept, compared, and held to their authors' conventions."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from baseline_data import BASELINES, OPTIONS, SEQUENCES, SEVEN, SIDES, data, little, untrained  # noqa: F401
from commands import Run, assert_refused, run  # noqa: F401
from torch import nn
from torch.nn import functional
from torch.utils.data import default_collate
from training_data import assert_same, losses, write_moving

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset
from spikesim_datasets.shards import open_dataset
from ssdm_models import checkpoints, cost
from ssdm_models.baselines import load_released, released_names
from ssdm_models.baselines.baseline import Baseline, SequenceBaseline
from ssdm_models.baselines.quarter_size import QuarterSizeBaseline, reduced
from ssdm_models.baselines.represented_samples import RepresentedSamples
from ssdm_models.deblur import rendering
from ssdm_models.evaluation import evaluate
from ssdm_models.objectives.published import Published
from ssdm_models.stages import STAGES
from ssdm_models.stream_view import PackedView, TensorView
from ssdm_models.training import loop as loop_module
from ssdm_models.training import train_stage


def made(name: str) -> Baseline:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = STAGES[name].new(small=True).eval()
    assert isinstance(network, Baseline)
    if isinstance(network, QuarterSizeBaseline):
        network.upsampler = (nn.Upsample(scale_factor=4),)
    return network


@pytest.mark.long
@pytest.mark.parametrize("name", BASELINES)
def test_it_learns_resumes_and_is_kept(
    little: dict[int, Path],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    side = SIDES.get(name, 64)
    options = {**OPTIONS, "crop": side, "flip": False, "epochs": 3, "learning_rate": 1e-4, "clip": 1.0}

    def stop(progress: object) -> None:
        if progress.steps == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop_module, "_SECONDS_BETWEEN_SAVES", 0)
        with pytest.raises(KeyboardInterrupt):
            train_stage(name, little[side], tmp_path / "halves", on_step=stop, **options)
    train_stage(name, little[side], tmp_path / "halves", **options)
    result = train_stage(name, little[side], tmp_path / "whole", **options)
    assert_same(tmp_path / "halves" / STAGES[name].file, tmp_path / "whole" / STAGES[name].file)
    fallen = losses(tmp_path / "whole", name)
    assert fallen[-1] < fallen[0]
    assert result.checkpoint is not None
    card = checkpoints.read_card(result.checkpoint)
    assert card.stage == name
    assert card.arguments == ({"length": 21, "dim": 36, "blocks": 2} if name == "spkdeblurnet" else {})
    assert train_stage(name, little[side], tmp_path / "whole", **options).kept


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "dasr"])
def test_a_packed_stream_and_one_in_training_are_seen_alike(data: Path, name: str) -> None:  # noqa: F811
    network = made(name)
    samples = RepresentedSamples(data, "train", (1.0,), 96, False, network)
    item = samples[SeededIndex(1, 5)]
    times = network.training_times(samples.exposure, SEVEN, 0)
    assert item["sharp"].shape == (len(times), 3, 96, 96)
    sample, plain = open_dataset(data, "train")[1], SpikeBlurDataset(data, "train", neighbours=True)[1]
    packed = PackedView(plain["blur"], sample.spikes[1.0], sample.exposure, plain["neighbours"])
    dense = TensorView(plain["blur"], plain["spikes"], sample.exposure, plain["neighbours"])
    one, other = (network.represent(view, times) for view in (packed, dense))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "dasr"])
def test_what_is_turned_is_seen_as_it_is_then(little: dict[int, Path], name: str) -> None:  # noqa: F811
    """Image, truth and what is made of spikes are turned and mirrored together, in all eight ways."""
    network, side = made(name), SIDES.get(name, 64)
    turning, still = (
        RepresentedSamples(little[side], "train", (1.0,), side, flip, network) for flip in ("turn", False)
    )
    ways = list(product((False, True), ((), (-1,), (-2,), (-1, -2))))
    seen = set()
    for seed in range(24):
        item, plain = turning[SeededIndex(1, seed)], still[SeededIndex(1, seed)]
        for turned, axes in ways:
            shown = {"blur": item["blur"], "sharp": item["sharp"], **item["seen"]}
            back = {key: (value.mT if turned else value).flip(axes) for key, value in shown.items()}
            if torch.equal(back["blur"], plain["blur"]):
                seen.add((turned, axes))
                assert all(
                    torch.equal(back[key], value) for key, value in {**plain, **plain["seen"]}.items() if key in back
                )
                assert item["seen"].keys() == plain["seen"].keys()
                break
        else:
            pytest.fail("an item is not its sample, turned")
    assert len(seen) == 8


@pytest.mark.parametrize("name", ["spkdeblurnet", "red", "levs"])
def test_what_is_shown_while_training_is_the_middle_frame(little: dict[int, Path], name: str) -> None:  # noqa: F811
    """Of those that show quarter-size images, before they are upsampled."""
    network, side = made(name), SIDES.get(name, 64)
    samples = RepresentedSamples(little[side], "train", (1.0,), side, False, network)
    batch = default_collate([samples[SeededIndex(number, 5)] for number in (0, 1)])
    with torch.no_grad():
        shown = Published(network, samples.exposure).images(batch)
        frames = network(batch["blur"], batch["seen"])
    middle = frames[:, 3] if name in SEQUENCES else frames
    if name == "red":
        middle = middle[..., 2::4, 2::4]  # each pixel is four wide
        network.upsampler = ()
        with torch.no_grad():
            again = Published(network, samples.exposure).images(batch)
        assert torch.equal(again["red"], shown["red"])
    assert list(shown) == ["blur", network.title.lower(), "sharp"]
    assert torch.allclose(shown[network.title.lower()].clamp(0, 1), middle.clamp(0, 1))
    assert torch.equal(shown["sharp"], batch["sharp"][:, len(batch["sharp"][0]) // 2])


@pytest.mark.long
@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_are_of_seven_times(data: Path, name: str) -> None:  # noqa: F811
    network, sample = made(name), open_dataset(data, "test")[0]
    assert isinstance(network, SequenceBaseline)
    assert network.shown_times((20, 117)) == list(SEVEN)
    plain = SpikeBlurDataset(data, "test", neighbours=True)[0]
    view = PackedView(plain["blur"], sample.spikes[1.0], sample.exposure, plain["neighbours"])
    show = rendering(network, view, SEVEN)
    whole = network(plain["blur"][None], network.represent(view, SEVEN))[0]
    for number in (6, 0, 3):
        torch.testing.assert_close(show(SEVEN[number]), whole[number])
    with pytest.raises(InvalidValueError, match=r"shows the readouts 20, 36, .* of this exposure, not 21; ask for"):
        rendering(network, view, [21])(21)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "dasr"])
def test_normalised_spikes_undo_the_threshold(data: Path, name: str) -> None:  # noqa: F811
    """Half the spikes, each of twice the light: what a network sees is nearly the same, else it is about half."""
    network, sample = made(name), open_dataset(data, "train")[0]
    blur = SpikeBlurDataset(data, "train")[0]["blur"]
    if not network.sees_spikes:
        return
    seen, times = {}, network.training_times(sample.exposure, SEVEN, 3)
    for v_th in (1.0, 2.0):
        view = PackedView(blur, sample.spikes[v_th], sample.exposure)
        for network.normalised in (False, True):
            first, *_ = network.represent(view, times).values()
            seen[v_th, network.normalised] = float((first[:, :, 0] if name == "red" else first).abs().sum())
    assert seen[2.0, False] == pytest.approx(seen[1.0, False] / 2, rel=0.1)
    assert seen[2.0, True] == pytest.approx(seen[1.0, True], rel=0.1)


def test_quarter_size_images_are_means_of_blocks() -> None:
    image = torch.rand(1, 7, 3, 24, 40)
    torch.testing.assert_close(reduced(image), functional.avg_pool2d(image[0], 4)[None])


def test_bins_are_in_the_unit_of_images() -> None:
    """A pixel that fires in every readout, and one in every fourth: all their spikes, a bin as long as its frames."""
    dense = torch.zeros(137, 3, 5)
    dense[:, 0], dense[::4, 1] = 1, 1
    view = TensorView(torch.rand(3, 12, 20), dense, (20, 117))
    bins = made("refid").represent(view, SEVEN)["bins"][0]
    assert torch.allclose(16 * bins.sum(0), dense[4:132].sum(0), rtol=1e-5)
    assert bins[1:-1, 0].mean() == pytest.approx(127 / 7 / 16, rel=0.01)
    assert bins[:, 2].max() == 0


@pytest.mark.parametrize("name", ["red", "trmd", "refid"])
def test_odd_quarter_sizes_are_padded_and_cut(name: str) -> None:
    network = made(name)
    assert isinstance(network, QuarterSizeBaseline)
    blur = torch.rand(1, 3, 44, 76)  # spikes of 11 by 19, which no network takes
    seen = {key: torch.rand(1, *shape, 11, 19) for key, shape in network.shapes().items()}
    with torch.inference_mode():
        assert network(blur, seen).shape == (1, 7, 3, 44, 76)
    network.upsampler = ()
    with pytest.raises(InvalidValueError, match=r"frames of a quarter of the size, .* give one of the stage dasr"):
        network(blur, seen)


def test_only_frames_that_are_wanted_are_upsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    network = made("refid")
    assert isinstance(network, QuarterSizeBaseline)
    small, upsampled = torch.rand(1, 7, 3, 8, 12), []
    network.upsampler = (nn.Upsample(scale_factor=4),)
    network.upsampler[0].register_forward_hook(lambda module, images, made: upsampled.append(images[0]))
    monkeypatch.setattr(type(network), "small_frames", lambda *_: small)
    view = TensorView(torch.rand(3, 32, 48), torch.zeros(137, 8, 12), (20, 117))
    render = rendering(network, view, [52, 116])
    for time, number in ((116, 6), (52, 2)):
        assert torch.equal(render(time), functional.interpolate(small[:, number], scale_factor=4)[0])
    assert len(upsampled) == 2


@pytest.mark.parametrize(
    ("name", "seen", "problem"),
    [
        ("red", {}, "RED must be shown 'events', got nothing; give what its represent"),
        ("trmd", {"events": torch.zeros(1, 6, 4, 8, 8)}, "TRMD must be shown 'scer', got 'events'"),
        ("refid", {"scer": torch.zeros(1, 6, 8, 8)}, "REFID must be shown 'bins', got 'scer'"),
        ("bit", {"before": torch.zeros(1, 3, 96, 96)}, "BiT must be shown 'after', got 'before'"),
        ("spkdeblurnet", {"spikes": torch.zeros(1, 21, 48, 48)}, "SpkDeblurNet must be shown 'tfi', got 'spikes'"),
    ],
)
def test_a_missing_representation_is_named(name: str, seen: dict[str, torch.Tensor], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        made(name)(torch.zeros(1, 3, 96, 96), seen)


def test_neighbours_are_the_exposures_before_and_after(data: Path) -> None:  # noqa: F811
    """Within a shard and between shards of a clip; at its ends the image itself, and never another clip's."""
    samples = SpikeBlurDataset(data, "train", neighbours=True)
    blurs = [samples[number]["blur"] for number in range(4)]
    for number, (before, after) in enumerate([(0, 1), (0, 2), (1, 2), (3, 3)]):
        found = samples[number]["neighbours"]
        assert torch.equal(found[0], blurs[before])
        assert torch.equal(found[1], blurs[after])
    crops = SpikeBlurDataset(data, "train", crop=32, flip=True, neighbours=True)
    item = crops[SeededIndex(3, 8)]
    assert torch.equal(item["neighbours"][0], item["blur"])


@pytest.mark.long
def test_rows_of_published_networks(data: Path, tmp_path: Path) -> None:  # noqa: F811
    methods = untrained(tmp_path, "spkdeblurnet", "red", "levs", "dasr")
    results = evaluate(data, methods=methods, v_th=[1, 2], limit=1, device="cpu")
    cards = {card.label: card for card in results.methods}
    for label in ("SpkDeblurNet", "SpkDeblurNet, normalised spikes", "RED+DASR", "RED+DASR, normalised spikes", "LEVS"):
        assert label in cards
    assert cards["RED+DASR"].parameters == 9_762_311
    assert cards["RED+DASR"].all_parameters == 9_762_311 + 5_837_723
    assert len(cards["RED+DASR"].weights) == 2
    by_v_th = {(f.method, f.v_th): f.metrics["psnr"].mean for f in results.summary if f.frames == "sequence"}
    assert ("LEVS", None) in by_v_th  # it sees no spikes
    assert by_v_th["RED+DASR", 1.0] != by_v_th["RED+DASR", 2.0]


def test_without_what_upsamples_rows_are_left_out_with_a_note(data: Path, tmp_path: Path) -> None:  # noqa: F811
    results = evaluate(data, methods=untrained(tmp_path, "refid"), v_th=[1], limit=1, sequence=False, device="cpu")
    assert not any("REFID" in card.label for card in results.methods)
    assert any("REFID needs a network that upsamples (dasr)" in note for note in results.notes)


def test_what_cannot_know_the_direction_is_scored_in_the_better_one(
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Truth shown against time scores as truth does; of a network that could know, it does not."""
    sharp = torch.from_numpy(open_dataset(data, "test")[0].sharp.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    methods = untrained(tmp_path, "levs")
    monkeypatch.setattr("ssdm_models.baselines.from_images.LEVSBaseline.shown", lambda *_: sharp.flip(0)[None])

    def psnr() -> float:
        results = evaluate(data, methods=methods, v_th=[1], limit=1, device="cpu")
        return next(row.score.psnr for row in results.rows if (row.method, row.readout) == ("LEVS", SEVEN[0]))

    assert psnr() == float("inf")
    monkeypatch.setattr("ssdm_models.baselines.from_images.ImageBaseline.knows_direction", True)
    assert psnr() < 60


def test_losses_vanish_at_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network shows perfectly costs nothing but what is left of the roundings of its distance."""
    sharp = torch.rand(2, 7, 3, 64, 64)
    small = reduced(sharp)
    for name in ("red", "refid"):
        network = made(name)
        monkeypatch.setattr(type(network), "small_frames", lambda *_: small)
        assert network.losses(sharp.mean(1), {}, sharp)["loss"] < 2e-6
    trmd = made("trmd")
    true = torch.cat([small[:, :3], small[:, 4:]], 1) - small[:, 3:4]
    monkeypatch.setattr(trmd.network, "residuals", lambda *_: true)
    # Of frames whose mean is the blurry image.
    assert trmd.losses(sharp.mean(1), {"scer": torch.zeros(2, 6, 16, 16)}, sharp)["loss"] < 1e-10


def test_costs_are_those_of_the_papers() -> None:
    assert cost.deblurring_macs(STAGES["spkdeblurnet"].new(), 180, 320) / 1e9 == pytest.approx(850.4 - 30.9, abs=0.2)
    assert cost.deblurring_macs(STAGES["san"].new(), 180, 320) / 1e9 == pytest.approx(107.84 + 12.80, abs=0.01)
    assert cost.deblurring_macs(STAGES["red"].new(), 180, 320) / 1e9 == pytest.approx(422 / 7, abs=0.1)
    assert cost.macs(nn.Linear(3, 5), (7, 3)) == 105


def test_ground_truth_at_other_times_is_refused(tmp_path: Path) -> None:
    write_moving(tmp_path / "data", {"train/a": 1}, sharp=(20, 68, 116))
    with pytest.raises(InvalidValueError, match=r"RED learns from the truth at the readouts 20, 36, .*none at 36, 52"):
        train_stage("red", tmp_path / "data", tmp_path / "run", crop=32, **OPTIONS)
    write_moving(tmp_path / "none", {"train/a": 1}, sharp=())
    with pytest.raises(InvalidValueError, match="learns from ground truth"):
        train_stage("spkdeblurnet", tmp_path / "none", tmp_path / "run", crop=96, **OPTIONS)


def test_released_files_by_name(tmp_path: Path) -> None:
    assert {"red", "trmd_gray", "trmd_rgb", "san", "san21", "spkdeblurnet", "refid", "dasr", "levs"} <= {
        *released_names()
    }
    assert all(released_names().values())
    with pytest.raises(InvalidValueError, match="name must be"):
        load_released("deblurgan", {})
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in released_names():
        with pytest.raises(InputFileError, match=r"lacks|parts"):
            load_released(name, tmp_path / "other.pth")


def test_methods_of_the_command_line(run: Run, data: Path, tmp_path: Path) -> None:  # noqa: F811
    (_, spk), (_, red) = untrained(tmp_path, "spkdeblurnet", "red")
    words = ("eval-ssdm", "--data", data, "--vth", 1, "--limit", 1)
    shown = run(*words, "--method", f"spkdeblurnet={spk}", "--table1")
    assert shown.code == 0
    assert "28.307 .834" in shown.out
    assert "Parameters, millions" in shown.out
    assert_refused(run(*words, "--method", f"red={spk}"), "spkdeblurnet", "'red'")
    assert_refused(run(*words, "--method", f"deblurgan={red}"), "there is no method 'deblurgan'")
    assert_refused(run(*words, "--method", "red"), "write red=FILE")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "released.pth")
    assert_refused(run(*words, "--method", f"refid={tmp_path / 'released.pth'}"), "of the stage refid are not known")
    assert_refused(run(*words, "--method", f"red={tmp_path / 'none.pth'}"), "none.pth", "No such file")
    assert_refused(run(*words, "--table1", "--single"), "--single")
    assert_refused(run(*words, "--table1", "--table2"), "give one of them")
    assert_refused(run("train-baseline", "deblurgan", "--data", data), "deblurgan")
    trained = run(
        *("train-baseline", "trmd", "--data", data, "--vth", 1, "--small", "--epochs", 1, "--batch", 2, "--crop", 32),
        *("--workers", 0, "--out", tmp_path / "run", "--json"),
    )
    assert trained.json[0]["stage"] == "trmd"
    assert (tmp_path / "run" / "trmd.safetensors").exists()


def test_neighbours_are_read_for_those_that_see_them_alone(
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[torch.Tensor] = []

    def forward(network: nn.Module, blur: torch.Tensor, seen: dict[str, torch.Tensor]) -> torch.Tensor:
        if not blur.is_meta:  # as where costs are counted
            shown.append(seen["after"][0])
        return blur[:, None].expand(-1, 7, -1, -1, -1)

    monkeypatch.setattr("ssdm_models.baselines.from_images.BiTBaseline.shown", forward)
    evaluate(data, methods=untrained(tmp_path, "bit"), v_th=[1], device="cpu")
    blurs = [SpikeBlurDataset(data, "test")[number]["blur"] for number in range(2)]
    assert [torch.equal(after, blurs[1]) for after in shown] == [True, True]  # after the last is the last itself
    monkeypatch.setattr(
        "ssdm_models.evaluation.evaluation_set.EvaluationSet.neighbours", lambda *_: pytest.fail("read")
    )
    evaluate(data, v_th=[1], limit=1, sequence=False, device="cpu")
