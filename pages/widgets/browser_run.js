const places = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let place = places.get(parentElement);
  if (!place) places.set(parentElement, (place = new Place(parentElement)));
  place.update(data, (result) => setTriggerValue("done", result));
  return () => place.stop();
}

class Place {
  constructor(root) {
    for (const part of ["start", "busy", "doing", "figures", "bar", "cancel", "words"])
      this[part] = root.querySelector("." + part);
    this.start.onclick = () => this.run();
    this.cancel.onclick = () => this.end("Stopped.", false);
  }

  update(data, done) {
    Object.assign(this, { data, done });
    this.start.textContent = data.label;
    this.start.disabled = Boolean(data.blocked);
    if (data.blocked) this.say(data.blocked, false);
  }

  run() {
    if (typeof WebAssembly === "undefined")
      return this.say("This browser has no WebAssembly. Use a newer browser, or one where WebAssembly is not disabled.", true);
    const { folder, model, recorded, tolerance } = this.data;
    this.say("", false);
    this.show(0, "Starting");
    this.start.hidden = true;
    this.busy.hidden = false;
    this.cancel.focus({ preventScroll: true });
    this.worker = new Worker(`${folder}worker.mjs`, { type: "module" });
    this.worker.onmessage = ({ data: { progress, text, done, error } }) => {
      if (done) this.finish(done);
      else if (error) this.end(`${error.message} ${error.next_step}`, true);
      else this.show(progress, text);
    };
    this.worker.onerror = () =>
      this.end(
        "The browser could not start the runtime. Reload the page; if that does not help, use a newer browser.",
        true,
      );
    const at = (path) => new URL(path, location.href).href;
    this.worker.postMessage({
      wasm: at(`${folder}ort-wasm-simd-threaded.wasm`),
      model: at(model),
      recorded: at(recorded),
      tolerance,
    });
  }

  show(share, text) {
    this.bar.value = share;
    this.doing.textContent = text;
    this.figures.textContent = `${Math.round(share * 100)} %`;
  }

  finish(result) {
    const { checks, ...figures } = result;
    this.end("", false);
    this.done({
      ...figures,
      agent: navigator.userAgent,
      cores: navigator.hardwareConcurrency ?? 0,
      answers: this.data.answers,
    });
  }

  end(words, wrong) {
    this.stop();
    this.busy.hidden = true;
    this.start.hidden = false;
    this.start.focus({ focusVisible: false, preventScroll: true });
    this.say(words, wrong);
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
  }

  say(words, wrong) {
    this.words.textContent = words;
    this.words.classList.toggle("wrong", wrong);
  }
}
