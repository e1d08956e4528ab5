// An exchange and a browser for the file that imports this: started before its tests, stopped after them.

import { after, before } from 'node:test';
import { Exchange } from './exchange.mjs';
import { openBrowser } from './page.mjs';

export let exchange;
export let browser;

before(async () => {
  exchange = await Exchange.start();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await exchange?.stop();
});
