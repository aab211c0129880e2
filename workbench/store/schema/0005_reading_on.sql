-- Captures can be read on where a reading stopped, and may name hosts.

ALTER TABLE captures ADD COLUMN state VARCHAR DEFAULT '';              -- the reader's own JSON

CREATE TABLE names (
    capture INTEGER NOT NULL,
    address UHUGEINT NOT NULL,
    name VARCHAR NOT NULL
);
