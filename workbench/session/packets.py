"""Down to the packets of single flows: read from their capture files again, shown and saved."""

from collections.abc import Iterable
from pathlib import Path

from workbench import capture
from workbench.model.errors import InputError
from workbench.model.packets import Packet, SavedPackets
from workbench.model.traffic import Flow, Stop, Tell
from workbench.session.folder import own_files, real
from workbench.session.traffic import Traffic
from workbench.session.workspace import Workspace


class FlowPackets:
    """What a session can do with packets. All raise CaptureError for a file that changed."""

    _traffic: Traffic
    _workspace: Workspace

    def packets(
        self, flow: Flow, limit: int = 1000, *, progress: Tell = None, cancelled: Stop = None
    ) -> tuple[Packet, ...]:
        """A flow's packets by our own decoder."""
        [pieces] = self._traffic.pieces_of([flow]).values()
        return capture.packets_of(flow, pieces, limit, progress=progress, cancelled=cancelled)

    def dissect(
        self, flow: Flow, *, limit: int = 200, progress: Tell = None, cancelled: Stop = None
    ) -> tuple[Packet, ...]:
        """A flow's packets dissected by tshark. Raises MissingTool."""
        [pieces] = self._traffic.pieces_of([flow]).values()
        return capture.dissect(flow, pieces, limit=limit, progress=progress, cancelled=cancelled)

    def save_packets(
        self,
        flows: Iterable[Flow],
        path: Path,
        *,
        replace: bool = False,
        progress: Tell = None,
        cancelled: Stop = None,
    ) -> SavedPackets:
        """The packets of some flows as a pcapng file, never over a capture that is loaded, nor
        over what the workspace is made of.

        Raises InputError where a file is there that must stay.
        """
        if real(path) in own_files(self._workspace.folder):
            raise InputError(f"{path}: the workspace keeps its own there; nothing was written")
        wanted = self._traffic.pieces_of(flows)
        return capture.save_packets(
            wanted,
            path,
            replace=replace,
            keep=[Path(report.path) for report in self._traffic.captures],
            progress=progress,
            cancelled=cancelled,
        )
