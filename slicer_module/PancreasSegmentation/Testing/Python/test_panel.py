"""The panel: the real .ui file and the real widget class, without a display, on a living event loop.

Outside of Slicer it needs PySide6-Essentials.
"""

import dataclasses
import os
import time
import unittest
from types import SimpleNamespace
from unittest import mock

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

try:
    from PySide6 import QtWidgets
except ImportError:
    QtWidgets = None

import ggpfn
import slicer
from pancreas_testing import (
    IN_SLICER,
    SceneTest,
    add_volume,
    ball,
    erase_half,
    load_scene,
    np,
    sample_data,
    save_scene,
)
from PancreasSegmentationLib.engines import REACHED
from PancreasSegmentationLib.parameters import Device, ModelSource, Region, batch_volumes, training_pairs
from PancreasSegmentationLib.scene_input import body_region, mask_of, roi_region, scan_of
from PancreasSegmentationLib.scene_output import show_mask

from PancreasSegmentation import PancreasSegmentationWidget

if QtWidgets is not None and not IN_SLICER:
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    import standins

    standins.install(widgets=True)
    from standins import qt_widgets


@unittest.skipIf(IN_SLICER, "not applicable: for PySide6 outside of Slicer")
@unittest.skipIf(not IN_SLICER and QtWidgets is None, "PySide6 is not there")
class PanelTest(SceneTest):
    """A widget with the synthetic CT as its input, axial view alone."""

    def setUp(self):
        super().setUp()
        qt_widgets.shown.clear()
        self.volume = sample_data.load()
        self.make_widget()
        self.p = self.panel.parameters
        self.ui.sagittalCheck.setChecked(False)
        self.ui.coronalCheck.setChecked(False)

    def make_widget(self):
        parent = QtWidgets.QWidget()
        QtWidgets.QVBoxLayout(parent)
        self.widget = PancreasSegmentationWidget(parent)
        self.widget.setup()
        self.addCleanup(self.widget.cleanup)
        self.ui, self.panel = self.widget.ui, self.widget.panel
        self.panel.logic.engines = self.logic.segmentation.engines

    def pump(self, until, timeout=120):
        """Runs the event loop until something is so; returns the seconds, and the longest pause between two events."""
        started = last = time.monotonic()
        longest = 0.0
        while not until():
            application.processEvents()
            time.sleep(0.002)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            if now - started > timeout:
                self.fail(f"not after {timeout} s: {self.ui.statusLabel.text()}")
        return time.monotonic() - started, longest

    def apply(self):
        self.ui.applyButton.click()
        return self.pump(lambda: not self.panel.busy)

    def cells(self, view):
        return {view.item(row, 0).text(): view.item(row, 1).text() for row in range(view.rowCount())}


