"""A core of its own for the process that is measured, as on a machine of its own."""

import os

import psutil


def keep_apart(pid: int) -> None:
    """Give process `pid` the first core that this process may use, and everything else that it started the others.

    The load and the workers would else take from what is measured, more of it the higher the load. Where there is one
    core only, nothing changes. Threads inherit their cores, those that run already are told one by one (Linux).
    """
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return
    us = psutil.Process()
    for process in (us, *us.children(recursive=True)):
        cores = [first] if process.pid == pid else others
        for thread in process.threads():
            os.sched_setaffinity(thread.id, cores)
