// `GET /assets` once more, in JavaScript: written from wit/ and docs/api.md alone, to show that the interfaces are enough
// for a stranger. It runs in QuickJS inside the component, with the capabilities of the world `asset` and nothing else.
//
// Amounts are u64 in the interface and numbers here: exact up to 2^53.

import config from "supernoba:edge/config@0.1.0";
import identity from "supernoba:edge/identity@0.1.0";
import log from "supernoba:edge/log@0.1.0";
import wallet from "supernoba:edge/wallet@0.1.0";

const TOKEN_REFUSALS = {
  malformed: ["token_malformed", "this is not a token"],
  expired: ["token_expired", "the token has expired; refresh it"],
  "bad-signature": ["token_bad_signature", "the token was not issued here"],
  "wrong-audience": ["token_wrong_audience", "the token is for somewhere else"],
};

class Refusal {
  constructor(status, code, message) {
    Object.assign(this, { status, code, message });
  }
}

export const httpHandler = {
  handle(request) {
    try {
      return json(200, assets(request));
    } catch (thrown) {
      const { status, code, message } = refusal(thrown);
      return json(status, { error: { code, message } });
    }
  },
};

function assets(request) {
  if (request.method !== "GET") {
    throw new Refusal(405, "method_not_allowed", `${request.method} is not possible here`);
  }
  const user = caller(request);
  const owned = wallet.balances(user).map(({ asset, available, locked }) => ({
    asset: asset.tag === "cash" ? "CASH" : asset.val,
    available,
    locked,
  }));
  return { user_id: user, assets: owned };
}

function caller(request) {
  const header = request.headers.find(([name]) => name === "authorization")?.[1];
  if (header !== undefined) {
    const [, token] = /^bearer +(\S.*)$/i.exec(header) ?? [];
    if (token === undefined) {
      throw new Refusal(401, "token_malformed", "the Authorization header must be: Bearer TOKEN");
    }
    const verified = identity.verify(token.trim());
    if (verified.tag === "err") throw new Refusal(401, ...TOKEN_REFUSALS[verified.val]);
    const { user } = verified.val;
    if (user === "" || user.startsWith("test-")) {
      throw new Refusal(401, "token_malformed", "the token names no account");
    }
    return user;
  }
  const parameter = (name) => request.query.split("&").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  if (parameter("testMode") !== "true") {
    throw new Refusal(401, "token_missing", "send a token: Authorization: Bearer TOKEN");
  }
  if (config.get("ALLOW_TEST_MODE") !== "true") {
    throw new Refusal(401, "test_mode_off", "test users are not allowed on this exchange");
  }
  const user = decodeURIComponent(parameter("userId") ?? "");
  if (!/^test-[a-z0-9-]{1,48}$/.test(user)) {
    throw new Refusal(401, "bad_test_user", "a test user's id is test- and 1 to 48 of a-z, 0-9 and -");
  }
  return user;
}

// What a client is told: a refusal as it is, a capability's error by its case, anything else as ours.
function refusal(thrown) {
  if (thrown instanceof Refusal) return thrown;
  const error = thrown?.payload ?? thrown;
  switch (error?.tag) {
    case "throttled":
      return new Refusal(429, "throttled", "too many requests; try again a little later");
    case "timeout":
      return new Refusal(504, "timeout", "a back end did not answer in time; the effect is unknown");
    case "unavailable":
      return new Refusal(503, "unavailable", "a back end is not available; nothing was done");
    default:
      log.write("error", `${error?.message ?? JSON.stringify(error)}`, [["language", "javascript"]]);
      return new Refusal(500, "internal", "something went wrong here; it was logged");
  }
}

function json(status, value) {
  const headers = [["content-type", "application/json"], ["cache-control", "no-store"]];
  return { status, headers, body: utf8(JSON.stringify(value)) };
}

// QuickJS has no TextEncoder.
function utf8(text) {
  const escaped = encodeURIComponent(text).match(/%..|[^%]/g) ?? [];
  return new Uint8Array(escaped.map((part) => (part.length === 3 ? parseInt(part.slice(1), 16) : part.charCodeAt(0))));
}