class Segmenting(PanelTest):
    def test_apply_while_the_window_lives(self):
        ticks, texts, values = [], set(), []
        timer = self.panel.timer
        timer.timeout.connect(lambda: ticks.append(time.monotonic()))
        self.ui.applyButton.click()
        self.assertFalse(self.ui.applyButton.isEnabled())
        self.assertTrue(self.ui.cancelButton.isEnabled())

        def done():
            texts.add(self.ui.statusLabel.text())
            values.append(self.ui.progressBar.value())
            return not self.panel.busy

        seconds, longest = self.pump(done)
        print(f"\nApply: {seconds:.1f} s, {len(ticks)} ticks, longest pause of the event loop {longest * 1000:.0f} ms")
        self.assertGreater(len(ticks), 5 * seconds)
        self.assertLess(longest, 0.5)
        self.assertEqual(values, sorted(values))
        self.assertTrue(any("Axial view" in text and "%" in text for text in texts), texts)
        self.assertGreater(len(texts), 3)
        self.assertEqual(qt_widgets.shown, [])
        self.assertTrue(self.ui.applyButton.isEnabled())
        self.assertFalse(self.ui.cancelButton.isEnabled())
        self.assertGreater(mask_of(self.p.outputSegmentation, self.volume).sum(), 500)
        self.assertIs(self.ui.outputSelector.currentNode(), self.p.outputSegmentation)
        self.assertGreater(float(self.cells(self.ui.measurementsView)["Volume (mL)"]), 50)
        self.assertIn("xpected Dice 0.", self.ui.qualityLabel.text())

    def test_cancel_within_half_a_second(self):
        self.ui.applyButton.click()
        self.pump(lambda: self.ui.progressBar.value() > 50)
        task = self.panel.task
        started = time.monotonic()
        self.ui.cancelButton.click()
        self.pump(lambda: self.ui.applyButton.isEnabled(), 5)
        free = time.monotonic() - started
        self.assertTrue(task.ended(30))
        print(f"\nCancel: free after {free * 1000:.0f} ms, thread ended after {time.monotonic() - started:.2f} s")
        self.assertLess(free, 0.5)
        self.assertIn("Cancelled", self.ui.statusLabel.text())
        self.assertIsNone(self.p.outputSegmentation)
        self.assertEqual(qt_widgets.shown, [])
        self.apply()
        self.assertIsNotNone(self.p.outputSegmentation)

    def test_slider_without_a_new_run(self):
        self.apply()
        before = mask_of(self.p.outputSegmentation, self.volume).sum()
        table = self.cells(self.ui.measurementsView)
        self.ui.thresholdSlider.value = 0.8
        self.assertFalse(self.panel.busy)
        seconds, _longest = self.pump(lambda: self.cells(self.ui.measurementsView) != table, 5)
        print(f"\nslider: {seconds * 1000:.0f} ms until the result has changed")
        self.assertLess(mask_of(self.p.outputSegmentation, self.volume).sum(), before)
        self.assertEqual(self.cells(self.ui.measurementsView)["Threshold"], "0.80")
        self.ui.largestCheck.setChecked(True)
        self.pump(lambda: self.cells(self.ui.measurementsView)["Connected components"] == "1", 5)

    def test_another_volume_gets_a_segmentation_of_its_own(self):
        self.apply()
        first = self.p.outputSegmentation
        other = add_volume(slicer.util.arrayFromVolume(self.volume), np.diag([-4, -4, 4, 1]), "other")
        self.ui.inputVolumeSelector.setCurrentNode(other)
        self.assertIsNone(self.p.outputSegmentation)
        self.apply()
        self.assertIsNot(self.p.outputSegmentation, first)


