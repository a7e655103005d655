"""What notebooks show: the facts of an object, and its images as they are."""

import base64
import io
import re
from html import unescape

import numpy as np
import pytest
from PIL import Image
from test_visualisation import sample, stream  # noqa: F401

from spikesim import SpikeCamera, SpikeStream, as_light, tfp
from spikesim.notebook import shown_in_notebook
from spikesim_datasets.shards import Sample
from spikesim_report.page_file import Page, html_of
from spikesim_report.parts import Notes, Section


def images_of(html: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_a_stream(stream: SpikeStream) -> None:  # noqa: F811
    html = stream._repr_html_()
    assert "<td>13</td>" in html
    assert "<td>15×9</td>" in html
    (image,) = images_of(html)  # it is too short for several windows
    assert np.array_equal(image, as_light(tfp(stream, 6, 13)))
    long = SpikeStream.from_dense(np.repeat(stream.dense(), 5, 0), SpikeCamera(v_th=2))
    shown = images_of(long._repr_html_())
    assert len(shown) == 4
    assert np.array_equal(shown[0], as_light(tfp(long, 10, 21), long.camera))
    assert np.array_equal(shown[-1], as_light(tfp(long, 54, 21), long.camera))
    assert images_of(stream[:0]._repr_html_()) == []


def test_a_camera() -> None:
    html = SpikeCamera.preset("realistic", v_th=3)._repr_html_()
    assert "<tr><th>v_th</th><td>3.0</td></tr>" in html
    assert "ShotNoise" in html


def test_a_sample(sample: Sample) -> None:  # noqa: F811
    html = sample._repr_html_()
    assert "train/clip" in html
    blur, sharp, *streams = images_of(html)
    assert np.array_equal(blur, sample.blur)
    assert np.array_equal(sharp, sample.sharp[1])
    assert len(streams) == 2


def test_large_images_are_reduced() -> None:
    html = shown_in_notebook("large", {}, [("", np.zeros((720, 1280, 3), np.uint8))])
    assert images_of(html)[0].shape == (248, 440, 3)


@pytest.mark.parametrize("words", ["<b>", '" onerror="alert(1)'])
def test_words_are_words(words: str) -> None:
    html = shown_in_notebook(words, {words: words}, [(words, np.zeros((3, 4), np.uint8))])
    assert html.count(words) == (1 if words == "<b>" else 4)  # the title's own element; text that no quote ends
    image = re.search("<img [^>]*>", html)
    assert image is not None
    assert "onerror" not in re.sub('"[^"]*"', "", image[0])


def test_a_report() -> None:
    page = Page("a report", "of nothing", [Section("one", [Notes("two", ["three"])])], {})
    found = re.fullmatch(r'<iframe srcdoc="([^"]*)" [^>]*></iframe>', page._repr_html_(), re.DOTALL)
    assert found is not None
    assert unescape(found[1]) == html_of(page)
