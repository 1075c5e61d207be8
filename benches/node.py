#!/usr/bin/env python3
"""A DICOM node that is killed while studies come from several senders: `node.py FOLDER MODEL [--kills 3]`.

The script makes small CTs and sends them by four senders at once over loopback, each of which begins a study anew until
all of its objects are taken. Meanwhile it kills the node by SIGKILL and starts it again. It then counts what the
destination has received: a segmentation and a report for each study, none under two UIDs. It needs
`pip install ggpfn[node]`, and finds the program as the package does: name a release build in GGPFN_PROGRAM.
"""

import argparse
import collections
import json
import os
import queue
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests" / "python_package"
sys.path.insert(0, str(TESTS))

import pynetdicom  # noqa: E402
import test_node  # noqa: E402
from ggpfn import _node_dicom  # noqa: E402


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Kept:
    """A node that is started again when it has been killed."""

    def __init__(self, given, archive):
        self.given, self.port = given, free_port()
        self.command = [sys.executable, "-m", "ggpfn.node", str(Path(given.folder) / "node"), "--port", str(self.port)]
        self.command += ["--send-to", f"ARCHIVE@127.0.0.1:{archive.port}", "--model", given.model, "--threads", "1"]
        self.command += ["--quiet-seconds", str(given.quiet), "--keep-free-mb", "0", "--keep-hours", str(given.keep)]
        self.log = open(Path(given.folder) / "log.txt", "a", encoding="utf-8")
        self.start()

    def start(self):
        environment = {**os.environ, "PYTHONPATH": str(test_node.MODULE)}
        self.process = subprocess.Popen(self.command, env=environment, stderr=self.log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        time.sleep(random.uniform(0, 1))
        self.start()

    def states(self):
        """How many series are in each state, by the files."""
        found = collections.Counter()
        for path in (Path(self.given.folder) / "node" / "series").glob("*/state.json"):
            found[json.loads(path.read_text(encoding="utf-8"))["state"]] += 1
        return found


def sender(number, work, port, pause, repeated, ends):
    """Sends studies until there are none left."""
    while True:
        try:
            which = work.get_nowait()
        except queue.Empty:
            ends.append(time.monotonic())
            return
        objects, tries = test_node.study(which), 0
        while True:
            tries += 1
            try:
                # pynetdicom waits for the answer of a node that is gone for as long as it may.
                answers = test_node.send(port, objects, calling=f"SENDER{number}", patience=10)
                if set(answers) == {0x0000}:
                    break
            except (AssertionError, RuntimeError, OSError):
                pass
            time.sleep(0.5)
        if tries > 1:
            repeated.append(which)
        time.sleep(pause)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("model")
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--pause", type=float, default=2, help="seconds of a sender between two studies")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--quiet", type=float, default=1)
    parser.add_argument("--keep", type=float, default=24, help="hours that the node keeps what is done")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random.seed(given.seed)
    os.makedirs(given.folder)
    archive = test_node.Archive()
    node = Kept(given, archive)
    work, repeated, ends = queue.Queue(), [], []
    for which in range(given.studies):
        work.put(which)
    start = time.monotonic()
    common = (work, node.port, given.pause, repeated, ends)
    senders = [threading.Thread(target=sender, args=(number, *common)) for number in range(given.senders)]
    for one in senders:
        one.start()
    # When so many results have come, and a moment later: at whatever the node is just doing.
    kills = []
    for number in range(given.kills):
        wanted = 2 * given.studies * (2 * number + 1) // (2 * given.kills + 1)
        while len(archive.objects) < wanted:
            time.sleep(0.05)
        time.sleep(random.uniform(0, 2))
        kills.append((round(time.monotonic() - start, 1), dict(node.states())))
        node.kill()
    for one in senders:
        one.join()
    received = max(ends) - start
    while node.states()["done"] < given.studies and node.process.poll() is None:
        time.sleep(0.1)
    taken = time.monotonic() - start
    # Whatever else it might do.
    time.sleep(5 + 2 * given.quiet)
    node.process.send_signal(signal.SIGTERM)
    code = node.process.wait()
    archive.close()

    results = collections.defaultdict(lambda: collections.defaultdict(list))
    for one in archive.objects:
        results[one.StudyInstanceUID][one.SOPClassUID].append(one.SOPInstanceUID)
    twice = lost = resent = 0
    for which in range(given.studies):
        found = results.pop(test_node.study(which)[0].StudyInstanceUID, {})
        for kind in (_node_dicom.SEGMENTATION, _node_dicom.REPORT):
            twice += len(set(found.get(kind, []))) > 1
            lost += not found.get(kind)
            resent += len(found.get(kind, [])) - len(set(found.get(kind, [])))
    text = (Path(given.folder) / "log.txt").read_text(encoding="utf-8")
    seconds = [float(one) for one in re.findall(r"segmented in ([\d.]+) s", text)]
    for when, states in kills:
        print(f"killed after {when} s, {states}")
    print(
        f"{given.studies} studies by {given.senders} senders: received after {received:.0f} s, done after {taken:.0f} s"
        f", {statistics.median(seconds):.2f} s of the program each"
    )
    print(
        f"{len(repeated)} studies were sent again; results: {lost} lost, {twice} under two UIDs, {len(results)} of "
        f"nothing that was sent, {resent} came again under the same UID"
    )
    print(f"states {dict(node.states())}, exit code {code}, pynetdicom {pynetdicom.__version__}")
    return 1 if lost or twice or results or code else 0


if __name__ == "__main__":
    sys.exit(main())
