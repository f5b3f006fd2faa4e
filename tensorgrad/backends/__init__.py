"""PyTorch's `torch.backends`: switches of libraries that tensorgrad doesn't use, for scripts that set them.

>>> import tensorgrad as tg
>>> tg.backends.cudnn.benchmark = True  # and nothing changes
>>> tg.backends.mps.is_available()
False
"""

from tensorgrad.backends import cuda as cuda, cudnn as cudnn, mps as mps
