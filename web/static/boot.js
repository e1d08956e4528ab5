// Starts the page; where that fails, the shell says so.
import init from './web.js';

init({ module_or_path: new URL('./web_bg.wasm', import.meta.url) }).catch((error) => {
  console.error(error);
  document.getElementById('shell-fault')?.removeAttribute('hidden');
});
