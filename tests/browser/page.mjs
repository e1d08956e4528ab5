// The page as a user sees it.

import { chromium } from 'playwright-core';

export async function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROME ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/** A page of its own; what it complains of on the console is kept in `faults`. */
export async function openPage(browser, url, { locale = 'en-US', width = 1440, height = 900, serviceWorkers = 'allow' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, locale, serviceWorkers });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    // A server that is gone is reported as an error: those are wanted where a test kills it.
    if (message.type() === 'error' && !/WebSocket|ERR_CONNECTION|Failed to load resource/.test(message.text())) {
      page.faults.push(message.text());
    }
  });
  await page.goto(url);
  await page.waitForFunction(() => window.__supernoba_ready === true);
  return page;
}

export async function login(page, name) {
  await page.getByTestId('login-open').first().click();
  await page.getByTestId('login-test-name').fill(name);
  await page.getByTestId('login-test-submit').click();
  await page.getByTestId('logout').waitFor();
}

export async function chooseSymbol(page, symbol) {
  await page.getByTestId(`symbol-row-${symbol}`).click();
}

/** Fills the order form and sends it. */
export async function placeOrder(page, { side, price, quantity }) {
  await page.getByTestId(`order-side-${side}`).click();
  await page.getByTestId(price ? 'order-type-limit' : 'order-type-market').click();
  if (price) await page.getByTestId('order-price').fill(String(price));
  await page.getByTestId('order-quantity').fill(String(quantity));
  await page.getByTestId('order-submit').click();
  if (await asks(page)) await page.getByTestId('confirm-yes').click();
}

/** Whether the page asks before it sends an order: a setting, on at first. */
export async function asks(page) {
  return page.evaluate(() => localStorage.getItem('supernoba.confirms') !== 'off');
}

/** One side of the book as it is shown: price and quantity, best first. */
export async function shownBook(page, side) {
  const rows = page.locator(`[data-testid^="book-${side}-"]`);
  const levels = await rows.evaluateAll((rows) =>
    rows.map((row) => ({
      at: Number(row.dataset.testid.split('-').pop()), price: row.dataset.price, quantity: row.dataset.quantity,
    })),
  );
  const filled = levels.filter((level) => level.price && level.quantity).sort((a, b) => a.at - b.at);
  return filled.map((level) => [Number(level.price), Number(level.quantity)]);
}
