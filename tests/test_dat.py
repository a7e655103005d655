"""The size of a `.dat` file: described, configured, given, or suggested by its length."""

import json
import re
from pathlib import Path
from typing import Any

import format_data
import numpy as np
import pytest
from format_data import random_spikes

from spikesim import SpikeStream, read_spikes, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, OutputError

clip, bare = format_data.clip, format_data.bare


@pytest.mark.parametrize(
    "config",
    [
        "spike_h: 5\nspike_w: 11\n",
        "# SpikeCV\nspike_w : 11   # columns\n\nspike_h:5\nfilename: a.dat",
        "data:\r\n  'spike_h': '005'\r\n  \"spike_w\": 11\r\n",
    ],
)
def test_spikecv_config_gives_the_size(bare: Path, config: str) -> None:
    bare.with_name("config.yaml").write_text(config, newline="")
    assert read_spikes(bare).shape == (3, 5, 11)
    assert read_spikes(bare, 7, 8).shape == (3, 7, 8)  # the caller knows better: the folder may hold other files


@pytest.mark.parametrize(
    "config",
    [
        *("", "spike_h: 5\n", "spike_h: 0\nspike_w: 11\n", "my_spike_h: 5\nspike_w: 11\n", "spike_h:\n5\nspike_w: 11"),
        *("\n" * 200_000, "spike_h:" + " " * 200_000, f"spike_h: {'9' * 5000}\nspike_w: 11\n"),
    ],
    ids=range(8),
)
def test_a_config_without_a_size_gives_none(bare: Path, config: str) -> None:
    bare.with_name("config.yaml").write_text(config)
    with pytest.raises(InvalidValueError, match="give height and width"):
        read_spikes(bare)


def test_the_description_wins_over_the_config(clip: Path) -> None:
    clip.with_name("config.yaml").write_text("spike_h: 7\nspike_w: 8\n")
    assert read_spikes(clip).shape == (3, 5, 11)


@pytest.mark.parametrize("options", [{"height": 7, "width": 8}, {"flip": False}, {"header_columns": 2}])
def test_contradicting_the_description_is_an_error_that_says_both(clip: Path, options: dict[str, Any]) -> None:
    assert read_spikes(clip, 5, 11, flip=True, header_columns=0).shape == (3, 5, 11)
    name = next(iter(options))
    recorded = {"height": 5, "flip": True, "header_columns": 0}[name]
    with pytest.raises(InputFileError, match=rf"{name}={options[name]}: clip\.json .* says {name}={recorded}"):
        read_spikes(clip, **options)


def test_an_unknown_size_suggests_the_known_ones_that_fit(bare: Path) -> None:
    bare.write_bytes(bytes(2 * 500 * 800 // 8))
    with pytest.raises(
        InvalidValueError, match=r"give height and width.*250×400 \(8 readouts\), 500×800 \(2 readouts\)$"
    ):
        read_spikes(bare)
    bare.write_bytes(b"1")
    with pytest.raises(InvalidValueError, match="None of the known sizes"):
        read_spikes(bare)


@pytest.mark.parametrize("cut", [1, 7])
def test_a_cut_dat_is_an_error(clip: Path, cut: int) -> None:
    clip.write_bytes(clip.read_bytes()[:-cut])
    with pytest.raises(InputFileError, match=r"clip\.dat.*cut short"):
        read_spikes(clip)


def test_a_wrong_length_is_an_error_with_all_the_numbers(bare: Path) -> None:
    bare.write_bytes(bytes(12_500))
    with pytest.raises(InputFileError, match=r"clip\.dat has 12500 bytes.* 7 bytes .*5×11.*250×400 \(1 readouts\)"):
        read_spikes(bare, 5, 11)
    with pytest.raises(InputFileError, match=r"9 bytes .*5×11 with 3 header columns"):
        read_spikes(bare, 5, 11, header_columns=3)


def test_an_empty_file_is_an_error_unless_described_as_empty(bare: Path) -> None:
    bare.write_bytes(b"")
    with pytest.raises(InputFileError, match="empty"):
        read_spikes(bare, 5, 11)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", ""),
        ('{"schema": "spikesim.dat/2", "shape": [3, 5, 11]}', "spikesim.dat/2"),
        ('{"schema": "spikesim.dat/1", "shape": [3, 5]}', ""),
        ('{"schema": "spikesim.dat/1", "shape": [3, 5, 0], "flip": true, "header_columns": 0}', "width must be a"),
        (
            '{"schema": "spikesim.dat/1", "shape": [3, 5, 11], "flip": true, "header_columns": 0, "camera": {"a": 1}}',
            "'a'",
        ),
    ],
)
def test_a_damaged_description_is_an_error(clip: Path, text: str, problem: str) -> None:
    clip.with_suffix(".json").write_text(text)
    with pytest.raises(InputFileError, match=rf"clip\.json.*{re.escape(problem)}"):
        read_spikes(clip)


