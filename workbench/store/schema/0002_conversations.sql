-- All flows with the same client, server, protocol and port, in that order of protocol, port, client,
-- server. Rebuilt from flows by every load.

CREATE TABLE conversations (
    client INTEGER NOT NULL,
    server INTEGER NOT NULL,
    protocol UTINYINT NOT NULL,
    port USMALLINT NOT NULL,
    client_port_low USMALLINT NOT NULL,
    client_port_high USMALLINT NOT NULL,
    flows BIGINT NOT NULL,
    packets BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    outcome UTINYINT NOT NULL,
    direction UTINYINT NOT NULL
);
