-- What was seen of a flow, so that its direction can be judged again, its pieces put together and its
-- copies recognised without reading the captures again. Flows stored before have none of it.

ALTER TABLE flows ADD COLUMN client_token UINTEGER DEFAULT 0;
ALTER TABLE flows ADD COLUMN server_token UINTEGER DEFAULT 0;
ALTER TABLE flows ADD COLUMN client_ttl UTINYINT DEFAULT 0;
ALTER TABLE flows ADD COLUMN server_ttl UTINYINT DEFAULT 0;
ALTER TABLE flows ADD COLUMN tunnel USMALLINT DEFAULT 0;
ALTER TABLE flows ADD COLUMN marks USMALLINT DEFAULT 0;
-- 0, or the flow that this one is a piece or a copy of: such a flow is counted there.
ALTER TABLE flows ADD COLUMN merged_into BIGINT DEFAULT 0;
