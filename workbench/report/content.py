"""What a report says, in order: the first page for who decides, the rest for who checks."""

from workbench.model.policy import Policy
from workbench.model.report import Report
from workbench.model.traffic import format_time
from workbench.report.document import MARK_LINE, Document
from workbench.report.drafted import drafted
from workbench.report.effect import effect
from workbench.report.holes import holes
from workbench.report.proof import again, proof
from workbench.report.reach import reach
from workbench.report.recording import recording, talk
from workbench.report.summary import summary
from workbench.report.traces import traces


def document(report: Report) -> Document:
    """The whole report."""
    state = "unsaved draft, " if report.unsaved else ""
    name = report.policy.name
    return Document(
        title="Segmentation policy" + (f" {name}" if name != Policy().name else ""),
        subtitle=f"for the people who sign it off · site {report.workspace} · "
        f"{state}judged for {report.on:%Y-%m-%d}",
        made=f"{MARK_LINE}, made {format_time(report.made_us)[:19]}Z by {report.version}",
        summary=summary(report),
        sections=(
            recording(report),
            talk(report),
            drafted(report),
            effect(report),
            traces(report),
            reach(report),
            holes(report),
            proof(report),
            again(report),
        ),
    )
