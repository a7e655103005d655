"""Files of torch that somebody made to do harm: refused by what they say, before anything is made of them."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.torch_tools.state_dicts import read_tensors
from spikesim_datasets.torch_tools.torch_files import load_torch_file
from ssdm_models.training.state import load_state

EMPTY = pickle.dumps({}, 2)


def nested(depth: int) -> bytes:
    """Instructions that leave a tuple on the stack which says 2 ** depth times that there is nothing."""
    twice = b"".join(b"q%ch%c\x86" % (level, level) for level in range(depth))  # keep it, get it, make a pair
    return b")" + twice


PICKLES: dict[str, tuple[bytes, str]] = {
    "a key that cannot be hashed": (b"\x80\x02}" + nested(14) + b"K\x01s.", "made of more than 1000 values"),
    "the same in a set": (
        b"\x80\x02cbuiltins\nset\n]" + nested(14) + b"a\x85R.",
        "made of more than 1000 values",
    ),
    "the same kept apart": (b"\x80\x02" + nested(14) + b"r\xff\xff\x00\x00}j\xff\xff\x00\x00K\x01s.", "1000 values"),
    "the same from marks": (
        b"\x80\x02}" + b"(" + nested(5) + b"t" + b"".join(b"q%c(h%ch%ch%ct" % (16, 16, 16, 16) for _ in range(4))
        + b"K\x01s.",
        "1000 values",
    ),
    "a call of a list": (b"\x80\x02])R.", "calls what it does not name"),
    "a call of a tuple": (b"\x80\x02))\x81.", "calls what it does not name"),
    "memory without end": (b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "memory that holds nothing"),
    "far too much": (b"\x80\x02X" + bytes([1, 0, 64, 0]) + b"x" * ((1 << 22) + 1) + b".", "takes more than 4194304"),
}  # fmt: skip


def as_archive(path: Path, content: bytes) -> None:
    """A file of torch whose pickle is another."""
    torch.save({}, path)
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, whole in records.items():
            archive.writestr(name, content if name.endswith("data.pkl") else whole)


def as_old_file(path: Path, content: bytes) -> None:
    """The same as versions before 1.6 wrote it: five pickles, the fourth of which is what was saved."""
    torch.save({}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    place = whole.rindex(EMPTY + pickle.dumps([], 2))
    path.write_bytes(whole[:place] + content + whole[place + len(EMPTY) :])


@pytest.mark.parametrize("make", [as_archive, as_old_file])
@pytest.mark.parametrize(("content", "said"), PICKLES.values(), ids=PICKLES)
def test_a_pickle_that_would_never_end_is_refused(
    tmp_path: Path, make: Callable[[Path, bytes], None], content: bytes, said: str
) -> None:
    make(tmp_path / "a.pth", content)
    with pytest.raises(InvalidValueError, match=said):
        load_torch_file(tmp_path / "a.pth")
    with pytest.raises(InputFileError, match=rf"a\.pth is not read: .*{said}"):
        read_tensors(tmp_path / "a.pth")
    with pytest.raises(InputFileError, match=rf"a\.pth is damaged \(.*{said}"):
        load_state(tmp_path / "a.pth")


@pytest.mark.parametrize("archive", [True, False])
def test_what_trainings_save_is_read(tmp_path: Path, archive: bool) -> None:
    layer = torch.nn.Linear(3, 5)
    optimiser = torch.optim.Adam(layer.parameters(), betas=(0.8, 0.9))
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    random = (3, tuple(range(625)), None)  # as Python's generator describes itself
    held = {"net": layer.state_dict(), "optimizer": optimiser.state_dict(), "random": random, "shape": torch.Size([3])}
    torch.save(held, tmp_path / "a.pth", _use_new_zipfile_serialization=archive)
    found = load_torch_file(tmp_path / "a.pth")
    assert found["random"] == random
    assert found["optimizer"]["param_groups"] == held["optimizer"]["param_groups"]
    assert all(torch.equal(found["net"][name], value) for name, value in layer.state_dict().items())


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    with pytest.raises(InputFileError, match=r"packed\.pth is not read: its \d+ bytes would unpack to 400\d+"):
        read_tensors(tmp_path / "packed.pth")


def test_a_flipped_bit_in_an_archive_is_found(tmp_path: Path) -> None:
    values = torch.arange(1000.0)
    torch.save({"a": values}, tmp_path / "a.pth")
    content = bytearray((tmp_path / "a.pth").read_bytes())
    content[content.index(values.numpy().tobytes()) + 2000] ^= 1
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(InputFileError, match="truncated, damaged"):
        read_tensors(tmp_path / "a.pth")
