"""The spike-guided deblurring model: what must come back of a static scene, whatever the threshold; and the teacher."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spikesim import SpikeCamera, simulate, tfp
from spikesim.errors import InvalidValueError
from ssdm_models.bsn import BSN
from ssdm_models.edsr import EDSR
from ssdm_models.intensity import intensity_scale, luma
from ssdm_models.ldn import LDN
from ssdm_models.objectives.distillation import Distillation
from ssdm_models.sdm import deblur
from ssdm_models.teacher import Bilinear, Teacher
from ssdm_models.windows import long_exposure, short_exposures, window

EXPOSURE = (20, 117)
READOUTS = 97
ROUNDING = 1e-5


def static(seed: int, v_th: float) -> tuple[np.ndarray, np.ndarray]:
    """A static scene and its noise-free spikes."""
    light = np.random.default_rng(seed).random((5, 7), np.float32)
    camera = SpikeCamera.preset("ideal", v_th=v_th)
    return light, simulate(np.broadcast_to(light, (137, 5, 7)), camera, seed=seed).dense(np.float32)


def restored(seed: int, v_th: float, start: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scene, what SDM makes of it, and how far quantisation lets both differ."""
    light, spikes = static(seed, v_th)
    long, short = spikes[slice(*EXPOSURE)].mean(0), spikes[start : start + length].mean(0)
    counts = spikes[slice(*EXPOSURE)].sum(0)
    bound = np.where(counts > 0, light * (1 / length + 1 / READOUTS) * READOUTS / np.maximum(counts, 1), light)
    return light, deblur(light, long, short), bound + ROUNDING


SHORT_WINDOWS = st.integers(1, 137).flatmap(lambda length: st.tuples(st.integers(0, 137 - length), st.just(length)))
SEEDS = st.integers(0, 10_000)
THRESHOLDS = (1.0, 2.0, 4.0)


@given(SEEDS, st.floats(1, 8), SHORT_WINDOWS)
def test_a_static_scene_comes_back_within_the_quantisation_of_both_windows(seed, v_th, short):
    light, sharp, bound = restored(seed, v_th, *short)
    assert (np.abs(sharp - light) <= bound).all()


@given(SEEDS, st.floats(1, 8))
def test_it_comes_back_exactly_when_the_short_window_is_the_exposure(seed, v_th):
    light, sharp, _ = restored(seed, v_th, EXPOSURE[0], READOUTS)
    assert ((sharp == light) | (sharp == 0)).all()
    dark = static(seed, v_th)[1][slice(*EXPOSURE)].sum(0) == 0
    np.testing.assert_array_equal(sharp == 0, dark | (light == 0))


@given(SEEDS, SHORT_WINDOWS)
def test_thresholds_cancel(seed, short):
    scenes = [restored(seed, v_th, *short) for v_th in THRESHOLDS]
    for _, sharp, bound in scenes[1:]:
        assert (np.abs(sharp - scenes[0][1]) <= bound + scenes[0][2]).all()


def test_the_bound_is_not_a_loose_one():
    _, sharp, bound = restored(1, 2.0, 64, 9)
    light = static(1, 2.0)[0]
    assert (np.abs(sharp - light) > 0.5 * bound).any()


@given(SEEDS, st.floats(0.1, 10))
def test_the_unit_of_the_exposures_cancels(seed, factor):
    rng = np.random.default_rng(seed)
    blur, long, short = rng.random((3, 6, 5)), rng.random((6, 5)).round(1), rng.random((6, 5))
    np.testing.assert_allclose(deblur(blur, factor * long, factor * short), deblur(blur, long, short), rtol=1e-12)


def test_arrays_and_tensors_give_the_same(rng):
    blur, long, short = (rng.random((3, 4, 6)).astype(np.float32) for _ in range(3))
    long[:, 1] = 0
    sharp = deblur(*map(torch.from_numpy, (blur, long, short)))
    np.testing.assert_array_equal(sharp.numpy(), deblur(blur, long, short))
    assert (sharp[:, 1] == 0).all()
    assert sharp.dtype == torch.float32


