"""unittest with a record of what skips: `recorded.py [-v] MODULE ...`, as `python -m unittest`.

A skip is written, as a line, to the file that the environment variable GGPFN_SKIPS names, for the test command to print
at its end. A reason that begins with "not applicable: " is one that nothing to be installed would change: hardware,
another operating system, an application that no package index has.
"""

import os
import sys
import unittest

NOT_APPLICABLE = "not applicable"


def record(name, reason):
    kind, colon, rest = reason.partition(": ")
    if kind != NOT_APPLICABLE or not colon:
        kind, rest = "skipped", reason
    print(f"{kind.upper()}: {name}: {rest}", flush=True)
    path = os.environ.get("GGPFN_SKIPS")
    if path:
        # One write for a whole line: other tests append at the same time.
        with open(path, "ab", buffering=0) as file:
            file.write(f"{kind}\t{name}\t{' '.join(rest.split())}\n".encode())


class Result(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        record(test.id(), reason)


class Runner(unittest.TextTestRunner):
    resultclass = Result


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    unittest.main(module=None, testRunner=Runner)
