"""Evaluation: figures are those of the images, of the samples, times and networks that were asked for."""

import itertools
import json
import re
import shutil
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import evaluation_data
import h5py
import numpy as np
import pytest
import torch
from evaluation_data import (
    PLAN,
    SEVEN,
    assert_figures,
    images,
    make_dataset,
    make_sample,
    moving,
    released_ldn,
    save_run,
    select,
    write_dataset,
)
from PIL import Image

from spikesim import SpikeStream, tfp
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.optics import Optics
from spikesim_datasets.shards.sample import Sample
from ssdm_models import checkpoints, evaluation
from ssdm_models.bsn import BSN
from ssdm_models.cost import macs, parameters
from ssdm_models.edsr import EDSR
from ssdm_models.evaluation import running, scores
from ssdm_models.evaluation.evaluation_set import EvaluationSet
from ssdm_models.evaluation.results import Results
from ssdm_models.evaluation.summary import Interval
from ssdm_models.evaluation.tables import tables
from ssdm_models.ldn import LDN
from ssdm_models.released import slots
from ssdm_models.teacher import Teacher

data, run = evaluation_data.data, evaluation_data.run
evaluated, results = evaluation_data.evaluated, evaluation_data.results

# What the figures are of


def test_blur_has_the_figures_of_the_blurry_image(results: Results, data: Path) -> None:
    sample = make_sample("test/bb", 3, SEVEN)
    rows = select(results, "blur", key="test/bb")
    assert [(row.window, row.v_th, row.readout, row.domain) for row in rows] == [(3, None, t, "colour") for t in SEVEN]
    blur, sharp = (np.float32(array) / np.float32(255) for array in (sample.blur, sample.sharp))
    assert_figures(rows, np.stack([blur] * 7), sharp)


def tensors(sample: Sample, v_th: float) -> tuple[Any, Any]:
    blur = torch.from_numpy(sample.blur).permute(2, 0, 1)[None].float() / 255
    return blur, torch.from_numpy(sample.spikes[v_th].dense(np.float32))[None]


def gain(sample: Sample, v_th: float) -> float:
    """How much light a spike is."""
    return float((sample.blur / 255 @ [0.30, 0.59, 0.11]).mean() / (sample.spikes[v_th].counts(20, 117) / 97).mean())


def test_a_sequence_of_ldn_has_the_figures_of_single_calls(results: Results, run: Path) -> None:
    sample = make_sample("test/a", 2, SEVEN)
    network = checkpoints.load(run / "ldn.safetensors")
    blur, spikes = tensors(sample, 2.5)
    with torch.inference_mode():
        sharp = [network(blur, gain(sample, 2.5) * spikes[:, t - 10 : t + 11])[0] for t in SEVEN]
    rows = select(results, "LDN", key="test/a", window=2, v_th=2.5)
    assert_figures(rows, images(torch.stack(sharp)), np.float32(sample.sharp) / 255, 1e-5)


@pytest.mark.parametrize(("label", "stages"), [("SDM", ()), ("SDM+BSN", ("bsn",)), ("teacher", ("bsn", "sr"))])
def test_teachers_are_made_of_their_parts(results: Results, run: Path, label: str, stages: tuple[str, ...]) -> None:
    sample = make_sample("test/a", 1, SEVEN)
    teacher = Teacher(*(checkpoints.load(run / f"{stage}.safetensors") for stage in stages))
    with torch.inference_mode():
        sharp = teacher(*tensors(sample, 1.0), SEVEN, PLAN.exposure)[0]
    rows = select(results, label, key="test/a", window=1, v_th=1.0)
    assert_figures(rows, images(sharp), np.float32(sample.sharp) / 255, 1e-5)


def test_spikes_alone_are_compared_with_what_the_spike_camera_would_see(results: Results, run: Path) -> None:
    sample = make_sample("test/a", 1, SEVEN)
    stream = sample.spikes[2.5]
    truth = np.stack([Optics("area").light(frame)[..., None] for frame in sample.sharp])  # as the recipe says
    rates = np.stack([tfp(stream, t, 9) for t in SEVEN])
    rows = select(results, "TFP", key="test/a", window=1, v_th=2.5)
    assert_figures(rows, (rates[..., None] * gain(sample, 2.5)).clip(0, 1), truth, 1e-5)
    with torch.inference_mode():
        denoised = checkpoints.load(run / "bsn.safetensors")(torch.from_numpy(rates)[:, None]).numpy()
    rows = select(results, "BSN", key="test/a", window=1, v_th=2.5)
    assert_figures(rows, images(denoised * gain(sample, 2.5)), truth, 1e-5)
    (long,) = select(results, "SR", key="test/a", window=1, v_th=2.5)
    light = torch.from_numpy(stream.counts(20, 117) / np.float32(97) * np.float32(gain(sample, 2.5)))[None, None]
    with torch.inference_mode():
        upsampled = checkpoints.load(run / "sr.safetensors")(light)
    assert long.readout is None
    assert_figures([long], images(upsampled), (sample.blur / 255 @ [0.30, 0.59, 0.11])[None, ..., None], 1e-4)