class Corrections(PanelTest):
    """A result that is edited by hand, as the panel shows it; no network is needed."""

    def setUp(self):
        super().setUp()
        self.probability = ball(sample_data.truth().shape, 0.3)
        self.run_again()
        self.segmentation = self.p.outputSegmentation
        self.found = self.cells(self.ui.measurementsView)

    def run_again(self, doubtful=False):
        with self.pretended(self.p, self.probability, doubtful):
            self.apply()
        self.assertEqual(qt_widgets.shown, [])

    def edit(self):
        erase_half(self.segmentation)
        self.pump(lambda: not self.ui.editedLabel.isHidden(), 20)
        return mask_of(self.segmentation, self.volume)

    def test_the_table_says_that_it_is_of_the_mask_before(self):
        table = self.p.measurementsTable.GetTable()
        rows = table.GetNumberOfRows()
        self.edit()
        self.assertIn("before", self.ui.editedLabel.text())
        self.assertIn("Of the mask before it was edited by hand", self.cells(self.ui.measurementsView))
        self.assertEqual(self.p.measurementsTable.GetTable().GetNumberOfRows(), rows + 1)
        self.ui.measureButton.click()
        self.pump(lambda: not self.panel.busy, 20)
        measured = self.cells(self.ui.measurementsView)
        self.assertLess(float(measured["Volume (mL)"]), 0.7 * float(self.found["Volume (mL)"]))
        self.assertEqual(measured["Threshold"], "edited by hand")
        self.assertNotIn("before", self.ui.editedLabel.text())
        self.assertTrue(self.ui.qualityLabel.isHidden())

    def test_slider_and_apply_leave_it_alone(self):
        edited = self.edit()
        self.ui.thresholdSlider.value = 0.7
        self.ui.largestCheck.setChecked(True)
        self.pump(lambda: not self.panel.slide.isActive(), 20)
        np.testing.assert_array_equal(mask_of(self.segmentation, self.volume), edited)
        self.run_again()
        np.testing.assert_array_equal(mask_of(self.segmentation, self.volume), edited)
        self.assertIsNot(self.p.outputSegmentation, self.segmentation)
        self.assertIn("edited by hand and stays as it is", self.ui.statusLabel.text())
        self.assertTrue(self.ui.editedLabel.isHidden())

    def test_replaced_when_asked_for_and_brought_back(self):
        edited = self.edit()
        self.assertFalse(self.ui.replaceButton.isHidden())
        self.ui.replaceButton.click()
        self.assertTrue(self.ui.editedLabel.isHidden() and self.ui.replaceButton.isHidden())
        self.assertGreater(mask_of(self.segmentation, self.volume).sum(), edited.sum())
        self.pump(lambda: self.cells(self.ui.measurementsView) == self.found, 20)
        self.ui.restoreButton.click()
        np.testing.assert_array_equal(mask_of(self.segmentation, self.volume), edited)
        self.assertFalse(self.ui.editedLabel.isHidden())

    def test_the_expected_dice_is_of_a_threshold(self):
        label = self.ui.qualityLabel
        self.assertEqual(label.text(), "Expected Dice 0.60")
        self.ui.thresholdSlider.value = 0.7
        self.pump(lambda: "0.70" in self.cells(self.ui.measurementsView)["Threshold"], 20)
        self.assertEqual(label.text(), "Expected Dice 0.60 at the threshold of 0.30")
        self.ui.thresholdSlider.value = 0.3
        self.pump(lambda: "0.30" in self.cells(self.ui.measurementsView)["Threshold"], 20)
        self.assertEqual(label.text(), "Expected Dice 0.60")
        self.run_again(doubtful=True)
        self.assertIn("Doubtful", label.text())
        self.assertIn("bold", label.styleSheet())

    def test_a_table_without_rows_is_not_shown(self):
        self.assertFalse(self.ui.measurementsView.isHidden())
        self.panel.result.clear()
        self.assertTrue(self.ui.measurementsView.isHidden())

    def test_the_table_is_as_high_as_its_rows(self):
        view = self.ui.measurementsView
        rows = sum(view.rowHeight(row) for row in range(view.rowCount()))
        self.assertTrue(0 <= view.maximumHeight() - rows - view.horizontalHeader().height() < 10)

    def test_what_leads_on_belongs_to_a_segmentation(self):
        buttons = (self.ui.measureButton, self.ui.editorButton, self.ui.exportButton, self.ui.show3DButton)
        self.assertTrue(all(button.isEnabled() for button in buttons))
        self.pump(self.ui.show3DButton.isChecked, 20)
        self.ui.exportButton.click()
        self.assertIn("was not loaded by the module DICOM", qt_widgets.shown.pop())
        self.p.outputSegmentation = None
        self.assertFalse(any(button.isEnabled() for button in buttons))

    def test_export_by_slicers_dialog_or_to_a_file(self):
        plugins = {"DICOMSegmentationPlugin": object}
        with (
            mock.patch.object(slicer.modules, "dicomPlugins", plugins, create=True),
            mock.patch("PancreasSegmentationLib.presentation.export_dicom") as dialog,
        ):
            self.ui.exportButton.click()
        dialog.assert_called_once_with(self.segmentation)
        path = os.path.join(self.folder, "out.dcm")
        with (
            mock.patch("PancreasSegmentationLib.panel_result.files_of"),
            mock.patch("PancreasSegmentationLib.dicom_export.files_of"),
            mock.patch("PancreasSegmentationLib.dicom_export.ExportTask.work"),
            mock.patch("PancreasSegmentationLib.panel_result.choose_new_file", side_effect=["", path]) as choose,
        ):
            self.ui.exportButton.click()
            self.assertFalse(self.panel.busy)
            self.ui.exportButton.click()
            self.pump(lambda: not self.panel.busy, 20)
        self.assertEqual(choose.call_count, 2)
        self.assertEqual(qt_widgets.shown, [])
        self.assertIn(f"{path} was written", self.ui.statusLabel.text())


