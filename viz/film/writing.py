"""Writes the page of a film: the template, with the style, the reel and the program filled in."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.viz.film.reel import Picture, Predictions, Reel, Track, bytes_of
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.encoding import encode

PROGRAM = ("reel", "pictures", "charts", "layers", "predictions", "player")
"""The parts of the program behind the shared ones, in the order in which they build on each other."""


def write(reel: Reel) -> str:
    """A film as a page that plays it."""
    return assembly.document(
        title="The film of a training",
        style=assembly.themed(_part("film.css")),
        body=_part("film.html"),
        data={"reel": encode(_plain(reel))},
        program=assembly.program(_part(f"{name}.js") for name in PROGRAM),
    )


def _part(name: str) -> str:
    return assembly.read(__package__, "page", name)


def _plain(reel: Reel) -> dict[str, Any]:
    return {
        "steps": list(reel.steps),
        "losses": [list(point) for point in reel.losses],
        "frame_losses": list(reel.frame_losses),
        "tracks": [_track(track) for track in reel.tracks],
        "pictures": [_picture(picture) for picture in reel.pictures],
        "predictions": _predictions(reel.predictions),
    }


def _track(track: Track) -> dict[str, Any]:
    return {
        "name": track.name,
        "kind": track.kind,
        "parameters": track.parameters,
        "gradients": track.gradients,
        "updates": track.updates,
        "ratios": track.ratios,
    }


def _picture(picture: Picture) -> dict[str, Any]:
    about = {"layer": picture.layer, "kind": picture.kind, "image": picture.image, "caption": picture.caption}
    return about | picture.strip.to_dict()


def _predictions(predictions: Predictions) -> dict[str, Any]:
    scores = predictions.scores
    numbers = [[[_finite(x) for x in row] for row in frame] for frame in scores.tolist()]
    return {
        "thumbnails": [thumbnail.to_dict() for thumbnail in predictions.thumbnails],
        "labels": list(predictions.labels),
        "classes": list(predictions.classes),
        "targets": None if predictions.targets is None else list(predictions.targets),
        "probabilities": bytes_of(scores) if predictions.classes else None,
        "outputs": None if predictions.classes else numbers,
    }


def _finite(x: float) -> float | None:
    return float(f"{x:.4g}") if math.isfinite(x) else None
