// What Netron expects and a page without an origin cannot do, and one thing that it should not do.

// 1. Touching document.cookie throws there. Netron looks for its consent cookie, so it finds one that says yes to nothing:
//    the server's policy lets it reach no other host anyway.
Object.defineProperty(document, "cookie", { get: () => "consent=1", set: () => {} });

// 2. A module worker cannot start from a URL there. A classic worker from a blob can, and it may import the module itself;
//    messages that arrive before the import is done wait in line.
const bootstrap = (address) => `
const waiting = [];
const hold = (event) => { event.stopImmediatePropagation(); waiting.push(event.data); };
addEventListener("message", hold);
import(${JSON.stringify(address)}).then(
  () => setTimeout(() => {
    removeEventListener("message", hold);
    for (const data of waiting) dispatchEvent(new MessageEvent("message", { data }));
  }),
  (error) => postMessage({ type: "error", message: String(error) }));
`;
const PlainWorker = self.Worker;
self.Worker = class extends PlainWorker {
  constructor(address) {
    const source = bootstrap(new URL(address, location.href).href);
    super(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  }
};

// 3. Netron takes the keyboard as soon as it has drawn, also from a reader who is typing elsewhere on the page around it.
//    Here it waits until somebody has touched it.
let touched = false;
for (const kind of ["pointerdown", "keydown", "focusin"])
  addEventListener(kind, (event) => { touched ||= event.isTrusted; }, { capture: true, once: true });
const takeFocus = HTMLElement.prototype.focus;
HTMLElement.prototype.focus = function (...options) { if (touched) takeFocus.apply(this, options); };
