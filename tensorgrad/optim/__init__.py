"""PyTorch's `torch.optim`: the optimizers and schedules of `tensorgrad.nn.optim`, by the name that scripts import."""

from tensorgrad.nn.optim import (
    ASGD as ASGD,
    LBFGS as LBFGS,
    SGD as SGD,
    Adadelta as Adadelta,
    Adagrad as Adagrad,
    Adam as Adam,
    Adamax as Adamax,
    AdamW as AdamW,
    Lion as Lion,
    NAdam as NAdam,
    NonFiniteError as NonFiniteError,
    Optimizer as Optimizer,
    RAdam as RAdam,
    RMSprop as RMSprop,
    Rprop as Rprop,
    Schedule as Schedule,
    clip_grad_norm_ as clip_grad_norm_,
    clip_grad_value_ as clip_grad_value_,
    constant as constant,
    cosine as cosine,
    exponential as exponential,
    join as join,
    step_decay as step_decay,
    warm_up as warm_up,
)
from tensorgrad.optim import lr_scheduler as lr_scheduler, swa_utils as swa_utils
