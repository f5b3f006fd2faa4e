"""What PyTorch has in `torch.utils`: data loading, and checkpoints of activations."""

from tensorgrad.utils import checkpoint as checkpoint, data as data