def test_exposures_that_do_not_fit_the_image():
    blur = torch.ones(2, 3, 8, 12)
    assert deblur(blur, torch.ones(2, 1, 8, 12), torch.ones(8, 12)).shape == blur.shape
    for long, short, message in (
        ((2, 1, 2, 3), (2, 1, 8, 12), r"long_exposure \(2, 1, 2, 3\) does not fit"),
        ((2, 1, 8, 12), (2, 1, 12, 8), r"short_exposure \(2, 1, 12, 8\) does not fit"),
        ((4, 2, 3, 8, 12), (2, 1, 8, 12), r"long_exposure \(4, 2, 3, 8, 12\) does not fit"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            deblur(blur, torch.ones(long), torch.ones(short))


def test_windows_are_those_of_texture_from_playback():
    light = np.random.default_rng(2).random((30, 3, 8), np.float32)
    stream = simulate(light, SpikeCamera(), seed=2)
    spikes = torch.from_numpy(stream.dense(np.float32))
    np.testing.assert_allclose(short_exposures(spikes, [4, 17])[1].numpy(), tfp(stream, 17, 9), rtol=1e-6)
    np.testing.assert_allclose(long_exposure(spikes, (0, 21))[0].numpy(), tfp(stream, 10, 21), rtol=1e-6)
    torch.testing.assert_close(window(spikes, 5, 4), spikes[3:7])
    assert long_exposure(spikes[None], (3, 9)).shape == (1, 1, 3, 8)


@pytest.mark.parametrize("exposure", [(5, 5), (-1, 4), (8, 31)])
def test_exposures_outside_the_stream(exposure):
    with pytest.raises(InvalidValueError, match=r"is empty or not in the stream, .* 0\.\.29"):
        long_exposure(torch.zeros(30, 3, 4), exposure)


def brightening() -> tuple[torch.Tensor, torch.Tensor]:
    """Two scenes, one that brightens and one that darkens, and the blurry images of both."""
    ramp = np.linspace(0.2, 0.9, 137, dtype=np.float32)[:, None, None] * np.ones((1, 5, 7), np.float32)
    light = np.stack([ramp, ramp[::-1]])
    spikes = np.stack([simulate(scene, SpikeCamera(), seed=3).dense(np.float32) for scene in light])
    blur = torch.from_numpy(light[:, slice(*EXPOSURE)].mean(1))[:, None].expand(-1, 3, -1, -1)
    return nn.functional.interpolate(blur, scale_factor=4.0), torch.from_numpy(spikes)


def test_the_teacher_follows_the_light():
    blur, spikes = brightening()
    sharp = Teacher()(blur, spikes, [20, 68, 116], EXPOSURE)
    assert sharp.shape == (2, 3, 3, 20, 28)
    means = sharp.mean((2, 3, 4))
    np.testing.assert_allclose(means[0], [0.30, 0.55, 0.80], atol=0.03)
    np.testing.assert_allclose(means[1], [0.80, 0.55, 0.30], atol=0.03)


def test_a_batch_is_what_its_parts_are():
    torch.manual_seed(0)
    teacher = Teacher(BSN(square=False), EDSR())
    blur, spikes = brightening()
    sharp = teacher(blur, spikes, [30, 100], EXPOSURE)
    assert sharp.std() > 0
    for scene in range(2):
        for row, time in enumerate((30, 100)):
            alone = teacher(blur[scene : scene + 1], spikes[scene : scene + 1], [time], EXPOSURE)
            torch.testing.assert_close(sharp[scene, row], alone[0, 0], rtol=0, atol=1e-4)


class Constant(nn.Module):
    """Gives the same value whatever it is given."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, image):
        return torch.zeros_like(image) + self.value


def test_the_teacher_is_made_of_its_parts():
    blur, spikes = brightening()
    times = (blur, spikes, [68], EXPOSURE)
    assert (Teacher(denoiser=Constant(0.0))(*times) == 0).all()
    dark = Teacher(upsampler=nn.Sequential(Bilinear(), Constant(0.0)))(*times)
    assert (dark == 0).all()
    same = Teacher(upsampler=nn.Sequential(Bilinear(), Constant(3.0)))(*times)
    torch.testing.assert_close(same[:, 0], blur)
    assert Teacher(denoiser=Constant(9.0))(*times).max() == 1


def test_what_is_upsampled_is_clipped_before_it_is_divided():
    blur, spikes = brightening()
    bright = Teacher(denoiser=Constant(4.0))(0.3 * blur, spikes, [68], EXPOSURE)
    assert torch.equal(Teacher(denoiser=Constant(9.0))(0.3 * blur, spikes, [68], EXPOSURE), bright)
    assert not torch.equal(Teacher(denoiser=Constant(1.0))(0.3 * blur, spikes, [68], EXPOSURE), bright)


@given(SEEDS, st.floats(1, 8))
def test_the_intensity_scale_is_the_threshold(seed, v_th):
    """Over the gain; to the quantisation of the long exposure, at most one spike a pixel."""
    light, spikes = static(seed, v_th)
    blur = torch.from_numpy(np.repeat(light[None, None], 3, 1))
    long = long_exposure(torch.from_numpy(spikes)[None], EXPOSURE)
    assert abs(float(long.mean() * v_th - light.mean())) <= v_th / READOUTS
    torch.testing.assert_close(intensity_scale(blur, long) * long.mean(), luma(blur).mean((1, 2, 3), keepdim=True))


def test_no_spikes_leave_the_intensity_scale_at_one():
    blur, dark = torch.full((2, 3, 8, 8), 0.5), torch.zeros(2, 1, 2, 2)
    dark[1] = 0.25
    torch.testing.assert_close(intensity_scale(blur, dark).flatten(), torch.tensor([1.0, 2.0]))


def test_the_student_is_trained_on_normalised_spikes_whatever_the_gain_of_the_spikes():
    blur = torch.rand(2, 3, 20, 28, generator=torch.Generator().manual_seed(3))
    spikes = torch.rand(2, 137, 5, 7, generator=torch.Generator().manual_seed(4)).round()
    objective = Distillation(LDN(), EXPOSURE, None, 1.0, None)
    seen: list[torch.Tensor] = []
    objective.network.spike_encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for k in (0.5, 1.0):
        objective({"blur": (1 + k) / 2 * blur, "spikes": k * spikes})
    bright, whole = (windows.unflatten(0, (2, 5)).amax((1, 2, 3, 4)) for windows in seen)
    torch.testing.assert_close(bright / whole, torch.full((2,), 0.75))  # three quarters of the light in either image
    assert whole[0] != whole[1]


def test_the_teacher_does_not_depend_on_the_gain_of_the_spikes():
    """What upsamples is given normalised spikes: twice the spikes per readout are the same light."""
    blur, spikes = brightening()
    upsampler = nn.Sequential(Bilinear(), nn.Conv2d(1, 1, 1), nn.Sigmoid())
    torch.testing.assert_close(*(Teacher(None, upsampler)(blur, k * spikes, [40, 68], EXPOSURE) for k in (0.5, 1.0)))


def test_the_teacher_is_not_trained():
    teacher = Teacher(Constant(0.5).train())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not any(module.training for module in teacher.modules())


def test_spikes_that_are_not_a_quarter_of_the_image():
    _, spikes = brightening()
    with pytest.raises(InvalidValueError, match="does not fit the blurry image"):
        Teacher()(torch.zeros(2, 3, 24, 28), spikes, [68], EXPOSURE)
