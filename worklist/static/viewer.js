// The viewer: frames with every bit of their depth, windowed on the graphics card (WebGL 2).
"use strict";

const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

// Words go to the card as they are, as unsigned integers; a window is applied to each of them and
// what it gives is averaged, so that a small picture of a frame shows what a large one does.
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D words;
uniform usampler2D table;
uniform sampler2D heat;
uniform mat3 toImage;
uniform vec2 size;
uniform float height;
uniform float step;
uniform float slope, intercept, center, width;
uniform int kind;
uniform float first, highest, count;
uniform bool inverted;
uniform vec2 padding;
uniform float opacity;
out vec4 colour;

float brightness(float value) {
  if (kind == 3) {
    float index = clamp(floor(value + 0.5) - first, 0.0, count - 1.0);
    int place = int(index);
    return float(texelFetch(table, ivec2(place % 256, place / 256), 0).r) / highest;
  }
  if (kind == 2) return 1.0 / (1.0 + exp(clamp(-4.0 * (value - center) / width, -80.0, 80.0)));
  float middle = kind == 1 ? center : center - 0.5;
  float span = kind == 1 ? width : width - 1.0;
  if (span <= 0.0) return value > middle ? 1.0 : 0.0;
  return clamp((value - middle) / span + 0.5, 0.0, 1.0);
}

float shade(ivec2 place) {
  place = clamp(place, ivec2(0), ivec2(size) - 1);
  float word = float(texelFetch(words, place, 0).r);
  if (word >= padding.x && word <= padding.y) return 0.0;
  float shown = brightness(word * slope + intercept);
  return inverted ? 1.0 - shown : shown;
}

float between(vec2 at) {
  vec2 corner = at - 0.5;
  vec2 share = fract(corner);
  ivec2 place = ivec2(floor(corner));
  float upper = mix(shade(place), shade(place + ivec2(1, 0)), share.x);
  float lower = mix(shade(place + ivec2(0, 1)), shade(place + ivec2(1, 1)), share.x);
  return mix(upper, lower, share.y);
}

