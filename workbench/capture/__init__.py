"""Capture files to flow columns: the reader, the compiled kernel, the flow table, dissection."""

from workbench.capture.cut import save_packets
from workbench.capture.dissect import dissect
from workbench.capture.files import STANDARD_INPUT, find_captures, fingerprint, former_fingerprint
from workbench.capture.flows import judge_again
from workbench.capture.fragments import Fragments
from workbench.capture.ingest import read_capture
from workbench.capture.kernel import kernel_compiled
from workbench.capture.protocols import VERSION as PARSERS
from workbench.capture.protocols import listen
from workbench.capture.reader import raw_records as records
from workbench.capture.single import packets_of

__all__ = [
    "PARSERS",
    "STANDARD_INPUT",
    "Fragments",
    "dissect",
    "find_captures",
    "fingerprint",
    "former_fingerprint",
    "judge_again",
    "kernel_compiled",
    "listen",
    "packets_of",
    "read_capture",
    "records",
    "save_packets",
]
