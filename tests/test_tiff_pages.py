"""TIFF files: every page is an image of one series, or is refused; never one passed over in silence."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_data import everything, noise
from tiff_data import write_tiff

from spikesim.errors import InputFileError
from spikesim_datasets.image_files import image_header, read_image
from spikesim_datasets.sources import open_clips

COUNT = 6

IMAGEJ = "ImageJ=1.54f\nimages={}\n{}hyperstack=true\n"
OME = '<?xml version="1.0"?><OME><Pixels SizeX="28" SizeY="20" SizeZ="{}" SizeC="{}" SizeT="{}">{}</Pixels></OME>'


def stack(count: int = COUNT, first: dict | None = None, grey: bool = False) -> list:
    """Pages of noise, the first one with tags of its own."""
    images = [noise(number)[..., 0] if grey else noise(number) for number in range(count)]
    return [(image, first or {} if number == 0 else {}) for number, image in enumerate(images)]


# Sizes


@pytest.mark.parametrize("odd", [0, 3, COUNT - 1])
def test_a_page_of_another_size_is_not_passed_over(tmp_path, odd):
    pages = stack()
    pages[odd] = (noise(odd, 40, 28), {})
    with pytest.raises(InputFileError, match=r"a\.tif has images of several sizes, .*28×40.*; the frames of a clip"):
        open_clips([write_tiff(tmp_path / "a.tif", *pages)])


def test_pages_that_lie_differently_are_turned_each_or_refused(tmp_path):
    turned = [(image, {274: 6} if number > 2 else {}) for number, (image, _) in enumerate(stack())]
    with pytest.raises(InputFileError, match=r"several sizes, 28×20 and 20×28"):
        open_clips([write_tiff(tmp_path / "a.tif", *turned)])
    square = [(noise(number, 20, 20), {274: 6} if number > 2 else {}) for number in range(COUNT)]
    (clip,) = open_clips([write_tiff(tmp_path / "b.tif", *square)])
    expected = [np.rot90(image, -1) if tags else image for image, tags in square]
    assert np.array_equal(everything(clip), expected)


def test_pages_marked_as_smaller_copies_do_not_count(tmp_path):
    copies = [page for image, _ in stack() for page in ((image[::2, ::2], {254: 1}), (image, {}))]
    (clip,) = open_clips([write_tiff(tmp_path / "a.tif", *copies)])
    assert np.array_equal(everything(clip), [noise(number) for number in range(COUNT)])
    path = write_tiff(tmp_path / "b.tif", *copies[:2])
    assert image_header(path) == (28, 20, 1, 1)
    assert np.array_equal(read_image(path), noise(0))
    with pytest.raises(InputFileError, match=r"c\.tif holds only pages marked as smaller copies"):
        image_header(write_tiff(tmp_path / "c.tif", copies[0]))


def test_smaller_copies_without_a_mark_are_each_of_another_size_and_of_one_shape(tmp_path):
    whole, half, quarter, other = noise(0, 41, 57), noise(1, 21, 29), noise(2, 10, 14), noise(3, 10, 29)
    path = tmp_path / "a.tif"
    for previews in ((half,), (half, quarter), (quarter, half)):
        write_tiff(path, *((image, {}) for image in (whole, *previews)))
        assert np.array_equal(read_image(path), whole)
    for images in ((whole, half, half), (whole, other), (whole, noise(4, 24, 33)), (half, whole)):
        write_tiff(path, *((image, {}) for image in images))
        with pytest.raises(InputFileError, match="images of several sizes"):
            image_header(path)


# What the file says of its images


@pytest.mark.parametrize(
    "tags",
    [
        {270: '{"shape": [30, 20, 28, 3], "truncated": true}'},
        {270: '{"shape": [30, 3, 20, 28]}', 284: 2},
        {270: IMAGEJ.format(30, "")},
        {270: IMAGEJ.format(30, "frames=30\n")},
        {270: IMAGEJ.format(30, "slices=30\n")},
        {32997: 30},
        {32997: 30, 270: '{"shape": [30, 20, 28, 3]}'},
    ],
)
@pytest.mark.parametrize("pages", [1, 2])
def test_images_without_a_page_of_their_own_are_told_of(tmp_path, tags, pages):
    path = write_tiff(tmp_path / "a.tif", *stack(pages, tags))
    for read in (image_header, read_image, lambda path: open_clips([path])):
        with pytest.raises(InputFileError, match=rf"a\.tif says that it holds 30 images, but has {pages} pages?; save"):
            read(path)


@pytest.mark.parametrize(
    ("description", "counts"),
    [
        (IMAGEJ.format(6, "channels=2\nframes=3\n"), "3 × 2"),
        (IMAGEJ.format(6, "slices=2\nframes=3\n"), "3 × 2"),
        (IMAGEJ.format(6, "channels=3\nslices=2\n"), "2 × 3"),
        (IMAGEJ.format(30, "channels=3\nslices=2\nframes=5\n"), "5 × 2 × 3"),
        ('{"shape": [3, 2, 20, 28], "axes": "TCYX"}', "3 × 2"),
        ('{"shape": [3, 1, 2, 20, 28, 1]}', "3 × 2"),
        (OME.format(1, 2, 3, '<TiffData><UUID FileName="a.tif"/></TiffData>'), "3 × 2"),
        (OME.format(2, 1, 3, ""), "3 × 2"),
    ],
)
def test_images_along_several_axes_are_no_clip(tmp_path, description, counts):
    path = write_tiff(tmp_path / "a.tif", *stack(first={270: description}, grey=True))
    with pytest.raises(InputFileError, match=rf"a\.tif holds {counts} images along several axes .*; save one"):
        open_clips([path])


@pytest.mark.parametrize(
    "description",
    [
        IMAGEJ.format(6, "channels=6\n"),  # as tifffile calls images whose axis nobody named
        IMAGEJ.format(6, "slices=6\n"),
        IMAGEJ.format(4, "frames=4\n"),  # others were added later
        '{"shape": [6, 20, 28, 3]}',
        '{"shape": [20, 28, 3]}',
        '{"shape": [30, 40, 56, 3]}',  # of an image that this was cut out of
        OME.format(1, 3, 6, ""),
        OME.format(1, 1, 30, ""),  # recording was ended early
        OME.format(2, 3, 6, '<UUID FileName="a.tif"/><UUID FileName="b.tif"/>'),
        "frames=3\nchannels=2\n",
        '{"shape": "round"}',
    ],
)
def test_a_description_that_fits_changes_nothing(tmp_path, description):
    (clip,) = open_clips([write_tiff(tmp_path / "a.tif", *stack(first={270: description}))])
    assert np.array_equal(everything(clip), [noise(number) for number in range(COUNT)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([254, 258, 259, 262, 266, 270, 277, 284, 339, 32997]),
        st.one_of(
            st.integers(0, 2**32 - 1),
            st.tuples(st.integers(0, 40), st.integers(0, 40)),
            st.sampled_from(["", "1", "ImageJ=\nframes=0\n", '{"shape": [ ,]}', '{"shape": [0]}', '<OME SizeC="9"']),
        ),
    )
)
def test_whatever_tags_say_an_image_is_read_or_refused(tmp_path, tags):
    path = write_tiff(tmp_path / "a.tif", (noise(0), tags))
    with suppress(InputFileError):
        assert (image_header(path).size, read_image(path).shape) == ((28, 20), (20, 28, 3))


# Values


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize(
    ("pixels", "tags", "why"),
    [
        (np.full((20, 28, 3), 40000, "<u2"), {}, "more than 8 bits a channel"),
        (np.full((20, 28), 40000, "<u2"), {}, "more than 8 bits a channel"),
        (np.full((20, 28), 200, np.uint8), {339: 2}, "values with a sign"),
    ],
)
def test_other_values_than_bytes_are_refused(tmp_path, pixels, tags, why, planes):
    path = write_tiff(tmp_path / "a.tif", (pixels, {284: planes} | tags))
    with pytest.raises(InputFileError, match=rf"a\.tif has {why}; 8-bit images are expected, convert it"):
        read_image(path)


def test_channels_apart_are_read_as_channels_of_each_pixel(tmp_path):
    for planes in (1, 2):
        path = write_tiff(tmp_path / "a.tif", (noise(0), {284: planes}))
        assert np.array_equal(read_image(path), noise(0))
    grey = noise(0)[..., 0]
    packed = np.packbits(grey > 100, axis=1)
    for pixels, tags in ((grey, {262: 0}), (grey, {266: 2}), (packed, {256: 8 * packed.shape[1], 258: 1})):
        path = write_tiff(tmp_path / "b.tif", (pixels, tags))
        read_image(path)  # each pixel's channels together
        write_tiff(path, (pixels, tags | {284: 2}))
        with pytest.raises(InputFileError, match=r"b\.tif keeps channels apart .* convert it"):
            read_image(path)
