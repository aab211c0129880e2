"""Capture files to flow columns: the reader, the compiled kernel, the flow table, dissection."""

from workbench.capture.files import find_captures, fingerprint
from workbench.capture.ingest import read_capture
from workbench.capture.kernel import kernel_compiled
from workbench.capture.reader import raw_records as records

__all__ = ["find_captures", "fingerprint", "kernel_compiled", "read_capture", "records"]
