// What can be set, and what was recorded.

// Asks the server; whatever it refuses becomes an Error with its sentence.
export async function ask(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

const byId = (id) => document.getElementById(id);

export class Controls {
  // `say(text)` tells the person what went wrong.
  constructor({ say }) {
    this.say = say;
    this.recording = null;
    this.model = null;
    byId("model").addEventListener("change", (event) => this.chooseModel(event.target.value));
    byId("record").addEventListener("click", () => this.record());
    slider("light", (level) => this.attempt(() => ask("PUT", "/api/led", { level })));
    slider("threshold", (threshold) => this.attempt(() => ask("PUT", "/api/threshold", { threshold })));
    byId("model").addEventListener("pointerdown", () => this.listModels());
  }

  async start() {
    await this.attempt(() => this.listModels());
    await this.attempt(() => this.askLight());
    await this.attempt(() => this.askRecording());
    await this.attempt(() => this.listRecordings());
  }

  async attempt(act) {
    try {
      return await act();
    } catch (error) {
      this.say(error.message);
      return null;
    }
  }

  // What the status says of it.
  status({ model, recording, threshold }) {
    if (model !== this.model && document.activeElement !== byId("model")) {
      this.model = model;
      byId("model").value = model;
    }
    if (recording !== this.recording) {
      this.recording = recording;
      this.showRecording();
      this.attempt(() => this.listRecordings());
    }
    byId("threshold-row").hidden = threshold == null;
    if (threshold != null && document.activeElement !== byId("threshold")) setSlider("threshold", threshold);
  }

  async listModels() {
    const { model, models } = await ask("GET", "/api/model");
    const select = byId("model");
    if (Array.from(select.options, (option) => option.value).join() !== models.join()) {
      select.replaceChildren(...models.map((name) => new Option(name)));
    }
    select.value = model;
    this.model = model;
  }

  async chooseModel(model) {
    const chosen = await this.attempt(() => ask("PUT", "/api/model", { model }));
    if (!chosen) await this.attempt(() => this.listModels());
    byId("model").blur();
  }

  async askLight() {
    const { level, reason } = await ask("GET", "/api/led");
    byId("light-row").hidden = level === null;
    byId("light-reason").hidden = level !== null;
    if (level === null) byId("light-reason").textContent = `Light: ${reason}.`;
    else setSlider("light", level);
  }

  async askRecording() {
    const { possible } = await ask("GET", "/api/recording");
    byId("record").disabled = !possible;
    if (!possible) byId("record-note").textContent = "Nothing can be recorded: start microtome serve with --out DIR.";
  }

  showRecording() {
    const button = byId("record");
    button.textContent = this.recording ? "Stop recording" : "Record";
    button.classList.toggle("running", Boolean(this.recording));
    byId("record-note").textContent = this.recording ? `Recording ${this.recording}` : "";
    // A recording is of one model and threshold.
    for (const id of ["model", "threshold"]) byId(id).disabled = Boolean(this.recording);
  }

  async record() {
    const button = byId("record");
    button.disabled = true;
    await this.attempt(() => ask(this.recording ? "DELETE" : "POST", "/api/recording"));
    button.disabled = false;
  }

  async listRecordings() {
    const recordings = await ask("GET", "/api/recordings");
    byId("recordings").replaceChildren(...recordings.map((recording) => item(recording, recording.name === this.recording)));
    byId("recordings-note").textContent = recordings.length === 0 ? "None yet." : "";
  }
}

function slider(id, set) {
  const input = byId(id);
  input.addEventListener("input", () => setSlider(id, input.valueAsNumber));
  input.addEventListener("change", () => set(input.valueAsNumber));
}

function setSlider(id, value) {
  byId(id).value = value;
  byId(`${id}-text`).textContent = `${Math.round(100 * value)} %`;
}

function item({ name, files, bytes }, runs) {
  const row = document.createElement("li");
  const text = Object.assign(document.createElement("span"), { className: "name" });
  text.append(name.replace("T", " ").replace(/(\d\d)-(\d\d)-(\d\d)Z/, "$1:$2:$3 UTC"));
  text.append(Object.assign(document.createElement("small"), { textContent: runs ? "being recorded" : `${files} ${files === 1 ? "file" : "files"}, ${size(bytes)}` }));
  row.append(text);
  // What is complete.
  if (!runs) row.append(link(name, "table", `/api/recordings/${encodeURIComponent(name)}/objects.csv`), link(name, "zip", `/api/archives/${encodeURIComponent(name)}.zip`));
  return row;
}

function link(name, text, href) {
  const anchor = Object.assign(document.createElement("a"), { textContent: text, href, download: "" });
  anchor.setAttribute("aria-label", `Download the ${text} of ${name}`);
  return anchor;
}

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  const value = bytes / 1024 ** unit;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
