"""What stands in for Slicer is as strict as Slicer: with GGPFN_SLICER_SOURCE the same is asked of its own classes."""

import unittest

import slicer
from pancreas_testing import SceneTest, sample_data
from PancreasSegmentationLib.parameters import Device
from slicer.i18n import getContext, tr


class Strict(SceneTest):
    def refuses(self, error, name, value):
        p = self.logic.getParameterNode()
        before = getattr(p, name)
        with self.assertRaises(error, msg=f"{name} = {value!r}"):
            setattr(p, name, value)
        self.assertEqual(getattr(p, name), before)

    def test_values_out_of_range_are_refused(self):
        self.refuses(ValueError, "threshold", 0.0)
        self.refuses(ValueError, "threshold", 1.5)
        self.refuses(ValueError, "trainingEpochs", 0)
        self.refuses(ValueError, "modelFile", None)

    def test_values_of_another_type_are_refused(self):
        for name, value in (
            ("inputVolume", slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")),
            ("threshold", "0.5"),
            ("largestComponent", 1),
            ("modelFile", 7),
            ("device", "cpu"),
            ("trainingEpochs", 2.5),
        ):
            self.refuses(TypeError, name, value)
        self.logic.getParameterNode().device = Device.CPU

    def test_a_sample_without_an_address_is_refused(self):
        import SampleData

        register = SampleData.SampleDataLogic.registerCustomSampleDataSource
        with self.assertRaises(TypeError):
            register(category="Pancreas", sampleName="a", customDownloader=lambda _source: [])
        with self.assertRaises(ValueError):
            register(category="Pancreas", sampleName="a", uris=["a", "b"], fileNames=["a"])
        with self.assertRaises(TypeError):
            register(category="Pancreas", sampleName="a", uris="a", fileName="a")

    def test_texts_are_translated_by_the_package_and_the_name_of_the_file(self):
        self.assertEqual(getContext(sample_data.__file__), "PancreasSegmentationLib.sample_data")
        self.assertEqual(tr("no such text {count}"), "no such text {count}")


if __name__ == "__main__":
    unittest.main()
