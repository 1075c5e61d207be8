#!/usr/bin/env python3
"""Makes the pictures of the extension, without a display: `make_screenshots.py views CT OUT` and
`make_screenshots.py panel CT OUT [LANGUAGE]`. A CT for them, finer than the one that comes with the extension:
`ggpfn synth OUT --count 1 --seed 4 --spacing 2`.

`views` segments a CT (a file, or `sample`) and renders its slices and its 3D view as Slicer's own view classes draw
them; views.json says where in the pictures the mask's voxels lie. It needs the packages trame-slicer and
slicer-layer-dm. `panel` grabs the panel as PySide6 draws it, with the stand-ins of the tests for Slicer's own widgets;
it needs slicer-core and PySide6-Essentials<6.9. LANGUAGE: de, es, fr or zh-Hans.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

EXTENSION = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(EXTENSION / "tests"), str(EXTENSION / "tools")]

from make_icon import write_png  # noqa: E402

SIZE = 480


def views(ct, out, threshold, largest):
    """Writes slices.png, threed.png and views.json; without a threshold at the module's own."""
    from types import SimpleNamespace

    import slicer
    import standins
    from trame_slicer.core import SlicerApp
    from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition, ViewType

    app = SlicerApp()
    standins.install()
    slicer.mrmlScene = app.scene
    slicer.modules.segmentations = SimpleNamespace(logic=lambda: app.segmentations_logic)

    from PancreasSegmentationLib import sample_data
    from PancreasSegmentationLib.scene_input import mask_of, read_volume, scan_of

    from PancreasSegmentation import PancreasSegmentationLogic

    volume = sample_data.load() if ct == "sample" else app.scene.AddNode(read_volume(ct))
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(400, 40)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")

    logic = PancreasSegmentationLogic()
    parameters = logic.getParameterNode()
    parameters.inputVolume = volume
    if threshold is not None:
        parameters.threshold = threshold
    parameters.largestComponent = largest
    segmentation = logic.process(parameters)
    shown = segmentation.GetDisplayNode()
    shown.SetOpacity2DFill(0.35)
    shown.SetSliceIntersectionThickness(2)

    mask = mask_of(segmentation, volume)
    # The slices with the most pancreas in them.
    matrix = scan_of(volume).matrix
    ijk = [int(mask.sum(axis=tuple(a for a in range(3) if a != axis)).argmax()) for axis in (2, 1, 0)]
    ras = (matrix @ [*ijk, 1])[:3]

    app.view_manager.register_factory(DirectViewFactory())
    tiles, places = [], {}
    for orientation, axis in (("Axial", 2), ("Coronal", 1), ("Sagittal", 0)):
        layout = ViewLayoutDefinition.slice_view(orientation)
        view = app.view_manager.create_view(layout)
        view.set_orientation(orientation)
        view.set_background_volume_id(volume.GetID())
        view.render_window().SetSize(SIZE, SIZE)
        view.interactor().UpdateSize(SIZE, SIZE)
        view.fit_view_to_content()
        node = app.scene.GetNodeByID(view.get_view_node_id())
        # Offsets count along the slice's normal, which points to the patient's left in sagittal views.
        node.JumpSliceByOffsetting(*ras)
        view.set_visible_in_3d(orientation == "Coronal")
        view.render()
        tiles.append(grab(view.render_window()))
        places[orientation.lower()] = place(mask, matrix, axis, ijk[axis], node)
    write_png(out / "slices.png", np.concatenate(tiles, axis=1))
    (out / "views.json").write_text(json.dumps(places, indent=1), encoding="utf-8")

    threed = app.view_manager.create_view(
        ViewLayoutDefinition("threed", ViewType.THREE_D_VIEW, ViewLayoutDefinition.axial_view().properties)
    )
    threed.render_window().SetSize(2 * SIZE, int(1.4 * SIZE))
    threed.interactor().UpdateSize(2 * SIZE, int(1.4 * SIZE))
    threed.set_box_visible(False)
    threed.reset_camera()
    threed.reset_focal_point()
    camera = threed.first_renderer().GetActiveCamera()
    camera.SetFocalPoint(*ras)
    # From the front, a little from the patient's left and from above.
    camera.SetPosition(*(ras + np.array([-170, 430, 170])))
    camera.SetViewUp(0, 0, 1)
    threed.first_renderer().ResetCameraClippingRange()
    threed.render()
    write_png(out / "threed.png", grab(threed.render_window()))


def place(mask, matrix, axis, index, node):
    """Where the mask lies in the slice that is shown, the voxels whose index along the array's axis 2 - axis is index:
    row and column of the centroid, in pixels from the top left, and the area in pixels."""
    to_pixels = np.linalg.inv(np.array([[node.GetXYToRAS().GetElement(r, c) for c in range(4)] for r in range(4)]))
    shown = np.moveaxis(mask, 2 - axis, 0)[index]
    kji = np.insert(np.argwhere(shown), 2 - axis, index, axis=1)
    pixels = to_pixels @ matrix @ np.c_[kji[:, ::-1], np.ones(len(kji))].T
    inside = [a for a in range(3) if a != axis]
    area = abs(np.linalg.det((to_pixels @ matrix)[:2, inside]))
    column, row = pixels[:2].mean(axis=1)
    return {"row": SIZE - 1 - row, "column": column, "pixels": area * len(kji)}


