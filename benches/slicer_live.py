#!/usr/bin/env python3
"""How the 3D Slicer module keeps up with a user on a CT of 512 x 512 x 300: `slicer_live.py`.

The result of the sample CT, blown up, stands in for a run's, so that no network runs. Told are the longest pauses of
the event loop while that result is taken over, without and with maps of probability and uncertainty; and for the
threshold slider in both engines milliseconds until the mask has followed (wall and CPU time, medians of five), from
there until numbers and surface have, and the longest pause of the event loop meanwhile. It needs what the module's tests need
(slicer_module/tests/run_tests.py).
"""

import dataclasses
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


def pump(until, application):
    """Runs the event loop until something is so; returns the seconds, and the pauses between two looks."""
    pauses, started = [], time.perf_counter()
    last = started
    while not until():
        application.processEvents()
        time.sleep(0.001)
        pauses.append(time.perf_counter() - last)
        last += pauses[-1]
    return last - started, sorted(pauses)


def main():
    import standins
    from PySide6 import QtWidgets

    application = QtWidgets.QApplication([])
    standins.install(widgets=True)
    import ggpfn
    import slicer
    from PancreasSegmentationLib import sample_data
    from PancreasSegmentationLib.scene_input import scan_of

    from PancreasSegmentation import PancreasSegmentationWidget

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
    with_uncertainty = dataclasses.replace(found, uncertainty=np.zeros(SHAPE, np.float32))

    def segment(result=found):
        return mock.patch("PancreasSegmentationLib.segmenting.segment", return_value=result)

    parent = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(parent)
    widget = PancreasSegmentationWidget(parent)
    widget.setup()
    panel, parameters = widget.panel, widget.panel.parameters
    parameters.inputVolume = volume
    panel.logic.engines.model()
    pump(lambda: panel._inspection is None and not panel.settle.isActive(), application)
    for maps in (False, True):
        parameters.wantProbability = maps
        with segment(with_uncertainty if maps else found):
            widget.ui.applyButton.click()
            _seconds, pauses = pump(lambda: not panel.busy, application)
        title = "with maps of probability and uncertainty" if maps else "a run"
        print(f"{title}: longest pauses of the event loop", ", ".join(f"{1000 * p:.0f} ms" for p in pauses[-3:]))

    for kind in ("in process", "child process"):
        panel.logic.engines.configure(kind)
        with segment():
            widget.ui.applyButton.click()
            pump(lambda: not panel.busy and panel._inspection is None, application)
        for largest in (False, True):
            for threshold in (0.3, 0.1):
                parameters.threshold, parameters.largestComponent = threshold, largest
                pump(lambda: at_rest(panel), application)
                slide(f"{kind}, threshold {threshold}{', largest component' if largest else ''}", panel, application)
    widget.cleanup()
    panel.logic.engines.drop()


def at_rest(panel):
    return not panel.slide.isActive() and not panel.rest.isActive() and panel._resting is None


def slide(title, panel, application):
    """Tells how long a step of the slider takes."""
    wall, cpu, follow, pause = [], [], [], []
    for number in range(5):
        # To and fro, so that each step changes something.
        panel.parameters.threshold += 0.01 if number % 2 == 0 else -0.01
        panel.slide.stop()
        start = time.perf_counter(), time.process_time()
        panel.preview_threshold()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
        panel.rest.stop()
        panel.measure_threshold()
        seconds, pauses = pump(lambda: at_rest(panel), application)
        follow.append(seconds)
        pause.append(pauses[-1])
    wall, cpu, follow = (1000 * statistics.median(times) for times in (wall, cpu, follow))
    pauses = f"longest pause {1000 * max(pause):.0f} ms, median {1000 * statistics.median(pause):.0f} ms"
    mask = f"mask {wall:4.0f} ms, {cpu:4.0f} ms of CPU"
    print(f"{title:48} {mask}; numbers and surface {follow:4.0f} ms, {pauses}", flush=True)


if __name__ == "__main__":
    main()
