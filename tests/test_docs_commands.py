"""The commands of every page are run, in its order, on small data of the names that it gives."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import commands
import pytest
from commands import Run
from docs_material import TAKEN, lay_out, write_material
from remote_data import bucket_server, serving, upload
from test_docs import _AS_SHOWN, _FENCE, _PATH, ORIGINALS, ROOT

from spikesim_datasets.remote.block_cache import FOLDER_VARIABLE

run = commands.run

LEFT_OUT = {
    "make ": "continuous integration runs the targets",
    "pip install ": "changes the environment of the tests, and needs a network",
    "spikesim demo ": "takes half a minute; test_making_commands.py runs it",
    "--method two-counts": "wants the example installed; test_outside_methods.py does that",
    "dask ": "goes on until it is ended",
    "--scheduler cluster.json": "wants the scheduler that was left out; test_cluster.py starts one",
    "srun ": "Slurm is on clusters alone",
    "PATH=/home/me/": "is a line of a crontab",
    "0 3 * * * ": "is a line of a crontab",
    "benchmarks/realism.py": "wants a recording that does not come with the package",
    **({"--rerun": "wants an extra of 500 MB that is not installed"} if find_spec("rerun") is None else {}),
}
"""Commands that are not run: a part that tells them, and why."""

SMALLER = {
    "--height 250 --width 400": "--height 24 --width 32",
    "--crop 312 40 1600 1000": "--crop 2 2 128 96",
    "#200'": "#2' --side 64",
    "#2000' --side 256": "#2' --side 64",
    "--start 3000 --frames 1440": "--start 5 --frames 40",
    "--start 1000 --readouts 200": "--start 10 --readouts 40",
    "build demo:street": "build demo:street --frames 29",
    "--vth 1 2 4 --table1": "--vth 2 --table1",  # of seven methods
    "--vth 1 2 4 --limit 5": "--vth 2 --limit 5",  # as well
    "--device cuda": "--device cpu",
    " /data/": " ",
}
"""What is run in place of sizes, counts and places that a test does not have."""

LIMITS = {
    "spikesim build": "--workers 1",  # two would take longer to start than the work takes
    # The default of --perceptual needs weights that have to be fetched.
    "spikesim train-ssdm ": "--epochs 1 --crop 32 --batch 4 --workers 0 --device cpu --perceptual laplacian",
    "--stage san": "--crop 64",  # the least of this network
    "spikesim train-baseline ": "--epochs 1 --crop 64 --batch 2 --workers 0 --device cpu --small",
    "train-baseline spkdeblurnet ": "--crop 96",  # the least of this one
    "spikesim eval-ssdm ": "--limit 1 --device cpu",
    "--out results/gopro": "--single",
}
"""Options that end a command early, in place of those that it has: of every command with such a part."""

_SHELL = ("bash", "sh")
_OTHERS = ("python", "py", "text", "toml")
_OF_SHELLS = re.compile(r"[|&<>$]")


def commands_of(text: str) -> list[str]:
    """Every command in the blocks of a page, without comments."""
    blocks = "".join(code for language, code in _FENCE.findall(text) if language in _SHELL)
    lines = (re.split(r"(?:^|\s)#", line)[0].strip() for line in blocks.replace("\\\n", "").splitlines())
    return [line for line in lines if line]


def unread(text: str) -> bool:
    """Whether a page has blocks that `commands_of` does not see, or languages that nobody has thought of."""
    languages = [language for language, _ in _FENCE.findall(text)]
    return text.count("```") != 2 * len(languages) or not {*languages} <= {*_SHELL, *_OTHERS}


def pages() -> dict[str, str]:
    """The text of every page that has commands; the examples of a command's help are a page of their own."""
    found = {}
    for path in ORIGINALS:
        name, text = str(path.relative_to(ROOT)), path.read_text("utf-8")
        if name == "docs/commands.md":
            found |= {f"{name}#{part.split()[0]}": part for part in text.split("\n## ")[1:]}
        else:
            found[name] = text
    return {name: text for name, text in found.items() if commands_of(text)}


PAGES = pages()
LINES = [line for text in PAGES.values() for line in commands_of(text)]


def left_out(line: str) -> bool:
    return any(part in line for part in LEFT_OUT)


def unused(parts: Iterable[str], lines: Iterable[str]) -> list[str]:
    """Those parts that are in no line."""
    return [part for part in parts if not any(part in line for line in lines)]