def test_sdm_of_a_static_scene_without_noise_is_the_blurry_image(tmp_path: Path) -> None:
    # White pixels fire at every readout and black ones never: nothing is quantised.
    sample = make_sample("test/a", 1, SEVEN)
    white = np.zeros((11, 15), np.uint8)
    white[3:7, 4:12] = 1
    sample.blur[:] = 255 * np.kron(white, np.ones((4, 4)))[..., None]
    sample.sharp[::2] = sample.blur  # and others at every second time
    spikes = {1.0: SpikeStream.from_dense(np.broadcast_to(white, (137, 11, 15)))}
    write_dataset(tmp_path, {"test/a": [replace(sample, spikes=spikes)]})
    results = evaluation.evaluate(tmp_path)
    blur, sdm = ([row.score for row in select(results, label)] for label in ("blur", "SDM"))
    assert blur == sdm
    assert [score.psnr == float("inf") for score in sdm] == [True, False] * 3 + [True]
    figures = {(f.method, f.frames): f.metrics["psnr"] for f in results.summary}
    assert figures["SDM", "sequence"] == Interval(float("inf"), float("inf"), float("inf"), 1)
    record = json.loads(json.dumps(results.record(), allow_nan=False))
    means = {f["frames"]: f["metrics"]["psnr"]["mean"] for f in record["summary"] if f["method"] == "SDM"}
    assert (means["sequence"], means["single"]) == (None, pytest.approx(sdm[3].psnr))


def test_every_threshold_time_and_method_has_its_row_and_no_other(results: Results) -> None:
    samples = [("test/a", 1), ("test/a", 2), ("test/bb", 3)]
    colour, grey, exposure = ("SDM", "SDM+BSN", "teacher", "LDN"), ("TFP", "TFI", "TFSTP", "BSN"), ("bilinear", "SR")
    expected = [
        (*sample, v_th, t, domain, method)
        for domain, methods, times in (
            ("colour", colour, SEVEN),
            ("grey", grey, SEVEN),
            ("exposure", exposure, (None,)),
        )
        for sample in samples
        for v_th in (1.0, 2.5)
        for t in times
        for method in methods
    ] + [(*sample, None, t, "colour", "blur") for sample in samples for t in SEVEN]
    found = [(row.key, row.window, row.v_th, row.readout, row.domain, row.method) for row in results.rows]
    assert len(found) == len(set(found))
    assert set(found) == set(expected)
    assert {(f.domain, f.frames) for f in results.summary} == {
        *((domain, frames) for domain in ("colour", "grey") for frames in ("single", "sequence")),
        ("exposure", "exposure"),
    }


def test_costs_are_those_of_the_parts(results: Results) -> None:
    cards = {card.label: card for card in results.methods}
    bsn, sr, ldn = BSN(), EDSR(), LDN()
    assert cards["teacher"].parameters == parameters(bsn) + parameters(sr)
    small = (1, 1, 11, 15)
    assert cards["teacher"].macs == macs(bsn, small) + 2 * macs(sr, small)  # short and long exposure
    assert cards["LDN"].macs == macs(ldn, (1, 3, 44, 60), (1, 21, 11, 15))
    assert [cards[label].parameters for label in ("blur", "SDM", "TFI")] == [0, 0, 0]
    assert [card.label for card in results.methods if card.student] == ["LDN"]
    assert set(results.seconds) == set(cards)
    assert min(results.seconds[label] for label in ("LDN", "teacher", "BSN", "SR")) > 0


def test_a_frame_takes_its_share_of_the_sequence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 14)
    monkeypatch.setattr(running, "perf_counter", lambda: float(next(clock)))
    results = evaluation.evaluate(data, limit=1, v_th=[1])
    assert results.seconds == {"blur": 2, "SDM": 2, "TFP": 2, "TFI": 2, "TFSTP": 2, "bilinear": 14}


