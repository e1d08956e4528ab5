// Pictures of every page, in both languages, both themes, and three widths, for an eye to look at: target/screens. What a
// program can see of them is asserted: nothing is wider than its window, and no language is mixed into the other.

import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Exchange, root, until } from './exchange.mjs';
import { login, openBrowser, openPage } from './page.mjs';

const folder = join(root, 'target/screens');
const WIDTHS = [[390, 844], [768, 1024], [1440, 900]];
let exchange;
let browser;

before(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  exchange = await Exchange.start();
  browser = await openBrowser();
  // A market with a history: prices that went somewhere, a book on both sides, orders in every state.
  for (let n = 0; n < 24; n += 1) {
    const price = 1000 + Math.round(12 * Math.sin(n / 3)) + n;
    await exchange.order('maker', 'SELL', price, 12 + n);
    await exchange.order('iris', n % 3 ? 'BUY' : 'SELL', n % 3 ? price : 990, 3);
    await exchange.order('noise', 'BUY', price, 8 + n);
  }
  for (let n = 0; n < 12; n += 1) {
    await exchange.order('maker', 'SELL', 1040 + n * 2, 30 + ((n * 37) % 90));
    await exchange.order('maker', 'BUY', 985 - n * 2, 20 + ((n * 53) % 90));
  }
  await exchange.order('iris', 'BUY', 981, 15);
  await exchange.order('iris', 'SELL', 1042, 7);
  await exchange.call('POST', '/orders', { user: 'iris', body: { symbol: 'TEST', side: 'BUY', price: 1060, quantity: 5, stop: 1055 } });
  const gone = await exchange.order('iris', 'BUY', 900, 1);
  await exchange.call('DELETE', `/orders/${gone}`, { user: 'iris' });
  await exchange.order('maker', 'SELL', 5020, 40, 'NOBA');
  await exchange.order('noise', 'BUY', 5020, 10, 'NOBA');
});

after(async () => {
  await browser?.close();
  await exchange?.stop();
});

/** Pages of the trading screen: how each is brought up, and on which widths it is a page of its own. */
const VIEWS = [
  { name: 'visitor', user: false, open: async () => {} },
  { name: 'login', user: false, open: (page) => page.getByTestId('login-open').first().click().then(() => page.getByTestId('login-test-name').waitFor()), close: (page) => page.getByTestId('login-close').click() },
  { name: 'trading', open: async () => {} },
  { name: 'book', narrow: true, open: (page) => page.getByTestId('panel-book').click() },
  { name: 'curve', open: async (page, narrow) => { if (narrow) await page.getByTestId('panel-book').click(); await page.getByTestId('book-as-curve').click(); }, close: (page) => page.getByTestId('book-as-rows').click() },
  { name: 'order', narrow: true, open: (page) => page.getByTestId('panel-order').click() },
  ...['open', 'history', 'fills', 'balances'].map((tab) => ({
    name: `list-${tab}`,
    open: async (page, narrow) => {
      if (narrow) await page.getByTestId('panel-orders').click();
      await page.getByTestId(`tab-${tab}`).click();
      await page.locator(`#list-${tab} tbody tr`).first().waitFor();
    },
  })),
  { name: 'settings', open: (page) => page.getByTestId('settings').click().then(() => page.getByTestId('to-admin').waitFor()), close: (page) => page.keyboard.press('Escape') },
  { name: 'indicators', open: async (page, narrow) => { if (narrow) await page.getByTestId('panel-chart').click(); await page.getByTestId('indicators-open').click(); await page.getByTestId('indicators-reset').waitFor(); }, close: (page) => page.keyboard.press('Escape') },
  {
    name: 'confirm',
    open: async (page, narrow) => {
      if (narrow) await page.getByTestId('panel-order').click();
      await page.getByTestId('order-price').fill('985');
      await page.getByTestId('order-quantity').fill('12');
      await page.getByTestId('order-submit').click();
      await page.getByTestId('confirm-yes').waitFor();
    },
    close: (page) => page.getByTestId('confirm-no').click(),
  },
];

