"""What a file is that is not what its name says."""

import pytest
from source_data import noise

from spikesim.errors import InputFileError
from spikesim_datasets.image_files import image_header, read_image, write_png
from spikesim_datasets.mistaken_files import mistaken

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n".encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, " (it is a pointer of Git LFS; `git lfs pull` fetches the file itself)"),
        (b"<!DOCTYPE HTML><html>", " (it is a web page)"),
        (b"\n <html lang='en'>", " (it is a web page)"),
        (b"#EXTM3U\na.ts\n", " (it is a list of other files; give these themselves)"),
        (b"ffconcat version 1.0\nfile a.mp4\n", " (it is a list of other files; give these themselves)"),
        (b"frames are at https://example.org\r\n", " (it is text)"),
        ("ä".encode() * 300, " (it is text)"),
        (b"x" + "ä".encode() * 300, " (it is text)"),  # the last letter is cut
        (b"", ""),
        (b"caf\xe9", ""),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ""),
        (b"\x00\x00\x00\x20ftypisom", ""),
    ],
)
def test_what_a_file_is(tmp_path, content, said):
    (tmp_path / "a").write_bytes(content)
    assert mistaken(tmp_path / "a") == said


def test_of_what_cannot_be_read_nothing_is_said(tmp_path):
    assert mistaken(tmp_path) == mistaken(tmp_path / "none") == ""


@pytest.mark.parametrize("read", [image_header, read_image])
def test_an_image_that_is_a_pointer_says_so(tmp_path, read):
    (tmp_path / "a.png").write_bytes(POINTER)
    with pytest.raises(InputFileError, match=r"a\.png .*\(it is a pointer of Git LFS; `git lfs pull`"):
        read(tmp_path / "a.png")
    write_png(tmp_path / "a.png", noise(0))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    with pytest.raises(InputFileError, match="cannot be decoded") as caught:
        read_image(tmp_path / "a.png")
    assert "it is" not in str(caught.value)