def test_the_released_layout_gives_the_rows_of_the_shards(data: Path, tmp_path: Path) -> None:
    shards_to_layout(data, tmp_path / "layout")
    first, second = (evaluation.evaluate(folder, sequence=False) for folder in (data, tmp_path / "layout"))
    assert [replace(row, seconds=0) for row in first.rows] == [replace(row, seconds=0) for row in second.rows]
    (tmp_path / "layout" / "spikesim.json").unlink()
    shutil.rmtree(tmp_path / "layout" / "test" / "spike_data_vth_2.5")
    foreign = evaluation.evaluate(tmp_path / "layout", v_th=[4], sequence=False)
    assert {row.v_th for row in foreign.rows} == {None, 4.0}
    assert [row.score for row in select(foreign, "SDM")] == [row.score for row in select(first, "SDM", v_th=1.0)]


# Which samples, times and thresholds


def test_a_limit_spreads_samples_evenly(data: Path, tmp_path: Path) -> None:
    samples = [make_sample("test/a", window, (68,)) for window in range(1, 6)]
    root = write_dataset(tmp_path, {"test/a": samples[:3], "test/b": [replace(s, name="b") for s in samples[3:]]})
    numbers = {limit: EvaluationSet(root, "test", limit=limit).numbers for limit in (None, 1, 2, 3, 99)}
    assert numbers == {None: [0, 1, 2, 3, 4], 1: [0], 2: [0, 2], 3: [0, 1, 3], 99: [0, 1, 2, 3, 4]}
    results = evaluation.evaluate(data, limit=2, sequence=False, v_th=(2.5,))
    assert results.samples == 2
    assert results.thresholds == (2.5,)
    assert {row.readout for row in results.rows} == {68, None}


def test_thresholds_are_those_that_every_shard_has(tmp_path: Path) -> None:
    shards = {
        f"test/{name}": [make_sample(f"test/{name}", 1, (68,), thresholds)]
        for name, thresholds in (("a", (1.0, 2.0)), ("b", (2.0, 4.0)))
    }
    root = write_dataset(tmp_path, shards)
    assert EvaluationSet(root, "test").thresholds == (2.0,)
    with pytest.raises(
        InvalidValueError, match=r"no spikes of threshold 4 in every shard of the split 'test'; it has 2$"
    ):
        EvaluationSet(root, "test", (2, 4))


def test_without_a_sequence_or_a_middle_frame_the_other_is_compared(tmp_path: Path) -> None:
    middle = evaluation.evaluate(make_dataset(tmp_path / "middle", sharp=(68,)), v_th=[1])
    assert set(middle.times) == {"single", "exposure"}
    assert any("no sequence" in note for note in middle.notes)
    assert not any("no sequence" in note for note in EvaluationSet(tmp_path / "middle", "test", sequence=False).notes)
    rest = EvaluationSet(make_dataset(tmp_path / "rest", sharp=(20, 116)), "test")
    assert rest.times == {"sequence": (20, 116), "exposure": (None,)}
    assert any("no single frame" in note for note in rest.notes)


# Networks and their files


def test_only_rows_whose_networks_are_there_are_compared(data: Path, run: Path, tmp_path: Path) -> None:
    choices: dict[str, Any] = {"sequence": False, "limit": 1, "v_th": [1]}
    alone = evaluation.evaluate(data, **choices)
    assert [card.label for card in alone.methods] == ["blur", "SDM", "TFP", "TFI", "TFSTP", "bilinear"]
    assert "there is no run folder: rows of its networks are left out" in alone.notes
    (tmp_path / "half").mkdir()
    shutil.copy(run / "bsn.safetensors", tmp_path / "half")
    half = evaluation.evaluate(data, runs=[tmp_path / "half"], **choices)
    assert [card.label for card in half.methods] == ["blur", "SDM", "SDM+BSN", "TFP", "TFI", "TFSTP", "BSN", "bilinear"]
    assert (
        f"{tmp_path / 'half'} has no sr.safetensors and no ldn.safetensors: rows that need it are left out"
        in half.notes
    )


