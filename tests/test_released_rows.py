"""A row that bears a released checkpoint's name has the figures of its authors' input: BGR, and spikes of 0 and 1."""

from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_data import SEVEN, assert_figures, images, make_sample, released_ldn, select, write_dataset
from torch import Tensor
from torch.nn import functional

from spikesim_datasets.shards.sample import Sample
from ssdm_models import checkpoints, evaluation
from ssdm_models.evaluation.methods import make_methods
from ssdm_models.evaluation.request import Request
from ssdm_models.ldn import LDN

SHARP = {"sharp": SEVEN, "thresholds": (1.0, 2.5)}
NORMALISED = "DeblurNet_100, normalised spikes"


@torch.inference_mode()
def authors_ldn(held: dict[str, Tensor], blur: Tensor, spikes: Tensor) -> Tensor:
    """The authors' LDN, by the description of their network: BGR (1, 3, H, W) in, BGR out."""

    def conv(name: str, x: Tensor, stride: int = 1, padding: int = 1) -> Tensor:
        return functional.conv2d(x, held[f"{name}.weight"], held.get(f"{name}.bias"), stride, padding)

    def up(name: str, x: Tensor) -> Tensor:
        weight, bias = held[f"{name}.weight"], held[f"{name}.bias"]
        return functional.conv_transpose2d(x, weight, bias, 2, 2, 1).relu()

    def attended(pooled: Tensor) -> Tensor:
        return conv("ca.fc.2", conv("ca.fc.0", pooled, padding=0).relu(), padding=0)

    image = conv("blur_enc2.0", conv("blur_enc.0", blur, 2, 2).relu(), 2, 2).relu()
    x = torch.cat([image, conv("spike_enc2.0", conv("spike_enc.0", spikes).relu()).relu()], 1)
    x = x * (attended(x.mean((2, 3), keepdim=True)) + attended(x.amax((2, 3), keepdim=True))).sigmoid()
    x = x * conv("sa.conv1", torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1), padding=3).sigmoid()
    for block in ("resBlock1", "resBlock2"):
        x = x + conv(f"{block}.conv_block.3", conv(f"{block}.conv_block.0", x).relu())
    return conv("pred", torch.cat([blur, up("decoder2.0", up("decoder1.0", x))], 1), padding=0)


def authors_images(held: dict[str, Tensor], sample: Sample, v_th: float) -> np.ndarray:
    """What their script makes of a sample, as RGB (S, H, W, C)."""
    blur = torch.from_numpy(sample.blur[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    spikes = torch.from_numpy(sample.spikes[v_th].dense().astype(np.float32))[None]
    made = [authors_ldn(held, blur, spikes[:, time - 10 : time + 11]) for time in SEVEN]
    return images(torch.cat(made).numpy()[:, ::-1])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", {"test/a": [make_sample("test/a", 1, **SHARP)]})


def assert_rows_of_the_authors(data: Path, weights: Path) -> None:
    results = evaluation.evaluate(data, checkpoints=[weights])
    held = torch.load(weights, weights_only=True)
    for v_th in SHARP["thresholds"]:
        sample = make_sample("test/a", 1, **SHARP)
        assert_figures(
            select(results, "DeblurNet_100", v_th=v_th),
            authors_images(held, sample, v_th),
            np.float32(sample.sharp) / 255,
            3e-7,
        )
    raw, normalised = ([row.score for row in select(results, name, v_th=2.5)] for name in ("DeblurNet_100", NORMALISED))
    assert len(raw) == len(normalised) == len(SEVEN)
    assert all(one.psnr != other.psnr for one, other in zip(raw, normalised, strict=True))


def test_the_authors_network_is_the_one_described(shared: Path) -> None:
    held = torch.load(shared / "weights" / "DeblurNet_100.pth", weights_only=True)
    with np.load(shared / "golden" / "ldn.npz") as file:
        made = authors_ldn(held, torch.from_numpy(file["blur"]), torch.from_numpy(file["spikes"]))
        np.testing.assert_allclose(made, file["released_output"], rtol=0, atol=1e-5)


def test_the_row_of_a_released_checkpoint_feeds_what_its_authors_feed(data: Path, tmp_path: Path) -> None:
    assert_rows_of_the_authors(data, released_ldn(tmp_path / "DeblurNet_100.pth"))


def test_the_row_of_the_released_weights_has_their_figures(shared: Path, data: Path) -> None:
    assert_rows_of_the_authors(data, shared / "weights" / "DeblurNet_100.pth")


def test_normalised_spikes_have_a_row_that_says_so(data: Path, tmp_path: Path) -> None:
    released = released_ldn(tmp_path / "DeblurNet_100.pth")
    checkpoints.save(tmp_path / "ours.safetensors", checkpoints.load_released(released, "ldn"))
    results = evaluation.evaluate(data, checkpoints=[released, tmp_path / "ours.safetensors"])
    rows = {method: [row.score for row in select(results, method)] for method in (NORMALISED, "ours")}
    assert rows[NORMALISED] == rows["ours"]
    assert "ours, normalised spikes" not in {card.label for card in results.methods}


def test_both_rows_have_the_weights_of_the_file(tmp_path: Path) -> None:
    methods = make_methods(Request(checkpoints=[released_ldn(tmp_path / "a.pth")]), torch.device("cpu")).rows
    raw, normalised = [method.passes[0] for method in methods if method.passes]
    assert raw.sha256 == normalised.sha256
    assert (raw.deblurring.normalised, normalised.deblurring.normalised) == (False, True)
    assert LDN.normalised
