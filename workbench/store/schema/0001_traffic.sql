-- Captures, and the flows and hosts seen in them.
--
-- No keys with indexes on the big tables: an index over ten million flows costs more memory and time
-- than everything else here, and ids are handed out by one writer in ascending order, so that the
-- block statistics find a flow by its id as fast as an index would.

CREATE TABLE captures (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL,              -- the bytes of the file name: not every name is text
    format VARCHAR NOT NULL,
    size UBIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL,
    packets UBIGINT NOT NULL,
    decoded UBIGINT NOT NULL,
    skipped VARCHAR NOT NULL,        -- JSON object: reason → records
    truncated_packets UBIGINT NOT NULL,
    snaplen UBIGINT NOT NULL,
    link_types VARCHAR NOT NULL,     -- JSON array
    interfaces UBIGINT NOT NULL,
    first_us BIGINT,
    last_us BIGINT,
    wire_bytes UBIGINT NOT NULL,
    flows UBIGINT NOT NULL,
    problems VARCHAR NOT NULL        -- JSON array
);

CREATE TABLE hosts (
    id INTEGER NOT NULL,             -- dense, from 0: the host index of the model
    address UHUGEINT NOT NULL        -- IPv4 as ::ffff:a.b.c.d
);

CREATE TABLE flows (
    id BIGINT NOT NULL,              -- from 1, ascending, never reused
    capture INTEGER NOT NULL,
    client INTEGER NOT NULL,         -- hosts.id
    server INTEGER NOT NULL,
    protocol UTINYINT NOT NULL,
    client_port USMALLINT NOT NULL,
    server_port USMALLINT NOT NULL,
    packets_to_server UBIGINT NOT NULL,
    packets_to_client UBIGINT NOT NULL,
    bytes_to_server UBIGINT NOT NULL,
    bytes_to_client UBIGINT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    outcome UTINYINT NOT NULL,
    direction UTINYINT NOT NULL,
    flags_to_server UTINYINT NOT NULL,
    flags_to_client UTINYINT NOT NULL,
    vlan USMALLINT NOT NULL,
    first_offset UBIGINT NOT NULL,
    last_offset UBIGINT NOT NULL
);
