-- Records that no retry could process.
CREATE TABLE dead_letters (
    consumer text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    shard bigint NOT NULL,
    sequence bigint NOT NULL,
    arrived timestamptz NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (consumer, stream, shard, sequence)
);
CREATE INDEX dead_letters_by_time ON dead_letters (arrived);
