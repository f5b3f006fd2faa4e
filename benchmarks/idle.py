"""Whether the machine was ours: times taken while another program works say little."""

import os
import resource
import time

BUSY = 0.1
"""Cores that others may use, on average, before a report warns."""


class Others:
    """How many cores all other programs use, from its making on. Linux knows; elsewhere the answer is None."""

    def __init__(self) -> None:
        self._start = time.monotonic(), self._machine(), self._own()

    def cores(self) -> float | None:
        """The mean so far. The workers must have ended: their times are known only then."""
        now, all_cores, own = time.monotonic(), self._machine(), self._own()
        before, all_before, own_before = self._start
        if all_cores is None or all_before is None:
            return None
        return max((all_cores - all_before) - (own - own_before), 0.0) / (now - before)

    @staticmethod
    def _machine() -> float | None:
        """Seconds of work of all cores since the machine started."""
        try:
            with open("/proc/stat") as stat:
                user, nice, system, _, _, irq, softirq, steal, *_ = map(int, stat.readline().split()[1:])
        except OSError:
            return None
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _own() -> float:
        times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(used.ru_utime + used.ru_stime for used in times)
