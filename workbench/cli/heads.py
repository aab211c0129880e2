"""What the records of each command hold, in order: the head of a CSV, also of one without rows."""

CAPTURE = (
    "id", "path", "file", "format", "size", "packets", "decoded", "flows", "skipped",
    "truncated_packets", "snaplen", "link_types", "interfaces", "wire_bytes", "first_seen",
    "last_seen", "problems", "ending", "drops", "names", "captured_bytes", "compared_packets",
    "likely_copies", "steps_back", "largest_step_back_us", "gaps", "activity", "tunnels",
)  # fmt: skip
QUALITY = (*CAPTURE, "flow_shares", "care", "remarks")
REMARK = ("capture", "kind", "weight", "text")
HOST = (
    "address", "name", "labels", "segments", "conversations", "as_client", "as_server", "bytes",
    "services", "first_seen", "last_seen",
)  # fmt: skip
FLOW = (
    "id", "client", "server", "client_name", "server_name", "protocol", "client_port",
    "server_port", "icmp_type", "service", "packets_to_server", "packets_to_client",
    "bytes_to_server", "bytes_to_client", "first_seen", "last_seen", "outcome", "direction",
    "vlan", "capture",
)  # fmt: skip
CONVERSATION = (
    "client", "server", "client_name", "server_name", "protocol", "server_port", "icmp_type",
    "service", "flows", "packets", "bytes", "first_seen", "last_seen", "outcome", "direction",
    "verdict", "class", "rules",
)  # fmt: skip
CELL = (
    "client", "server", "conversations", "flows", "bytes", "allowed", "would_block", "rejected",
    "uncertain", "out_of_scope", "last_seen",
)  # fmt: skip
PACKET = ("number", "time", "to_server", "length", "captured", "protocol", "info", "layers")
CHANGE = ("before", "after", *CONVERSATION)
LOST = ("effect", *CONVERSATION)
EXPLANATION = (
    "conversation", "verdict", "class", "rules", "reason", "observed_flows", "client_segments",
    "server_segments", "near_misses",
)  # fmt: skip
GUARDRAIL = ("id", "assertion", "witness", "because", "rule")
PROPOSAL = (
    "id", "from", "to", "services", "conversations", "flows", "bytes", "clients", "servers",
    "direction", "outcomes", "first_seen", "last_seen", "caution", "breaks",
)  # fmt: skip
FINDING = (
    "id", "kind", "stage", "technique", "title", "host", "host_name", "peers", "peer_names",
    "first_seen", "last_seen", "confidence", "impact", "why", "unseen", "suppressed",
    "suppressed_until", "evidence",
)  # fmt: skip
STEP = (
    "step", "time", "stage", "technique", "title", "findings", "hop", "fate", "rules",
    "because", "client", "client_name", "server", "server_name", "service",
)  # fmt: skip
MISMATCH = ("conversation", "expected", "found", "probe")
VULNERABILITY = (
    "risk_before", "risk_after", "advice", "host", "address", "service", "severity", "score",
    "title", "id", "cves", "fix", "reach_before", "outside_before", "reach_after",
    "outside_after", "users", "outside_users", "scanner", "source", "seen",
)  # fmt: skip
RISK = (
    "name", "risk_before", "risk_after", "findings", "worst", "reach_before", "outside_before",
    "reach_after", "outside_after", "advice",
)  # fmt: skip
SCENARIO = (
    "scenario", "score", "machines", "all_pairs", "direct_pairs", "pairs", "pairs_by_hops",
    "widest", "widest_machines", "median_machines", "outside_direct", "outside_machines",
    "doors",
)  # fmt: skip
SERVICE = (
    "scenario", "service", "technique", "moves", "ransomware", "pairs", "share", "servers",
    "outside", "light", "conversations", "allowed", "would_block", "coverage",
)  # fmt: skip
TARGET = (
    "scenario", "name", "machines", "clients", "movers", "footholds", "outside_hops", "blast",
    "services",
)  # fmt: skip
CROSSING = ("scenario", "client_segment", "server_segment", "direct", "pairs", "all_pairs", "share")
REACH = (
    "scenario", "target", "service", "technique", "moves", "clients", "outside", "segments",
    "hosts", "because",
)  # fmt: skip
RING = ("scenario", "foothold", "hops", "machines", "segments", "hosts")
PATH = ("scenario", "text", "hops", "because")
CHOKE = ("scenario", "kind", "name", "text", "cut", "share")
