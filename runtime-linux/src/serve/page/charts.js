// Small charts, as SVG whose colours the style sheet gives.

const NAMESPACE = "http://www.w3.org/2000/svg";
// The charts' own units; they are stretched to the place that there is.
const [WIDTH, HEIGHT] = [300, 100];
const MOST_COLUMNS = 32;
// What the histogram leaves out at its upper end: single giants would press all others together.
const TAIL = 0.005;

function shape(name, attributes) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function redraw(svg, ...shapes) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const baseline = shape("line", { class: "baseline", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT });
  svg.replaceChildren(baseline, ...shapes);
}

// Objects per frame, a point per second. Gives the seconds that are shown, and the least and the most.
export function sparkline(svg, seconds) {
  const points = seconds.filter((second) => second.frames > 0);
  if (points.length === 0) {
    redraw(svg);
    return null;
  }
  const values = points.map(({ objects, frames }) => objects / frames);
  const [first, last] = [points[0].second, points[points.length - 1].second];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const top = Math.max(most * 1.1, 1);
  const x = (second) => (last > first ? ((second - first) / (last - first)) * WIDTH : WIDTH);
  const line = points.map(({ second }, index) => `${x(second).toFixed(1)},${(HEIGHT * (1 - values[index] / top)).toFixed(1)}`);
  const area = `${x(first)},${HEIGHT} ${line.join(" ")} ${x(last)},${HEIGHT}`;
  redraw(svg, shape("polygon", { class: "area", points: area }), shape("polyline", { class: "trace", points: line.join(" ") }));
  return { seconds: last - first, least, most };
}

// Sizes. Gives the median, the end of the axis, and how many objects there are.
export function histogram(svg, { bin_width: width, counts }) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) {
    redraw(svg);
    return null;
  }
  const rank = (share) => {
    let seen = 0;
    return counts.findIndex((count) => (seen += count) >= total * share);
  };
  const [median, end] = [rank(0.5), rank(1 - TAIL) + 1];
  const each = Math.ceil(end / MOST_COLUMNS);
  const columns = Array.from({ length: Math.ceil(end / each) }, (_, column) =>
    counts.slice(column * each, (column + 1) * each).reduce((sum, count) => sum + count, 0));
  const most = Math.max(...columns);
  const step = WIDTH / columns.length;
  const bars = columns.map((count, column) => {
    const height = (count / most) * HEIGHT;
    return shape("rect", { class: "column", x: column * step + 0.5, y: HEIGHT - height, width: Math.max(step - 1, 0.5), height });
  });
  const at = ((median + 0.5) / (columns.length * each)) * WIDTH;
  redraw(svg, ...bars, shape("line", { class: "median", x1: at, x2: at, y1: 0, y2: HEIGHT }));
  return { median: (median + 0.5) * width, end: columns.length * each * width, total };
}

const PARTS = [
  ["waited", "Waiting"],
  ["segment", "Network and measurement"],
  ["record", "Recording"],
  ["encode", "Picture, meanwhile"],
];

// Where the time goes: a bar of parts, and what they are.
export function stack(bar, key, times) {
  const parts = PARTS.map(([name, text]) => ({ name, text, ms: times[`${name}_ms`] }));
  const total = parts.reduce((sum, part) => sum + part.ms, 0) || 1;
  if (bar.children.length === 0) {
    for (const { name, text } of parts) {
      bar.append(Object.assign(document.createElement("div"), { className: name }));
      const item = Object.assign(document.createElement("li"), { className: name });
      item.append(Object.assign(document.createElement("span"), { className: "name", textContent: text }));
      item.append(Object.assign(document.createElement("span"), { className: "ms" }));
      key.append(item);
    }
  }
  parts.forEach(({ ms }, index) => {
    bar.children[index].style.width = `${(100 * ms) / total}%`;
    key.children[index].lastChild.textContent = `${ms.toFixed(1)} ms`;
  });
}
