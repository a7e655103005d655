"""Compiled kernels are taken from the disk while their sources are unchanged, and only then."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A kernel of `bits` that calls one of `random`, and one of `integration` into which a purpose of noise is compiled.
RUN = """
import json
import numpy as np
from spikesim.kernels import bits, integration

words, due, key = np.zeros((1, 4, 40), np.uint32), np.zeros((1, 40), np.int64), np.zeros(2, np.uint32)
bits.first_events(0, 1, 4, key, np.zeros(1, np.int64), np.log1p(-0.01), words, due)
counts = [float(integration.poisson(3.0, pixel, 5, key)) for pixel in range(40)]
stats = [sum(kernel.stats.cache_hits.values()) for kernel in (bits.first_events, integration.poisson)]
print(json.dumps([due.ravel().tolist(), counts, stats, str(bits.first_events.stats.cache_path)]))
"""


class Copy:
    """A copy of the package, and what its kernels give in a fresh interpreter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "site"
        self.home = folder / "home"
        self.home.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "spikesim", self.folder / "spikesim", ignore=ignored)

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / "spikesim" / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")

    def run(self, code: str = RUN) -> list[object]:
        hidden = ("NUMBA_", "XDG_CACHE_HOME")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment |= {"PYTHONPATH": str(self.folder), "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-W", "error", "-c", code]
        result = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return list(json.loads(result.stdout))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_what_is_unchanged_is_compiled_once(copy: Copy) -> None:
    due, counts, hits, place = copy.run()
    assert hits == [0, 0]
    assert copy.run() == [due, counts, [1, 1], place]
    assert Path(str(place)).is_relative_to(copy.folder)


@pytest.mark.long
def test_a_called_kernel_of_another_file_is_compiled_anew(copy: Copy) -> None:
    due, counts, _, place = copy.run()
    copy.change("kernels/random.py", "_w(0xD2511F53)", "_w(0xD2511F55)")
    changed, others, hits, _ = copy.run()
    assert hits == [0, 0]
    assert changed != due
    assert others != counts
    copy.change("kernels/random.py", "_w(0xD2511F55)", "_w(0xD2511F53)")
    assert copy.run() == [due, counts, [0, 0], place]


def test_a_purpose_is_compiled_in(copy: Copy) -> None:
    due, counts, *_ = copy.run()
    copy.change("noise/shot_noise.py", "purposes = (1,)", "purposes = (99,)")
    same, others, hits, _ = copy.run()
    assert hits == [0, 0]
    assert same == due
    assert others != counts


def test_kernels_of_other_packages_know_their_neighbours(copy: Copy) -> None:
    """As those of `spikesim_datasets` do, which are made by the same decorators."""
    other = copy.folder / "other"
    other.mkdir()
    for name, text in {
        "__init__.py": "",
        "called.py": "from spikesim.kernels.compile import kernel\n\n@kernel\ndef called(x):\n    return x + 1\n",
        "caller.py": (
            "from other.called import called\nfrom spikesim.kernels.compile import kernel\n\n"
            "@kernel\ndef caller(x):\n    return called(x) * 2\n"
        ),
    }.items():
        (other / name).write_text(text)
    code = (
        "import json\nfrom other.caller import caller\n"
        "print(json.dumps([caller(3), sum(caller.stats.cache_hits.values())]))"
    )
    assert [copy.run(code), copy.run(code)] == [[8, 0], [8, 1]]
    called = other / "called.py"
    called.write_text(called.read_text().replace("x + 1", "x + 2"))
    assert [copy.run(code), copy.run(code)] == [[10, 0], [10, 1]]


def test_where_the_installation_cannot_be_written_the_cache_is_the_users(copy: Copy) -> None:
    # A file in the place of the folder keeps even root from writing there.
    (copy.folder / "spikesim" / "kernels" / "__pycache__").write_text("")
    due, counts, hits, place = copy.run()
    assert hits == [0, 0]
    assert Path(str(place)).is_relative_to(copy.home)
    assert copy.run() == [due, counts, [1, 1], place]
    copy.change("kernels/random.py", "_w(0xD2511F53)", "_w(0xD2511F55)")
    assert copy.run()[2] == [0, 0]


@pytest.mark.long
def test_where_nothing_can_be_written_kernels_are_compiled_each_time(copy: Copy) -> None:
    """As in a read-only container whose user has no home."""
    due, counts, *_ = copy.run()
    shutil.rmtree(copy.folder / "spikesim" / "kernels" / "__pycache__")
    (copy.folder / "spikesim" / "kernels" / "__pycache__").write_text("")
    copy.home.rmdir()
    copy.home.write_text("")
    for _ in range(2):
        assert copy.run() == [due, counts, [0, 0], "None"]
    code = "import json; from spikesim_cli.commands import doctor; print(json.dumps([doctor._kernels()]))"
    (said,) = copy.run(f"import sys; sys.path.append({str(ROOT / 'cli')!r}); {code}")
    assert str(said).startswith("compiled anew by every command")
    assert "NUMBA_CACHE_DIR" in str(said)


# The index of a kernel is smaller than this, its code larger.
FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13,) * 2)\n"


@pytest.mark.long
def test_a_full_disk_keeps_no_kernel_from_running(copy: Copy) -> None:
    """A limit on the size of files is as good as one: the system call fails."""
    due, counts, hits, place = copy.run(FULL_DISK + RUN)
    assert hits == [0, 0]
    assert copy.run() == [due, counts, [0, 0], place]
    assert copy.run() == [due, counts, [1, 1], place]
    copy.change("kernels/random.py", "_w(0xD2511F53)", "_w(0xD2511F55)")
    changed, others, *_ = copy.run(FULL_DISK + RUN)
    assert changed != due
    assert copy.run() == [changed, others, [0, 0], place]  # and nothing of the old code, which is there still


@pytest.mark.long
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_damaged_cache_is_made_again(copy: Copy, kind: str) -> None:
    due, counts, _, place = copy.run()
    for path in Path(str(place)).glob(f"*.{kind}"):
        path.write_bytes(path.read_bytes()[:70])
    for hits in ([0, 0], [1, 1]):
        assert copy.run() == [due, counts, hits, place]


def test_without_compilation_kernels_are_plain_functions(copy: Copy) -> None:
    code = (
        "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'\nfrom spikesim.kernels.compile import kernel\n"
        "print([kernel(lambda x: x + 1)(2)])"
    )
    assert copy.run(code) == [3]