def test_further_checkpoints_have_rows_of_their_own(data: Path, run: Path, tmp_path: Path) -> None:
    theirs = released_ldn(tmp_path / "DeblurNet_100.pth")
    checkpoints.save(tmp_path / "short.safetensors", LDN(9))
    further = save_run(tmp_path / "lambda_10", 1, "ms-ssim + 10 reblur")
    results = evaluation.evaluate(
        data,
        runs=[run, further],
        checkpoints=[theirs, tmp_path / "short.safetensors"],
        limit=1,
        sequence=False,
        v_th=[1],
    )
    labels = [card.label for card in results.methods if card.student]
    assert labels == ["LDN", "LDN of lambda_10", "DeblurNet_100", "DeblurNet_100, normalised spikes", "short"]
    sample = make_sample("test/a", 1, SEVEN)
    blur, spikes = tensors(sample, 1.0)
    network = checkpoints.load_released(theirs, "ldn")
    with torch.inference_mode():
        sharp = network(blur, spikes[:, 58:79])
    assert_figures(select(results, "DeblurNet_100"), images(sharp), np.float32(sample.sharp[3:4]) / 255, 1e-5)
    assert ("LDN", "DeblurNet_100") in {(d.better, d.worse) for d in results.differences}
    assert ("short", "blur") in {(d.better, d.worse) for d in results.differences}


