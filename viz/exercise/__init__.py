"""Practice: a drawing with blanks to fill in, and the check of a derivative rule that a student writes in Python."""

from tensorgrad.viz.exercise.exercise import Exercise, exercise

__all__ = ["Exercise", "exercise"]