def cut_short(line: str) -> str:
    """What is run of a command."""
    for shown, smaller in SMALLER.items():
        line = line.replace(shown, smaller)
    return " ".join([line, *(limit for part, limit in LIMITS.items() if part in line)])


def run_line(line: str, spikesim: Run) -> str:
    """Run a command here, or by a shell if it needs one, and return what it said if it failed."""
    words = shlex.split(line)
    if words[0] == "cd":
        os.chdir(words[1])
        return ""
    if words[0] == "spikesim" and not _OF_SHELLS.search(line):
        result = spikesim(*words[1:])
        return f"{result.code}: {result.err[-300:]}" if result.code else ""
    variables = {"PATH": _PATH, "HOME": str(Path.cwd()), "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "1"}
    ran = subprocess.run(["bash", "-c", line], **{**_AS_SHOWN, "env": os.environ | variables})
    return f"{ran.returncode}: {ran.stderr[-300:]}" if ran.returncode else ""


def run_all(text: str, spikesim: Run, host: str = "") -> list[str]:
    """Run the commands of a page that are not left out, and return those that failed, with what they said.

    Args:
        text: The page.
        spikesim: Runs `spikesim` in this process, which has imported torch already.
        host: What the address https://host stands for.
    """
    lines = [line for line in commands_of(text) if not left_out(line)]
    said = [(line, run_line(cut_short(line).replace("https://host", host), spikesim)) for line in lines]
    return [f"{line}: {words}" for line, words in said if words]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("material")
    write_material(root)
    return root


@pytest.fixture(scope="module")
def host(material: Path) -> Iterator[str]:
    """The address of a server that has the material, as the bucket `bucket` has its dataset."""
    pytest.importorskip("moto.server", reason="a server of buckets is for development alone")
    with serving(material) as web, bucket_server():
        upload(material / "data" / "gopro", "bucket/data/gopro")
        yield web.address


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIKESIM_WEIGHTS", "train_log")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::spikesim_datasets.interpolation.networks.weights.UnknownWeightsWarning")
@pytest.mark.parametrize("name", PAGES)
def test_commands_of_a_page_run(
    name: str, material: Path, here: Path, run: Run, request: pytest.FixtureRequest
) -> None:
    lay_out(material, name, here)
    elsewhere = "://" in "".join(commands_of(PAGES[name]))
    assert run_all(PAGES[name], run, request.getfixturevalue("host") if elsewhere else "") == []


def test_every_block_is_read() -> None:
    assert [name for name, text in PAGES.items() if unread(text)] == []
    assert len(LINES) > 150


@pytest.mark.parametrize("block", ["```console\n$ x\n```", "```\nspikesim x\n```", "- ```bash\n  spikesim x\n  ```"])
def test_a_planted_block_that_would_not_be_read_is_found(block: str) -> None:
    assert not unread("```bash\nspikesim x\n```\n")
    assert unread(f"```bash\nspikesim x\n```\n{block}\n")


def test_no_entry_of_a_table_is_out_of_date() -> None:
    assert unused(LEFT_OUT, LINES) == []
    assert unused(SMALLER, LINES) == []
    assert unused(LIMITS, LINES) == []
    assert {*TAKEN} <= {*PAGES}


def test_a_planted_entry_that_is_out_of_date_is_found() -> None:
    assert unused([*LEFT_OUT, "spikesim fly "], LINES) == ["spikesim fly "]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("spikesim info nothing.dat", "does not exist"),
        ("spikesim info nothing.dat > said.txt", "does not exist"),
        ("no-program-at-all", "127"),
    ],
)
def test_a_planted_command_that_fails_is_found(line: str, said: str, here: Path, run: Run) -> None:
    (found,) = run_all(f"```bash\nspikesim completion bash  # a comment\n{line}\nmake nothing\n```\n", run)
    assert found.startswith(f"{line}: ")
    assert said in found


def test_what_is_run_of_a_command_is_the_command_cut_short() -> None:
    page = "```sh\n#!/bin/bash\nspikesim train-ssdm --data d \\\n  --vth 1 # all\n```\n```python\nspikesim = 1\n```\n"
    assert commands_of(page) == ["spikesim train-ssdm --data d   --vth 1"]
    assert cut_short("spikesim train-ssdm --vth 1") == f"spikesim train-ssdm --vth 1 {LIMITS['spikesim train-ssdm ']}"
    assert cut_short("spikesim info /data/x") == "spikesim info x"