void main() {
  vec2 pixel = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 at = (toImage * vec3(pixel, 1.0)).xy;
  if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, size))) {
    colour = vec4(0.0, 0.0, 0.0, 1.0);
    return;
  }
  float shown = 0.0;
  int side = int(clamp(ceil(step), 1.0, 6.0));
  if (side == 1) {
    shown = between(at);
  } else {
    for (int row = 0; row < side; row++)
      for (int column = 0; column < side; column++) {
        vec2 offset = (vec2(float(column), float(row)) + 0.5) / float(side) - 0.5;
        shown += shade(ivec2(floor(at + offset * step)));
      }
    shown /= float(side * side);
  }
  vec3 film = vec3(shown);
  if (opacity > 0.0) {
    float hot = texture(heat, at / size).r;
    vec3 glow = mix(vec3(1.0, 0.82, 0.25), vec3(1.0, 0.25, 0.12), hot);
    film = mix(film, glow, opacity * smoothstep(0.15, 0.75, hot));
  }
  colour = vec4(film, 1.0);
}`;

const KINDS = { LINEAR: 0, LINEAR_EXACT: 1, SIGMOID: 2 };
const MOST_KEPT_BYTES = 300e6;

// Frames that were fetched, the newest last; those of the next case are fetched ahead.
const kept = new Map();

function fetchFrame(uid, ahead = false) {
  if (!kept.has(uid)) {
    const coming = loadFrame(uid, ahead);
    kept.set(uid, coming);
    coming.catch(() => kept.delete(uid));
  } else {
    const coming = kept.get(uid);
    kept.delete(uid);
    kept.set(uid, coming);
  }
  coolDown();
  return kept.get(uid);
}

async function loadFrame(uid, ahead) {
  const headers = ahead ? { "X-Ahead": "yes" } : {};
  const response = await fetch(`/api/v1/images/${encodeURIComponent(uid)}/frame`, { headers });
  if (!response.ok) throw new Error((await response.json()).detail);
  const bytes = await response.arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(bytes, 4, length));
  return { ...JSON.parse(text), words: new Uint16Array(bytes, 4 + length), bytes: bytes.byteLength };
}

async function coolDown() {
  let held = 0;
  for (const [uid, coming] of [...kept].reverse()) {
    const frame = await coming.catch(() => null);
    held += frame ? frame.bytes : 0;
    if (held > MOST_KEPT_BYTES) kept.delete(uid);
  }
}

class View {
  constructor(place) {
    this.element = document.createElement("div");
    this.element.className = "view";
    this.canvas = document.createElement("canvas");
    this.overlay = document.createElement("canvas");
    this.element.append(this.canvas, this.overlay);
    this.corners = {};
    for (const name of ["left-top", "right-top", "left-bottom"]) {
      this.corners[name] = document.createElement("div");
      this.corners[name].className = `corner ${name}`;
      this.element.append(this.corners[name]);
    }
    place.append(this.element);
    this.gl = this.canvas.getContext("webgl2", { preserveDrawingBuffer: true, antialias: false });
    if (this.gl) this.prepare();
    this.listen();
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
  }

  prepare() {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.bindAttribLocation(program, 0, "corner");
    gl.vertexAttribPointer(gl.getAttribLocation(program, "corner"), 2, gl.FLOAT, false, 0, 0);
    this.place = (name) => gl.getUniformLocation(program, name);
    this.textures = ["words", "table", "heat"].map((name, unit) => {
      const texture = gl.createTexture();
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      const smooth = name === "heat" ? gl.LINEAR : gl.NEAREST;
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, smooth);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, smooth);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
      gl.uniform1i(this.place(name), unit);
      return texture;
    });
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.upload(1, gl.R16UI, 256, 256, gl.RED_INTEGER, gl.UNSIGNED_SHORT, new Uint16Array(65536));
    this.upload(2, gl.R8, 1, 1, gl.RED, gl.UNSIGNED_BYTE, new Uint8Array(1));
  }

  upload(unit, kind, columns, rows, format, type, values) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.texImage2D(gl.TEXTURE_2D, 0, kind, columns, rows, 0, format, type, values);
  }

  async show(image) {
    this.image = image;
    this.frame = null;
    this.element.querySelector(".problem")?.remove();
    this.wipe();
    this.element.dataset.uid = image.uid;
    delete this.element.dataset.shown;
    this.turns = 0;
    this.flipped = false;
    this.turnedOver = false;
    this.line = null;
    this.heatmap = false;
    if (image.removal) return this.say(`Its ${image.removal}. The PACS may send them again.`);
    if (!this.gl) return this.fallBack(image, "this browser has no WebGL 2, so the file's own window is shown");
    try {
      const frame = await fetchFrame(image.uid);
      if (this.image !== image) return;
      const most = this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE);
      if (Math.max(frame.rows, frame.columns) > most) {
        return this.fallBack(image, `it is larger than the ${most} pixels that this graphics card takes`);
      }
      this.take(frame);
    } catch (error) {
      if (this.image === image) this.complain(error.message);
    }
    if (image.has_heatmap) this.loadHeat(image);
  }

  // Nothing of one image stays under the name of the next.
  wipe() {
    this.gl?.clearColor(0, 0, 0, 1);
    this.gl?.clear(this.gl.COLOR_BUFFER_BIT);
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height);
    for (const corner of Object.values(this.corners)) corner.textContent = "";
  }

  take(frame) {
    this.frame = frame;
    const gl = this.gl;
    this.upload(0, gl.R16UI, frame.columns, frame.rows, gl.RED_INTEGER, gl.UNSIGNED_SHORT, frame.words);
    if (frame.voi_lut) {
      const table = new Uint16Array(65536);
      table.set(frame.voi_lut.entries.slice(0, 65536));
      this.upload(1, gl.R16UI, 256, 256, gl.RED_INTEGER, gl.UNSIGNED_SHORT, table);
    }
    this.presets = presetsOf(frame);
    this.preset = 0;
    this.window = { ...this.presets[0] };
    this.fit();
    this.element.dataset.shown = "yes";
    this.element.dispatchEvent(new CustomEvent("shown", { bubbles: true }));
  }

  fallBack(image, why) {
    const picture = document.createElement("img");
    picture.src = `/api/v1/images/${encodeURIComponent(image.uid)}/picture?side=2048`;
    picture.alt = "radiograph";
    picture.style.objectFit = "contain";
    const box = this.complain(why);
    box.prepend(picture);
  }

  complain(why) {
    return this.say(`This image cannot be shown in full: ${why}.`);
  }

  say(sentence) {
    const box = document.createElement("p");
    box.className = "problem";
    box.textContent = sentence;
    this.element.append(box);
    return box;
  }

  async loadHeat(image) {
    const response = await fetch(`/api/v1/images/${encodeURIComponent(image.uid)}/heatmap`);
    if (!response.ok || this.image !== image) return;
    const picture = await createImageBitmap(await response.blob());
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE2);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, gl.RED, gl.UNSIGNED_BYTE, picture);
    this.hasHeat = image;
    this.draw();
  }

  // The way from a pixel of the canvas to one of the image, and back.
  ways() {
    const { columns, rows } = this.frame;
    const angle = (this.turns * Math.PI) / 2;
    const cos = Math.round(Math.cos(angle)), sin = Math.round(Math.sin(angle));
    const mirror = this.flipped ? -1 : 1;
    const a = mirror * cos * this.zoom, b = -sin * this.zoom;
    const c = mirror * sin * this.zoom, d = cos * this.zoom;
    let x = this.canvas.width / 2 + this.shift[0] - (a * columns) / 2 - (b * rows) / 2;
    let y = this.canvas.height / 2 + this.shift[1] - (c * columns) / 2 - (d * rows) / 2;
    if (this.zoom === 1) [x, y] = [Math.round(x), Math.round(y)]; // pixel upon pixel
    const size = a * d - b * c;
    return {
      toCanvas: (p, q) => [a * p + b * q + x, c * p + d * q + y],
      toImage: (p, q) => [
        (d * (p - x) - b * (q - y)) / size,
        (a * (q - y) - c * (p - x)) / size,
      ],
      matrix: [d / size, -c / size, 0, -b / size, a / size, 0,
        (b * y - d * x) / size, (c * x - a * y) / size, 1],
    };
  }

  measure() {
    const ratio = window.devicePixelRatio || 1;
    const columns = Math.max(1, Math.round(this.element.clientWidth * ratio));
    const rows = Math.max(1, Math.round(this.element.clientHeight * ratio));
    for (const canvas of [this.canvas, this.overlay]) {
      if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
    }
  }

  fit() {
    this.measure();
    const turned = this.turns % 2 === 1;
    const columns = turned ? this.frame.rows : this.frame.columns;
    const rows = turned ? this.frame.columns : this.frame.rows;
    this.zoom = Math.min(this.canvas.width / columns, this.canvas.height / rows);
    this.shift = [0, 0];
    this.fitted = true;
    this.draw();
  }

  one() {
    this.zoom = 1;
    this.shift = [0, 0];
    this.fitted = false;
    this.draw();
  }

  draw() {
    if (!this.frame || !this.gl) return;
    this.measure();
    if (this.fitted) {
      const turned = this.turns % 2 === 1;
      const [columns, rows] = turned ? [this.frame.rows, this.frame.columns] : [this.frame.columns, this.frame.rows];
      this.zoom = Math.min(this.canvas.width / columns, this.canvas.height / rows);
    }
    const gl = this.gl, frame = this.frame, lut = this.window.lut;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    const number = (name, value) => gl.uniform1f(this.place(name), value);
    gl.uniformMatrix3fv(this.place("toImage"), false, this.ways().matrix);
    gl.uniform2f(this.place("size"), frame.columns, frame.rows);
    number("height", this.canvas.height);
    number("step", 1 / this.zoom);
    number("slope", frame.slope);
    number("intercept", frame.intercept);
    number("center", this.window.center ?? 0);
    number("width", this.window.width ?? 1);
    gl.uniform1i(this.place("kind"), lut ? 3 : KINDS[this.window.function] ?? 0);
    number("first", lut ? frame.voi_lut.first : 0);
    number("highest", lut ? frame.voi_lut.highest : 1);
    number("count", lut ? frame.voi_lut.entries.length : 1);
    gl.uniform1i(this.place("inverted"), frame.inverted !== this.turnedOver ? 1 : 0);
    gl.uniform2f(this.place("padding"), ...(frame.padding ?? [1, 0]));
    const glows = this.heatmap && this.hasHeat === this.image;
    number("opacity", glows ? this.opacity : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    this.drawLine();
    this.describe();
  }

  drawLine() {
    const pen = this.overlay.getContext("2d");
    pen.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (!this.line) return;
    const { toCanvas } = this.ways();
    const [from, to] = [toCanvas(...this.line[0]), toCanvas(...this.line[1])];
    pen.lineWidth = 2;
    pen.strokeStyle = pen.fillStyle = "#8fe3ff";
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
    for (const [x, y] of [from, to]) pen.fillRect(x - 3, y - 3, 6, 6);
    pen.font = "16px system-ui, sans-serif";
    pen.shadowColor = "#000";
    pen.shadowBlur = 4;
    pen.fillText(this.lengthInWords(), to[0] + 10, to[1] - 8);
  }

  lengthInWords() {
    const [[x, y], [p, q]] = this.line;
    const spacing = this.frame.spacing;
    if (!spacing) return `${Math.hypot(p - x, q - y).toFixed(0)} pixels (spacing unknown)`;
    const length = Math.hypot((p - x) * spacing.column, (q - y) * spacing.row).toFixed(1);
    return spacing.at_detector ? `${length} mm at the detector` : `${length} mm`;
  }

  describe() {
    const image = this.image, shown = this.window;
    const side = { L: "left", R: "right", B: "both" }[image.laterality] ?? image.laterality ?? "";
    this.corners["left-top"].textContent = [image.view ?? "", side].filter(Boolean).join("  ");
    this.corners["right-top"].textContent = image.score === null ? "" :
      `${image.verdict.replace("_", " ")} ${image.score === 1 ? "1.00" : Math.min(image.score, 0.99).toFixed(2)}`;
    const values = shown.lut ? shown.name :
      `C ${shown.center.toFixed(0)}  W ${shown.width.toFixed(0)}`;
    this.corners["left-bottom"].textContent =
      `${values}\n${(this.zoom * 100).toFixed(0)} %  ${this.frame.columns} x ${this.frame.rows}` +
      (this.line ? `\n${this.lengthInWords()}` : "");
  }

  listen() {
    const at = (event) => {
      const ratio = this.canvas.width / this.element.clientWidth;
      const box = this.element.getBoundingClientRect();
      return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    };
    let from = null;
    this.element.addEventListener("pointerdown", (event) => {
      this.element.dispatchEvent(new CustomEvent("chosen", { bubbles: true }));
      if (!this.frame) return;
      this.element.setPointerCapture(event.pointerId);
      from = { at: at(event), window: { ...this.window }, shift: [...this.shift] };
      from.pans = event.button === 1 || event.button === 2 || event.shiftKey;
      if (this.measures && !from.pans) {
        const start = this.ways().toImage(...from.at);
        this.line = [start, start];
      }
    });
    this.element.addEventListener("pointermove", (event) => {
      if (!from || !this.frame) return;
      const to = at(event), [right, down] = [to[0] - from.at[0], to[1] - from.at[1]];
      if (from.pans) {
        this.shift = [from.shift[0] + right, from.shift[1] + down];
        this.fitted = false;
      } else if (this.measures && this.line) {
        this.line[1] = this.ways().toImage(...to);
      } else {
        this.drag(from.window, right, down);
      }
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"]) this.element.addEventListener(name, () => (from = null));
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    this.element.addEventListener("wheel", (event) => {
      if (!this.frame) return;
      event.preventDefault();
      const [x, y] = at(event);
      const [p, q] = this.ways().toImage(x, y);
      this.zoom = Math.min(20, Math.max(0.02, this.zoom * Math.exp(-event.deltaY / 500)));
      this.fitted = false;
      const [left, top] = this.ways().toCanvas(p, q);
      this.shift = [this.shift[0] + x - left, this.shift[1] + y - top];
      this.draw();
    }, { passive: false });
  }

  // Right widens the window, down lowers its centre: the whole range over 800 pixels of the screen.
  drag(before, right, down) {
    const range = Math.max(1, this.frame.highest - this.frame.lowest) / 800;
    const start = before.lut ? presetsOf(this.frame).at(-1) : before;
    const sense = this.frame.inverted !== this.turnedOver ? -1 : 1;
    this.window = {
      name: "by hand",
      function: start.function,
      center: start.center - sense * down * range,
      width: Math.max(2, start.width + right * range),
    };
  }

  close() {
    this.watcher.disconnect();
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
    this.element.remove();
  }
}

function presetsOf(frame) {
  const found = frame.windows.map((each, index) => ({ ...each, name: each.name || `window ${index + 1}` }));
  if (frame.voi_lut) found.unshift({ name: "table of the file", lut: true });
  const width = Math.max(1, frame.highest - frame.lowest);
  found.push({ name: "all values", center: frame.lowest + width / 2, width, function: "LINEAR_EXACT" });
  return found;
}

// A study on the stage: its views, its tools and its strip.
class Stage {
  constructor(element) {
    this.element = element;
    this.images = JSON.parse(element.dataset.images);
    this.place = element.querySelector("#views");
    this.views = [];
    this.tools = {};
    for (const tool of element.querySelectorAll("[data-tool]")) this.tools[tool.dataset.tool] = tool;
    this.strip(element.querySelector("#strip"));
    this.listen();
    const first = this.images.findIndex((image) => image.has_frame);
    this.open([Math.max(0, this.hottest() ?? first)]);
    for (const uid of JSON.parse(element.dataset.nextImages)) this.ahead(uid);
  }

  // The image that decided the verdict comes first.
  hottest() {
    const scored = this.images.map((image, index) => [image.score, index]).filter(([score]) => score !== null);
    return scored.length ? scored.reduce((best, each) => (each[0] > best[0] ? each : best))[1] : undefined;
  }

  ahead(uid) {
    // Not before what was asked for is on the screen: two large frames would wait for each other.
    const fetchIt = () => fetchFrame(uid, true).catch(() => {});
    const onceDrawn = () => requestAnimationFrame(() => requestAnimationFrame(fetchIt));
    this.place.addEventListener("shown", onceDrawn, { once: true });
  }

  strip(list) {
    this.thumbs = this.images.map((image, index) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.title = `Image ${index + 1}`;
      button.addEventListener("click", () => this.switchTo(index));
      if (image.has_frame) {
        const picture = document.createElement("img");
        picture.alt = `Image ${index + 1}`;
        picture.loading = "lazy";
        picture.src = `/api/v1/images/${encodeURIComponent(image.uid)}/picture?side=128`;
        picture.addEventListener("error", () => button.replaceChildren(`Image ${index + 1}`));
        button.append(picture);
      } else {
        button.textContent = `Image ${index + 1}`;
      }
      item.append(button);
      list.append(item);
      return button;
    });
  }

  open(indices) {
    this.views.forEach((view) => view.close());
    this.views = indices.map(() => new View(this.place));
    this.shown = indices;
    indices.forEach((index, place) => {
      this.views[place].opacity = this.tools.opacity.value / 100;
      if (this.images[index]) this.views[place].show(this.images[index]);
    });
    this.choose(0);
  }

  choose(place) {
    this.chosen = place;
    this.views.forEach((view, index) => view.element.classList.toggle("chosen", index === place && this.views.length > 1));
    this.thumbs.forEach((button, index) => button.setAttribute("aria-current", index === this.shown[place]));
    this.mirror();
  }

  get view() {
    return this.views[this.chosen];
  }

  switchTo(index) {
    if (!this.images[index]) return;
    this.shown[this.chosen] = index;
    this.view.show(this.images[index]);
    this.choose(this.chosen);
  }

  // The tools show the state of the chosen view.
  mirror() {
    const view = this.view, press = (name, on) => this.tools[name].setAttribute("aria-pressed", Boolean(on));
    press("invert", view.turnedOver);
    press("flip", view.flipped);
    press("measure", view.measures);
    press("heat", view.heatmap);
    press("side", this.views.length > 1);
    this.tools.heat.disabled = this.tools.opacity.disabled = !view.image?.has_heatmap;
    const choices = (view.frame ? view.presets : []).map((preset, index) => new Option(preset.name, index));
    this.tools.window.replaceChildren(...choices);
    this.tools.window.selectedIndex = view.preset ?? 0;
  }

  listen() {
    for (const [name, tool] of Object.entries(this.tools)) {
      const kind = name === "window" || name === "opacity" ? "input" : "click";
      tool.addEventListener(kind, () => this.use(name));
    }
    this.place.addEventListener("chosen", (event) => {
      const place = this.views.findIndex((view) => view.element === event.target);
      if (place !== this.chosen) this.choose(place);
    });
    this.place.addEventListener("shown", () => this.mirror());
    for (const button of this.element.querySelectorAll("[data-show]")) {
      button.addEventListener("click", () => this.switchTo(Number(button.dataset.show)));
    }
  }

  use(name) {
    const view = this.view;
    if (name === "side") return this.sideBySide();
    if (name === "opacity") this.views.forEach((each) => (each.opacity = this.tools.opacity.value / 100));
    if (!view.frame) return;
    if (name === "fit") view.fit();
    if (name === "one") view.one();
    if (name === "invert") view.turnedOver = !view.turnedOver;
    if (name === "rotate") view.turns = (view.turns + 1) % 4;
    if (name === "flip") view.flipped = !view.flipped;
    if (name === "measure") this.measure(view);
    if (name === "heat") view.heatmap = !view.heatmap && view.image.has_heatmap;
    if (name === "window") {
      view.preset = this.tools.window.selectedIndex;
      view.window = { ...view.presets[view.preset] };
    }
    this.views.forEach((each) => each.draw());
    if (name !== "window") this.mirror();
  }

  measure(view) {
    view.measures = !view.measures;
    if (!view.measures) view.line = null;
  }

  nextWindow() {
    const count = this.tools.window.options.length;
    if (!count) return;
    this.tools.window.selectedIndex = (this.tools.window.selectedIndex + 1) % count;
    this.use("window");
  }

  sideBySide() {
    if (this.views.length > 1) return this.open([this.shown[this.chosen]]);
    const framed = this.images.map((image, index) => index).filter((index) => this.images[index].has_frame);
    const here = this.shown[0];
    const others = framed.filter((index) => index !== here);
    if (others.length) this.open([here, ...others.slice(0, 1)]);
  }

  step(by) {
    const count = this.images.length;
    this.switchTo((this.shown[this.chosen] + by + count) % count);
  }

  close() {
    this.views.forEach((view) => view.close());
  }
}

window.nightread = { Stage, stage: null };
