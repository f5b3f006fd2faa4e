"""Training: the loop, evaluation, checkpoints, progress and history."""