const TOOLS = [
  { name: 'admin-door', hash: '#admin', open: (page) => page.getByTestId('admin-token').waitFor() },
  ...['symbols', 'accounts', 'letters', 'health'].map((section) => ({ name: `admin-${section}`, hash: '#admin', open: async (page) => {
    if (await page.getByTestId('admin-token').count()) {
      await page.getByTestId('admin-token').fill(exchange.adminToken);
      await page.getByTestId('admin-enter').click();
    }
    await page.getByTestId(`tool-${section}`).click();
    await page.waitForTimeout(300);
  } })),
  { name: 'console-socket', hash: '#console', open: async (page) => {
    await page.getByTestId('socket-open').click();
    await page.getByTestId('socket-main').fill('TEST');
    await until('open', async () => page.getByTestId('socket-subscribe').isEnabled());
    await page.getByTestId('socket-subscribe').click();
    await page.getByTestId('log-line').nth(3).waitFor();
  } },
  { name: 'console-requests', hash: '#console', open: async (page) => {
    await page.getByTestId('tool-requests').click();
    await page.getByTestId('request-send').click();
    await until('answered', async () => /^200/.test(await page.getByTestId('request-status').innerText()));
  } },
  { name: 'console-candles', hash: '#console', open: async (page) => {
    await page.getByTestId('tool-candles').click();
    await page.getByTestId('candle-symbol').fill('NOBA');
    await page.getByTestId('candle-run').click();
    await page.getByTestId('candle-check').nth(4).waitFor();
  } },
];

/** What can be seen by a program: a page wider than its window, and words of the other language. */
async function look(page, name, language) {
  // The numbers of a live feed and what is on its way in are let come to rest.
  await page.waitForTimeout(150);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
  const text = await page.evaluate(() => document.body.innerText);
  if (language === 'en') {
    assert.ok(!/[가-힣]/.test(text), `${name}: Korean in English: ${text.match(/.*[가-힣].*/)?.[0]}`);
  } else {
    const english = text.match(/\b(Loading|Price|Quantity|Total|Orders?|Buy|Sell|Market|Limit|Balance|Available|Symbol|Halt|Reload|Search|Send|Cancel|Close|Time|Fee|Settings)\b/);
    assert.equal(english?.[0], undefined, `${name}: English in Korean`);
  }
}

for (const [language, locale] of [['ko', 'ko-KR'], ['en', 'en-US']]) {
  for (const theme of ['dark', 'light']) {
    for (const [width, height] of WIDTHS) {
      test(`pictures: ${language}, ${theme}, ${width}`, async () => {
        const label = (name) => `${name}-${language}-${theme}-${width}`;
        const page = await openPage(browser, exchange.url, { locale, width, height });
        await page.emulateMedia({ reducedMotion: 'reduce' });
        await page.evaluate((theme) => {
          localStorage.setItem('supernoba.theme', theme);
          localStorage.setItem('supernoba.symbol', 'TEST');
        }, theme);
        await page.reload();
        await page.waitForFunction(() => window.__supernoba_ready === true);
        await until('the book is there', async () => Boolean(await page.getByTestId('book-bid-0').getAttribute('data-price')));
        const narrow = width <= 768;
        let known = false;
        for (const view of VIEWS) {
          if (view.narrow && !narrow) continue;
          if (view.user !== false && !known) {
            known = true;
            await login(page, 'iris');
            await page.locator('[data-testid^="open-order-"]').first().waitFor({ state: 'attached' });
            await page.getByTestId('toast').first().locator('button').click();
          }
          await view.open(page, narrow);
          await look(page, label(view.name), language);
          await view.close?.(page);
        }
        assert.deepEqual(page.faults, []);
        for (const hash of ['#admin', '#console']) {
          // Turning from one page to another loads it anew by itself, which a second load would cut off.
          await page.goto('about:blank');
          await page.goto(`${exchange.url}/${hash}`);
          await page.waitForFunction(() => window.__supernoba_ready === true);
          for (const tool of TOOLS.filter((tool) => tool.hash === hash)) {
            await tool.open(page);
            await look(page, label(tool.name), language);
          }
        }
        assert.deepEqual(page.faults, []);
        await page.context().close();
      });
    }
  }
}