class Offers(PanelTest):
    """Where there is a way on, a failed run asks whether to take it."""

    def run_out_of_gpu_memory(self, answer):
        seen = []

        def segment(_engine, _model, _scan, options, *_):
            seen.append((options["patch"], options["device"]))
            raise ggpfn.OutOfMemory("CUDA out of memory. Tried to allocate 20 GB.")

        with (
            mock.patch("PancreasSegmentationLib.segmenting.segment", segment),
            mock.patch.dict(qt_widgets.answers, OK=answer),
        ):
            self.apply()
        return seen

    def test_patches_first_then_the_processor(self):
        self.assertEqual(self.run_out_of_gpu_memory(True), [(None, "auto"), ((256, 256), "auto"), (None, "cpu")])
        self.assertIn("patches", qt_widgets.shown[0])
        self.assertIn("processor", qt_widgets.shown[1])
        self.assertEqual(len(qt_widgets.shown), 3)

    def test_voxels_that_are_not_numbers_are_replaced_when_asked_for(self):
        array = slicer.util.arrayFromVolume(self.volume).astype(np.float32)
        inside = tuple(count // 2 for count in array.shape)
        array[inside] = np.nan
        volume = add_volume(array, scan_of(self.volume).matrix, "resampled")
        self.p.inputVolume = volume
        self.apply()
        self.assertIn("resampled", qt_widgets.shown.pop())
        self.assertIsNone(self.p.outputSegmentation)
        self.assertTrue(np.isnan(slicer.util.arrayFromVolume(volume)[inside]))
        with mock.patch.dict(qt_widgets.answers, OK=True):
            self.apply()
        self.assertEqual(len(qt_widgets.shown), 1)
        print(f"\n{qt_widgets.shown}")
        self.assertEqual(slicer.util.arrayFromVolume(volume)[inside], -1024)
        self.assertEqual(np.isnan(slicer.util.arrayFromVolume(volume)).sum(), 0)
        self.assertGreater(mask_of(self.p.outputSegmentation, volume).sum(), 500)

    def test_no_is_no(self):
        self.assertEqual(len(self.run_out_of_gpu_memory(False)), 1)
        self.assertFalse(self.p.smallPatches)


class Choices(PanelTest):
    """What is offered as a CT."""

    def setUp(self):
        super().setUp()
        self.widget.cleanup()
        slicer.mrmlScene.Clear(0)
        self.labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        self.vectors = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "vectors")

    def test_label_maps_and_vector_volumes_are_no_inputs(self):
        self.make_widget()
        self.assertIsNone(self.panel.parameters.inputVolume)
        volume = sample_data.load()
        for selector in (self.ui.inputVolumeSelector, self.ui.trainingVolumeSelector):
            names = [selector.itemText(n) for n in range(selector.count())]
            self.assertEqual(names, ["None", volume.GetName()], selector.objectName())
        self.widget.enter()
        self.assertIs(self.panel.parameters.inputVolume, volume)
        batch = self.ui.batchVolumesList
        self.assertEqual([batch.item(row).text() for row in range(batch.count())], [volume.GetName()])


