-- Fills, a partition a month. The time is the fill's own, so that a fill that comes again meets itself; and there is no default
-- partition, because rows in one would stand in the way of the partition that they belong to.
CREATE TABLE trade_history (
    fill_id text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    executed_at timestamptz NOT NULL,
    price bigint NOT NULL,
    quantity bigint NOT NULL,
    buyer_order text NOT NULL,
    buyer_user text NOT NULL,
    seller_order text NOT NULL,
    seller_user text NOT NULL,
    taker text NOT NULL,
    PRIMARY KEY (fill_id, executed_at)
) PARTITION BY RANGE (executed_at);

CREATE INDEX trade_history_by_time ON trade_history (symbol, executed_at, seq);
-- A user's own fills, newest first.
CREATE INDEX trade_history_of_buyer ON trade_history (buyer_user, executed_at, seq, symbol);
CREATE INDEX trade_history_of_seller ON trade_history (seller_user, executed_at, seq, symbol);
