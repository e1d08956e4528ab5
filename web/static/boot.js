// Starts the page; where that fails, the shell says so.
import init from './web.js';

// What is loaded when it is needed.
globalThis.supernobaFiles = {
  sandboxWorker: new URL('./sandbox-worker.js', import.meta.url).href,
  sandboxStyle: new URL('./sandbox.css', import.meta.url).href,
  toolsStyle: new URL('./tools.css', import.meta.url).href,
};

// The browser's offer to install the page is kept for the settings, where the user can take it up.
addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  globalThis.supernobaInstall = event;
});

init({ module_or_path: new URL('./web_bg.wasm', import.meta.url) }).catch((error) => {
  console.error(error);
  document.getElementById('shell-fault')?.removeAttribute('hidden');
});

// Not over plain HTTP, but for localhost; the page does without. It keeps all of the page, so it begins when the page is there.
function keep() {
  navigator.serviceWorker?.register('./sw.js').catch((error) => console.warn(error));
}
if (document.readyState === 'complete') keep();
else addEventListener('load', keep);
