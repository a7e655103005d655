"""Images as letters: in colours two pixels to a letter, without colours by how much of a letter is light."""

import io

import numpy as np
import pytest
from commands import Run, run  # noqa: F401
from rich.console import Console

from spikesim import SpikeStream, write_spikes
from spikesim_cli.terminal_image import print_image


def printed(image: np.ndarray, **how: object) -> str:
    console = Console(file=io.StringIO(), width=6, **how)  # type: ignore[arg-type]
    print_image(console, image)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_colours_are_those_of_the_pixels() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[0] = (255, 0, 0)
    image[3, 5] = (0, 0, 255)
    lines = printed(image, force_terminal=True, color_system="truecolor").splitlines()
    assert len(lines) == 2
    assert lines[0].count("38;2;255;0;0;48;2;0;0;0m▀") == 6 or "38;2;255;0;0;48;2;0;0;0m▀▀▀▀▀▀" in lines[0]
    assert "48;2;0;0;255m▀" in lines[1]


def test_without_colours_light_is_denser() -> None:
    ramp = np.repeat(np.linspace(0, 255, 6).astype(np.uint8)[None, :, None], 4, 0).repeat(3, 2)
    first, second = printed(ramp, color_system=None).splitlines()
    assert first == second == " :=+#@"


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 500, 3), (900, 3, 3)])
def test_any_shape_is_as_wide_as_the_terminal(shape: tuple[int, ...]) -> None:
    lines = printed(np.full(shape, 255, np.uint8), color_system=None).splitlines()
    assert {*map(len, lines)} == {6}
    assert len(lines) == max(1, round(3 * shape[0] / shape[1]))


def test_view_without_output(run: Run, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    path = f"{tmp_path}/spikes.npz"
    write_spikes(path, SpikeStream.from_dense(np.ones((30, 8, 12), np.uint8)))
    shown = run("view", path)
    assert (shown.code, "@" in shown.out, "wrote" in shown.err) == (0, True, False)
    refused = run("view", path, "--overwrite")
    assert (refused.code, "--overwrite is about OUTPUT, and there is none" in refused.err) == (2, True)
