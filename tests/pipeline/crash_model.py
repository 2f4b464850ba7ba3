"""A model of what a disk may hold after a power cut: what was synced stays, anything else may be lost or reordered."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf
from pathlib import Path
from typing import Literal

import msgspec

from spectral_zarr.store.calls import FileCalls

ALL_SUBSETS = 6
"""Number of lost operations up to which every combination of them is tried."""

Unsynced = Literal["kept", "lost", "zeros", "half"]
"""What becomes of bytes that were written and not synced."""


@dataclass(eq=False)
class Node:
    """A file or a directory, with the inode that it had when it was made."""

    inode: int
    is_directory: bool


@dataclass(eq=False)
class Change:
    """One atomic change of directories: what is at which names after it; None for nothing.

    It is durable when each of its directories has been synced.
    """

    born: int
    places: tuple[tuple[Node, str, Node | None], ...]
    unsynced: set[Node]
    durable: float = inf


@dataclass(eq=False)
class Write:
    """Bytes written to a file; None for its truncation. Those of a failed sync never become durable."""

    born: int
    data: bytes | None
    durable: float = inf
    doomed: bool = False


@dataclass
class Recorder:
    """Does the file-system calls of a build below a directory and remembers their order.

    Attributes
    ----------
    root : Path
        The directory.
    fail_sync : int
        Number of the sync of a file, from 1, that fails once; 0 for none.
    """

    root: Path
    fail_sync: int = 0
    clock: int = 0
    file_syncs: int = 0
    changes: list[Change] = field(default_factory=list)
    writes: dict[Node, list[Write]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.top = Node(self.root.stat().st_ino, True)
        self.now: dict[Node, dict[str, Node]] = {self.top: {}}
        self._open: dict[int, Node] = {}
        self._adopt(self.top, self.root)

    def _adopt(self, directory: Node, path: Path) -> None:
        for entry in path.iterdir():
            node = Node(entry.stat().st_ino, entry.is_dir())
            self._change((directory, entry.name, node))
            if node.is_directory:
                self.now[node] = {}
                self._adopt(node, entry)
            else:
                self.writes[node].append(Write(0, entry.read_bytes(), 0))
        for change in self.changes:
            change.born, change.durable, change.unsynced = 0, 0, set()

    def calls(self) -> FileCalls:
        """The calls."""
        return FileCalls(
            open=self._open_file,
            write=self._write,
            fsync=self._fsync,
            close=self._close,
            mkdir=self._mkdir,
            link=self._link,
            rename=self._rename,
            rename_new=self._rename_new,
            exchange=self._exchange,
            unlink=self._unlink,
            rmtree=self._rmtree,
        )

    def _place(self, path: str) -> tuple[Node, str]:
        # A pinned directory is a link to where it is at this moment.
        pin = Path(path).parent == Path("/proc/self/fd")
        real = Path(path).resolve() if pin else Path(path).parent.resolve() / Path(path).name
        parts = real.relative_to(self.root).parts
        node = self.top
        for part in parts[:-1]:
            node = self.now[node][part]
        return node, parts[-1]

    def _change(self, *places: tuple[Node, str, Node | None]) -> None:
        self.clock += 1
        self.changes.append(Change(self.clock, places, {directory for directory, _, _ in places}))
        for directory, name, node in places:
            if node is None:
                self.now[directory].pop(name, None)
            else:
                self.now[directory][name] = node

    def _open_file(self, path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = os.open(path, flags, mode)
        if flags & os.O_DIRECTORY and Path(path).resolve() == self.root:
            self._open[descriptor] = self.top
            return descriptor
        directory, name = self._place(path)
        if name not in self.now[directory]:
            self._change((directory, name, Node(os.fstat(descriptor).st_ino, False)))
        elif flags & os.O_TRUNC:
            self.clock += 1
            self.writes[self.now[directory][name]].append(Write(self.clock, None))
        self._open[descriptor] = self.now[directory][name]
        return descriptor

    def _write(self, descriptor: int, data: bytes) -> int:
        count = os.write(descriptor, data)
        self.clock += 1
        self.writes[self._open[descriptor]].append(Write(self.clock, bytes(data[:count])))
        return count

    def _fsync(self, descriptor: int) -> None:
        node = self._open[descriptor]
        self.clock += 1
        pending = [one for one in self.writes[node] if one.durable == inf and not one.doomed]
        if not node.is_directory:
            self.file_syncs += 1
            if self.file_syncs == self.fail_sync:
                # The kernel has marked the pages clean: a second sync succeeds without writing them.
                for one in pending:
                    one.doomed = True
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        for one in pending:
            one.durable = self.clock
        for change in self.changes:
            if node in change.unsynced:
                change.unsynced.discard(node)
                if not change.unsynced:
                    change.durable = self.clock

    def _close(self, descriptor: int) -> None:
        del self._open[descriptor]
        os.close(descriptor)

    def _mkdir(self, path: str) -> None:
        Path(path).mkdir()
        node = Node(Path(path).stat().st_ino, True)
        self.now[node] = {}
        directory, name = self._place(path)
        self._change((directory, name, node))

    def _link(self, source: str, target: str) -> None:
        (one, name), (other, new) = self._place(source), self._place(target)
        os.link(source, target)
        self._change((other, new, self.now[one][name]))

    def _rename(self, source: str, target: str) -> None:
        self._renamed(FileCalls().rename, source, target)

    def _rename_new(self, source: str, target: str) -> None:
        self._renamed(FileCalls().rename_new, source, target)

    def _renamed(self, call: object, source: str, target: str) -> None:
        (one, name), (other, new) = self._place(source), self._place(target)
        call(source, target)  # type: ignore[operator]
        node = self.now[one][name]
        self._change((one, name, None), (other, new, node))

    def _exchange(self, source: str, target: str) -> None:
        (one, name), (other, new) = self._place(source), self._place(target)
        FileCalls().exchange(source, target)
        self._change((one, name, self.now[other][new]), (other, new, self.now[one][name]))

    def _unlink(self, path: str) -> None:
        directory, name = self._place(path)
        Path(path).unlink()
        self._change((directory, name, None))

    def _rmtree(self, path: str, ignore_errors: bool = False) -> None:
        directory, name = self._place(path)
        top = self.now[directory].get(name)
        FileCalls().rmtree(path, ignore_errors=ignore_errors)
        if top is not None:
            self._empty(top)
            self._change((directory, name, None))

    def _empty(self, directory: Node) -> None:
        for name, node in list(self.now[directory].items()):
            if node.is_directory:
                self._empty(node)
            self._change((directory, name, None))


@dataclass(frozen=True)
class Disk:
    """What a disk holds after a cut: the entries of every directory, and what became of bytes without a sync."""

    recorder: Recorder
    clock: int
    entries: dict[Node, dict[str, Node]]
    unsynced: Unsynced

    def content(self, file: Node) -> bytes:
        """Bytes of a file."""
        content = b""
        for one in self.recorder.writes[file]:
            if one.born > self.clock:
                break
            if one.durable <= self.clock or self.unsynced == "kept":
                content = b"" if one.data is None else content + one.data
            elif one.data is not None and self.unsynced != "lost":
                content += bytes(len(one.data)) if self.unsynced == "zeros" else one.data[: len(one.data) // 2]
        return content

    def tree(self, directory: Node, prefix: str = "") -> dict[str, bytes]:
        """All files below a directory."""
        found: dict[str, bytes] = {}
        for name, node in self.entries.get(directory, {}).items():
            if node.is_directory:
                found |= self.tree(node, f"{prefix}{name}/")
            else:
                found[prefix + name] = self.content(node)
        return found

    def visible(self, name: str) -> dict[str, bytes] | None:
        """The files below a name in the top directory, None when there is nothing."""
        node = self.entries[self.recorder.top].get(name)
        return None if node is None else self.tree(node)

    def write_to(self, path: Path) -> None:
        """Make a directory that holds the same, with the inodes in the publication's intent as they now are."""
        inodes: dict[int, int] = {}
        self._write(self.recorder.top, path, inodes)
        for intent in path.glob("*.build/publish-intent.json"):
            document = msgspec.json.decode(intent.read_bytes())
            for store in filter(None, (document["new"], document["old"])):
                store["inode"] = inodes.get(store["inode"], store["inode"])
            intent.write_bytes(msgspec.json.encode(document))

    def _write(self, directory: Node, path: Path, inodes: dict[int, int]) -> None:
        path.mkdir(exist_ok=True)
        inodes[directory.inode] = path.stat().st_ino
        for name, node in self.entries.get(directory, {}).items():
            if node.is_directory:
                self._write(node, path / name, inodes)
            else:
                (path / name).write_bytes(self.content(node))


