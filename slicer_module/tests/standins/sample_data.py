"""Stands in for Slicer's module SampleData: what an extension needs to register a data set.

Like the real one it counts the URIs, and so refuses a data set that has none.
"""

import slicer

FIELDS = ("uris", "fileNames", "nodeNames", "checksums", "loadFiles", "loadFileTypes")


class SampleDataSource:
    def __init__(self, sampleName=None, customDownloader=None, thumbnailFileName=None, **given):
        self.sampleName, self.customDownloader, self.thumbnailFileName = sampleName, customDownloader, thumbnailFileName
        uris = given.get("uris")
        for name in FIELDS:
            value = given.pop(name, None)
            if isinstance(uris, str):
                value = [value]
            elif uris is not None and value is None and name != "fileNames":
                value = [None] * len(uris)
            setattr(self, name, value)
        if given:
            raise TypeError(f"unexpected keywords: {', '.join(given)}")
        if len({len(getattr(self, name)) for name in FIELDS}) != 1:
            raise ValueError("All fields of sample data source must have the same length")


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(category="Custom", **given):
        sources = slicer.modules.__dict__.setdefault("sampleDataSources", {})
        sources.setdefault(category, []).append(SampleDataSource(**given))
