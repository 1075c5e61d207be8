#!/usr/bin/env python3
"""How much longer the 3D Slicer module takes than `ggpfn segment`: `slicer_module.py CT [PAIRS]`.

Program and module in turns, from the file to the shown segmentation, and the ratio within each pair. It needs what the
module's tests need (slicer_module/tests/run_tests.py), and finds library and program as they do: name a release build.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULE = Path(__file__).resolve().parents[1] / "slicer_module" / "PancreasSegmentation"
sys.path[:0] = [str(MODULE / "Testing" / "Python"), str(MODULE)]


def main(ct, pairs=5):
    import slicer
    from ggpfn import _process
    from pancreas_testing import PancreasSegmentationLogic
    from PancreasSegmentationLib.scene_input import read_volume

    executable = _process.find()
    logic = PancreasSegmentationLogic()
    times = {"program": [], "module": []}
    with tempfile.TemporaryDirectory() as folder:

        def program():
            mask = str(Path(folder) / "mask.nii.gz")
            subprocess.run([executable, "segment", "-q", ct, mask], check=True, capture_output=True)

        def module():
            volume = slicer.mrmlScene.AddNode(read_volume(ct))
            parameters = logic.getParameterNode()
            parameters.inputVolume, parameters.outputSegmentation = volume, None
            segmentation = logic.process(parameters)
            slicer.mrmlScene.RemoveNode(segmentation)
            slicer.mrmlScene.RemoveNode(volume)

        # Once each for what happens once: the library is loaded, files come into memory.
        for warm in (True, *[False] * pairs):
            for name, work in (("program", program), ("module", module)):
                start = time.perf_counter()
                work()
                seconds = time.perf_counter() - start
                print(f"{name:8} {seconds:7.2f} s{'  (first)' if warm else ''}", flush=True)
                if not warm:
                    times[name].append(seconds)
    ratios = [ours / theirs for ours, theirs in zip(times["module"], times["program"])]
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"medians: program {medians['program']:.2f} s, module {medians['module']:.2f} s")
    print(f"module / program: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
