"""What was recorded: hosts, flows, conversations, the matrix, packets."""

from typing import TYPE_CHECKING

from workbench.cli import heads, records
from workbench.cli.commands.opening import Options, chosen, open_session
from workbench.cli.meter import Meter
from workbench.cli.output import TABLE_LIMIT, emit, pages
from workbench.cli.table import line_width, print_grid, say
from workbench.cli.words import CONVERSATION_ORDER, FLOW_ORDER
from workbench.model.errors import InputError, MissingTool
from workbench.model.packets import MOST_SAVED
from workbench.model.text import plural, short_bytes

if TYPE_CHECKING:
    from workbench.session import Session


KEPT_AS = {"first_seen": "first_us", "last_seen": "last_us"}
"""Columns that the session knows by another name than the one they are printed with."""


def _order(column: str, known: tuple[str, ...]) -> str:
    if column not in known:
        raise InputError(f"cannot sort by {column!r}; choose one of {', '.join(known)}")
    return KEPT_AS.get(column, column)


def hosts(options: Options) -> int:
    """Hosts seen or listed."""
    shown = (
        "name", "address", "labels", "segments", "as_client", "as_server", "bytes", "services",
        "first_seen", "last_seen",
    )  # fmt: skip
    with open_session(options) as session:
        found = session.hosts(chosen(session, options))
        told = map(records.host_record, found)
        emit(
            told,
            options.format,
            heads.HOST,
            columns=shown,
            limit=options.limit,
            total=len(found),
        )
    return 0


def flows(options: Options) -> int:
    """Flows, in the order asked for."""
    shown = (
        "id", "first_seen", "client_name", "server_name", "service", "outcome", "client", "server",
        "bytes_to_server", "bytes_to_client", "direction", "client_port", "packets_to_server",
        "packets_to_client",
    )  # fmt: skip
    with open_session(options) as session:
        wanted = chosen(session, options)
        order = _order(options.sort, FLOW_ORDER)
        with session.flow_view(wanted, order, options.descending) as view:
            limit = TABLE_LIMIT if options.limit is None and options.format == "table" else None
            found = (
                records.flow_record(session, one) for one in pages(view, options.limit or limit)
            )
            emit(
                found,
                options.format,
                heads.FLOW,
                columns=shown,
                limit=options.limit,
                total=view.total,
            )
    return 0


SHOWN_PACKETS = 200
"""Of a flow, unless told."""
CONVERSATION_COLUMNS = (
    "class", "client_name", "server_name", "service", "flows", "bytes", "outcome", "rules",
    "client", "server", "direction", "verdict", "last_seen", "first_seen",
)  # fmt: skip


def conversations(options: Options) -> int:
    """Conversations with their verdicts."""
    shown = CONVERSATION_COLUMNS
    with open_session(options) as session:
        order = _order(options.sort, CONVERSATION_ORDER)
        wanted = chosen(session, options)
        order = "port" if order == "server_port" else order
        rows = session.conversation_rows(wanted, order, not options.ascending)
        found = (records.conversation_record(session, session.simulation, int(row)) for row in rows)
        emit(
            found,
            options.format,
            heads.CONVERSATION,
            columns=shown,
            limit=options.limit,
            total=len(rows),
        )
    return 0


def matrix(options: Options) -> int:
    """Who talks to whom: a grid for people, cells for machines."""
    from workbench.cli.grid import matrix_grid

    with open_session(options) as session:
        by = options.by or session.groupings()[0]
        found = session.matrix(by, chosen(session, options))
    if options.format != "table":
        emit(records.matrix_records(found), options.format, heads.CELL, limit=options.limit)
    elif len(found.cells["row"]):
        limit = TABLE_LIMIT if options.limit is None else options.limit
        print_grid(*matrix_grid(found, line_width(), limit))
    else:
        say("nothing to show")
    return 0


def dissect(options: Options) -> int:
    """The packets of one flow, or those of several saved."""
    shown = ("number", "time", "to_server", "length", "protocol", "info")
    with open_session(options) as session, Meter() as meter:
        if options.save is not None:
            return _save(session, options, meter)
        if options.replace:
            raise InputError("--replace: only with --save")
        if len(options.flows) != 1 or options.where:
            raise InputError("name one flow by its id; several can only be saved (--save FILE)")
        flow = session.flow(options.flows[0])
        most = SHOWN_PACKETS if options.limit is None else options.limit
        limit = most or flow.packets_to_server + flow.packets_to_client
        try:
            packets = session.dissect(
                flow, limit=limit, progress=meter.tell, cancelled=meter.cancelled
            )
        except MissingTool as missing:
            say(f"{missing}; what follows is our own decode")
            packets = session.packets(flow, limit, progress=meter.tell, cancelled=meter.cancelled)
    told = map(records.packet_record, packets)
    emit(told, options.format, heads.PACKET, columns=shown, limit=0)
    return 0


def _save(session: "Session", options: Options, meter: Meter) -> int:
    if options.limit is not None:
        raise InputError("--limit: not with --save, which takes all packets")
    if bool(options.flows) == bool(options.where):
        raise InputError("say which flows to save: by their ids, or by --where FILTER")
    found = [session.flow(one) for one in dict.fromkeys(options.flows[:MOST_SAVED])]
    total = len(options.flows)
    if options.where:
        with session.flow_view(chosen(session, options)) as view:
            found, total = list(view.page(0, MOST_SAVED)), view.total
    if not found:
        raise InputError("no flow matches: nothing was written")
    if total > MOST_SAVED:
        say(f"{total:,} flows are too many: only the first {MOST_SAVED:,} are saved")
    saved = session.save_packets(
        found,
        options.save,
        replace=options.replace,
        progress=meter.tell,
        cancelled=meter.cancelled,
    )
    meter.clear()
    what = f"{plural(saved.packets, 'packet')} of {plural(saved.flows, 'flow')}"
    say(f"saved {what} ({short_bytes(saved.size)}) in {saved.path}")
    return 0
