"""The images of the gallery are those that its code makes."""

import re
from pathlib import Path

import numpy as np
import pytest
import test_docs
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
SHOWN = ROOT / "docs" / "images"

_MEAN = 1.0  # levels of 255: what other rounding of resized images comes to
_OTHER, _SHARE = 24, 0.01  # a pixel that differs by more is another one, and of these there may be so many


def differences(made: Path, shown: Path) -> list[str]:
    """What is different between images that were written and those of the documentation, by name."""
    names = {folder: {path.name for path in folder.glob("gallery_*.png")} for folder in (made, shown)}
    found = [f"{name} is in one folder alone" for name in sorted(names[made] ^ names[shown])]
    for name in sorted(names[made] & names[shown]):
        image, expected = (np.asarray(Image.open(folder / name).convert("RGB"), np.int16) for folder in (made, shown))
        if image.shape != expected.shape:
            found.append(f"{name} is {image.shape}, the one shown {expected.shape}")
            continue
        error = np.abs(image - expected)
        other = (error.max(axis=2) > _OTHER).mean()
        if error.mean() > _MEAN or other > _SHARE:
            found.append(f"{name} differs by {error.mean():.2f} levels, {other:.2%} of its pixels are others")
    return found


def test_images_are_what_the_page_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test_docs.run(PAGE.read_text("utf-8"))
    assert differences(tmp_path, SHOWN) == []


def test_the_page_shows_every_image_and_no_other() -> None:
    text = PAGE.read_text("utf-8")
    written = set(re.findall(r'"(gallery_\w+\.png)"', text))
    assert len(written) >= 6
    assert written == set(re.findall(r"\]\(images/(\w+\.png)\)", text)) == {p.name for p in SHOWN.glob("gallery_*.png")}


@pytest.mark.parametrize("path", sorted(SHOWN.glob("gallery_*.png")), ids=lambda path: path.stem)
def test_images_are_small_files(path: Path) -> None:
    assert path.stat().st_size < 150_000


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """The images of the documentation, to be spoilt."""
    for path in SHOWN.glob("gallery_*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert differences(tmp_path, SHOWN) == []
    return tmp_path


def spoil(path: Path, how: str) -> None:
    """Change an image as stale code would, or as another machine does."""
    image = np.asarray(Image.open(path).convert("RGB"))
    changed = image.copy()
    width = image.shape[1]
    match how:
        case "a panel":  # a fifth of the width has another image
            changed[:, : width // 5] = image[::-1, -(width // 5) :]
        case "moved":
            changed = np.roll(image, 3, axis=1)
        case "brighter":
            changed = np.clip(image.astype(np.int16) + 6, 0, 255).astype(np.uint8)
        case "higher":
            changed = np.concatenate([image, image[-1:]])
        case "rounded":
            changed = image ^ 1
    Image.fromarray(changed).save(path)


@pytest.mark.parametrize("name", sorted(path.name for path in SHOWN.glob("gallery_*.png")))
@pytest.mark.parametrize("how", ["a panel", "moved", "brighter", "higher"])
def test_a_planted_difference_is_found(copies: Path, name: str, how: str) -> None:
    spoil(copies / name, how)
    (found,) = differences(copies, SHOWN)
    assert found.startswith(name)


def test_a_missing_image_is_found(copies: Path) -> None:
    first, second = sorted(copies.glob("*.png"))[:2]
    first.unlink()
    second.rename(second.with_name("gallery_planted.png"))
    assert len(differences(copies, SHOWN)) == 3


def test_another_rounding_is_no_difference(copies: Path) -> None:
    for path in copies.glob("*.png"):
        spoil(path, "rounded")
    assert differences(copies, SHOWN) == []
