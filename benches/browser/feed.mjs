// A server before an exchange that makes up the live feed: everything else it hands on. The feed's pace is the bench's to
// say, which the exchange's own is not.

import { createHash } from 'node:crypto';
import { createServer, request } from 'node:http';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const SYMBOL = 'TEST';
const LEVELS = 10;
const MIDDLE = 1000;

/** A text message as the WebSocket carries it from a server. */
function frame(text) {
  const body = Buffer.from(text);
  const head = body.length < 126 ? Buffer.from([0x81, body.length]) : Buffer.from([0x81, 126, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
}

const minuteName = (time) => new Date(time).toISOString().replace(/\D/g, '').slice(0, 12);

/** A market that moves at every step, always the same. */
class Market {
  constructor() {
    this.state = 12345;
    this.n = 1;
    this.middle = MIDDLE;
    this.minute = null;
  }

  random(below) {
    this.state = (Math.imul(this.state, 1103515245) + 12345) & 0x7fffffff;
    return (this.state >> 8) % below;
  }

  book(time) {
    if (this.random(4) === 0) this.middle = Math.max(MIDDLE - 60, Math.min(MIDDLE + 60, this.middle + this.random(3) - 1));
    const side = (step) => Array.from({ length: LEVELS }, (_, i) => [this.middle + step * (i + 1), 1 + this.random(900)]);
    return { e: 'd', s: SYMBOL, t: time, n: ++this.n, b: side(-1), a: side(1) };
  }

  trade(time) {
    const trade = { e: 'x', s: SYMBOL, t: time, n: ++this.n, p: this.middle + this.random(3) - 1, q: 1 + this.random(90), b: this.random(2) === 0 };
    const name = minuteName(time);
    const old = this.minute?.t === name ? this.minute : { e: 'candle', s: SYMBOL, t: name, o: trade.p, h: trade.p, l: trade.p, v: 0 };
    this.minute = { ...old, h: Math.max(old.h, trade.p), l: Math.min(old.l, trade.p), c: trade.p, v: old.v + trade.q };
    return trade;
  }

  candle() {
    const { o, h, l, c, v, ...rest } = this.minute;
    return { ...rest, o: String(o), h: String(h), l: String(l), c: String(c), v: String(v) };
  }

  ticker(time) {
    return { e: 't', s: SYMBOL, t: time, p: this.minute.c, c: ((this.minute.c - MIDDLE) * 100) / MIDDLE };
  }
}

/** Serves `exchange` with a feed of so many book updates and trades a second, candle and ticker 20 times each. */
export async function startFeed(exchange, { books = 50, trades = 200 } = {}) {
  const sockets = new Set();
  const market = new Market();
  const server = createServer((asked, answer) => {
    const url = new URL(asked.url, exchange);
    const on = request(url, { method: asked.method, headers: { ...asked.headers, host: url.host } }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    on.on('error', () => answer.destroy());
    asked.pipe(on);
  });
  server.on('upgrade', (asked, socket) => {
    const accept = createHash('sha1').update(asked.headers['sec-websocket-key'] + MAGIC).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    // What the page says is not needed: there is one symbol.
    socket.resume();
    sockets.add(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

  const started = performance.now();
  const sent = { books: 0, trades: 0, candles: 0 };
  const feed = { paused: true };
  const due = (rate) => Math.floor(((performance.now() - started) / 1000) * rate);
  const timer = setInterval(() => {
    const now = Date.now();
    const texts = [];
    const catchUp = (what, rate, make) => {
      const wanted = due(rate);
      // What a busy machine has missed is not made up for in one burst.
      if (wanted - sent[what] > rate / 5) sent[what] = wanted - 1;
      for (; sent[what] < wanted; sent[what] += 1) texts.push(...make());
    };
    catchUp('trades', trades, () => [market.trade(now)]);
    catchUp('books', books, () => [market.book(now)]);
    catchUp('candles', 20, () => (market.minute ? [market.candle(), market.ticker(now)] : []));
    if (feed.paused) return;
    const bytes = Buffer.concat(texts.map((message) => frame(JSON.stringify(message))));
    for (const socket of sockets) socket.write(bytes);
  }, 5);

  return Object.assign(feed, {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop() {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      server.close();
      server.closeAllConnections();
    },
  });
}
