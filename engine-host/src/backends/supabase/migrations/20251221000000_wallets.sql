-- Wallets by double entry. Every movement is a set of legs; for each asset the legs and the outside's sum to zero. A movement is
-- refused, with nothing written, where a balance would fall below zero or over 9223372036854775807. The journal keeps every
-- movement's legs, so that the balances can be recomputed at any time: wallet_verify().
--
-- The tables are in a schema that the API does not show. Services (service_role) call the functions; a signed-in user sees the
-- own balances in the view public.wallets, by row level security.

CREATE SCHEMA supernoba;

CREATE TABLE supernoba.accounts (
    user_id text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    available bigint NOT NULL CHECK (available >= 0),
    locked bigint NOT NULL CHECK (locked >= 0),
    PRIMARY KEY (user_id, asset)
);

-- What of `locked` belongs to which order. A closed hold stays, so that its reserve is known to have been.
CREATE TABLE supernoba.holds (
    hold text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0)
);
CREATE INDEX holds_of_account ON supernoba.holds (user_id, asset) WHERE amount > 0;

-- The other side of deposits and withdrawals: what came in less what went out.
CREATE TABLE supernoba.outside (asset text COLLATE "C" PRIMARY KEY, deposited bigint NOT NULL);

-- Every movement that took effect, by its name, with its legs: [[user, asset, available, locked], ...].
CREATE TABLE supernoba.journal (
    name text COLLATE "C" PRIMARY KEY,
    legs jsonb NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now()
);

CREATE TYPE supernoba.leg AS (user_id text, asset text, available numeric, locked numeric);

ALTER TABLE supernoba.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE supernoba.holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE supernoba.outside ENABLE ROW LEVEL SECURITY;
ALTER TABLE supernoba.journal ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_accounts ON supernoba.accounts FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid())::text);

REVOKE ALL ON SCHEMA supernoba FROM PUBLIC;
GRANT USAGE ON SCHEMA supernoba TO authenticated, service_role;
GRANT SELECT ON supernoba.accounts TO authenticated, service_role;
GRANT SELECT ON supernoba.holds, supernoba.outside, supernoba.journal TO service_role;

CREATE VIEW public.wallets WITH (security_invoker = true) AS
    SELECT user_id, asset, available, locked FROM supernoba.accounts;
REVOKE ALL ON public.wallets FROM PUBLIC, anon, authenticated;
GRANT SELECT ON public.wallets TO authenticated, service_role;

-- What a movement came to.
CREATE FUNCTION supernoba.refused(why text) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = ''
    AS $$ SELECT pg_catalog.jsonb_build_object('refused', why) $$;
CREATE FUNCTION supernoba.insufficient(amount numeric) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = ''
    AS $$ SELECT pg_catalog.jsonb_build_object('insufficient', amount) $$;

-- Why an amount cannot be booked; null if it can.
CREATE FUNCTION supernoba.too_large(amount numeric) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE WHEN amount IS NULL OR amount < 0 OR amount > 9223372036854775807
           THEN supernoba.refused('an amount is not 0 to 9223372036854775807') END
$$;

-- Checks every balance, then writes them all. Null when it is done; else why nothing was written.
CREATE FUNCTION supernoba.book(movement text, legs supernoba.leg[]) RETURNS jsonb LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    leg record;
    had record;
    booked jsonb;
