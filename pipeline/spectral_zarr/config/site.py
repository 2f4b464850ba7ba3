"""The profile of a cluster site: what its batch system wants to be told, and what a worker gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from spectral_zarr.config.options import Count, PositiveCount
from spectral_zarr.errors import ConfigError

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_WALLTIME = re.compile(
    r"(?:(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>\d+)(?::(?P<seconds>\d+))?)?|(?P<plain>[\d:]+))"
)
HEADROOM_BYTES, HEADROOM_SHARE = 200 << 20, 10
"""What a job gets beyond the memory of its worker, for the process that watches the worker; the larger one counts."""


@dataclass(frozen=True, slots=True)
class SiteProfile:
    """``--profile site.toml``: how jobs are asked for, one worker in each.

    Attributes
    ----------
    scheduler : {'slurm', 'pbs'}
        The batch system that runs worker jobs.
    partition, account : str
        Where jobs run and who pays; '' is the default of the site. A queue of PBS is a partition.
    workers : int
        Worker jobs, unless ``--workers`` tells.
    cores : int
        Cores of a worker job; a worker uses one.
    memory : str
        Memory that a worker may use, such as ``2GiB``; the job asks for a tenth more, at least 200 MiB.
    memory_style : {'mem', 'mem-per-cpu', 'none'}
        The option that asks for memory; some sites take only one of them, or none.
    walltime : str
        Time limit of a worker job as Slurm writes it; '' is the default of the site.
    lead_seconds : int
        Time before the limit at which a worker takes no more tasks, longer than any task.
    interface : str
        Network interface of workers and driver.
    driver_interface : str
        Network interface of the driver where it has another name there.
    scratch : str
        Directory on the node for a worker's own files; variables of its environment are replaced there.
    directives : tuple of str
        Further options of a job, such as ``--constraint=haswell``.
    prologue : tuple of str
        Lines of shell before a worker starts, such as ``module load python``.
    python : str
        Python of the workers; '' is that of the driver.
    check_seconds : int
        How often the batch system is asked which jobs there are.
    """

    scheduler: Literal["slurm", "pbs"] = "slurm"
    partition: str = ""
    account: str = ""
    workers: PositiveCount = 4
    cores: PositiveCount = 1
    memory: str = "2GiB"
    memory_style: Literal["mem", "mem-per-cpu", "none"] = "mem"
    walltime: str = "01:00:00"
    lead_seconds: Count = 180
    interface: str = ""
    driver_interface: str = ""
    scratch: str = "${TMPDIR:-/tmp}"
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    python: str = ""
    check_seconds: PositiveCount = 15

    @property
    def memory_bytes(self) -> int:
        """Bytes that a worker may use."""
        found = _MEMORY.fullmatch(self.memory.strip())
        if found is None:
            raise ConfigError(f"memory is an amount such as '2GiB', not '{self.memory}'")
        return int(float(found[1]) * (1 << _UNITS[found[2].upper()]))

    @property
    def job_bytes(self) -> int:
        """Bytes that a job asks for."""
        return with_headroom(self.memory_bytes)

    @property
    def walltime_seconds(self) -> int:
        """Seconds of the time limit, 0 when it is that of the site."""
        return seconds_of(self.walltime) if self.walltime else 0


def with_headroom(worker: int) -> int:
    """Bytes of a job whose worker may use `worker` bytes."""
    return worker + max(HEADROOM_BYTES, worker // HEADROOM_SHARE)


def without_headroom(job: int) -> int:
    """Bytes that the worker of a job of `job` bytes may use."""
    return min(job - HEADROOM_BYTES, job * HEADROOM_SHARE // (HEADROOM_SHARE + 1))


def seconds_of(walltime: str) -> int:
    """Seconds of a time as Slurm writes it: ``M``, ``M:S``, ``H:M:S``, ``D-H``, ``D-H:M`` or ``D-H:M:S``."""
    found = _WALLTIME.fullmatch(walltime.strip())
    parts = [int(part) for part in found["plain"].split(":") if part] if found and found["plain"] else []
    if found is None or (found["plain"] and not 1 <= len(parts) <= 3):
        raise ConfigError(f"walltime is a time such as '04:00:00' or '1-12', not '{walltime}'")
    if parts:
        hours, minutes, seconds = ([0, *parts, 0] if len(parts) == 1 else [0, *parts])[-3:]
        return 3600 * hours + 60 * minutes + seconds
    days, hours, minutes, seconds = (int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
    return 86400 * days + 3600 * hours + 60 * minutes + seconds


def clock(seconds: int) -> str:
    """A time as ``H:M:S``, which every batch system reads alike."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
