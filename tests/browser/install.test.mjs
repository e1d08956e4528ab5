// The page as an app: what a browser needs to install it, and that it says when it is offline.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './exchange.mjs';
import { openPage } from './page.mjs';
import { browser, exchange } from './running.mjs';

test('the browser finds all that it needs to install the page', async () => {
  const page = await openPage(browser, exchange.url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const client = await page.context().newCDPSession(page);
  const manifest = await client.send('Page.getAppManifest');
  assert.deepEqual(manifest.errors, []);
  const { installabilityErrors } = await client.send('Page.getInstallabilityErrors');
  // A window that keeps nothing installs nothing: that is of the test, not of the page.
  assert.deepEqual(installabilityErrors.map((error) => error.errorId).filter((id) => id !== 'in-incognito'), []);

  const { icons, shortcuts, start_url: start } = JSON.parse(manifest.data);
  assert.ok(icons.some((icon) => icon.purpose === 'maskable'));
  for (const { src, sizes, type } of [...icons, ...shortcuts.flatMap((shortcut) => shortcut.icons)]) {
    const answer = await fetch(new URL(src, exchange.url));
    assert.equal(answer.status, 200, src);
    if (!src.endsWith('.png')) continue;
    assert.equal(answer.headers.get('content-type'), type ?? 'image/png');
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes, src);
  }
  assert.equal((await fetch(new URL(start, exchange.url))).status, 200);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the browser\'s offer is taken up from the settings', async () => {
  const page = await openPage(browser, exchange.url);
  await page.getByTestId('settings').click();
  await page.getByTestId('to-admin').waitFor();
  assert.equal(await page.getByTestId('install').count(), 0, 'nothing is offered');
  await page.keyboard.press('Escape');
  const shownAtOnce = await page.evaluate(() => {
    const offer = new Event('beforeinstallprompt', { cancelable: true });
    offer.prompt = () => { window.asked = (window.asked ?? 0) + 1; };
    dispatchEvent(offer);
    return !offer.defaultPrevented;
  });
  assert.equal(shownAtOnce, false, 'it waits for the user');
  await page.getByTestId('settings').click();
  await page.getByTestId('install').click();
  assert.equal(await page.evaluate(() => window.asked), 1);
  await page.getByTestId('install').waitFor({ state: 'detached' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('offline is said in both languages, and gone when the network is back', async () => {
  for (const [locale, words] of [['en-US', /prices stand still/], ['ko-KR', /시세가 멈춰 있습니다/]]) {
    const page = await openPage(browser, exchange.url, { locale });
    await page.evaluate(() => navigator.serviceWorker.ready);
    const banner = page.getByTestId('banner');
    await until('live', async () => (await page.getByTestId('feed-status').getAttribute('data-state')) === 'live');
    await page.context().setOffline(true);
    await banner.waitFor({ state: 'visible' });
    assert.match(await banner.innerText(), words);
    await page.context().setOffline(false);
    await banner.waitFor({ state: 'hidden' });
    await page.context().close();
  }
});
