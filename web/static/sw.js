// Keeps the page's own files, so that it opens at once and without a network, the sandbox with it. Prices, orders and all
// else that the exchange answers are never kept: what is shown as live is live.
//
// The build writes its hash and its files in here. Each build has a cache of its own: a page that is open goes on with the
// files that it began with, and the next build takes its place when the last such page is closed.
const BUILD = 'BUILD';
const FILES = [/* FILES */];
const PREFIX = 'supernoba-page-';
const CACHE = PREFIX + BUILD;
const HASHED = /-[0-9a-f]{8}\.(js|css|wasm)$/;
const FIXED = /\/(favicon\.svg|manifest\.webmanifest|icon[^/]*)$/;

self.addEventListener('install', (event) => event.waitUntil(keepAll()));

self.addEventListener('activate', (event) => event.waitUntil(takeOver()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin || url.search) return;
  if (request.mode === 'navigate') event.respondWith(newestFirst(request, './'));
  else if (HASHED.test(url.pathname)) event.respondWith(keptFirst(request));
  else if (FIXED.test(url.pathname)) event.respondWith(newestFirst(request, request));
});

async function keepAll() {
  const cache = await caches.open(CACHE);
  await cache.addAll(['./', ...FILES].map((file) => new Request(file, { cache: HASHED.test(file) ? 'default' : 'no-cache' })));
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith('supernoba-page') && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

/** A name that holds its content's hash never changes. */
async function keptFirst(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}

/** From the network, or what was kept of this build. */
async function newestFirst(request, key) {
  try {
    return await fetch(request);
  } catch (error) {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(key);
    if (kept) return kept;
    throw error;
  }
}
