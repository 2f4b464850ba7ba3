#!/bin/bash
# Submits a build in job arrays, without a Dask scheduler: four jobs, each of which begins when the one before is done.
#   PARTS=16 slurm/array.sh SOURCES... OUT.zarr [options of stage] [--max-rejected N] [--replace]
# JOB_OPTIONS holds further options of sbatch for all four, STAGE_OPTIONS, PLAN_OPTIONS, FILL_OPTIONS and
# FINALISE_OPTIONS those for one of them. FROM=fill begins with that phase, AFTER=JOB when that job is done. Prints the ids.
set -euo pipefail

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

[[ ${PARTS:-} =~ ^[1-9][0-9]*$ ]] || usage
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target= stage=() plan=() finalise=()
while (( $# )); do
    case $1 in
        --max-rejected) plan+=("$1" "${2:?}"); shift 2; continue ;;
        --max-rejected=*) plan+=("$1") ;;
        --replace) stage+=("$1"); finalise+=("$1") ;;
        *) stage+=("$1"); [[ $1 == *.zarr ]] && target=$1 ;;
    esac
    shift
done
[[ -n $target ]] || usage

before=${AFTER:-}
submit() {
    local phase=$1 options=$2
    shift 2
    [[ -n ${FROM:-} && $FROM != "$phase" ]] && return
    FROM=
    local words=(--parsable --kill-on-invalid-dep=yes --job-name="spectral-zarr-$phase")
    [[ $phase == stage || $phase == fill ]] && words+=(--array="1-$PARTS" --output=%x-%A_%a.log) || words+=(--output=%x-%j.log)
    [[ -n $before ]] && words+=(--dependency="afterok:$before")
    # shellcheck disable=SC2086 # options of sbatch are several words
    before=$(sbatch "${words[@]}" ${JOB_OPTIONS:-} $options "$here/array.sbatch" "$phase" "$PARTS" "$@")
    before=${before%%;*}
    echo "$phase $before"
}

submit stage "${STAGE_OPTIONS:-}" "${stage[@]}"
submit plan "${PLAN_OPTIONS:-}" "$target" "${plan[@]}"
submit fill "${FILL_OPTIONS:-}" "$target"
submit finalise "${FINALISE_OPTIONS:-}" "$target" "${finalise[@]}"
