#!/usr/bin/env python3
"""A cohort whose workers are killed, against one that is left alone: `cohort.py FOLDER MODEL [--every 20] [--out DIR]`.

Three runs over all images of a folder, with one thread for each case: in one process; on two Dask workers; on two Dask
workers, the older of which is killed by SIGKILL every 20 s. The script compares rows and bytes, and says what the
engine costs per case. It needs `pip install ggpfn[cohort]`, and finds the program as the package does: name a release
build in GGPFN_PROGRAM.
"""

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

PACKAGE = Path(__file__).resolve().parents[1] / "slicer_module" / "PancreasSegmentation"
sys.path.insert(0, str(PACKAGE))

from ggpfn import _cohort_table  # noqa: E402


def workers_of(process):
    """Dask's workers among the children of a process; not the program ggpfn, nor Python's own trackers."""
    found = []
    for child in process.children():
        try:
            line = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if "spawn_main" in line:
            found.append(child)
    return sorted(found, key=lambda child: child.create_time())


def run(given, out, *options, every=0.0):
    """Seconds that a run takes; every: to kill a worker all so many seconds."""
    command = [sys.executable, "-m", "ggpfn.cohort", *given.inputs, "--out", out, "--model", given.model, "--quiet"]
    command += ["--threads", "1", *options]
    start = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(PACKAGE)})
    over, kills = threading.Event(), []

    def kill():
        while not over.wait(every):
            there = workers_of(psutil.Process(process.pid))
            if there:
                # The oldest: so both get their turn, a new one is there for a while before its own comes.
                there[0].send_signal(signal.SIGKILL)
                kills.append(time.monotonic() - start)

    thread = threading.Thread(target=kill)
    if every:
        thread.start()
    code = process.wait()
    taken = time.monotonic() - start
    over.set()
    if every:
        thread.join()
    print(f"{out}: exit code {code}, {taken:.1f} s, {len(kills)} workers killed", flush=True)
    return taken


def rows_of(out):
    with open(Path(out) / "cases.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def differences(one, other):
    """What differs between two runs beside times and places."""
    passing = {*_cohort_table.OF_THE_RUN}
    first, second = rows_of(one), rows_of(other)
    found = [f"{len(first)} and {len(second)} rows"] if len(first) != len(second) else []
    for a, b in zip(first, second):
        other_values = [key for key in a if key not in passing and a[key] != b.get(key)]
        found += [f"{a['name']}: {key}: {a[key]} and {b.get(key)}" for key in other_values]
        for path in (a["mask"], f"pictures/{a['name']}.png"):
            if (Path(one) / path).read_bytes() != (Path(other) / path).read_bytes():
                found.append(f"{path} has other bytes")
    return found


OPTIONS = {
    "alone": ["--workers", "0"],
    "dask": ["--workers", "2"],
    "killed": ["--workers", "2", "--retries", "5"],
}


def compare(outs):
    """Says how the runs with workers differ from the single one; the number of faults."""
    faults = 0
    for kind in ("dask", "killed"):
        if not (Path(outs[kind]) / "cases.csv").exists():
            continue
        rows = rows_of(outs[kind])
        names, inputs = {row["name"] for row in rows}, {row["input"] for row in rows}
        found = differences(outs["alone"], outs[kind])
        left = list(Path(outs[kind]).rglob(".*.tmp"))
        again = sum(int(row["attempts"]) > 1 for row in rows)
        print(
            f"{kind}: {len(rows)} rows, {len(names)} names, {len(inputs)} inputs, "
            f"{sum(row['status'] == 'done' for row in rows)} done, {again} at a second attempt, "
            f"{len({row['worker'] for row in rows})} worker processes, {len(found)} differences from the single run, "
            f"{len(left)} unfinished files"
        )
        print("\n".join(found[:10]), end="\n" if found else "")
        faults += len(found) + (len(names) != len(rows)) + len(left)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs=1)
    parser.add_argument("model")
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--out", default="cohort-bench")
    parser.add_argument("--only", choices=OPTIONS, help="one of the runs alone; without this all three, compared")
    given = parser.parse_args()
    outs = {kind: os.path.join(given.out, kind) for kind in OPTIONS}
    seconds = {}
    for kind in [given.only] if given.only else OPTIONS:
        every = given.every if kind == "killed" else 0
        seconds[kind] = run(given, outs[kind], *OPTIONS[kind], every=every)
    for kind, taken in seconds.items():
        own = [float(row["total_seconds"]) for row in rows_of(outs[kind])]
        workers = 1 if kind == "alone" else 2
        # Start and end of cluster and processes included.
        beside = (workers * taken - sum(own)) / len(own)
        print(
            f"{kind}: {len(own)} cases, {statistics.median(own):.3f} s each (median), {sum(own) / workers:.1f} of "
            f"{taken:.1f} s: {1000 * beside:.0f} ms of a worker beside each"
        )
    return 1 if not given.only and compare(outs) else 0


if __name__ == "__main__":
    sys.exit(main())
