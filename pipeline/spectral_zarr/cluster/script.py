"""The batch scripts of a whole ingest, as the repository ships them and as ``slurm-script`` fills them in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Form = Literal["srun", "slurm"]

HEADS = {
    "srun": "One ingest on several nodes: the driver here, a worker in every further task.",
    "slurm": "One ingest by worker jobs: a small job drives it, and submits, replaces and cancels the others.",
}
USAGES = {
    "srun": "sbatch --ntasks=65 slurm/ingest.sbatch SOURCES... OUT.zarr [options of ingest]",
    "slurm": "sbatch slurm/driver.sbatch SOURCES... OUT.zarr --profile site.toml [options of ingest]",
}
TAIL = "It continues by itself when its time is up; submit the same line again when Slurm does not requeue it."

USAGE = """\
if (( $# < 2 )); then
    echo "usage: {usage}" >&2
    exit 2
fi

"""

BODY = """\
driver=
warned=
warn() {{
    warned=1
    [[ -z $driver ]] || kill -TERM "$driver" 2>/dev/null
}}
trap warn TERM

{command} &
driver=$!
[[ -z $warned ]] || warn
while true; do
    wait "$driver"
    code=$?
    # A signal ends the wait, and not the driver, which finishes the tasks that run.
    kill -0 "$driver" 2>/dev/null || break
done
if (( code > 128 )) && [[ -n $warned ]]; then
    wait "$driver"
    code=$?
fi

# A job that somebody has cancelled is not running any more, and stays cancelled.
state=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T 2>/dev/null)
if (( code == 75 )) && [[ -n $warned && $state == RUNNING ]]; then
    if (( ${{SLURM_RESTART_COUNT:-0}} >= most_restarts )); then
        echo "requeued $most_restarts times already; submit the same line again to continue"
    elif scontrol requeue "$SLURM_JOB_ID"; then
        echo "requeued; the next run continues"
    else
        echo "Slurm does not requeue this job; submit the same line again to continue"
    fi
fi
exit "$code"
"""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a job asks for.

    Attributes
    ----------
    tasks : int
        Workers and the driver.
    memory : str
        Its option for memory, '' for none.
    walltime : str
        Time limit.
    directives, prologue : sequence of str
        Further options, and lines of shell before the driver starts.
    remarks : sequence of str
        What people should know, as comments.
    """

    tasks: int
    memory: str
    walltime: str
    directives: Sequence[str] = ()
    prologue: Sequence[str] = ()
    remarks: Sequence[str] = field(default_factory=tuple)


SHIPPED: dict[Form, Resources] = {
    "srun": Resources(tasks=17, memory="--mem-per-cpu=2500M", walltime="04:00:00"),
    "slurm": Resources(tasks=1, memory="--mem=4G", walltime="1-00:00:00"),
}


def batch_script(
    form: Form, resources: Resources, arguments: Sequence[str] = (), program: str = "spectral-zarr"
) -> str:
    """Text of a batch script.

    Parameters
    ----------
    form : {'srun', 'slurm'}
        Workers in the allocation, or worker jobs.
    resources : Resources
        What it asks for.
    arguments : sequence of str
        Sources, target and options of the ingest; none for a script that takes them as its own.
    program : str
        The command, unless the environment names another one.

    Returns
    -------
    str
    """
    options = [
        "--job-name=spectral-zarr",
        f"--ntasks={resources.tasks}",
        "--cpus-per-task=1",
        *([resources.memory] if resources.memory else []),
        f"--time={resources.walltime}",
        *resources.directives,
        "--signal=B:TERM@180",
        "--requeue",
        "--open-mode=append",
        "--output=%x-%j.log",
    ]
    usage = [] if arguments else [f"#   {USAGES[form]}"]
    given = shlex.join(arguments) if arguments else '"$@"'
    command = f'"${{SPECTRAL_ZARR:-{program}}}" ingest {given} --cluster {form} --resume'
    lines = [
        "#!/bin/bash",
        f"# {HEADS[form]}",
        *usage,
        f"# {TAIL}",
        *(f"# {remark}" for remark in resources.remarks),
        *(f"#SBATCH {option}" for option in options),
        "",
        *resources.prologue,
        "set -uo pipefail",
        "most_restarts=${MOST_RESTARTS:-50}",
        "",
    ]
    check = "" if arguments else USAGE.format(usage=USAGES[form])
    return "\n".join(lines) + "\n" + check + BODY.format(command=command)
