const zones = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let zone = zones.get(parentElement);
  if (!zone) zones.set(parentElement, (zone = new Zone(parentElement)));
  zone.update(data, (answer) => setTriggerValue("done", answer));
  return () => zone.leave();
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const amount = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${megabytes(bytes)} MB`);

class Zone {
  constructor(root) {
    for (const part of ["zone", "file", "choose", "label", "hint", "busy", "name", "figures", "bar", "cancel", "words"])
      this[part] = root.querySelector("." + part);
    this.choose.onclick = () => this.file.click();
    this.file.onchange = () => { this.take([...this.file.files]); this.file.value = ""; };
    this.cancel.onclick = () => (this.arrived ? this.end("", false) : this.request?.abort());
    this.zone.ondragover = (event) => { event.preventDefault(); this.zone.classList.add("over"); };
    this.zone.ondragleave = () => this.zone.classList.remove("over");
    this.zone.ondrop = (event) => this.drop(event);
    // A file dropped beside the zone would otherwise replace the page.
    this.stay = (event) => event.preventDefault();
    for (const kind of ["dragover", "drop"]) window.addEventListener(kind, this.stay);
  }

  update(data, done) {
    Object.assign(this, { data, done });
    this.label.textContent = data.label;
    this.hint.textContent = data.hint;
    this.file.accept = data.accept;
    this.file.setAttribute("aria-label", data.label);
    this.settle();
  }

  leave() {
    this.request?.abort();
    for (const kind of ["dragover", "drop"]) window.removeEventListener(kind, this.stay);
  }

  drop(event) {
    event.preventDefault();
    this.zone.classList.remove("over");
    const entry = event.dataTransfer.items[0]?.webkitGetAsEntry?.();
    if (entry?.isDirectory) return this.say("That is a folder. Put it into one zip file first.", true);
    this.take([...event.dataTransfer.files]);
  }

  take(files) {
    if (this.request || files.length === 0) return;
    if (files.length > 1) return this.say("One file at a time, please. Put files that belong together into one zip.", true);
    const [file] = files;
    if (file.size === 0) return this.say(`${file.name} is empty.`, true);
    if (!this.data.url && file.size <= this.data.limit_mb * 1024 * 1024) return this.read(file);
    if (file.size > this.data.limit_mb * 1024 * 1024)
      return this.say(`${file.name} has ${megabytes(file.size)} MB; this server takes up to ${this.data.limit_mb} MB.`, true);
    this.send(file);
  }

  async read(file) {
    this.done({ name: file.name, text: await file.text() });
    this.say(`${file.name} is here (${amount(file.size)}).`, false);
  }

  send(file) {
    const request = (this.request = new XMLHttpRequest());
    const glue = this.data.url.includes("?") ? "&" : "?";
    request.open("PUT", `${this.data.url}${glue}name=${encodeURIComponent(file.name)}`);
    request.responseType = "json";
    request.setRequestHeader("X-Requested-With", "portolan");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => this.show(file, event.loaded);
    request.onload = () => this.answered(file, request);
    request.onerror = () => this.end("The connection was lost and nothing was stored. Try again.", true);
    request.onabort = () => this.end("Stopped; nothing was stored.", false);
    this.say("", false);
    this.show(file, 0);
    this.choose.hidden = true;
    this.busy.hidden = false;
    this.cancel.focus({ preventScroll: true });
    request.send(file);
  }

  show(file, sent) {
    const share = Math.min(1, sent / file.size);
    this.name.textContent = file.name;
    this.bar.value = share;
    const figures = `${megabytes(share * file.size)} of ${megabytes(file.size)} MB, ${Math.floor(share * 100)} %`;
    this.figures.textContent = share < 1 ? figures : `${amount(file.size)}, storing…`;
  }

  answered(file, request) {
    const answer = request.response;
    if (request.status < 300 && answer) {
      this.arrived = { words: `${file.name} has arrived (${amount(file.size)}).`, sha256: answer.sha256 };
      this.done({ name: file.name, size: file.size, ...answer });
      return this.settle();
    }
    const error = answer?.error;
    this.end(error ? `${error.message} ${error.next_step}` : `The server answered ${request.status}. Try again.`, true);
  }

  // A page that works with the file says so first: until it knows of it, a click would go without it.
  settle() {
    if (this.arrived && [null, this.arrived.sha256].includes(this.data.known)) this.end(this.arrived.words, false);
  }

  end(words, wrong) {
    this.request = this.arrived = null;
    this.busy.hidden = true;
    this.choose.hidden = false;
    this.choose.focus({ focusVisible: false, preventScroll: true });
    this.say(words, wrong);
  }

  say(words, wrong) {
    this.words.textContent = words;
    this.words.classList.toggle("wrong", wrong);
  }
}
