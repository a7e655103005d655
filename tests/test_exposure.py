"""Exposure windows: the numbers of the released recipe, and the laws of any plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InvalidValueError
from spikesim_datasets.exposure import EXPOSURES, ExposurePlan, Window

GOPRO = ExposurePlan()


@st.composite
def plans(draw: st.DrawFn) -> ExposurePlan:
    factor = draw(st.integers(1, 9))
    return ExposurePlan(
        frames=draw(st.integers(1, 15)),
        factor=factor,
        gap=factor * draw(st.integers(1, 3)) - 1,
        padding=draw(st.integers(0, 60)),
    )


def fits(plan: ExposurePlan, first_readout: int, n_frames: int) -> bool:
    """Whether every readout of a stream lies between the first and the last raw frame of the clip."""
    begin = first_readout - plan.padding
    return begin >= 0 and begin + plan.stream_length - 1 <= plan.factor * (n_frames - 1)


def test_the_release_averages_97_readouts_of_137_every_104():
    assert (GOPRO.readouts, GOPRO.stream_length, GOPRO.period) == (97, 137, 104)
    assert GOPRO.exposure == (20, 117)
    assert GOPRO.clip_readouts(300) == 8 * 299 + 1


@pytest.mark.parametrize(("n_frames", "last"), [(29, 1), (41, 1), (42, 2), (100, 6), (300, 21)])
def test_windows_of_the_release(n_frames, last):
    assert GOPRO.windows(n_frames) == [Window(k, 13 * k, 104 * k) for k in range(1, last + 1)]


@pytest.mark.parametrize("n_frames", [0, 1, 13, 28])
def test_a_clip_too_short_for_a_whole_stream_has_no_window(n_frames):
    assert GOPRO.windows(n_frames) == []


def test_the_middle_raw_frame_names_a_sample():
    assert [window.first_frame + GOPRO.middle_frame for window in GOPRO.windows(100)] == [19, 32, 45, 58, 71, 84]


@given(plans(), st.integers(0, 200))
def test_windows_are_all_those_whose_stream_lies_in_the_clip(plan, n_frames):
    windows = plan.windows(n_frames)
    indices = [window.index for window in windows]
    everything = range(n_frames * plan.factor // plan.period + 1)
    assert indices == [k for k in everything if fits(plan, k * plan.period, n_frames)]
    for window in windows:
        assert window.first_readout == window.index * plan.period
        assert window.first_frame * plan.factor == window.first_readout


@given(plans())
def test_neighbouring_exposures_leave_the_gap_between_them(plan):
    first, second = plan.windows(plan.frames_for_one_window + plan.period)[:2]
    assert second.first_readout - (first.first_readout + plan.readouts) == plan.gap


@given(plans())
def test_one_window_takes_exactly_the_frames_that_the_plan_says(plan):
    least = plan.frames_for_one_window
    assert len(plan.windows(least)) == 1
    assert plan.windows(least - 1) == []


def test_the_release_needs_29_frames_for_one_window():
    assert GOPRO.frames_for_one_window == 29


@pytest.mark.parametrize(
    ("sharp", "frames", "readouts"),
    [
        ("middle", (6,), (68,)),
        ("sequence", (0, 2, 4, 6, 8, 10, 12), (20, 36, 52, 68, 84, 100, 116)),
        ("none", (), ()),
    ],
)
def test_ground_truth_of_the_release(sharp, frames, readouts):
    assert GOPRO.sharp_frames(sharp) == frames
    assert GOPRO.sharp_readouts(sharp) == readouts


@given(plans(), st.sampled_from(["middle", "sequence"]))
def test_ground_truth_lies_in_the_exposure_on_raw_frames(plan, sharp):
    start, stop = plan.exposure
    for readout in plan.sharp_readouts(sharp):
        assert start <= readout < stop
        assert (readout - start) % plan.factor == 0


@pytest.mark.parametrize("sharp", ["first", "", None])
def test_unknown_ground_truth_is_refused(sharp):
    with pytest.raises(InvalidValueError, match="'middle', 'sequence', 'none'"):
        GOPRO.sharp_frames(sharp)


@pytest.mark.parametrize(
    ("name", "value"), [("frames", 0), ("factor", 0), ("gap", -1), ("padding", -1), ("frames", 13.0), ("factor", "8")]
)
def test_a_plan_says_which_value_is_meaningless(name, value):
    with pytest.raises(InvalidValueError, match=rf"^{name} must be a whole number of at least \d, got {value!r}"):
        ExposurePlan(**{name: value})


@pytest.mark.parametrize("gap", [0, 6, 8, 14])
def test_exposures_that_would_not_begin_on_raw_frames_are_refused(gap):
    with pytest.raises(InvalidValueError, match="7 more than a multiple of 8"):
        ExposurePlan(gap=gap)


@pytest.mark.parametrize(
    ("name", "readouts", "period", "stream"),
    [
        ("ssdm", 97, 104, 137),
        ("gopro7", 49, 56, 89),
        ("gopro11", 81, 88, 121),
        ("gopro13", 97, 104, 137),
        ("spkdeblurnet", 49, 56, 57),
    ],
)
def test_published_exposures(name, readouts, period, stream):
    plan = ExposurePlan.preset(name)
    assert (plan.readouts, plan.period, plan.stream_length) == (readouts, period, stream)


def test_spkdeblurnet_reads_56_readouts_whose_29th_is_the_middle_of_the_exposure():
    """28 before the middle, and 28 from the middle on."""
    plan = ExposurePlan.preset("spkdeblurnet")
    assert plan.sharp_readouts("middle") == (28,)
    assert plan.stream_length >= 28 + 28


@pytest.mark.parametrize("name", EXPOSURES)
@given(factor=st.integers(1, 16))
def test_with_any_factor_less_than_a_raw_frame_is_between_published_exposures(name, factor):
    plan = ExposurePlan.preset(name, factor=factor)
    assert (plan.frames, plan.padding) == (EXPOSURES[name].frames, EXPOSURES[name].padding)
    assert plan.period == plan.frames * factor


def test_published_exposures_are_changed_as_wanted():
    changed = ExposurePlan.preset("gopro7", factor=4, gap=31, padding=3)
    assert changed == ExposurePlan(frames=7, factor=4, gap=31, padding=3)
    with pytest.raises(InvalidValueError, match="no exposure is called 'moon'; there are ssdm, gopro7"):
        ExposurePlan.preset("moon")
    with pytest.raises(InvalidValueError, match="an exposure has no length; it has frames, factor, gap, padding"):
        ExposurePlan.preset("ssdm", length=3)