class RegionOfInterest(PanelTest):
    def setUp(self):
        super().setUp()
        combo = self.ui.regionCombo
        combo.setCurrentIndex([combo.itemText(n) for n in range(combo.count())].index("Region of interest"))
        self.body = body_region(scan_of(self.volume).array)

    def chosen(self):
        return roi_region(scan_of(self.volume), self.volume, self.p.roi)

    def test_a_new_region_has_a_size_and_the_run_takes_it(self):
        self.ui.roiSelector.addNode()
        self.assertEqual(self.chosen(), self.body)
        self.apply()
        self.assertEqual(qt_widgets.shown, [])
        self.assertGreater(mask_of(self.p.outputSegmentation, self.volume).sum(), 500)

    def test_fit_makes_one_and_brings_it_back(self):
        self.ui.roiFitButton.click()
        self.assertEqual(self.chosen(), self.body)
        self.p.roi.SetSize(10, 10, 10)
        self.ui.roiFitButton.click()
        self.assertEqual(self.chosen(), self.body)

    def test_place_lets_the_user_draw_it(self):
        scene = slicer.mrmlScene
        selection = scene.AddNode(slicer.vtkMRMLSelectionNode())
        interaction = scene.AddNode(slicer.vtkMRMLInteractionNode())
        self.ui.roiPlaceButton.click()
        self.assertEqual(selection.GetActivePlaceNodeID(), self.p.roi.GetID())
        self.assertEqual(selection.GetActivePlaceNodeClassName(), "vtkMRMLMarkupsROINode")
        self.assertEqual(interaction.GetCurrentInteractionMode(), interaction.Place)

    def test_the_buttons_belong_to_a_region_of_interest(self):
        self.assertTrue(self.ui.roiFitButton.isEnabled())
        self.p.region = Region.WHOLE
        for widget in (self.ui.roiSelector, self.ui.roiFitButton, self.ui.roiPlaceButton):
            self.assertFalse(widget.isEnabled())


class Entering(PanelTest):
    """The module is entered again and again: nothing adds up, in any Slicer."""

    def observers(self):
        """How many observers wait for changes of the parameter node."""
        return str(self.p.parameterNode).count("EventName: ModifiedEvent")

    def changes(self):
        """How often the panel hears of one change."""
        with (
            mock.patch.object(self.panel, "inspect"),
            mock.patch.object(self.panel, "_update_buttons", wraps=self.panel._update_buttons) as heard,
        ):
            self.ui.largestCheck.setChecked(not self.ui.largestCheck.isChecked())
        return heard.call_count

    def check(self):
        observers = self.observers()
        self.assertEqual(self.changes(), 1)
        for _n in range(4):
            self.widget.exit()
            self.widget.enter()
        self.assertIs(self.panel.parameters, self.p)
        self.assertEqual(self.observers(), observers)
        for _n in range(3):
            slicer.mrmlScene.Clear(0)
            self.assertIs(self.panel.parameters.parameterNode, self.p.parameterNode)
        self.assertEqual(self.observers(), observers)
        self.assertEqual(self.changes(), 1)
        self.widget.cleanup()
        before = self.p.largestComponent
        self.ui.largestCheck.setChecked(not before)
        self.assertEqual(self.p.largestComponent, before)

    def test_as_in_slicer_5_10(self):
        self.check()

    def test_as_in_slicer_5_8(self):
        with mock.patch.object(slicer.parameterNodeWrapper, "like_5_8", True, create=True):
            self.widget.cleanup()
            self.make_widget()
            self.p = self.panel.parameters
            self.check()


