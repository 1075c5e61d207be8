#!/usr/bin/env python3
"""How the 3D Slicer module keeps up with a user on a CT of 512 x 512 x 300: `slicer_live.py`.

The result of the sample CT, blown up, stands in for a run's, so that no network runs. Told are the longest pauses of the
event loop while that result is taken over, and milliseconds for the threshold slider in both engines: until the mask has
followed, and for the numbers and the surface when the slider rests. CPU time of this process is given beside the wall's,
since machines are busy. It needs what the module's tests need (slicer_module/tests/run_tests.py).
"""

import os
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np

os.environ["QT_QPA_PLATFORM"] = "offscreen"
MODULE = Path(__file__).resolve().parents[1] / "slicer_module" / "PancreasSegmentation"
sys.path[:0] = [str(MODULE.parent / "tests"), str(MODULE / "Testing" / "Python"), str(MODULE)]
SHAPE = (300, 512, 512)


def blown_up(array):
    """An array [k, j, i] on a finer grid, by linear interpolation along each axis."""
    for axis, count in enumerate(SHAPE):
        places = np.linspace(0, array.shape[axis] - 1, count)
        first = np.minimum(places.astype(int), array.shape[axis] - 2)
        part = (places - first).astype(np.float32).reshape([count if other == axis else 1 for other in range(3)])
        array = np.take(array, first, axis) * (1 - part) + np.take(array, first + 1, axis) * part
        array = array.astype(np.float32)
    return array


def milliseconds(call, times=9):
    """Medians of wall and CPU time."""
    wall, cpu = [], []
    for _n in range(times):
        start = time.perf_counter(), time.process_time()
        call()
        wall.append(1000 * (time.perf_counter() - start[0]))
        cpu.append(1000 * (time.process_time() - start[1]))
    return f"{statistics.median(wall):5.0f} ms, {statistics.median(cpu):4.0f} ms of CPU"


def main():
    import standins
    from PySide6 import QtWidgets

    application = QtWidgets.QApplication([])
    standins.install(widgets=True)
    import ggpfn
    import slicer
    from PancreasSegmentationLib import sample_data
    from PancreasSegmentationLib.engines import Engines
    from PancreasSegmentationLib.scene_input import scan_of

    from PancreasSegmentation import PancreasSegmentationLogic, PancreasSegmentationWidget

    sample = scan_of(sample_data.load())
    found = ggpfn.segment(sample.image(), probability=True, view_probabilities=True)
    found = ggpfn.Segmentation(
        mask=np.zeros(SHAPE, np.uint8),
        measurements=found.measurements,
        quality=found.quality,
        probability=blown_up(found.probability),
        view_probabilities={view: blown_up(array) for view, array in found.view_probabilities.items()},
    )
    finer = [old / new for old, new in zip(sample.array.shape[::-1], SHAPE[::-1])]
    array = blown_up(sample.array.astype(np.float32)).astype(np.int16)
    volume = slicer.util.addVolumeFromArray(array, sample.matrix @ np.diag([*finer, 1]), "large")
    segment = mock.patch("PancreasSegmentationLib.segmenting.segment", return_value=found)

    parent = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(parent)
    widget = PancreasSegmentationWidget(parent)
    widget.setup()
    widget.panel.parameters.inputVolume = volume
    widget.logic.segmentation.engines.model()
    pauses, last = [], time.perf_counter()
    with segment:
        widget.ui.applyButton.click()
        while widget.panel.busy:
            application.processEvents()
            time.sleep(0.002)
            pauses.append(time.perf_counter() - last)
            last += pauses[-1]
    print("longest pauses of the event loop:", ", ".join(f"{1000 * p:.0f} ms" for p in sorted(pauses)[-3:]))
    widget.cleanup()

    for kind in ("in process", "child process"):
        logic = PancreasSegmentationLogic(Engines(kind))
        parameters = logic.getParameterNode()
        parameters.inputVolume, parameters.outputSegmentation = volume, None
        with segment:
            logic.process(parameters)
        slide(kind, logic.segmentation, parameters)
        logic.segmentation.engines.drop()


def slide(kind, live, parameters):
    """Tells how long a step of the slider takes."""

    def step(call):
        # To and fro, so that each step changes something.
        parameters.threshold += 0.01 if parameters.threshold * 10 % 1 < 0.05 else -0.01
        call(parameters)

    for largest in (False, True):
        for threshold in (0.3, 0.1):
            parameters.threshold, parameters.largestComponent = threshold, largest
            mask = milliseconds(lambda: step(live.preview_threshold))
            rest = milliseconds(lambda: step(live.try_threshold), 5)
            title = f"{kind}, threshold {threshold}{', largest component' if largest else ''}"
            print(f"{title:48} mask {mask}; at rest {rest}", flush=True)


if __name__ == "__main__":
    main()
