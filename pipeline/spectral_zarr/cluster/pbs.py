"""What PBS is asked, by the commands that Torque and PBS Pro share."""

from __future__ import annotations

import getpass
import re
import shutil
from collections.abc import Iterable

from spectral_zarr.cluster.slurm import ENDING, QueuedJob, ask

_JOB = re.compile(r"^Job Id:\s*", re.MULTILINE)
_FACT = re.compile(r"^\s+(\w+) = (.*)$", re.MULTILINE)
_ENDED = ("C", "F", "X")
"""States of jobs that a server still lists, some for minutes, although they have ended."""


def is_installed() -> bool:
    """Whether there are the commands of PBS."""
    return all(shutil.which(command) for command in ("qsub", "qstat", "qdel"))


def queued_jobs(name: str) -> dict[str, QueuedJob] | None:
    """Jobs of this user with a name that have not ended, by their number; None when there is no answer."""
    ids: list[str] = []
    if shutil.which("qselect"):
        # A server with thousands of jobs of others should not list them all.
        selected = ask("qselect", "-u", getpass.getuser(), "-N", name)
        if selected is None or selected.returncode != 0:
            return None
        ids = selected.stdout.split()
        if not ids:
            return {}
    told = ask("qstat", "-f", *ids)
    # A job that ended between the two questions is unknown, and the others are told all the same.
    if told is None or (told.returncode != 0 and not ids):
        return None
    return listed_jobs(told.stdout, name, getpass.getuser())


def listed_jobs(text: str, name: str, user: str) -> dict[str, QueuedJob]:
    """The jobs in what ``qstat -f`` prints that have a name and a user, and have not ended."""
    jobs = {}
    for entry in _JOB.split(text)[1:]:
        number = entry.split(maxsplit=1)[0].partition(".")[0]
        facts = {keyword: words.strip() for keyword, words in _FACT.findall(entry)}
        state = facts.get("job_state", "Q")
        own = facts.get("Job_Name") == name and facts.get("Job_Owner", user).partition("@")[0] == user
        if own and state not in _ENDED:
            reason = facts.get("comment", "in the queue")
            jobs[number] = QueuedJob(number, ENDING if state == "E" else state, reason)
    return jobs


def cancel(ids: Iterable[str]) -> None:
    """Cancel jobs; it is no error when they have ended, or when the server is away."""
    known = list(ids)
    if known:
        ask("qdel", *known)
