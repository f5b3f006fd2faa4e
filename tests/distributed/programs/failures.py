"""One rank fails, in the way that the argument says, while the others wait for it in an exchange."""

import os
import signal
import sys
import time

import tensorgrad as tg
from tensorgrad import distributed as dist

HOW, RANK = sys.argv[1], dist.get_rank()
dist.init_process_group(timeout=0.5 if HOW == "hangs" else 60)
dist.barrier()
if RANK == 1:
    if HOW == "raises":
        tg.zeros(2, 3) + tg.zeros(4)
    if HOW == "ends":
        sys.exit()
    if HOW == "hangs":
        time.sleep(60)
    if HOW == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
dist.all_reduce(tg.ones(3))