def grab(window):
    """RGBA, 0 to 1, of what a render window shows."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    window.Render()
    capture = vtk.vtkWindowToImageFilter()
    capture.SetInput(window)
    capture.ReadFrontBufferOff()
    capture.Update()
    image = capture.GetOutput()
    columns, rows, _one = image.GetDimensions()
    picture = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1, :, :3] / 255
    return np.concatenate([picture, np.ones((rows, columns, 1))], axis=-1)


def panel(ct, out, language=None):
    """Writes panel_before.png, before a run; panel_running.png, in the midst of it; panel.png, after it (on a real CT
    of the tests the result is doubtful); panel_edited.png, after a correction by hand; panel_doubtful.png, how a
    doubtful result looks, with a made-up reason; panel_more.png, the sections below."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    import slicer
    import standins
    from PySide6 import QtCore, QtWidgets

    application = QtWidgets.QApplication([])
    standins.install(widgets=True)
    if language is not None:
        standins.i18n.speak(EXTENSION / "Translations" / f"PancreasSegmentation_{language}.ts")
    from ggpfn import Quality, ResultWarning
    from PancreasSegmentationLib import sample_data
    from PancreasSegmentationLib.scene_input import mask_of, read_volume
    from PancreasSegmentationLib.scene_output import show_mask

    from PancreasSegmentation import PancreasSegmentationWidget

    parent = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(parent).setContentsMargins(4, 4, 4, 4)
    volume = sample_data.load() if ct == "sample" else slicer.mrmlScene.AddNode(read_volume(ct, "AbdomenCT"))
    widget = PancreasSegmentationWidget(parent)
    widget.setup()
    ui = widget.ui
    parent.setFixedWidth(460)
    parent.show()

    def pump(until):
        while not until():
            application.processEvents()
            time.sleep(0.005)

    def grab(name):
        left = iter(range(20))
        pump(lambda: next(left, None) is None)
        # As high as its contents want to be at this width, and a little more while a line is cut.
        height = parent.layout().totalHeightForWidth(parent.width())
        labels = [label for label in parent.findChildren(QtWidgets.QLabel) if label.isVisible() and label.wordWrap()]
        for more in range(0, 120, 8):
            parent.setFixedHeight(height + more)
            left = iter(range(20))
            pump(lambda left=left: next(left, None) is None)
            cut = [label.objectName() for label in labels if label.height() < label.heightForWidth(label.width())]
            if not cut:
                break
        if cut:
            print(f"{name}: lines are cut in {', '.join(cut)}")
        parent.grab().save(str(out / name))

    pump(lambda: ui.memoryLabel.text())
    grab("panel_before.png")
    ui.applyButton.click()
    pump(lambda: ui.progressBar.value() > 550)
    grab("panel_running.png")
    pump(lambda: not widget.panel.busy)
    grab("panel.png")

    segmentation = widget.panel.parameters.outputSegmentation
    image = segmentation.GetBinaryLabelmapInternalRepresentation("Pancreas")
    image.GetPointData().GetScalars().SetTuple1(0, 1)
    image.Modified()
    pump(lambda: not ui.editedLabel.isHidden())
    grab("panel_edited.png")
    ui.replaceButton.click()

    text = "The volume is 7 mL; 40 to 160 mL were expected."
    widget.panel.result.judge(Quality(0.21, True, (ResultWarning("volume", text),)), 0.3)
    grab("panel_doubtful.png")

    parameters = widget.panel.parameters
    parameters.comparedSegmentation = segmentation
    moved = np.roll(mask_of(segmentation, volume), 1, axis=2)
    parameters.trueSegmentation = show_mask(volume, moved, (0, 0, 0), show_3d=False)
    ui.compareButton.click()
    pump(lambda: not widget.panel.busy)
    ui.trainingVolumeSelector.setCurrentNode(volume)
    ui.trainingSegmentationSelector.setCurrentNode(segmentation)
    ui.addPairButton.click()
    ui.batchVolumesList.item(0).setCheckState(QtCore.Qt.CheckState.Checked)
    for name in ("inputBox", "modelBox", "resultBox", "measurementsBox"):
        getattr(ui, name).setVisible(False)
    for name in ("advancedBox", "batchBox", "trainingBox", "comparisonBox"):
        getattr(ui, name).setCollapsed(False)
    grab("panel_more.png")
    widget.cleanup()


if __name__ == "__main__":
    target = Path(sys.argv[3])
    target.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "views":
        views(sys.argv[2], target, float(sys.argv[4]) if len(sys.argv) > 4 else None, "--largest" in sys.argv)
    else:
        panel(sys.argv[2], target, *sys.argv[4:5])
