"""The page of a film in a browser: keys, slider and buttons lead through the frames, and the numbers are the film's."""

import numpy as np
import pytest
from browser import needs_browser, play

import tensorgrad as tg
from tensorgrad import nn

pytestmark = needs_browser


@pytest.fixture(scope="module")
def film():
    tg.manual_seed(0)
    rng = np.random.default_rng(4)
    images, labels = rng.standard_normal((5, 1, 12, 12)).astype(np.float32), rng.integers(0, 4, 5)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(300, 4))
    film = tg.viz.Film(model, images, labels, every=2, maps=(1, 3), classes=("cat", "dog", "<b>", "eel"))
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05)
    data = [(tg.tensor(images), tg.tensor(labels))]
    nn.fit(model, data, loss=nn.cross_entropy, optimizer=optimizer, epochs=24, progress=False, callbacks=[film])
    return film


LOOK = """
  const look = () => ({
    frame: Number(document.body.dataset.frame),
    step: step(),
    now: textOf("#now"),
    tracks: all("#tracks tbody tr").map(({ dataset: d }) => [d.track, Number(d.gradient), Number(d.update)]),
    said: all(".said").map((card) => [card.dataset.says, Number(card.dataset.share)]),
    score: textOf("#score"),
  });
"""


def test_keys_buttons_and_slider_lead_through_the_frames(film, tmp_path):
    script = (
        LOOK
        + """
      const seen = [look()];
      for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "PageUp", "Home", "ArrowLeft"]) {
        press(key);
        seen.push(look());
      }
      type("#slider", "7");
      seen.push(look());
      click("#next");
      seen.push(look());
      click("#first");
      seen.push(look());
      return seen;
    """
    )
    seen = play(film.html, script, tmp_path)
    assert [look["frame"] for look in seen] == [0, 1, 2, 1, 12, 12, 2, 0, 0, 7, 8, 0]
    reel, targets = film.reel, np.array(film.reel.predictions.targets)
    for look in seen:
        frame = look["frame"]
        assert look["step"] == reel.steps[frame] == 2 * frame
        scores = reel.predictions.scores[frame]
        best = scores.argmax(-1)
        assert [name for name, _ in look["said"]] == [reel.predictions.classes[k] for k in best]
        np.testing.assert_allclose([share for _, share in look["said"]], scores.max(-1), atol=1 / 254)
        assert look["score"] == f"{(best == targets).sum()} of 5 right"
        if frame:
            expected = [[t.name, t.gradients[frame], t.updates[frame]] for t in reel.tracks]
            assert look["tracks"] == expected
            assert f"loss {reel.frame_losses[frame]:.4g}" in look["now"]
    assert "before training" in seen[0]["now"]


def test_the_pictures_show_the_pixels_of_the_frame(film, tmp_path):
    script = """
      const loaded = (image) => image.complete || new Promise((done) => image.addEventListener("load", done));
      await Promise.all(stripsNow().map(({ image }) => loaded(image)));
      press("End");
      const canvas = $("#layers canvas");
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return [canvas.width, canvas.height, [...pixels]];
    """
    page = film.html.replace("\nstart();\n})();", "\nglobalThis.stripsNow = () => strips;\nstart();\n})();")
    width, height, pixels = play(page, script, tmp_path)
    strip = film.reel.pictures[0].strip
    assert (height, width) == strip.levels.shape[1:]
    shown = np.array(pixels).reshape(height, width, 4)
    levels = strip.levels[-1]
    np.testing.assert_array_equal(shown[..., :3][levels < 255], strip.palette[levels[levels < 255]])
    assert (shown[..., 3] == np.where(levels < 255, 255, 0)).all()


def test_maps_of_another_image_lines_to_follow_and_the_chart_as_a_slider(film, tmp_path):
    script = """
      const visible = () => all("figure[data-image]:not([hidden])").map((figure) => figure.dataset.image);
      const told = [visible()];
      click('#chooser [data-image="3"]');
      told.push(visible(), textOf('#chooser [aria-pressed="true"]'));
      click('#tracks button');
      told.push(all(".followed").length, $("#charts").className, $('#tracks button').getAttribute("aria-pressed"));
      const box = boxOf(".chart svg");
      send($(".chart"), new MouseEvent("click", { bubbles: true, clientX: box.right - 4, clientY: box.top + 40 }));
      told.push(Number(document.body.dataset.frame));
      const unnamed = all("canvas, svg, button, input, select").filter((part) => !part.closest("[aria-hidden]")
        && !part.getAttribute("aria-label") && !part.textContent.trim());
      told.push(unnamed.length, $("#slider").getAttribute("aria-valuetext"), textOf("bdi, b"));
      return told;
    """
    told = play(film.html, script, tmp_path)
    assert told[0] == ["1", "1"]
    assert told[1] == ["3", "3"]
    assert told[3:6] == [2, "faded", "true"]
    assert told[6] == 12
    assert told[7] == 0, "every control and picture has a name"
    assert told[8].startswith("step 24, loss ")
    assert told[9] is None, "names of classes are text"