BEGIN
    -- Accounts in one order, so that two movements do not wait for each other.
    FOR leg IN
        SELECT l.user_id, l.asset, sum(l.available) AS available, sum(l.locked) AS locked
        FROM unnest(legs) l GROUP BY l.user_id, l.asset ORDER BY l.user_id COLLATE "C", l.asset COLLATE "C"
    LOOP
        SELECT a.available, a.locked INTO had FROM supernoba.accounts a
        WHERE a.user_id = leg.user_id AND a.asset = leg.asset FOR UPDATE;
        IF NOT FOUND THEN
            SELECT 0::bigint AS available, 0::bigint AS locked INTO had;
        END IF;
        IF had.available + leg.available < 0 OR had.locked + leg.locked < 0 THEN
            RETURN supernoba.insufficient(had.available);
        END IF;
        IF had.available + leg.available > 9223372036854775807 OR had.locked + leg.locked > 9223372036854775807 THEN
            RETURN supernoba.refused('a balance would be over 9223372036854775807');
        END IF;
    END LOOP;
    FOR leg IN
        SELECT l.user_id, l.asset, sum(l.available) AS available, sum(l.locked) AS locked
        FROM unnest(legs) l GROUP BY l.user_id, l.asset ORDER BY l.user_id COLLATE "C", l.asset COLLATE "C"
    LOOP
        UPDATE supernoba.accounts a
        SET available = (a.available + leg.available)::bigint, locked = (a.locked + leg.locked)::bigint
        WHERE a.user_id = leg.user_id AND a.asset = leg.asset;
        IF NOT FOUND THEN
            INSERT INTO supernoba.accounts AS a (user_id, asset, available, locked)
            VALUES (leg.user_id, leg.asset, leg.available::bigint, leg.locked::bigint)
            ON CONFLICT (user_id, asset) DO UPDATE
            SET available = a.available + EXCLUDED.available, locked = a.locked + EXCLUDED.locked;
        END IF;
    END LOOP;
    SELECT coalesce(jsonb_agg(jsonb_build_array(l.user_id, l.asset, l.available, l.locked)), '[]') INTO booked
    FROM unnest(legs) l;
    INSERT INTO supernoba.journal (name, legs) VALUES (movement, booked)
    ON CONFLICT (name) DO UPDATE SET legs = EXCLUDED.legs;
    RETURN NULL;
END
$$;

-- Takes the movement's name; false if it has been taken. Who asks at the same time waits for the first to end.
CREATE FUNCTION supernoba.claim(movement text) RETURNS boolean LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    INSERT INTO supernoba.journal (name, legs) VALUES (movement, '[]') ON CONFLICT (name) DO NOTHING;
    RETURN FOUND;
END
$$;

-- Gives the name back, because the movement did not take effect.
CREATE FUNCTION supernoba.unclaim(movement text, outcome jsonb) RETURNS jsonb LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    DELETE FROM supernoba.journal WHERE name = movement;
    RETURN outcome;
END
$$;

-- available -> locked, under a hold of this name.
CREATE FUNCTION public.reserve(hold text, user_id text, asset text, amount numeric) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    outcome jsonb := supernoba.too_large(amount);
    had bigint;
BEGIN
    IF outcome IS NOT NULL THEN
        IF EXISTS (SELECT 1 FROM supernoba.holds h WHERE h.hold = reserve.hold) THEN
            RETURN '{"posted": "repeated"}';
        END IF;
        RETURN outcome;
    END IF;
    INSERT INTO supernoba.holds (hold, user_id, asset, amount) VALUES (hold, user_id, asset, amount::bigint)
    ON CONFLICT ON CONSTRAINT holds_pkey DO NOTHING;
    IF NOT FOUND THEN
        RETURN '{"posted": "repeated"}';
    END IF;
    outcome := supernoba.book('reserve/' || hold, ARRAY[(user_id, asset, -amount, amount)::supernoba.leg]);
    IF outcome IS NOT NULL THEN
        DELETE FROM supernoba.holds h WHERE h.hold = reserve.hold;
        RETURN outcome;
    END IF;
    RETURN '{"posted": "done"}';
END
$$;

