// The page: what comes from the server goes to its places.

import { histogram, sparkline, stack } from "/charts.js";
import { Controls, ask } from "/controls.js";
import { Stream } from "/stream.js";
import { View } from "/view.js";

const CHARTS_MS = 1000;
const TOAST_MS = 6000;
// A larger share of pixels at the end of the range is worth a warning.
const CLIPPED = 0.001;

const byId = (id) => document.getElementById(id);
const thousands = (value) => Number(value.toPrecision(3)).toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

let toast;
function say(text) {
  put("toast", text);
  byId("toast").hidden = false;
  clearTimeout(toast);
  toast = setTimeout(() => (byId("toast").hidden = true), TOAST_MS);
}

// Why there is no picture, and what else somebody should look after.
const troubles = { stream: null, camera: null, alarms: [] };
function warn() {
  const texts = [troubles.stream, troubles.camera, ...troubles.alarms].filter(Boolean);
  byId("banner").hidden = texts.length === 0;
  put("banner", texts.join(" "));
}

function showCamera(camera) {
  const texts = {
    opening: "Opening the camera",
    running: camera.camera,
    waiting: "No camera",
    ended: "The camera's stream is over",
  };
  put("camera-text", texts[camera.state]);
  document.querySelector(".lamp").className = `lamp ${camera.state}`;
  // Nobody is to take an old frame for a live one.
  byId("stage").classList.toggle("stale", camera.state !== "running");
  troubles.camera = camera.state === "waiting" ? `The camera is gone: ${camera.reason}. Trying again.` : null;
}

function showStatus(status) {
  showCamera(status.camera);
  troubles.alarms = status.alarms.map(({ text }) => `${text[0].toUpperCase()}${text.slice(1)}.`);
  warn();
  put("rate", status.rate.toFixed(1));
  put("dropped", String(status.frames.dropped));
  put("shown", status.shown ? `${status.shown.median_ms.toFixed(0)} ms` : "–");
  stack(byId("times"), byId("times-key"), status.times);
  controls.status(status);
}

function showFigures({ count, density, focus, exposure, number, name, width, height }) {
  byId("empty").hidden = true;
  put("count", String(count));
  put("caption", `${name ?? `frame ${number}`}, ${width} × ${height}`);
  put("density", density ? `${thousands(density.per_ml)} per mL (${thousands(density.low_per_ml)} to ${thousands(density.high_per_ml)})` : "");
  const sharp = focus?.best > 0 ? focus.value / focus.best : 0;
  byId("focus").firstElementChild.style.width = percent(sharp).replace(" ", "");
  byId("focus").setAttribute("aria-valuenow", Math.round(100 * sharp));
  put("focus-text", `${Math.round(100 * sharp)} % of best`);
  const [span, tick] = byId("exposure").children;
  span.style.left = `${100 * exposure.low}%`;
  span.style.width = `${Math.max(100 * (exposure.high - exposure.low), 0.5)}%`;
  tick.style.left = `${100 * exposure.median}%`;
  put("exposure-text", `${Math.round(100 * exposure.low)} to ${Math.round(100 * exposure.high)} %`);
  const clipped = exposure.saturated > CLIPPED;
  put("clipping", clipped ? `${percent(exposure.saturated)} of the pixels are saturated.` : "");
  byId("clipping").classList.toggle("bad", clipped);
}

function showObject(object, observation) {
  byId("object").hidden = !object;
  byId("hint").hidden = Boolean(object);
  if (!object) return;
  const um = observation.pixel_size_um;
  const length = (px) => (um ? `${(px * um).toFixed(2)} µm` : `${px.toFixed(1)} px`);
  const rows = [
    ["Class", String(object.class)],
    ["Area", um ? `${(object.area_px * um * um).toFixed(1)} µm²` : `${object.area_px} px`],
    ["Diameter", length(object.diameter_px)],
    ["Centre", `${object.x.toFixed(1)}, ${object.y.toFixed(1)}`],
    ["Brightness", object.intensity_mean === null ? "–" : object.intensity_mean.toFixed(1)],
    ["Eccentricity", object.eccentricity.toFixed(2)],
    ["At the edge", object.touches_border ? "yes" : "no"],
  ];
  const list = byId("object");
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(() => {
      const row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      return row;
    }));
  }
  rows.forEach(([name, value], index) => {
    const [term, text] = list.children[index].children;
    term.textContent = name;
    text.textContent = value;
  });
}

async function showCharts() {
  if (document.hidden) return;
  const [seconds, sizes] = await Promise.all([ask("GET", "/api/counts"), ask("GET", "/api/histogram")]);
  const spark = sparkline(byId("sparkline"), seconds);
  put("spark-from", spark?.seconds > 0 ? ago(spark.seconds) : "");
  const [least, most] = spark ? [spark.least.toFixed(0), spark.most.toFixed(0)] : ["", ""];
  put("spark-range", spark ? `${least === most ? most : `${least} to ${most}`} per frame` : "");
  const unit = sizes.unit === "um" ? "µm" : "px";
  const drawn = histogram(byId("histogram"), sizes);
  put("median-size", drawn ? drawn.median.toFixed(1) : "–");
  put("size-unit", `${unit}, median`);
  put("size-total", drawn ? `${drawn.total.toLocaleString("en")} objects` : "");
  put("size-most", drawn ? `${drawn.end.toFixed(0)} ${unit}` : "");
}

function ago(seconds) {
  return seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}

function theme() {
  const root = document.documentElement;
  const stored = localStorage.getItem("theme");
  if (stored) root.dataset.theme = stored;
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

const view = new View({
  stage: byId("stage"),
  picture: byId("picture"),
  outlines: byId("outlines"),
  selected: showObject,
});
const controls = new Controls({ say });
const stream = new Stream({
  show(observation, bitmap) {
    view.show(observation, bitmap);
    showFigures(observation);
  },
  status: showStatus,
  fault(text) {
    troubles.stream = text;
    if (text) byId("stage").classList.add("stale");
    warn();
  },
});

byId("pause").addEventListener("click", (event) => {
  const paused = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", paused);
  event.target.textContent = paused ? "Go on" : "Pause";
  stream.pause(paused);
});
byId("toggle-outlines").addEventListener("click", (event) => {
  const visible = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", visible);
  view.setVisible(visible);
});

theme();
stream.follow();
controls.start();
// Whatever is wrong with the server, the stream says it.
const charts = () => showCharts().catch(() => {});
charts();
setInterval(charts, CHARTS_MS);
