"""GIF files that were cut off."""

from pathlib import Path

import pytest
from PIL import Image
from source_data import noise

from spikesim_datasets.videos.gif import gif_missing_bytes


@pytest.fixture
def gif(tmp_path) -> Path:
    """Images with tables of colours of their own, a comment with the byte of the trailer, blocks of full length."""
    first, *others = (Image.fromarray(noise(number, 9, 13)).quantize(16 << number) for number in range(3))
    path = tmp_path / "a.gif"
    first.save(path, save_all=True, append_images=others, duration=40, loop=0, comment=b"one;two;" * 40)
    return path


def test_a_whole_file_lacks_nothing(gif):
    assert gif_missing_bytes(gif) == 0
    gif.write_bytes(gif.read_bytes() + bytes(100))
    assert gif_missing_bytes(gif) == 0


def test_wherever_it_is_cut_off_bytes_are_missing(gif):
    content = gif.read_bytes()
    for length in range(6, len(content)):
        gif.write_bytes(content[:length])
        assert 0 < gif_missing_bytes(gif) <= len(content) - length, length


def test_other_files_lack_nothing(gif):
    for content in (b"", b"GIF", b"GIF90a", b"\x89PNG\r\n\x1a\n" + bytes(20), b"GIF89a" + bytes(7) + b"?"):
        gif.write_bytes(content)
        assert gif_missing_bytes(gif) == 0
