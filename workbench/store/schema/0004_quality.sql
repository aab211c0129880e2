-- What a capture says about its own making. Captures loaded before have nothing to say.

ALTER TABLE captures ADD COLUMN recording VARCHAR DEFAULT '{}';        -- JSON object
ALTER TABLE captures ADD COLUMN drops UBIGINT;                         -- NULL: the file does not say
ALTER TABLE captures ADD COLUMN names UBIGINT DEFAULT 0;
ALTER TABLE captures ADD COLUMN tunnels VARCHAR DEFAULT '[]';          -- JSON array, by number from 1
ALTER TABLE captures ADD COLUMN ending VARCHAR DEFAULT 'complete';