-- All that is left in the hold -> available. An unknown hold is opened and closed at once, so that a reserve that comes late
-- finds it spent.
CREATE FUNCTION public.release(hold text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    held supernoba.holds;
    outcome jsonb;
BEGIN
    SELECT * INTO held FROM supernoba.holds h WHERE h.hold = release.hold FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO supernoba.holds (hold, user_id, asset, amount) VALUES (hold, '', '', 0)
        ON CONFLICT ON CONSTRAINT holds_pkey DO NOTHING;
        IF FOUND THEN
            INSERT INTO supernoba.journal (name, legs) VALUES ('release/' || hold, '[]');
            RETURN '{"posted": "done"}';
        END IF;
        SELECT * INTO held FROM supernoba.holds h WHERE h.hold = release.hold FOR UPDATE;
    END IF;
    IF held.amount = 0 OR NOT supernoba.claim('release/' || hold) THEN
        RETURN '{"posted": "repeated"}';
    END IF;
    outcome := supernoba.book('release/' || hold,
        ARRAY[(held.user_id, held.asset, held.amount, -held.amount)::supernoba.leg]);
    IF outcome IS NOT NULL THEN
        RETURN supernoba.unclaim('release/' || hold, outcome);
    END IF;
    UPDATE supernoba.holds h SET amount = 0 WHERE h.hold = release.hold;
    RETURN '{"posted": "done"}';
END
$$;

-- `absorb` (if any) is merged into `hold`, then everything above `keep` -> available.
CREATE FUNCTION public.adjust(id text, hold text, absorb text, keep numeric) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    movement text := 'adjust/' || id;
    held supernoba.holds;
    absorbed supernoba.holds;
    total numeric;
    back numeric;
    outcome jsonb;
BEGIN
    IF NOT supernoba.claim(movement) THEN
        RETURN '{"posted": "repeated"}';
    END IF;
    -- Both at once and in one order.
    PERFORM 1 FROM supernoba.holds h WHERE h.hold IN (adjust.hold, adjust.absorb) ORDER BY h.hold FOR UPDATE;
    SELECT * INTO held FROM supernoba.holds h WHERE h.hold = adjust.hold;
    IF NOT FOUND THEN
        RETURN supernoba.unclaim(movement, supernoba.refused(format('there is no hold %L', hold)));
    END IF;
    IF absorb = hold THEN
        RETURN supernoba.unclaim(movement, supernoba.refused(format('hold %L cannot absorb itself', hold)));
    END IF;
    total := held.amount;
    SELECT * INTO absorbed FROM supernoba.holds h WHERE h.hold = adjust.absorb;
    IF FOUND AND absorbed.amount > 0 THEN
        IF (absorbed.user_id, absorbed.asset) <> (held.user_id, held.asset) THEN
            RETURN supernoba.unclaim(movement,
                supernoba.refused(format('hold %L is not of the same account as %L', absorb, hold)));
        END IF;
        total := total + absorbed.amount;
    END IF;
    outcome := coalesce(supernoba.too_large(keep), supernoba.too_large(total));
    IF outcome IS NOT NULL THEN
        RETURN supernoba.unclaim(movement, outcome);
    END IF;
    back := greatest(total - keep, 0);
    outcome := supernoba.book(movement, ARRAY[(held.user_id, held.asset, back, -back)::supernoba.leg]);
    IF outcome IS NOT NULL THEN
        RETURN supernoba.unclaim(movement, outcome);
    END IF;
    UPDATE supernoba.holds h SET amount = 0 WHERE h.hold = adjust.absorb;
    UPDATE supernoba.holds h SET amount = (total - back)::bigint WHERE h.hold = adjust.hold;
    RETURN '{"posted": "done"}';
END
$$;

-- Why a side of a settlement cannot pay; null if it can.
CREATE FUNCTION supernoba.side(hold text, user_id text, asset text, taken numeric) RETURNS jsonb
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    held supernoba.holds;
BEGIN
    SELECT * INTO held FROM supernoba.holds h WHERE h.hold = side.hold;
    IF NOT FOUND THEN
        RETURN supernoba.refused(format('there is no hold %L', hold));
    END IF;
    IF held.user_id <> side.user_id OR held.asset <> side.asset THEN
        RETURN supernoba.refused(format('hold %L is not %s of %L', hold, asset, user_id));
    END IF;
    IF taken > held.amount THEN
        RETURN supernoba.insufficient(held.amount);
    END IF;
    RETURN NULL;
END
$$;

-- The buyer's hold pays cash to the seller, the seller's hold gives the stock to the buyer, both get their refunds.
CREATE FUNCTION public.settle(
    fill text, symbol text, cash numeric, quantity numeric,
    buyer text, buyer_hold text, buyer_refund numeric,
    seller text, seller_hold text, seller_refund numeric
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    movement text := 'settle/' || fill;
    outcome jsonb;
BEGIN
    IF NOT supernoba.claim(movement) THEN
        RETURN '{"posted": "repeated"}';
    END IF;
    IF symbol = 'CASH' THEN
        RETURN supernoba.unclaim(movement, supernoba.refused('CASH is no stock'));
    END IF;
    PERFORM 1 FROM supernoba.holds h WHERE h.hold IN (buyer_hold, seller_hold) ORDER BY h.hold FOR UPDATE;
    outcome := coalesce(
        supernoba.too_large(cash), supernoba.too_large(quantity),
        supernoba.too_large(buyer_refund), supernoba.too_large(seller_refund),
        supernoba.side(buyer_hold, buyer, 'CASH', cash + buyer_refund),
        supernoba.side(seller_hold, seller, symbol, quantity + seller_refund));
    IF outcome IS NULL THEN
        outcome := supernoba.book(movement, ARRAY[
            (buyer, 'CASH', buyer_refund, -(cash + buyer_refund))::supernoba.leg,
            (seller, symbol, seller_refund, -(quantity + seller_refund))::supernoba.leg,
            (buyer, symbol, quantity, 0)::supernoba.leg,
            (seller, 'CASH', cash, 0)::supernoba.leg]);
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN supernoba.unclaim(movement, outcome);
    END IF;
    UPDATE supernoba.holds h SET amount = h.amount - (cash + buyer_refund)::bigint WHERE h.hold = buyer_hold;
    UPDATE supernoba.holds h SET amount = h.amount - (quantity + seller_refund)::bigint WHERE h.hold = seller_hold;
    RETURN '{"posted": "done"}';
END
$$;

-- Between the outside and available.
CREATE FUNCTION supernoba.cross_border(movement text, user_id text, asset text, amount numeric, inward boolean)
RETURNS jsonb LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    outcome jsonb;
    delta numeric := CASE WHEN inward THEN amount ELSE -amount END;
    outside_now numeric;
BEGIN
    IF NOT supernoba.claim(movement) THEN
        RETURN '{"posted": "repeated"}';
    END IF;
    outcome := supernoba.too_large(amount);
    IF outcome IS NULL THEN
        INSERT INTO supernoba.outside AS o (asset, deposited) VALUES (cross_border.asset, 0)
        ON CONFLICT ON CONSTRAINT outside_pkey DO NOTHING;
        SELECT o.deposited + delta INTO outside_now FROM supernoba.outside o
        WHERE o.asset = cross_border.asset FOR UPDATE;
        IF abs(outside_now) > 9223372036854775807 THEN
            outcome := supernoba.refused('what came from outside would be over 9223372036854775807');
        END IF;
    END IF;
    IF outcome IS NULL THEN
        outcome := supernoba.book(movement, ARRAY[(user_id, asset, delta, 0)::supernoba.leg]);
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN supernoba.unclaim(movement, outcome);
    END IF;
    UPDATE supernoba.outside o SET deposited = outside_now::bigint WHERE o.asset = cross_border.asset;
    RETURN '{"posted": "done"}';
END
$$;

CREATE FUNCTION public.deposit(id text, user_id text, asset text, amount numeric) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = ''
    AS $$ SELECT supernoba.cross_border('deposit/' || id, user_id, asset, amount, true) $$;

CREATE FUNCTION public.withdraw(id text, user_id text, asset text, amount numeric) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = ''
    AS $$ SELECT supernoba.cross_border('withdraw/' || id, user_id, asset, amount, false) $$;

-- Movements in order, each wholly or not at all; after one that is refused the rest is not tried.
CREATE FUNCTION public.post_movements(movements jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    m jsonb;
    outcome jsonb;
    outcomes jsonb := '[]';
    stopped boolean := false;
BEGIN
    FOR m IN SELECT value FROM jsonb_array_elements(movements) LOOP
        IF stopped THEN
            outcomes := outcomes || '[{"untried": true}]'::jsonb;
            CONTINUE;
        END IF;
        outcome := CASE m->>'type'
            WHEN 'reserve' THEN public.reserve(m->>'hold', m->>'user', m->>'asset', (m->>'amount')::numeric)
            WHEN 'release' THEN public.release(m->>'hold')
            WHEN 'adjust' THEN public.adjust(m->>'id', m->>'hold', m->>'absorb', (m->>'keep')::numeric)
            WHEN 'settle' THEN public.settle(
                m->>'fill', m->>'symbol', (m->>'cash')::numeric, (m->>'quantity')::numeric,
                m->>'buyer', m->>'buyer_hold', (m->>'buyer_refund')::numeric,
                m->>'seller', m->>'seller_hold', (m->>'seller_refund')::numeric)
            WHEN 'deposit' THEN public.deposit(m->>'id', m->>'user', m->>'asset', (m->>'amount')::numeric)
            WHEN 'withdraw' THEN public.withdraw(m->>'id', m->>'user', m->>'asset', (m->>'amount')::numeric)
            ELSE supernoba.refused(coalesce(m->>'why', 'a movement of no known type'))
        END;
        stopped := outcome ? 'refused';
        outcomes := outcomes || jsonb_build_array(outcome);
    END LOOP;
    RETURN outcomes;
END
$$;

-- Cash first, then stocks by symbol.
CREATE FUNCTION public.balances(user_id text) RETURNS TABLE (asset text, available bigint, locked bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT a.asset, a.available, a.locked FROM supernoba.accounts a WHERE a.user_id = balances.user_id
    ORDER BY a.asset <> 'CASH', a.asset
$$;

-- Everybody's balances behind a place, by user and asset.
CREATE FUNCTION public.wallet_accounts(containing text, behind_user text, behind_asset text, at_most int)
RETURNS TABLE (user_id text, asset text, available bigint, locked bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT a.user_id, a.asset, a.available, a.locked FROM supernoba.accounts a
    WHERE (a.user_id, a.asset) > (behind_user, behind_asset) AND strpos(a.user_id, containing) > 0
    ORDER BY a.user_id, a.asset LIMIT at_most
$$;

-- Sums over all users.
CREATE FUNCTION public.wallet_totals() RETURNS TABLE (asset text, available numeric, locked numeric, deposited bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT a.asset, sum(a.available), sum(a.locked),
           coalesce((SELECT o.deposited FROM supernoba.outside o WHERE o.asset = a.asset), 0)
    FROM supernoba.accounts a GROUP BY a.asset ORDER BY a.asset <> 'CASH', a.asset
$$;

-- Recomputes every balance from the journal and every lock from the holds; answers what does not agree.
CREATE FUNCTION public.wallet_verify() RETURNS TABLE (wrong text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    WITH legs AS (
        SELECT j.name, l.leg->>0 AS user_id, l.leg->>1 AS asset,
               (l.leg->>2)::numeric AS available, (l.leg->>3)::numeric AS locked
        FROM supernoba.journal j, jsonb_array_elements(j.legs) l(leg)
    ), sums AS (
        SELECT legs.user_id, legs.asset, sum(legs.available) AS available, sum(legs.locked) AS locked
        FROM legs GROUP BY legs.user_id, legs.asset
    ), held AS (
        SELECT h.user_id, h.asset, sum(h.amount) AS amount FROM supernoba.holds h GROUP BY h.user_id, h.asset
    )
    SELECT format('journal entry %s does not sum to zero', s.name) FROM (
        SELECT legs.name FROM legs
        WHERE legs.name NOT LIKE 'deposit/%' AND legs.name NOT LIKE 'withdraw/%'
        GROUP BY legs.name, legs.asset HAVING sum(legs.available + legs.locked) <> 0) s
    UNION ALL
    SELECT format('%s %s has %s + %s, its journal says %s + %s', coalesce(a.user_id, s.user_id),
                  coalesce(a.asset, s.asset), a.available, a.locked, s.available, s.locked)
    FROM supernoba.accounts a FULL JOIN sums s ON s.user_id = a.user_id AND s.asset = a.asset
    WHERE coalesce(a.available, 0) <> coalesce(s.available, 0) OR coalesce(a.locked, 0) <> coalesce(s.locked, 0)
    UNION ALL
    SELECT format('%s %s has %s locked, its holds are %s', a.user_id, a.asset, a.locked, coalesce(h.amount, 0))
    FROM supernoba.accounts a LEFT JOIN held h ON h.user_id = a.user_id AND h.asset = a.asset
    WHERE a.locked <> coalesce(h.amount, 0)
    UNION ALL
    SELECT format('%s: %s + %s is not the %s that came from outside', t.asset, t.available, t.locked, t.deposited)
    FROM public.wallet_totals() t WHERE t.available + t.locked <> t.deposited
$$;

-- How far these migrations have come, and the server's clock: for `supernoba doctor`.
CREATE FUNCTION public.wallet_version() RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('version', 1, 'server', current_setting('server_version'),
                              'time', (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$$;

-- Services call these, and nobody else.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'supernoba'
           OR (n.nspname = 'public' AND p.proname IN ('reserve', 'release', 'adjust', 'settle', 'deposit', 'withdraw',
               'post_movements', 'balances', 'wallet_accounts', 'wallet_totals', 'wallet_verify', 'wallet_version'))
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon, authenticated', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO service_role', name);
    END LOOP;
END
$$;