class Languages(PanelTest):
    def test_the_panel_speaks_the_user_s_language(self):
        self.widget.cleanup()
        self.addCleanup(standins.i18n.speak, None)
        standins.i18n.speak(sample_data.FOLDER.parents[2] / "Translations" / "PancreasSegmentation_de.ts")
        self.make_widget()
        self.assertEqual(self.ui.applyButton.text(), "Anwenden")
        region = self.ui.regionCombo
        self.assertEqual(region.itemText(1), "Auf den Körper beschränken")
        self.p = self.panel.parameters
        self.p.region = Region.ROI
        self.ui.applyButton.click()
        self.assertIn("Wählen Sie eine Region", qt_widgets.shown.pop())
        probability = ball(sample_data.truth().shape, 0.3)
        self.p.region = Region.WHOLE
        with self.pretended(self.p, probability, doubtful=True):
            self.apply()
        self.assertEqual(qt_widgets.shown, [])
        self.assertIn("Zweifelhaft", self.ui.qualityLabel.text())
        self.assertIn("Volumen (ml)", self.cells(self.ui.measurementsView))
        self.assertEqual(self.p.outputSegmentation.GetName(), f"{sample_data.NAME} Pankreas")


class Telling(PanelTest):
    def test_card_device_and_memory_before_a_run(self):
        self.pump(lambda: self.ui.memoryLabel.text() and self.ui.modelCard.text(), 30)
        self.assertIn("axial, sagittal, coronal", self.ui.modelCard.text())
        self.assertIn("validation Dice", self.ui.modelCard.text())
        self.assertIn("research only", self.ui.aboutLabel.text())
        self.assertIn(REACHED, self.ui.aboutLabel.text())
        self.assertRegex(self.ui.memoryLabel.text(), r"Needs about \d+.* of memory, of .* free")
        self.assertIn("GPU", self.ui.deviceLabel.text())

    def test_a_model_whose_threshold_the_slider_does_not_reach(self):
        self.pump(lambda: self.ui.modelCard.text(), 30)
        shipped = self.logic.segmentation.engines.engine().load_model()
        info = dataclasses.replace(shipped.info, threshold=0.0, sha256="another")
        self.panel._show_card(SimpleNamespace(info=info, configuration=shipped.configuration))
        self.assertEqual(self.p.threshold, 0.01)

    def test_the_threshold_at_first_is_the_shipped_model_s(self):
        shipped = self.logic.segmentation.engines.engine().load_model()
        self.assertAlmostEqual(self.p.threshold, shipped.info.threshold, places=6)

    def test_a_gpu_that_is_not_there(self):
        runtime = self.logic.segmentation.engines.engine().runtime(gpus=True)
        if runtime.gpus:
            self.skipTest("not applicable: there is a GPU")
        self.p.device = Device.GPU
        self.apply()
        self.assertEqual(len(qt_widgets.shown), 1)
        self.assertIn("GPU", qt_widgets.shown[0])
        self.p.device = Device.CPU
        self.apply()
        self.assertIsNotNone(self.p.outputSegmentation)


class Faults(PanelTest):
    """A sentence that says what to do, and a module that still works."""

    def check(self, *words):
        self.assertEqual(len(qt_widgets.shown), 1, qt_widgets.shown)
        for word in words:
            self.assertIn(word, qt_widgets.shown[0])
        qt_widgets.shown.clear()

    def still_works(self):
        self.apply()
        self.assertEqual(qt_widgets.shown, [])
        self.assertIsNotNone(self.p.outputSegmentation)

    def test_volume_deleted_during_a_run(self):
        self.ui.applyButton.click()
        self.pump(lambda: self.ui.progressBar.value() > 20)
        slicer.mrmlScene.RemoveNode(self.volume)
        self.volume = None
        self.pump(lambda: not self.panel.busy, 2)
        self.check("deleted", "Choose another volume")
        self.p.inputVolume = sample_data.load()
        self.still_works()

    def test_scene_closed_during_a_run(self):
        self.ui.applyButton.click()
        self.pump(lambda: self.ui.progressBar.value() > 20)
        task = self.panel.task
        slicer.mrmlScene.Clear(0)
        self.assertFalse(self.panel.busy)
        self.assertTrue(task.ended(30))
        self.pump(lambda: not self.panel.timer.isActive(), 20)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)
        self.assertEqual(qt_widgets.shown, [])
        self.p = self.panel.parameters
        self.p.useSagittal = self.p.useCoronal = False
        self.p.inputVolume = sample_data.load()
        self.still_works()

    def test_broken_model_file(self):
        path = os.path.join(self.folder, "broken.safetensors")
        with open(path, "wb") as file:
            file.write(b"\x10" * 500)
        self.p.modelSource, self.p.modelFile = ModelSource.FILE, path
        self.apply()
        self.check("model", "Choose another file")
        self.p.modelFile = os.path.join(self.folder, "not there.safetensors")
        self.apply()
        self.check("not there.safetensors")
        self.p.modelFile = ""
        self.ui.applyButton.click()
        self.check("Choose a model file")
        self.p.modelSource = ModelSource.SHIPPED
        self.still_works()

    def test_no_region_of_interest(self):
        self.p.region = Region.ROI
        self.ui.applyButton.click()
        self.check("Choose a region of interest")
        self.p.region = Region.WHOLE
        self.still_works()


