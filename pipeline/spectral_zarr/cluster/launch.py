"""What a launcher of workers on other nodes is told, and the command that each of these workers is started with."""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask

from spectral_zarr.cluster.local import settings
from spectral_zarr.cluster.rundir import RunDirectory
from spectral_zarr.cluster.workers import WORKER_ENVIRONMENT
from spectral_zarr.config import SiteProfile
from spectral_zarr.errors import UsageError

DEATH_SECONDS = 120
"""Time that a worker looks for the scheduler; hundreds that import from one file system are slow to start."""

STAGGER_SHARE = 10
"""Workers that began together end over this share of their lifetime."""

FIND_ADDRESS = "import socket; print(socket.gethostbyname(socket.gethostname()))"


@dataclass(frozen=True, slots=True)
class Launch:
    """Workers that are wanted on other nodes.

    Attributes
    ----------
    profile : SiteProfile
        What the site wants to be told.
    target : str
        The store to be published; worker jobs are named after it.
    directory : Path
        Keys and logs of this run, on a file system that all nodes see.
    insecure : bool
        Whether the connections are neither encrypted nor authenticated.
    dashboard : bool
        Whether the scheduler serves its dashboard, on the loopback interface of its node.
    keep : bool
        Whether the directory stays, with the logs of the workers.
    """

    profile: SiteProfile
    target: str
    directory: Path
    insecure: bool = False
    dashboard: bool = False
    keep: bool = True

    @property
    def job_name(self) -> str:
        """Name of the worker jobs of this store, and of no other."""
        path = Path(self.target)
        digest = hashlib.sha256(os.fsencode(path.parent.resolve() / path.name)).hexdigest()[:8]
        if self.profile.scheduler == "pbs":
            # Longer names are refused.
            return f"sz-{digest}"
        stem = "".join(letter if letter.isalnum() else "-" for letter in path.stem)[:24]
        return f"sz-{stem}-{digest}"

    @property
    def protocol(self) -> str:
        """What scheduler and workers speak."""
        return "tcp" if self.insecure else "tls"


def driver_address(profile: SiteProfile) -> str:
    """The address that the scheduler listens on.

    Raises
    ------
    UsageError
        When the profile names no interface and the name of this host is a loopback address, or there is no such
        interface.
    """
    from distributed.utils import get_ip_interface

    name = profile.driver_interface or profile.interface
    if name:
        try:
            return str(get_ip_interface(name))
        except (KeyError, ValueError) as error:
            raise UsageError(f"there is no interface '{name}' on {socket.gethostname()}: {error}") from error
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        address = "127."
    if address.startswith("127."):
        message = (
            f"the name {socket.gethostname()} leads to the loopback interface, which other nodes cannot reach; name "
            "the network interface in the site profile (interface = \"ib0\"; 'ip -brief address' shows the names)"
        )
        raise UsageError(message)
    return address


def scheduler_options(launch: Launch, security: Any) -> dict[str, Any]:
    """Options of the scheduler in the driver: closed to everybody without the key, and silent over HTTP."""
    wanted = settings()
    if launch.insecure:
        wanted["distributed.comm.require-encryption"] = False
    if launch.dashboard:
        del wanted["distributed.scheduler.http.routes"]
    dask.config.set(wanted)
    return {
        "host": driver_address(launch.profile),
        "port": 0,
        "protocol": launch.protocol,
        "security": security,
        "dashboard": launch.dashboard,
        "dashboard_address": "127.0.0.1:0",
    }


def worker_script(launch: Launch, run: RunDirectory, address: str, name: str = "") -> str:
    """Shell lines that start one worker in the place of the shell.

    Parameters
    ----------
    launch : Launch
        What is wanted.
    run : RunDirectory
        Where the keys are.
    address : str
        Address of the scheduler.
    name : str
        Name of the worker; '' leaves it to the worker.
    """
    profile = launch.profile
    wanted = {key: setting for key, setting in settings().items() if not key.startswith("distributed.scheduler.")}
    wanted["distributed.comm.require-encryption"] = not launch.insecure
    variables = {**WORKER_ENVIRONMENT, "DASK_INTERNAL_INHERIT_CONFIG": dask.config.serialize(_nested(wanted))}
    python = shlex.quote(profile.python or sys.executable)
    # What is in the profile may have variables of the node in it; all else is quoted.
    words = [
        f"exec {python} -m distributed.cli.dask_worker {shlex.quote(address)}",
        f"--nanny --nthreads 1 --memory-limit {profile.memory_bytes} --death-timeout {DEATH_SECONDS}",
        f'--no-dashboard --dashboard-address 127.0.0.1:0 --local-directory "{profile.scratch}"',
        f"--protocol {launch.protocol}",
        f"--interface {shlex.quote(profile.interface)}" if profile.interface else '--host "$host"',
    ]
    if name:
        words.append(f"--name {shlex.quote(name)}")
    if not launch.insecure:
        words += [f"--tls-{option} {shlex.quote(str(path))}" for option, path in run.key_files.items()]
    if profile.walltime:
        lifetime = profile.walltime_seconds - profile.lead_seconds
        words.append(
            f"--lifetime {lifetime - lifetime // STAGGER_SHARE}s --lifetime-stagger {lifetime // STAGGER_SHARE}s"
        )
    lines = [
        *profile.prologue,
        *(f"export {variable}={shlex.quote(text)}" for variable, text in variables.items()),
        *([] if profile.interface else [f"host=$({python} -c {shlex.quote(FIND_ADDRESS)})"]),
        f'mkdir -p "{profile.scratch}"',
        " \\\n    ".join(words),
    ]
    return "\n".join(lines) + "\n"


def _nested(settings: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, setting in settings.items():
        *groups, last = key.split(".")
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = setting
    return nested
