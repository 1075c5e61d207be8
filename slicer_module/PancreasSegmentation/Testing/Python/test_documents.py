"""The lines for scripts that the extension's README shows."""

import unittest

import slicer
from pancreas_testing import MODULE, SceneTest
from PancreasSegmentationLib import sample_data
from PancreasSegmentationLib.kept import dice
from PancreasSegmentationLib.scene_input import mask_of

README = MODULE.parent / "README.md"


@unittest.skipUnless(README.exists(), "not applicable: the source of the extension is not here")
class Readme(SceneTest):
    def test_the_scripting_lines_run(self):
        fences = README.read_text(encoding="utf-8").split("```python")[1:]
        self.assertEqual(len(fences), 1)
        # The first line says which test this is.
        lines = fences[0].split("```")[0].split("\n", 1)[1]
        volume, truth = sample_data.load(), sample_data.truth()
        volume.SetName("CT")
        names = {"slicer": slicer}
        exec(compile(lines, str(README), "exec"), names)
        self.assertGreater(dice(mask_of(names["segmentation"], volume).astype(bool), truth), 0.8)


if __name__ == "__main__":
    unittest.main()