@pytest.mark.parametrize("case", ["stage", "run stage", "released", "missing", "no run", "run without ldn", "damaged"])
def test_files_of_other_networks_are_refused(data: Path, run: Path, tmp_path: Path, case: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    choices, what = {
        "stage": ({"checkpoints": [run / "bsn.safetensors"]}, "BSN of the stage 'bsn', not the LDN of 'ldn'"),
        "run stage": ({"runs": [folder]}, "EDSR of the stage 'sr', not the LDN"),
        "released": ({"checkpoints": [tmp_path / "net.pth"]}, "LDN"),
        "missing": ({"checkpoints": [tmp_path / "none.safetensors"]}, "none.safetensors"),
        "no run": ({"runs": [tmp_path / "none"]}, "there is no run folder .*none; `spikesim train-ssdm` makes one"),
        "run without ldn": (
            {"runs": [run, folder]},
            "no multi_exposure.safetensors and no adaptation.safetensors .*; train its stage ldn or",
        ),
        "damaged": ({"runs": [folder]}, "truncated, damaged or no checkpoint"),
    }[case]
    if case == "run stage":
        shutil.copy(run / "sr.safetensors", folder / "ldn.safetensors")
    if case == "released":
        network = EDSR()
        held = dict(network.named_parameters())
        torch.save(
            {slot.released[0]: held[slot.name].detach() for slot in slots(network, "edsr")}, tmp_path / "net.pth"
        )
    if case == "damaged":
        (folder / "sr.safetensors").write_bytes((run / "sr.safetensors").read_bytes()[:5000])
    with pytest.raises(InputFileError, match=what):
        evaluation.evaluate(data, **choices)  # type: ignore[arg-type]


def test_two_rows_of_one_name_are_refused(data: Path, run: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        checkpoints.save(tmp_path / folder / "student.safetensors", LDN())
    with pytest.raises(InvalidValueError, match="two rows would be called 'student'; rename"):
        evaluation.evaluate(data, checkpoints=[tmp_path / name / "student.safetensors" for name in "ab"])
    with pytest.raises(InvalidValueError, match="two rows would be called 'LDN of ssdm'"):
        evaluation.evaluate(data, runs=[run, run, run])


def test_ground_truth_that_a_network_has_no_room_to_show_is_left_out_and_told(data: Path, tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "wide.safetensors", LDN(43))
    results = evaluation.evaluate(data, checkpoints=[tmp_path / "wide.safetensors"], limit=1, v_th=[1])
    assert results.times == {"single": (68,), "sequence": (36, 52, 68, 84, 100), "exposure": (None,)}
    assert {row.readout for row in select(results, "wide")} == {36, 52, 68, 84, 100}
    told = "ground truth at the readouts 20, 116 is left out: 43 readouts around a time are looked at"
    assert any(told in note for note in results.notes)
    checkpoints.save(tmp_path / "widest.safetensors", LDN(139))
    with pytest.raises(InvalidValueError, match=r"a window of 139 readouts around any of the exposure's 20\.\.116"):
        evaluation.evaluate(data, checkpoints=[tmp_path / "widest.safetensors"])


# Bad data


def test_data_that_cannot_be_evaluated_are_refused(data: Path, tmp_path: Path) -> None:
    for choices, what in (
        ({"data": tmp_path / "none"}, "there is no dataset at"),
        ({"split": "train"}, "no samples of the split 'train'; it has test"),
        ({"v_th": [1, 4]}, "no spikes of threshold 4 .* it has 1, 2.5$"),
        ({"limit": 0}, "limit must be a whole number of at least 1, got 0"),
        (
            {"threshold": 1},
            "there is no option 'threshold'; options are checkpoints, device, limit, methods, pretrained, runs, ",
        ),
        ({"device": "tpu"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
    ):
        with pytest.raises((InputFileError, InvalidValueError), match=what):
            evaluation.evaluate(**{"data": data, **choices})  # type: ignore[arg-type]
    for sharp in ((), (20,)):
        root = make_dataset(tmp_path / f"sharp_{len(sharp)}", sharp=sharp)
        with pytest.raises(InvalidValueError, match=r"no ground truth at the middle readout 68 .*--sharp sequence"):
            evaluation.evaluate(root)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(data: Path) -> None:
    with pytest.raises(InvalidValueError, match="finds 0 CUDA devices"):
        evaluation.evaluate(data, device="cuda")


def test_shards_of_other_kinds_are_refused(tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "schema")
    with h5py.File(other / "test" / "a.000.h5", "a") as file:
        file.attrs["schema"] = "spikesim.shard/9"
    with pytest.raises(InputFileError, match=r"spikesim\.shard/9"):
        evaluation.evaluate(other)
    narrow = make_dataset(tmp_path / "narrow")
    with h5py.File(narrow / "test" / "a.000.h5", "a") as file:
        file["spikes/vth_1"].attrs["width"] = 14
    with pytest.raises(InputFileError, match="is 14 wide, but 15 belongs to its blur"):
        evaluation.evaluate(narrow)
    shards_to_layout(make_dataset(tmp_path / "even"), tmp_path / "odd")
    Image.fromarray(moving(0, 0)[:-1]).save(tmp_path / "odd" / "test" / "blur_data" / "a" / "000019.png")
    with pytest.raises(InvalidValueError, match="60×43; both must be multiples of 4"):
        evaluation.evaluate(tmp_path / "odd")
    mixed = make_dataset(tmp_path / "mixed")
    write_dataset(mixed, {"test/b": [make_sample("test/b", 1, SEVEN)]}, {"choices": {"downscale": "bilinear"}})
    with pytest.raises(InvalidValueError, match=r"b\.000\.h5 has the optics .*'bilinear'.*evaluate them apart"):
        evaluation.evaluate(mixed)


# Learned measures


def test_learned_measures_are_used_where_they_can_be_had(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def create_metric(name: str, device: Any) -> Any:
        asked.append((name, torch.device(device).type))
        return lambda image: image.mean()[None]

    class Far(torch.nn.Module):
        def forward(self, image: Any, true: Any) -> Any:
            return (image - true).abs().max()

    monkeypatch.setitem(sys.modules, "pyiqa", types.SimpleNamespace(create_metric=create_metric))  # type: ignore[arg-type]
    monkeypatch.setattr(scores, "make_perceptual", lambda name: Far())
    results = evaluation.evaluate(data, limit=1, sequence=False, v_th=[1])
    assert asked == [("liqe", "cpu")]
    assert not any("LPIPS" in note or "LIQE" in note for note in results.notes)
    sample = make_sample("test/a", 1, SEVEN)
    (blur,) = select(results, "blur")
    assert blur.score.lpips == pytest.approx(np.abs(sample.blur / 255.0 - sample.sharp[3] / 255.0).max(), rel=1e-5)
    assert blur.score.liqe == pytest.approx(sample.blur.mean() / 255, rel=1e-5)
    for row in results.rows:
        assert (row.score.lpips is None) == (row.score.liqe is None) == (row.domain != "colour")
    assert [table.columns[-2:] == ("LPIPS", "LIQE") for table in tables(results)] == [True, False, False, False]


def test_learned_measures_that_cannot_be_had_are_told_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, device: Any) -> Any:
        raise ConnectionError("no way to the weights")

    monkeypatch.setitem(sys.modules, "pyiqa", types.SimpleNamespace(create_metric=fail))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "lpips", None)  # type: ignore[arg-type]
    results = evaluation.evaluate(data, limit=1, sequence=False, v_th=[1])
    assert [bool(re.search("^no LPIPS: .*pip install", note)) for note in results.notes] == [False, True, False]
    assert [bool(re.search("^no LIQE: .*no way to the weights", note)) for note in results.notes] == [
        False,
        False,
        True,
    ]
    assert "LPIPS" not in {column for table in tables(results) for column in table.columns}
