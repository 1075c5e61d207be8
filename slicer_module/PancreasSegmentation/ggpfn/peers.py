"""The processes that train one network together, and what carries their bytes: torch.distributed, MPI, or your own.

The library decides what is exchanged, and calls all_gather and all_to_all of a Peers in the same order in all
processes, one call at a time, on a thread of its own. Both are plain copies of bytes: nothing is added up on the way,
so nothing about the network or the number of processes can change a result.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from multiprocessing import connection
from typing import Any, Optional

import numpy as np

from . import _abi, _library, _torch
from .errors import Error, TrainingError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

# Seconds after which processes that do not answer are given up. A validation may take as long on the slowest of them.
PATIENCE = 1800.0


class Peers:
    """One process alone; the base of those that are several.

    rank, ranks: this process's number, from 0, and the number of processes. sent: the bytes that it has sent to others,
    as the exchanges were asked for; what a network adds is not counted.
    """

    rank = 0
    ranks = 1

    def __init__(self) -> None:
        self.sent = 0

    def all_gather(self, send: Bytes, receive: Bytes) -> None:
        """Every process gives `send`, all of one length; `receive` gets all of them, in the order of the processes."""
        receive[:] = send

    def all_to_all(self, send: Bytes, receive: Bytes) -> None:
        """`send` has a piece for each process, all of one length; `receive` gets the pieces that were sent here."""
        receive[:] = send

    def split(self, colour: int) -> Peers:
        """Those processes that give the same colour, in their order. All processes have to call this."""
        return self

    def close(self) -> None:
        """Ends the connections."""

    def gather(self, number: int) -> list[int]:
        """The numbers, up to 2**63, of all processes. Nobody goes on before all have called this."""
        own = np.array([number], np.int64)
        all_of_them = np.empty(self.ranks, np.int64)
        self.all_gather(own.view(np.uint8), all_of_them.view(np.uint8))
        self.sent += own.nbytes * (self.ranks - 1)
        return [int(one) for one in all_of_them]

    @contextlib.contextmanager
    def serving(self, library: Any, training: Any, views: int) -> Iterator[list[BaseException]]:
        """For engines: has a training of the library exchange through this object inside the with statement.

        views: the library's bits of the views that these processes train, 0 for all. What an exchange raises is put
        into the list.
        """
        failures: list[BaseException] = []

        def callback(exchange: Any, pieces_sent: int) -> Any:
            def call(send: int, receive: int, size: int, _: Any) -> int:
                try:
                    exchange(_array(send, size * pieces_sent), _array(receive, size * self.ranks))
                    self.sent += size * (self.ranks - 1)
                    return 0
                except BaseException as error:  # into C nothing may be raised
                    failures.append(error)
                    return 1

            return _abi.ggpfn_exchange_callback(call)

        # They have to live as long as the training may call them.
        both = callback(self.all_gather, 1), callback(self.all_to_all, self.ranks)
        library.call("ggpfn_training_set_peers", training, self.rank, self.ranks, views, *both, None)
        try:
            yield failures
        except TrainingError as error:
            if failures:
                text = f"Process {self.rank} of {self.ranks} lost the others: {failures[0]}"
                raise TrainingError(text, error.status) from failures[0]
            raise


def _array(address: int, size: int) -> Bytes:
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


class TorchPeers(Peers):
    """The processes of torch.distributed: those that torchrun started, or those of `group`.

    backend: "gloo" (sockets) or "nccl" (buffers are copied to this process's GPU and back). group: a process group;
    None: all processes. Where torch.distributed has not been initialised this is done, from torchrun's variables.
    """

    def __init__(self, backend: str = "gloo", group: Any = None, patience: float = PATIENCE) -> None:
        super().__init__()
        try:
            torch: Any = importlib.import_module("torch")
            distributed: Any = importlib.import_module("torch.distributed")
        except ImportError as error:
            raise Error(f"torch.distributed cannot be loaded ({error}); install torch, or use MPI (--mpi).") from error
        if backend not in ("gloo", "nccl"):
            raise Error(f'The backend is {backend!r}; "gloo" or "nccl" was expected.')
        self._torch, self._distributed, self._group = torch, distributed, group
        self._device = f"cuda:{local_rank()}" if backend == "nccl" else None
        self._opened = not distributed.is_initialized()
        if self._opened:
            if self._device is not None:
                torch.cuda.set_device(self._device)
            limit = datetime.timedelta(seconds=patience)
            store, rank, ranks = next(distributed.rendezvous("env://", timeout=limit))
            store = distributed.PrefixStore(_token(store, rank, ranks, patience), store)
            distributed.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=limit)
        self.rank, self.ranks = distributed.get_rank(group), distributed.get_world_size(group)
        self._backend, self._patience = backend, patience

    def all_gather(self, send: Bytes, receive: Bytes) -> None:
        self._exchange(self._distributed.all_gather_into_tensor, send, receive)

    def all_to_all(self, send: Bytes, receive: Bytes) -> None:
        self._exchange(self._distributed.all_to_all_single, send, receive)

    def _exchange(self, collective: Any, send: Bytes, receive: Bytes) -> None:
        given, wanted = self._torch.from_numpy(send), self._torch.from_numpy(receive)
        if self._device is None:
            collective(wanted, given, group=self._group)
        else:
            there = self._torch.empty(receive.size, dtype=self._torch.uint8, device=self._device)
            collective(there, given.to(self._device), group=self._group)
            wanted.copy_(there)

    def split(self, colour: int) -> Peers:
        colours = self.gather(colour)
        own = None
        for one in sorted(set(colours)):
            # All processes make all groups, in the same order.
            ranks = [rank for rank, other in enumerate(colours) if other == one]
            group = self._distributed.new_group(ranks, timeout=datetime.timedelta(seconds=self._patience))
            own = group if one == colour else own
        return TorchPeers(self._backend, own, self._patience)

    def close(self) -> None:
        if self._opened and self._distributed.is_initialized():
            self._distributed.destroy_process_group()


def _token(store: Any, rank: int, ranks: int, patience: float) -> str:
    """A name that these processes agree on, and that none before them had.

    torchrun keeps its store when it starts the processes anew. Under a new name they do not find the addresses that
    those before them left there, and that nobody listens at any more.
    """
    own = uuid.uuid4().hex
    deadline = time.monotonic() + patience
    if rank > 0:
        store.set(f"ggpfn/process {rank}", own)
        token = str(store.get(f"ggpfn/token for {own}").decode())  # waits for it
        store.add(f"ggpfn/there under {token}", 1)
        return token
    answered = set()
    while store.add(f"ggpfn/there under {own}", 0) < ranks - 1:
        for other in range(1, ranks):
            if store.check([f"ggpfn/process {other}"]):
                name = store.get(f"ggpfn/process {other}").decode()
                if name not in answered:
                    # Perhaps of one that is gone: then there will be another.
                    answered.add(name)
                    store.set(f"ggpfn/token for {name}", own)
        if time.monotonic() > deadline:
            raise TrainingError(f"Of {ranks} processes some did not come within {patience:.0f} seconds.")
        time.sleep(0.02)
    return own


class MpiPeers(Peers):
    """The processes of an MPI communicator of mpi4py; None: all that mpirun started."""

    def __init__(self, communicator: Any = None) -> None:
        super().__init__()
        from mpi4py import MPI

        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            raise Error(
                "MPI was initialised for one thread alone, and the library exchanges on a thread of its own; "
                'set mpi4py.rc.thread_level to "serialized" or "multiple" before mpi4py.MPI is imported.'
            )
        self._byte = MPI.BYTE
        self._communicator = MPI.COMM_WORLD if communicator is None else communicator
        self.rank, self.ranks = self._communicator.Get_rank(), self._communicator.Get_size()

    def all_gather(self, send: Bytes, receive: Bytes) -> None:
        self._communicator.Allgather([send, self._byte], [receive, self._byte])

    def all_to_all(self, send: Bytes, receive: Bytes) -> None:
        self._communicator.Alltoall([send, self._byte], [receive, self._byte])

    def split(self, colour: int) -> Peers:
        return MpiPeers(self._communicator.Split(colour, self.rank))


class Apart(Peers):
    """TorchPeers in a process beside this one, for a libggpfn that has another libtorch than PyTorch: the two do not
    get on in one process."""

    def __init__(self, backend: str = "gloo", patience: float = PATIENCE) -> None:
        super().__init__()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-c", _BESIDE, os.path.dirname(_library.PACKAGE), str(theirs.fileno())]
            self._process = subprocess.Popen([*command, backend, str(patience)], pass_fds=[theirs.fileno()])
            self._pipe = connection.Connection(ours.detach())
        self._group = 0
        self._owner = True
        self.rank, self.ranks = self._ask("open")

    def _ask(self, what: str, *arguments: Any, send: Optional[Bytes] = None, receive: Optional[Bytes] = None) -> Any:
        try:
            self._pipe.send((what, arguments))
            if send is not None:
                self._pipe.send_bytes(send.data)
            answer, fault = self._pipe.recv()
            if receive is not None and fault is None:
                self._pipe.recv_bytes_into(receive.data)
        except (EOFError, OSError) as error:
            raise TrainingError(f"The process that speaks to the others ended ({error or 'no message'}).") from error
        if fault is not None:
            raise TrainingError(fault)
        return answer

    def all_gather(self, send: Bytes, receive: Bytes) -> None:
        self._ask("all_gather", self._group, receive.size, send=send, receive=receive)

    def all_to_all(self, send: Bytes, receive: Bytes) -> None:
        self._ask("all_to_all", self._group, receive.size, send=send, receive=receive)

    def split(self, colour: int) -> Peers:
        part = Apart.__new__(Apart)
        Peers.__init__(part)
        part._pipe, part._process, part._owner = self._pipe, self._process, False
        part._group, part.rank, part.ranks = self._ask("split", self._group, colour)
        return part

    def close(self) -> None:
        if self._owner:
            self._pipe.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)


_BESIDE = "import sys; sys.path.insert(0, sys.argv[1]); import ggpfn.peers; ggpfn.peers._serve(*sys.argv[2:])"


def _serve(number: str, backend: str, patience: str) -> None:
    """The process beside: does what it is asked for until nobody asks."""
    pipe: connection.Connection = connection.Connection(int(number))
    # Ctrl-C is for the process that trains, which ends this one when it has saved.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_with_the_parent()
    groups: list[Peers] = []
    while True:
        try:
            what, arguments = pipe.recv()
            send = None
            if what.startswith("all_"):
                send = np.frombuffer(bytearray(pipe.recv_bytes()), np.uint8)
        except (EOFError, OSError):
            break
        answer: Any = None
        receive = None
        try:
            if what == "open":
                groups.append(TorchPeers(backend, patience=float(patience)))
                answer = groups[0].rank, groups[0].ranks
            elif what == "split":
                groups.append(groups[arguments[0]].split(arguments[1]))
                answer = len(groups) - 1, groups[-1].rank, groups[-1].ranks
            else:
                receive = np.empty(arguments[1], np.uint8)
                getattr(groups[arguments[0]], what)(send, receive)
        except Exception as error:  # of whatever class torch chose
            pipe.send((None, str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"))
            continue
        pipe.send((answer, None))
        if receive is not None:
            pipe.send_bytes(receive.data)
    if groups:
        groups[0].close()


def _end_with_the_parent() -> None:
    """Linux ends this process when the one that trains is killed, be it in the middle of an exchange."""
    with contextlib.suppress(OSError, AttributeError):
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def started(backend: str = "gloo", patience: float = PATIENCE) -> Peers:
    """The processes that torchrun started, this one alone where there is no torchrun.

    PyTorch is loaded into this process where libggpfn uses its libtorch, and into one beside it elsewhere.
    """
    if "RANK" not in os.environ or "MASTER_ADDR" not in os.environ:
        return Peers()
    found = [place for place in _library.places() if os.path.isfile(place)]
    if found and _torch.is_for(found[0]):
        return TorchPeers(backend, patience=patience)
    return Apart(backend, patience)


def local_rank() -> int:
    """This process's number among those on its machine."""
    for name in ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"):
        if name in os.environ:
            return int(os.environ[name])
    return 0


def local_ranks() -> int:
    """The number of processes on this machine."""
    for name in ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"):
        if name in os.environ:
            return int(os.environ[name])
    return 1