@pytest.mark.parametrize("crc32", ["x", True, [1], {}, 0.5, -1, 1 << 32])
@pytest.mark.parametrize("part", [{}, {"start": 1}])
def test_a_damaged_checksum_is_an_error_of_the_description(clip: Path, crc32: Any, part: dict[str, int]) -> None:
    description = clip.with_suffix(".json")
    record = json.loads(description.read_text())
    description.write_text(json.dumps(record | {"crc32": crc32}))
    said = rf"clip\.json: crc32 \(null .*\) must be a whole number from 0 to 4294967295, got {re.escape(repr(crc32))}$"
    with pytest.raises(InputFileError, match=said):
        read_spikes(clip, **part)


@pytest.mark.parametrize("known", [{"crc32": None}, {}])
def test_a_description_may_know_no_checksum(clip: Path, known: dict[str, None]) -> None:
    """As those of earlier versions."""
    description = clip.with_suffix(".json")
    record = json.loads(description.read_text())
    del record["crc32"]
    description.write_text(json.dumps(record | known))
    assert np.array_equal(read_spikes(clip).dense(), random_spikes(3, 5, 11))


@pytest.mark.parametrize("text", ['{"boxes": []}', "[1]", "not JSON"])
def test_a_json_file_of_somebody_else_is_never_replaced(bare: Path, text: str) -> None:
    other = bare.with_suffix(".json")
    other.write_text(text)
    before = bare.read_bytes()
    with pytest.raises(OutputError, match=r"clip\.json.*something else"):
        write_spikes(bare, SpikeStream.from_dense(random_spikes(1, 5, 11)))
    assert (other.read_text(), bare.read_bytes()) == (text, before)


@pytest.mark.parametrize(("there", "written"), [("clip.DAT", "clip.dat"), ("clip.dat", "clip.Dat")])
@pytest.mark.parametrize("options", [{}, {"describe": False}])
def test_two_files_do_not_share_a_description(
    tmp_path: Path, there: str, written: str, options: dict[str, Any]
) -> None:
    dense = random_spikes(3, 5, 11)
    write_spikes(tmp_path / there, SpikeStream.from_dense(dense))
    if (tmp_path / written).exists():
        pytest.skip("this file system knows no case")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=rf"{written} and {there} beside it .* clip\.json.*choose another name"):
        write_spikes(tmp_path / written, SpikeStream.from_dense(dense[:2]), **options)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert np.array_equal(read_spikes(tmp_path / there).dense(), dense)
    write_spikes(tmp_path / there, SpikeStream.from_dense(dense[1:]))  # it may replace itself
    assert len(read_spikes(tmp_path / there)) == 2


def test_a_file_without_description_stays_readable_beside_another(bare: Path) -> None:
    """One that tells its own size by no description must get none."""
    other = bare.with_suffix(".DAT")
    if other.exists():
        pytest.skip("this file system knows no case")
    with pytest.raises(OutputError, match="would share one description"):
        write_spikes(other, SpikeStream.from_dense(random_spikes(2, 5, 11)))
    write_spikes(other, SpikeStream.from_dense(random_spikes(2, 5, 11)), describe=False)
    assert len(read_spikes(bare, 5, 11)) == 3
    assert len(read_spikes(other, 5, 11)) == 2


def test_a_link_to_the_file_is_no_other_file(clip: Path) -> None:
    clip.with_suffix(".DAT").symlink_to(clip)
    write_spikes(clip, SpikeStream.from_dense(random_spikes(2, 5, 11)))
    assert len(read_spikes(clip)) == 2


def test_a_json_file_of_somebody_else_is_not_read(bare: Path) -> None:
    bare.with_suffix(".json").write_text('{"boxes": [], "shape": [9, 9, 9]}')
    assert read_spikes(bare, 5, 11).shape == (3, 5, 11)