def after_cut(recorder: Recorder, clock: int, every: int = 1) -> Iterator[Disk]:
    """Every disk that a cut at a moment may leave, as far as they are told apart here, or some of them."""
    born = [change for change in recorder.changes if change.born <= clock]
    pending = [change for change in born if change.durable > clock]
    data_is_pending = any(one.born <= clock < one.durable for writes in recorder.writes.values() for one in writes)
    kinds: tuple[Unsynced, ...] = ("kept", "lost", "zeros", "half") if data_is_pending else ("kept",)
    for lost in _losses(pending, every):
        entries: dict[Node, dict[str, Node]] = {recorder.top: {}}
        for change in born:
            if change in lost:
                continue
            for directory, name, node in change.places:
                names = entries.setdefault(directory, {})
                if node is None:
                    names.pop(name, None)
                else:
                    names[name] = node
        for unsynced in kinds:
            yield Disk(recorder, clock, entries, unsynced)


def _losses(pending: Sequence[Change], every: int) -> Iterator[set[Change]]:
    """Sets of lost changes: all after a moment, all but one, one alone, and every combination of few."""
    if len(pending) <= ALL_SUBSETS:
        for count in range(len(pending) + 1):
            yield from map(set, combinations(pending, count))
        return
    for count in range(0, len(pending) + 1, every):
        yield set(pending[count:])
    for one in pending[::every]:
        yield {one}
        yield set(pending) - {one}
