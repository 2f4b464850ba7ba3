"""Builds, resumed builds, replacements, deaths and aborts in any order and one within another, beside a small model."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.errors import SpectralZarrError
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.calls import FileCalls, hooked, replaced
from spectral_zarr.store.claim import own_claim
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.request import request_facts
from spectral_zarr.testing.faults import Step

from .matrix import Scene, visible

REFUSALS = {"staging-busy", "target-exists", "resume-refused"}
UNCLAIMED = [
    *(Step.FILE_WRITTEN, Step.FILE_SYNCED, Step.FILE_REPLACED),
    *(Step.RECORDED, Step.OLD_MOVED, Step.OLD_REMOVED, Step.PUBLISHED),
]
"""Steps at which a build does not hold its target: it is writing its claim, or has published."""


class Killed(BaseException):
    """The process is gone: nothing that it does afterwards reaches the disk."""


@contextmanager
def mortal(step: Step, number: int) -> Iterator[None]:
    """Die at a step: from then on every call fails, so that no handler of the dead process mends anything."""
    dead, seen, real = False, 0, FileCalls()

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*arguments: Any, **options: Any) -> Any:
            if dead and call is not real.close:
                raise OSError(errno.EIO, "dead")
            return call(*arguments, **options)

        return guard

    def hook(reached: Step) -> None:
        nonlocal dead, seen
        seen += reached is step
        if reached is step and seen == number:
            dead = True
            raise Killed

    calls = FileCalls(**{one.name: guarded(getattr(real, one.name)) for one in fields(FileCalls)})
    with replaced(calls), hooked(hook):
        yield


@contextmanager
def another_process() -> Iterator[None]:
    """Let claims that this process has made so far be those of another, living process."""
    pid = os.getpid()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid + 1)
        yield


class Builds(RuleBasedStateMachine):
    """The model: which store readers see ('' for none), and whether a build may have been left unfinished."""

    scene: Scene

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=self.scene.root))
        self.target = self.directory / "x.zarr"
        self.seen = ""
        self.unfinished = False

    def files(self, new: bool) -> tuple[Path, str]:
        return (self.scene.new_files, self.scene.new) if new else (self.scene.old_files, self.scene.old)

    def build(self, new: bool, resume: bool, replace: bool) -> str:
        """Code of the error, '' when it published."""
        request = IngestRequest((str(self.files(new)[0]),), str(self.target), resume=resume, replace=replace)
        try:
            ingest(request, SerialExecutor())
        except SpectralZarrError as error:
            return error.code
        return ""

    def abort(self) -> str:
        try:
            abort_build(BuildPaths.of(self.target), own_claim(request_facts((), None, "")))
        except SpectralZarrError as error:
            return error.code
        return ""

    @rule(new=st.booleans(), resume=st.booleans(), replace=st.booleans())
    def builds(self, new: bool, resume: bool, replace: bool) -> None:
        code = self.build(new, resume, replace)
        if code:
            assert code in REFUSALS
            assert self.unfinished or (self.seen and not replace), code
            # Taking a build over may be what finishes it.
            self.settle({self.seen} | ({self.scene.new, self.scene.old} if self.unfinished else set()))
        else:
            assert resume or not self.unfinished or not self.seen or replace
            self.seen, self.unfinished = self.files(new)[1], False

    @rule(
        new=st.booleans(),
        resume=st.booleans(),
        step=st.sampled_from(list(Step)),
        number=st.sampled_from([1, 1, 2, 5]),
    )
    def builds_and_dies(self, new: bool, resume: bool, step: Step, number: int) -> None:
        before = self.seen
        try:
            with mortal(step, number):
                code = self.build(new, resume, replace=True)
        except Killed:
            self.settle({before, self.scene.old, self.scene.new} if self.unfinished else {before, self.files(new)[1]})
            self.unfinished = True
        else:
            assert code in REFUSALS | {"", "environment"}
            self.settle({before, self.scene.old, self.scene.new})
            self.unfinished |= code != ""

    @rule(
        new=st.booleans(),
        step=st.sampled_from(list(Step)),
        intruder=st.sampled_from(["abort", "resume", "replace"]),
    )
    def builds_while_another_comes(self, new: bool, step: Step, intruder: str) -> None:
        """While a build lives nobody else touches its target; once it has published, anybody may."""
        codes: list[str] = []

        def come(reached: Step) -> None:
            if reached is step and not codes:
                codes.append("being asked")
                with another_process():
                    codes[0] = self.abort() if intruder == "abort" else self.build(not new, intruder == "resume", True)

        with hooked(come):
            code = self.build(new, resume=True, replace=True)
        own, other = self.files(new)[1], self.files(not new)[1]
        come_first = step in UNCLAIMED and bool(codes)
        assert not codes or come_first or codes[0] == "staging-busy", (step, codes)
        if code:
            assert code in REFUSALS
            assert self.unfinished or come_first
            self.settle({self.seen, own, other})
            self.unfinished |= come_first and codes[0] != ""
            return
        self.settle({own, other} if come_first and not codes[0] and intruder != "abort" else {own})
        self.unfinished = False

    @rule()
    def aborts(self) -> None:
        assert self.abort() in ("", "staging-busy")
        self.settle({self.seen, self.scene.old, self.scene.new} if self.unfinished else {self.seen})
        self.unfinished = False

    @precondition(lambda self: self.seen and not self.unfinished)
    @rule()
    def is_removed_by_its_owner(self) -> None:
        shutil.rmtree(self.target)
        self.seen = ""

    def settle(self, allowed: set[str]) -> None:
        """V: what is to be seen is one of these."""
        found = visible(self.target)
        assert found in allowed
        # Only what was there, or is being made, can be seen; a store that is replaced never vanishes.
        assert found or not self.seen
        self.seen = found

    @invariant()
    def readers_see_what_the_model_says(self) -> None:
        assert visible(self.target) == self.seen

    def teardown(self) -> None:
        """C: from whatever was left, abort and build again publish, and N: nothing else stays behind."""
        assert self.abort() == ""
        assert self.build(new=True, resume=False, replace=True) == ""
        assert visible(self.target) == self.scene.new
        self.scene.assert_contained(self.target)
        shutil.rmtree(self.directory)


@pytest.mark.parametrize(
    ("examples", "steps"), [pytest.param(6, 6, id="few"), pytest.param(200, 15, id="many", marks=pytest.mark.sweep)]
)
def test_any_order_of_builds_deaths_and_aborts(scene: Scene, examples: int, steps: int) -> None:
    machine = type("BuildsOfScene", (Builds,), {"scene": scene})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
