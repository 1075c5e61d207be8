"""Trains on cases in memory with the processes of MPI.

    pip install mpi4py
    mpirun -n 4 python examples/train_mpi.py runs/example

The result has the same bits for any number of processes. For a data set on disk no program is needed:

    mpirun -n 4 python -m ggpfn.train DATA --out runs/mine --mpi
"""

import sys

import ggpfn
from ggpfn import distributed
from ggpfn.peers import MpiPeers

# A network that trains in seconds; `accumulate` is the number of batches in a step, which the processes share.
OPTIONS = """
accumulate = 4
views = ["axial"]
t = 2
widths = [4, 4, 4, 4]
global_widths = [4, 4, 4, 4, 4]
spacing = [8.0, 8.0, 8.0]
threads = 1
[patch]
axial = [32, 32]
[global_size]
axial = [32, 32]
[global]
epochs = 1
[local]
epochs = 1
[whole]
epochs = 1
"""


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    peers = MpiPeers()
    # Every process has all cases, in the same order.
    cases = [ggpfn.Case(f"made up {seed}", *ggpfn.sample(seed, spacing=8.0)) for seed in range(3)]
    model, result = distributed.train(cases, folder, peers=peers, options=OPTIONS, device="cpu")
    if peers.rank == 0:
        print(f"{peers.ranks} processes, {result.cases} cases: {result.end}, model {model.info.sha256[:16]}")


if __name__ == "__main__":
    main()
