// The frame, and the outlines over it as vectors: they stay crisp at any size. A selected object is followed from frame to frame.

// By class. Okabe and Ito's colours: told apart by the colour-blind, and bright enough on a dark frame.
const COLOURS = ["#f0e442", "#56b4e9", "#e69f00", "#cc79a7", "#2bd9a8", "#ff8a4c"];
const SELECTED = "#ffffff";
// A corner of the outline is cut by at most so much, in pixels of the frame: stairs become slopes, and no line moves further than that.
const CUT = 0.5;

export class View {
  constructor({ stage, picture, outlines, selected }) {
    Object.assign(this, { stage, picture, outlines, selected });
    this.observation = null;
    this.paths = [];
    this.visible = true;
    this.chosen = null;
    outlines.addEventListener("click", (event) => this.pick(event));
    outlines.addEventListener("keydown", (event) => this.step(event));
    new ResizeObserver(() => this.fit()).observe(stage);
  }

  show(observation, bitmap) {
    const { width, height } = observation;
    if (bitmap) {
      if (this.picture.width !== bitmap.width || this.picture.height !== bitmap.height) {
        Object.assign(this.picture, { width: bitmap.width, height: bitmap.height });
        this.stage.style.aspectRatio = `${width} / ${height}`;
        this.stage.style.maxWidth = `calc((100vh - 9rem) * ${width / height})`;
      }
      this.picture.getContext("2d").drawImage(bitmap, 0, 0);
    }
    this.observation = observation;
    this.paths = observation.objects.map((object) => pathOf(object.outline));
    this.follow();
    this.draw();
  }

  setVisible(visible) {
    this.visible = visible;
    this.draw();
  }

  // As many pixels as the screen has.
  fit() {
    const { width, height } = this.stage.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.outlines.width !== w || this.outlines.height !== h) Object.assign(this.outlines, { width: w, height: h });
    this.draw();
  }

  draw() {
    const context = this.outlines.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.outlines.width, this.outlines.height);
    if (!this.observation || !this.visible) return;
    const scale = this.outlines.width / this.observation.width;
    context.setTransform(scale, 0, 0, this.outlines.height / this.observation.height, 0, 0);
    const ratio = window.devicePixelRatio || 1;
    context.lineWidth = (1.6 * ratio) / scale;
    this.observation.objects.forEach((object, index) => {
      context.strokeStyle = COLOURS[Math.max(object.class - 1, 0) % COLOURS.length];
      // Objects that the frame's edge cuts are not wholly measured.
      context.globalAlpha = object.touches_border ? 0.55 : 1;
      context.stroke(this.paths[index]);
    });
    context.globalAlpha = 1;
    const index = this.index();
    if (index >= 0) {
      context.fillStyle = "rgb(255 255 255 / 18%)";
      context.fill(this.paths[index], "evenodd");
      context.strokeStyle = SELECTED;
      context.lineWidth = (3 * ratio) / scale;
      context.stroke(this.paths[index]);
    }
  }

  index() {
    return this.chosen ? this.observation.objects.indexOf(this.chosen) : -1;
  }

  choose(object) {
    this.chosen = object;
    this.draw();
    this.selected(object, this.observation);
  }

  // The object nearest to where the selected one was, if it is no further than that one is wide.
  follow() {
    if (!this.chosen) return;
    const away = (object) => Math.hypot(object.x - this.chosen.x, object.y - this.chosen.y);
    let nearest = null;
    for (const object of this.observation.objects) {
      if (away(object) <= this.chosen.diameter_px && (!nearest || away(object) < away(nearest))) nearest = object;
    }
    this.chosen = nearest;
    this.selected(nearest, this.observation);
  }

  pick(event) {
    if (!this.observation) return;
    const box = this.outlines.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.observation.width;
    const y = ((event.clientY - box.top) / box.height) * this.observation.height;
    const context = this.outlines.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    const index = this.paths.findIndex((path) => context.isPointInPath(path, x, y, "evenodd"));
    this.choose(this.observation.objects[index] ?? null);
  }

  step(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const objects = this.observation?.objects ?? [];
    if (event.key === "Escape") this.choose(null);
    if (!(event.key in steps) || objects.length === 0) return;
    event.preventDefault();
    const from = this.index();
    const to = from < 0 && steps[event.key] < 0 ? objects.length - 1 : from + steps[event.key];
    this.choose(objects[(to + objects.length) % objects.length]);
  }
}

// A path through rings of corners (x and y in turn) along the edges of pixels, with every corner cut.
function pathOf(rings) {
  const path = new Path2D();
  for (const ring of rings) {
    const count = ring.length / 2;
    for (let corner = 0; corner < count; corner++) {
      const [before, after] = [(corner + count - 1) % count, (corner + 1) % count];
      const from = towards(ring, corner, before);
      if (corner === 0) path.moveTo(...from);
      else path.lineTo(...from);
      path.lineTo(...towards(ring, corner, after));
    }
    path.closePath();
  }
  return path;
}

// The point on the line from one corner to another where the cut is.
function towards(ring, from, to) {
  const [x, y] = [ring[2 * from], ring[2 * from + 1]];
  const [dx, dy] = [ring[2 * to] - x, ring[2 * to + 1] - y];
  const share = Math.min(CUT / (Math.abs(dx) + Math.abs(dy)), 0.5);
  return [x + share * dx, y + share * dy];
}