class Scene(PanelTest):
    def test_saved_scene_brings_the_panel_back(self):
        self.p.threshold = 0.66
        self.p.region = Region.BODY
        self.p.wantUncertainty = True
        path = save_scene(self.folder)
        self.widget.cleanup()
        load_scene(path)
        self.make_widget()
        self.assertAlmostEqual(self.ui.thresholdSlider.value, 0.66)
        self.assertEqual(self.ui.regionCombo.currentText(), "Crop to the body")
        self.assertTrue(self.ui.uncertaintyCheck.isChecked())
        self.assertFalse(self.ui.coronalCheck.isChecked())
        self.assertEqual(self.ui.inputVolumeSelector.currentNode().GetName(), sample_data.NAME)


class Sections(PanelTest):
    def test_pairs(self):
        mask = show_mask(self.volume, np.ones((2, 2, 2), np.uint8), (5, 5, 5), show_3d=False)
        self.ui.addPairButton.click()
        self.assertIn("Choose a volume", qt_widgets.shown[0])
        self.ui.trainingVolumeSelector.setCurrentNode(self.volume)
        self.ui.trainingSegmentationSelector.setCurrentNode(mask)
        self.ui.addPairButton.click()
        self.ui.addPairButton.click()
        self.assertEqual(training_pairs(self.p), [(self.volume, mask)])
        self.assertEqual(self.ui.pairsView.rowCount(), 1)
        self.ui.pairsView.setCurrentCell(0, 0)
        self.ui.removePairButton.click()
        self.assertEqual(training_pairs(self.p), [])

    def test_ticked_volumes_are_segmented(self):
        add_volume(np.zeros((3, 3, 3), np.int16), np.eye(4), "second")
        self.panel.changed()
        view = self.ui.batchVolumesList
        self.assertEqual([view.item(row).text() for row in range(view.count())], [sample_data.NAME, "second"])
        from PySide6.QtCore import Qt

        view.item(0).setCheckState(Qt.CheckState.Checked)
        self.assertEqual(batch_volumes(self.p), [self.volume])
        self.ui.batchButton.click()
        self.assertFalse(self.ui.applyButton.isEnabled())
        self.pump(lambda: not self.panel.busy)
        self.assertEqual(qt_widgets.shown, [])
        self.assertIn("1 of 1", self.ui.statusLabel.text())

    def test_compare(self):
        mask = np.ones((4, 4, 4), np.uint8)
        self.p.comparedSegmentation = show_mask(self.volume, mask, (5, 5, 5), show_3d=False)
        self.p.trueSegmentation = show_mask(self.volume, mask, (6, 5, 5), show_3d=False)
        self.ui.compareButton.click()
        self.pump(lambda: not self.panel.busy, 20)
        self.assertEqual(self.cells(self.ui.comparisonView)["Dice"], "0.750")

    def test_stop_button_belongs_to_a_training(self):
        self.assertFalse(self.ui.stopButton.isEnabled())
        self.ui.trainButton.click()
        self.assertIn("Add at least one pair", qt_widgets.shown[0])


if __name__ == "__main__":
    unittest.main()
