// How the sandbox looks: every view in both languages, both themes and three widths is within the page, accessible by axe's rules, and
// a picture of it is kept.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { violations } from './axe.mjs';
import { root, until } from './exchange.mjs';
import { openBrowser } from './page.mjs';
import { best, makeFlow, openSandbox, order, ready, seek } from './sandbox-page.mjs';
import { serveSite } from './site.mjs';

const shots = join(root, 'target/screenshots');
const WIDTHS = { 390: 844, 768: 1024, 1440: 900 };
const INSIDE = ['queue', 'heat', 'log', 'compare', 'fills', 'checks'];
let site;
let browser;

before(async () => {
  await mkdir(shots, { recursive: true });
  site = await serveSite();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await site?.stop();
});

/** A page in the middle of a flow, with orders that wait, have filled and were refused, and a bookmark. */
async function usedPage(locale, theme) {
  const page = await openSandbox(browser, site.url, { locale, width: 1440, height: 900 });
  // What is on its way in is paler than it will be.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.evaluate((theme) => {
    localStorage.setItem('supernoba.theme', theme);
    localStorage.setItem('supernoba.confirms', 'off');
  }, theme);
  await page.reload();
  await ready(page);
  await makeFlow(page, { kind: 'market_maker', seed: 5, steps: 20_000 });
  await seek(page, 0.3);
  const bid = await best(page, 'bid');
  await order(page, { side: 'buy', price: bid, quantity: 10 });
  await page.getByTestId('ahead-0001').waitFor({ state: 'attached' });
  await order(page, { side: 'buy', type: 'market', quantity: 120 });
  await page.getByTestId('to-own-fill').click();
  await page.getByTestId('inside-fills').click();
  await until('a maker\'s fill', () => page.locator('[data-testid="own-fill"][data-maker="true"]').count());
  await order(page, { side: 'sell', price: (await best(page, 'ask')) + 15, quantity: 25 });
  await order(page, { side: 'buy', price: await best(page, 'bid'), quantity: 40 });
  await page.getByTestId('bookmarks').click();
  await page.getByTestId('bookmark-name').fill('A');
  await page.getByTestId('bookmark-add').click();
  await page.getByTestId('bookmark-1').waitFor();
  await page.locator('.backdrop').click();
  await seek(page, 0.5);
  return page;
}

for (const locale of ['ko-KR', 'en-US']) {
  for (const theme of ['dark', 'light']) {
    test(`every view of it holds: ${locale}, ${theme}`, async () => {
      const page = await usedPage(locale, theme);
      // All of them are told at once.
      const problems = [];
      const note = (where, found) => problems.push(...found.map((one) => `${where}: ${one}`));
      for (const [width, height] of Object.entries(WIDTHS)) {
        await page.setViewportSize({ width: Number(width), height });
        const isNarrow = Number(width) <= 768;
        const look = async (view, { inside = 'main' } = {}) => {
          // The chart follows the width a frame later; toasts of the way here are no part of the view.
          for (const close of await page.getByTestId('toast').getByRole('button').all()) await close.click().catch(() => {});
          await page.waitForTimeout(150);
          const name = `${locale.slice(0, 2)}-${theme}-${width}`;
          await page.screenshot({ path: join(shots, `sandbox-${view}-${name}.png`) });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (wide > 0) note(`${view} ${name}`, [`${wide} pixels too wide`]);
          note(`${view} ${name}`, await cutOff(page, inside));
          note(`${view} ${name}`, await violations(page));
        };
        if (isNarrow) {
          for (const panel of ['chart', 'book', 'order', 'orders', 'inside']) {
            await page.getByTestId(`panel-${panel}`).click();
            if (panel !== 'inside') await look(panel);
          }
        }
        for (const inside of INSIDE) {
          await page.getByTestId(`inside-${inside}`).click();
          if (inside === 'heat') await until('a map', async () => Number(await page.getByTestId('heat').getAttribute('data-columns')) > 50);
          await look(`inside-${inside}`);
        }
        await page.getByTestId('bookmarks').click();
        await page.getByTestId('bookmark-1').waitFor();
        await look('bookmarks');
        await page.locator('.backdrop').click();
        await page.getByTestId('open-flows').click();
        await look('flows', { inside: 'dialog[open]' });
        await page.getByTestId('flows-close').click();
        await page.getByTestId('open-share').click();
        await until('a link', () => page.getByTestId('share-link').inputValue());
        await look('share', { inside: 'dialog[open]' });
        await page.getByTestId('share-close').click();
      }
      // The tour has a flow of its own: it comes last.
      await page.getByTestId('open-tour').click();
      await until('its flow', async () => (await page.getByTestId('position').getAttribute('data-position')) === '0');
      await ready(page);
      for (let stop = 0; stop < 7; stop += 1) {
        for (const [width, height] of Object.entries(WIDTHS)) {
          await page.setViewportSize({ width: Number(width), height });
          await page.waitForTimeout(100);
          const name = `${locale.slice(0, 2)}-${theme}-${width}`;
          await page.screenshot({ path: join(shots, `sandbox-tour-${stop}-${name}.png`) });
          note(`stop ${stop} ${name}`, await cutOff(page, '.tour'));
          if (stop === 0) note(`stop ${stop} ${name}`, await violations(page));
        }
        await page.getByTestId('tour-next').click();
      }
      // Lines that could not be read.
      await page.evaluate(() => window.dropping(['ADD,1,B,LIMIT,GTC,100,5\nADD,2,X,LIMIT,GTC,100,5\nADD,3,B,LIMIT,GTC,100,x\n'], 'bad.csv', 'main'));
      await page.getByTestId('bad-line').first().waitFor();
      for (const [width, height] of Object.entries(WIDTHS)) {
        await page.setViewportSize({ width: Number(width), height });
        await page.getByTestId('bad-line').first().scrollIntoViewIfNeeded();
        await page.waitForTimeout(100);
        await page.screenshot({ path: join(shots, `sandbox-bad-lines-${locale.slice(0, 2)}-${theme}-${width}.png`) });
        note(`bad lines ${width}`, await violations(page));
      }
      assert.deepEqual(problems, []);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  }
}

/** Buttons and their like whose words do not fit them, or that lie beyond what can be seen and cannot be scrolled to. */
async function cutOff(page, inside) {
  return page.evaluate((inside) => {
    const found = [];
    for (const one of document.querySelectorAll(`:is(${inside}) :is(button, a, dt, dd, th, label, h2, h3, p)`)) {
      const box = one.getBoundingClientRect();
      if (box.width === 0 || box.height === 0 || getComputedStyle(one).visibility === 'hidden' || getComputedStyle(one).clipPath !== 'none' || one.closest('.hidden')) continue;
      let scrolls = false;
      for (let above = one.parentElement; above && !scrolls; above = above.parentElement) {
        scrolls = ['auto', 'scroll'].includes(getComputedStyle(above).overflowX) || ['auto', 'scroll'].includes(getComputedStyle(above).overflowY);
      }
      const name = `${one.dataset.testid ?? one.className ?? one.tagName}: ${one.textContent.trim().slice(0, 30)}`;
      const { overflowX, textOverflow } = getComputedStyle(one);
      if (one.scrollWidth > one.clientWidth + 2 && one.clientWidth > 0 && overflowX === 'hidden' && textOverflow !== 'ellipsis') found.push(`words do not fit ${name}`);
      if (!scrolls && (box.right > window.innerWidth + 1 || box.left < -1)) found.push(`beyond the page ${name}`);
    }
    return found;
  }, inside);
}
