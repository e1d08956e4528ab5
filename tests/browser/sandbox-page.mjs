// The sandbox as a user sees it.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { until } from './exchange.mjs';
import { asks, openPage } from './page.mjs';

export async function openSandbox(browser, url, options = {}) {
  const page = await openPage(browser, `${url}#sandbox${options.shared ? `=${options.shared}` : ''}`, options);
  await ready(page);
  await canDrop(page);
  return page;
}

/** The flow is there, played through once and back at its beginning, or where a link leads. */
export async function ready(page) {
  await until('the flow is there', async () => (await page.getByTestId('sandbox').getAttribute('data-phase')) === 'ready');
}

export async function makeFlow(page, { kind = 'market_maker', seed = 1, steps = 20_000, gap } = {}) {
  await page.getByTestId('open-flows').click();
  await page.getByTestId(`kind-${kind}`).check();
  await page.getByTestId('flow-seed').fill(String(seed));
  await page.getByTestId('flow-steps').fill(String(steps));
  if (gap) await page.getByTestId('flow-gap').fill(String(gap));
  await page.getByTestId('generate').click();
  const made = () => page.getByTestId('position').getAttribute('data-steps');
  await until('the flow is made', async () => Number(await made()) === steps && !(await page.getByTestId('flows').isVisible()));
  await ready(page);
}

export const position = async (page) => Number(await page.getByTestId('position').getAttribute('data-position'));
export const atEnd = async (page) => (await page.getByTestId('position').getAttribute('data-end')) === 'true';
export const isPlaying = async (page) => (await page.getByTestId('play').getAttribute('data-playing')) === 'true';

/** The state's hash, once the page stands. */
export async function hash(page) {
  const code = page.getByTestId('state-hash');
  return until('the hash is shown', async () => !(await isPlaying(page)) && (await code.getAttribute('data-hash')));
}

export async function playToEnd(page) {
  await page.getByTestId('speed').selectOption('most');
  await page.getByTestId('play').click();
  await until('it is at the end', async () => (await atEnd(page)) && !(await isPlaying(page)));
}

/** Goes to a part of the flow's time. */
export async function seek(page, part) {
  await page.getByTestId('timeline').evaluate((line, part) => {
    line.value = String(Math.round(Number(line.max) * part));
    line.dispatchEvent(new Event('change', { bubbles: true }));
  }, part);
  const steps = Number(await page.getByTestId('position').getAttribute('data-steps'));
  await until('it is there', async () => Math.abs((await position(page)) / steps - part) < 0.2);
}

export async function order(page, { side, type = 'limit', price, quantity }) {
  await page.getByTestId(`order-side-${side}`).click();
  await page.getByTestId(`order-type-${type}`).click();
  if (price) await page.getByTestId('order-price').fill(String(price));
  await page.getByTestId('order-quantity').fill(String(quantity));
  await page.getByTestId('order-submit').click();
  // Whoever has not switched the question off is asked.
  if (await asks(page)) await page.getByTestId('confirm-yes').click();
}

export const best = async (page, side) => Number(await page.getByTestId(`book-${side}-0`).getAttribute('data-price'));

/** Drops a file somewhere on the page; over the page's edge and back, as a hand does. */
export async function dropFile(page, path, { onto = 'body' } = {}) {
  const content = (await readFile(path)).toString('base64');
  await page.evaluate(({ content, name, onto }) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    window.dropping([bytes], name, onto);
  }, { content, name: basename(path), onto });
}

/** Puts `window.dropping(parts, name, selector)` into the page, when it is loaded again too. */
export async function canDrop(page) {
  const put = () => {
    window.dropping = (parts, name, onto) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(parts, name));
      const place = document.querySelector(onto);
      for (const kind of ['dragenter', 'dragover', 'drop']) {
        place.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
      }
    };
  };
  await page.addInitScript(put);
  await page.evaluate(put);
}
