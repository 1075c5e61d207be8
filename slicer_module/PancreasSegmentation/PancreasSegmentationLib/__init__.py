"""What stands behind the module Pancreas Segmentation.

From below: `parameters` (what the user can set, kept in the scene), `engines` (the library ggpfn and its models),
`tasks` (work on a thread of its own beside a living window), `surface` and `components` (surfaces and largest
components, beside the window or in milliseconds), `scene_input`, `dicom_input` and `scene_output` (MRML
nodes and files to arrays and back), `written` (what was written, so that corrections by hand are known), `kept`
(probabilities for the live threshold), `measurements` (tables), then what a user starts: `segmenting`, `rest`, `batch`,
`training`, `comparison`; `presentation` shows results, `panel` and its parts drive the widgets.

The scene is touched on the main thread alone. Nothing here changes Python's installation.
"""
