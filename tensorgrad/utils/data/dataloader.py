"""PyTorch's `torch.utils.data.dataloader`: the loader of `utils.data`, and how it makes batches."""

from tensorgrad.utils.data import (
    DataLoader as DataLoader,
    default_collate as default_collate,
    default_convert as default_convert,
    get_worker_info as get_worker_info,
)
