-- What payload said, as far as captures were listened to: a cache that can be made again.

CREATE TABLE heard (
    capture INTEGER NOT NULL,
    fingerprint VARCHAR NOT NULL,    -- of the capture as it was then
    version INTEGER NOT NULL,        -- of the parsers
    problem VARCHAR NOT NULL         -- why it is not all
);

CREATE TABLE spoken (
    capture INTEGER NOT NULL,
    act VARCHAR NOT NULL,
    what VARCHAR NOT NULL,
    who VARCHAR NOT NULL,
    code BIGINT NOT NULL,
    client UHUGEINT NOT NULL,        -- addresses
    server UHUGEINT NOT NULL,
    protocol UTINYINT NOT NULL,
    port USMALLINT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    count BIGINT NOT NULL
);
