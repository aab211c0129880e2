-- What was seen of a flow, so that its direction can be judged again, its pieces put together and its
-- copies recognised without reading the captures again.

ALTER TABLE flows ADD COLUMN client_token UINTEGER DEFAULT 0;
ALTER TABLE flows ADD COLUMN server_token UINTEGER DEFAULT 0;
ALTER TABLE flows ADD COLUMN client_ttl UTINYINT DEFAULT 0;
ALTER TABLE flows ADD COLUMN server_ttl UTINYINT DEFAULT 0;
ALTER TABLE flows ADD COLUMN tunnel USMALLINT DEFAULT 0;
ALTER TABLE flows ADD COLUMN marks USMALLINT DEFAULT 0;
-- 1: as it was captured. More: put together from so many rows of `pieces`. 0: stored by an older
-- workbench, which kept no evidence; such a flow stays as it is.
ALTER TABLE flows ADD COLUMN pieces UINTEGER DEFAULT 0;

-- Flows as captured that are parts or copies of one flow; they are counted there and only there.
CREATE TABLE pieces AS SELECT * EXCLUDE (pieces), id AS flow FROM flows WHERE FALSE;

-- Captures that recorded some of the same traffic.
CREATE TABLE vantages (
    reference INTEGER NOT NULL,      -- captures.id, the smaller one
    capture INTEGER NOT NULL,
    shared BIGINT NOT NULL,          -- flows recognised in both
    offset_us BIGINT NOT NULL,       -- to be subtracted from the capture's times
    spread_us BIGINT NOT NULL,       -- half of the shared flows are nearer than this to the offset
    hops INTEGER                     -- routers between the two; NULL where no TTL is known
);

-- Services of the user by which directions were judged last.
CREATE TABLE hints (protocol INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);

-- Captures whose flows are here, but not yet put together, judged and added up: a load was cut short.
CREATE TABLE unsettled (capture INTEGER NOT NULL);
