"""A folder is one writer's, or that of several who do the same work: held by processes of their own."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Timer

import pytest

from spikesim.errors import OutputError, UnlockedWarning
from spikesim.locks import LOCK, locked

HOLDER = """
import json, sys
from spikesim.locks import locked
folder, work, child = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
with locked(folder, work):
    if child:
        import os, time
        if os.fork() == 0:  # as readers of data are started
            time.sleep(60)
            os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that hold a folder, for work of a name, until they are told to end."""
    with ExitStack() as stack:

        def started(folder: Path, work: str | None, *more: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", HOLDER, folder, json.dumps(work), *more],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
            stack.callback(end_group, process)
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            return process

        yield started


def end_group(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def is_free(folder: Path, work: str | None = None) -> bool:
    try:
        with locked(folder, work):
            return True
    except OutputError:
        return False


def test_a_folder_is_made_and_left_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with locked(out):
        assert [path.name for path in out.iterdir()] == [LOCK]
    assert list(tmp_path.iterdir()) == []
    with locked(out):
        (out / "file").touch()
    assert [path.name for path in out.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("held", "wanted"), [(None, None), (None, "a"), ("a", None), ("a", "b")], ids=lambda work: work or "alone"
)
def test_another_is_refused_and_told_who_has_it(
    tmp_path: Path, start: Start, held: str | None, wanted: str | None
) -> None:
    holder = start(tmp_path, held)
    with (
        pytest.raises(OutputError, match=rf"is being written by `-c .*` \(process {holder.pid} on .*, since 20.*\)"),
        locked(tmp_path, wanted),
    ):
        pytest.fail("two have it")
    holder.communicate("")
    assert is_free(tmp_path, wanted)


def test_those_who_do_the_same_share(tmp_path: Path, start: Start) -> None:
    first, second = start(tmp_path, "a"), start(tmp_path, "a")
    assert is_free(tmp_path, "a")
    with pytest.raises(OutputError, match=rf"process {first.pid} .* and 1 more"), locked(tmp_path):
        pytest.fail("it is shared")
    first.communicate("")
    with (
        pytest.raises(OutputError, match=rf"\(process {second.pid} on [^ ]*, since [^)]*\); wait"),
        locked(tmp_path, "b"),
    ):
        pytest.fail("it is shared")
    second.communicate("")
    assert is_free(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("work", [None, "a"])
@pytest.mark.parametrize("children", [(), ("with a child",)], ids=["alone", "with a child"])
def test_death_frees_it(tmp_path: Path, start: Start, work: str | None, children: tuple[str, ...]) -> None:
    holder = start(tmp_path, work, *children)
    assert not is_free(tmp_path, "b")
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    assert is_free(tmp_path, "b")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_was_starting_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its fork and its own program a child has all open files; it says nothing of itself."""
    monkeypatch.setattr("spikesim.locks._PATIENCE", 60)
    child = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH); print('has it', flush=True); input()"
    with locked(tmp_path, "work"):
        process = subprocess.Popen(
            [sys.executable, "-c", child, tmp_path / LOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        Timer(0.2, process.communicate, (b"\n",)).start()
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_its_place_is_left_alone(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other.txt"
    folder.mkdir()
    other.write_text("of somebody else")
    for make in (lambda path: path.symlink_to(other), lambda path: path.symlink_to("nothing"), os.mkfifo):
        make(folder / LOCK)
        with pytest.raises(OutputError, match=r"\.spikesim\.lock is .*remove it"), locked(folder):
            pytest.fail("it is locked")
        assert other.read_text() == "of somebody else"
        (folder / LOCK).unlink()
    (folder / LOCK).mkdir()
    with pytest.raises(OutputError, match="cannot write to"), locked(folder):
        pytest.fail("it is locked")
    assert not (folder / "nothing").exists()


def test_one_process_has_it_once(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(OutputError, match=rf"process {os.getpid()} on"), locked(tmp_path):
        pytest.fail("it has it twice")


def test_locks_of_other_names_are_others(tmp_path: Path) -> None:
    with locked(tmp_path), locked(tmp_path, name=".other.lock"):
        assert {path.name for path in tmp_path.iterdir()} == {LOCK, ".other.lock"}


MANY = """
import os, random, sys, time
from pathlib import Path
from spikesim.locks import locked
folder, work = Path(sys.argv[1]), sys.argv[2]
for number in range(40):
    with locked(folder, work, patience=60):
        mark = folder / f"{work}-{os.getpid()}"
        mark.touch()
        others = {path.name.split("-")[0] for path in folder.glob("[ab]-*")}
        assert others == {work}, others
        mark.unlink()
print("never two")
"""


def test_never_two_that_do_not_share(tmp_path: Path) -> None:
    """Also while the file comes and goes, and while one turns from alone to shared."""
    (tmp_path / "stays").touch()
    runs = [
        subprocess.Popen([sys.executable, "-c", MANY, tmp_path, work], stdout=subprocess.PIPE, text=True)
        for work in "aabb"
    ]
    assert [run.communicate(timeout=60)[0] for run in runs] == ["never two\n"] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["stays"]


def test_it_is_waited_for(tmp_path: Path, start: Start) -> None:
    holder = start(tmp_path, None)
    other = subprocess.Popen(
        [sys.executable, "-c", MANY.replace("range(40)", "range(1)"), tmp_path, "a"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    assert other.poll() is None
    holder.communicate("")
    assert other.communicate(timeout=60)[0] == "never two\n"


def test_what_a_holder_says_of_itself_is_not_obeyed_by_a_terminal(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"machine": "far\x1b[2J", "process": -1, "command": "x" * 500, "since": ["\r"]}, file)
        file.write("\n[]\n{cut")
        file.flush()
        with pytest.raises(OutputError, match=r"`x{80} \.\.\.` \(process -1 on far\?\[2J, since ") as refused:
            locked(tmp_path).__enter__()
        assert str(refused.value).isprintable()
        file.truncate(0)
        with pytest.raises(OutputError, match="by another process; wait for it"):
            locked(tmp_path).__enter__()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks_is_written_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_lock(file: int, kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_lock)
    with pytest.warns(UnlockedWarning, match=f"{tmp_path} is on a file system without locks"), locked(tmp_path):
        (tmp_path / "file").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=rf"cannot write to {folder}: .*; choose another folder"):
            locked(folder).__enter__()
    (tmp_path / LOCK).mkdir()
    with pytest.raises(OutputError, match="cannot write to"):
        locked(tmp_path).__enter__()


@pytest.mark.parametrize("call", ["mkdir", "open", "write"])
@pytest.mark.parametrize("work", [None, "a"])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, work: str | None
) -> None:
    as_ever = getattr(os, call)
    refused = []

    def full(place: object, *more: object, **options: object) -> object:
        if isinstance(place, int) or Path(str(place)).name in {"below", LOCK}:
            refused.append(place)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return as_ever(place, *more, **options)

    out = tmp_path / "new" / "below"
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OutputError, match=f"cannot write to {out}: No space left"), locked(out, work):
        pytest.fail("it is locked")
    monkeypatch.undo()
    assert refused
    assert list(tmp_path.iterdir()) == []
    assert is_free(out, "b")


def test_a_disk_that_fills_up_meanwhile_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with locked(tmp_path / "out"):
        monkeypatch.setattr(os, "write", full)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_who_cannot_join_leaves_the_lock_of_others(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    start(tmp_path, "a")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left"), locked(tmp_path, "a"):
        pytest.fail("it is locked")
    monkeypatch.undo()
    assert not is_free(tmp_path, "b")
