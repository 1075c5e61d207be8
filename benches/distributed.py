"""How training scales over processes: seconds per step of one process on one core and of two on two, and bytes sent.

    GGPFN_LIBRARY=target/release GGPFN_PROGRAM=target/release/ggpfn python3 benches/distributed.py

Steps of two batches of the preset "small" (one view, the whole network), on made-up CTs; all in turns. It needs torch
with gloo, or with --mpi mpi4py and mpiexec.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

OPTIONS = """
accumulate = 2
views = ["axial"]
mixed_precision = false
threads = THREADS
loader_threads = 1
samples_per_volume = 8
view_weights = {axial = 1.0}
[global]
epochs = 0
[local]
epochs = 0
[whole]
epochs = EPOCHS
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--mpi", action="store_true")
    parser.add_argument("--short", action="store_true", help="one process on one core and two on two alone")
    given = parser.parse_args()
    program = os.environ.get("GGPFN_PROGRAM", str(ROOT / "target" / "release" / "ggpfn"))
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "slicer_module" / "PancreasSegmentation"),
        "OMP_NUM_THREADS": "1",
    }
    alone = [sys.executable]
    if given.mpi:
        two = ["mpiexec", "-n", "2", sys.executable]
    else:
        two = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    ways = {
        "one process on one core": (["taskset", "-c", "0", *alone], 1),
        "one process of one thread, two cores": (alone, 1),
        "one process of two threads, two cores": (alone, 2),
        "two processes of one thread, two cores": (two, 1),
    }
    if given.short:
        ways = {name: ways[name] for name in (next(iter(ways)), list(ways)[-1])}
    seconds = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        subprocess.run([program, "synth", folder / "data", "-n", "2", "--spacing", "2.5"], check=True)
        for turn in range(given.turns):
            for number, (name, (command, threads)) in enumerate(ways.items()):
                text = OPTIONS.replace("THREADS", str(threads)).replace("EPOCHS", str(given.epochs))
                (folder / "options.toml").write_text('preset = "small"\n' + text)
                out = folder / f"{turn} {number}"
                more = [
                    "--out",
                    out,
                    "--config",
                    folder / "options.toml",
                    "--cache",
                    folder / "cache",
                    "--device",
                    "cpu",
                ]
                if given.mpi and command is two:
                    more.append("--mpi")
                command = [*command, "-m", "ggpfn.train", folder / "data", *more]
                done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                said = done.stdout.decode("utf-8", "replace")
                if done.returncode:
                    sys.exit(said)
                lines = [json.loads(line) for line in (out / "axial" / "log.jsonl").read_text().splitlines()]
                # Two volumes, eight samples of each, batches of four, two of them in a step; the first epoch warms up.
                steps = 2
                seconds[name] += [line["seconds"] / steps for line in lines[1:]]
                sent = re.search(r"(\d+) steps; process 0 sent (\d+) bytes", said)
                if sent:
                    print(f"{name}: process 0 sent {int(sent[2]) / int(sent[1]):.0f} bytes per step")
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values):.2f} s per step ({min(values):.2f} to {max(values):.2f})")
    first, last = (statistics.median(list(seconds.values())[index]) for index in (0, -1))
    print(f"efficiency of two processes: {first / 2 / last:.2f}; load of the machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
