"""PyTorch's `torchvision.utils`: grids of pictures."""

from tensorgrad.nn.data.grid import make_grid as make_grid, save_image as save_image
