"use strict";
// Charts of the report and of `hybridode watch`: axes, paths, and for drawings of hybridode/report/chart.py zoom, reading and saving.
const charts = (() => {
const SVG = "http://www.w3.org/2000/svg", LETTER = 6.7;
const raised = k => String(k).replace(/[-0-9]/g, c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
const short = (x, digits = 5) => {
  if (x === null || x === undefined || !isFinite(x)) return "–";
  const [head, power] = String(Number(x.toPrecision(digits))).split("e");
  return (head + (power ? "×10" + raised(Number(power)) : "")).replace("-", "−");
};

function node(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Ticks as [place, text]: round values between two ends; of a logarithmic axis (ends are logarithms) decades, or round values within one.
function ticks(low, high, most, log, whole) {
  if (log && high - low >= 1.5) {
    const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9), every = Math.max(1, Math.ceil((last - first + 1) / most));
    const found = [];
    for (let k = first; k <= last; k += every) found.push([k, k >= -2 && k <= 3 ? short(10 ** k) : "10" + raised(k)]);
    return found;
  }
  if (log) return ticks(10 ** low, 10 ** high, most).map(([v, text]) => [Math.log10(v), text]);
  const raw = (high - low) / most, base = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(whole ? 1 : 0, [1, 2, 5, 10].map(k => k * base).find(s => s >= 0.7 * raw)), found = [];
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9; k++) {
    const v = k * step, size = Math.floor(Math.log10(Math.max(Math.abs(v), step)) + 1e-12);
    const text = k === 0 ? "0" : size >= 6 || step < 3e-5 ? short(v) : v.toFixed(Math.min(decimals, 12)).replace("-", "−");
    found.push([v, text]);
  }
  return found;
}

const shortened = text => text.length <= 22 ? text : text.slice(0, 21) + "…";  // as MOST_LETTERS of chart.py

// Draws grid, ticks and labels into `group`. x and y: {low, high, log, label, ticks}; ends of logarithmic axes are logarithms.
function frame(group, box, x, y) {
  const px = v => box.left + (v - x.low) / (x.high - x.low) * (box.right - box.left);
  const py = v => box.bottom - (v - y.low) / (y.high - y.low) * (box.bottom - box.top);
  group.replaceChildren();
  let last = -1e9;
  const wide = Math.max(2, Math.min(9, Math.floor((box.right - box.left) / 70)));
  for (const [v, text] of x.ticks || ticks(x.low, x.high, wide, x.log, x.whole)) {
    const at = px(v);
    if (at < box.left - .5 || at > box.right + .5) continue;
    group.append(node("path", {class: "grid", d: `M${at.toFixed(1)} ${box.top}V${box.bottom}`}));
    if (at - last < LETTER * text.length + 6) continue;
    group.append(node("text", {class: "tick", x: at.toFixed(1), y: box.bottom + 16, "text-anchor": "middle"}, text));
    last = at;
  }
  for (const [v, text] of y.ticks || ticks(y.low, y.high, 5, y.log, y.whole)) {
    const at = py(v);
    if (at < box.top - .5 || at > box.bottom + .5) continue;
    group.append(node("path", {class: "grid", d: `M${box.left} ${at.toFixed(1)}H${box.right}`}));
    group.append(node("text", {class: "tick", x: box.left - 7, y: (at + 4).toFixed(1), "text-anchor": "end"}, shortened(text)));
  }
  group.append(node("path", {class: "edge", d: `M${box.left} ${box.bottom}H${box.right}`}));
  const half = LETTER * (x.label || "").length / 2, middle = Math.max(half, Math.min((box.left + box.right) / 2, box.right + 14 - half));
  group.append(node("text", {class: "label", x: middle, y: box.bottom + 36, "text-anchor": "middle"}, x.label || ""));
  group.append(node("text", {class: "label", x: 0, y: box.top - 11}, y.label || ""));
  return [px, py];
}

const line = (xs, ys, px, py) => {
  let text = "", pen = false;
  xs.forEach((x, i) => {
    if (x === null || ys[i] === null) { pen = false; return; }
    text += (pen ? "L" : "M") + px(x).toFixed(1) + " " + py(ys[i]).toFixed(1);
    pen = true;
  });
  return text;
};
const band = (xs, low, high, px, py) => line(xs, high, px, py) + line([...xs].reverse(), [...low].reverse(), px, py).replace("M", "L") + "Z";
const dots = (xs, ys, px, py) => xs.map((x, i) => x === null || ys[i] === null ? "" : `M${px(x).toFixed(1)} ${py(ys[i]).toFixed(1)}h0`).join("");

// ---- a drawing that is on the page --------------------------------------------------------------------------------------------------
function numbers(text) { return text.split(" ").map(Number); }

function axisOf(svg, name) {
  const [low, high, log, whole] = numbers(svg.dataset[name]);
  const named = svg.dataset[name + "ticks"];
  const on = v => log ? Math.log10(v) : v;
  return {low: on(low), high: on(high), log: !!log, whole: !!whole, ticks: named ? JSON.parse(named).map(([v, t]) => [on(v), t]) : null};
}

// A path as steps [command, u, v] with u and v from 0 to 1 across the plot; glyphs keep their pixels round a centre.
function steps(path, box) {
  const found = [], glyph = Number(path.dataset.glyph || 0);
  const u = x => (x - box.left) / (box.right - box.left), v = y => (box.bottom - y) / (box.bottom - box.top);
  const tokens = path.getAttribute("d").match(/[MLZ]|h0|-?[\d.]+(?:e-?\d+)?/g) || [];
  for (let i = 0; i < tokens.length;) {
    const c = tokens[i++];
    if (c === "Z" || c === "h0") found.push([c]);
    else { found.push([c, u(Number(tokens[i])), v(Number(tokens[i + 1]))]); i += 2; }
  }
  if (!glyph) return {found};
  const centres = [];
  for (let i = 0; i < found.length; i += glyph + 1) {
    const corners = found.slice(i, i + glyph), up = corners[2][2] > corners[0][2] ? 1 : -1;
    const x = corners[2][1], y = (corners[0][2] + corners[2][2]) / 2;
    centres.push(["M", x, y, up]);
  }
  return {found: centres, glyph};
}

class Drawing {
  constructor(figure) {
    this.figure = figure;
    this.plot = figure.querySelector(".plot");
    this.svg = this.plot.querySelector("svg");
    const [left, top, right, bottom] = numbers(this.svg.dataset.box), [, , width, height] = numbers(this.svg.getAttribute("viewBox"));
    this.base = {left, top, right, bottom, width, height};
    this.box = {...this.base};
    this.x = axisOf(this.svg, "x");
    this.y = axisOf(this.svg, "y");
    const labels = this.svg.querySelectorAll(".frame .label");
    this.x.label = labels[0].textContent;
    this.y.label = labels[1].textContent;
    this.paths = [...this.svg.querySelectorAll(".marks path")].map(path => ({path, name: path.dataset.name || "", ...steps(path, this.base)}));
    this.rows = this.y.ticks && !this.svg.querySelector(".ramp");  // named rows, whose values lie along x
    this.view = [0, 1, 0, 1];
    this.over = node("g", {});
    this.svg.append(this.over);
    this.tools();
    this.key();
    this.listen();
    new ResizeObserver(() => this.fit()).observe(this.plot);
  }

  fit() {  // text stays as large as it is written: the drawing takes the width that there is
    const width = Math.round(this.plot.clientWidth);
    if (width < 120 || width === this.box.width) return;
    const height = width < 420 && !this.rows ? Math.min(this.base.height, 250) : this.base.height;
    this.box = {...this.base, width, height, right: width - (this.base.width - this.base.right), bottom: height - (this.base.height - this.base.bottom)};
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const area = this.svg.querySelector("clipPath rect");
    area.setAttribute("width", this.box.right - this.box.left);
    area.setAttribute("height", this.box.bottom - this.box.top);
    const ramp = this.svg.querySelector(".ramp");
    if (ramp) ramp.setAttribute("transform", `translate(${width - this.base.width} 0) `
      + (height === this.base.height ? "" : `translate(0 ${this.base.top}) scale(1 ${(this.box.bottom - this.box.top) / (this.base.bottom - this.base.top)}) translate(0 ${-this.base.top})`));
    this.draw();
  }

  px(u) { const [a, b] = this.view; return this.box.left + (u - a) / (b - a) * (this.box.right - this.box.left); }
  py(v) { const [, , c, d] = this.view; return this.box.bottom - (v - c) / (d - c) * (this.box.bottom - this.box.top); }
  seen(axis, a, b) { const wide = axis.high - axis.low; return {...axis, low: axis.low + a * wide, high: axis.low + b * wide}; }

  draw() {
    const [a, b, c, d] = this.view;
    frame(this.svg.querySelector(".frame"), this.box, this.seen(this.x, a, b), this.seen(this.y, c, d));
    const near = p => Math.max(-9999, Math.min(9999, p)).toFixed(2);
    for (const {path, found, glyph} of this.paths)
      path.setAttribute("d", found.map(([c, u, v, up]) => {
        if (u === undefined) return c;
        const x = this.px(u), y = this.py(v);
        return glyph ? `M${near(x - 4)} ${near(y + 3 * up)}L${near(x + 4)} ${near(y + 3 * up)}L${near(x)} ${near(y - 4 * up)}Z` : c + near(x) + " " + near(y);
      }).join(""));
    this.over.replaceChildren();
    this.back.hidden = !(a > 0 || b < 1 || c > 0 || d < 1);
  }

  zoom(a, b, c, d) {
    if (b - a < 1e-4 || d - c < 1e-4) return;
    this.view = [Math.max(0, a), Math.min(1, b), Math.max(0, c), Math.min(1, d)];
    this.draw();
  }

  closer(factor) {
    const [a, b, c, d] = this.view, at = this.at === undefined ? (a + b) / 2 : Math.min(b, Math.max(a, this.at)), half = (b - a) * factor / 2;
    const low = Math.max(0, Math.min(1 - 2 * half, at - half));
    this.zoom(low, Math.min(1, low + 2 * half), c, d);
  }

  // What stands at u (0 to 1), or nearest to (u, v): in words, and marked.
  read(u, v) {
    this.at = u;
    if (this.rows) { this.readRow(v === undefined ? this.row ?? this.y.ticks[0][0] : this.nearest(v)[0]); return; }
    const [a, b] = this.view, hits = [], reach = 0.06 * (b - a);
    const value = (axis, w) => { const x = axis.low + w * (axis.high - axis.low); return axis.log ? 10 ** x : x; };
    for (const {path, name, found} of this.paths) {
      if (path.style.display === "none") continue;
      if (path.dataset.level) {
        if (v !== undefined && this.holds(found, u, v)) hits.push({text: path.dataset.level, distance: 0});
        continue;
      }
      if (!name || path.classList.contains("bars") && v === undefined) continue;
      let best = null;
      for (const [c, x, y] of found) {
        if (x === undefined || !isFinite(y)) continue;
        const far = Math.abs(x - u) + (v === undefined || /band|known/.test(path.getAttribute("class")) ? 0 : 0.25 * Math.abs(y - v));
        if (best === null || far < best.far) best = {far, x, y};
      }
      if (best && path.matches(".at, .ends")) {
        if (Math.abs(best.x - u) <= reach / 3) hits.push({text: `${name} ${short(value(this.x, best.x), 4)}`, distance: 0});
        continue;
      }
      if (best && Math.abs(best.x - u) <= reach && !/band|known/.test(path.getAttribute("class"))) hits.push({...best, name, distance: v === undefined ? 0 : Math.abs(best.y - v)});
    }
    hits.sort((p, q) => p.distance - q.distance);
    const shown = hits.slice(0, 4);
    this.over.replaceChildren(node("path", {class: "cross", d: `M${this.px(u).toFixed(1)} ${this.box.top}V${this.box.bottom}`}));
    for (const h of shown) if (h.x !== undefined) this.over.append(node("circle", {class: "hit", cx: this.px(h.x), cy: this.py(h.y), r: 5}));
    const first = this.x.label.replace(/\s*\[.*\]$/, "");
    const where = this.x.ticks ? "" : `${first} ${short(value(this.x, u), 5)}`;
    const parts = shown.map(h => h.text || `${h.name} ${short(value(this.y, h.y), 4)}` + (this.x.ticks || Math.abs(h.x - u) < 0.004 * (b - a) ? "" : ` (at ${short(value(this.x, h.x), 5)})`));
    const row = shown.some(h => h.text) && v !== undefined ? [this.y.ticks ? this.nearest(v)[1] : `${this.y.label} ${Math.round(value(this.y, v))}`] : [];
    this.readout.textContent = [where, ...row, ...parts].filter(Boolean).join(" · ");
  }

  nearest(v) {
    const y = this.y.low + v * (this.y.high - this.y.low);
    return this.y.ticks.reduce((best, t) => Math.abs(t[0] - y) < Math.abs(best[0] - y) ? t : best);
  }

  readRow(at) {  // all values of the row at this place along y
    this.row = at;
    const v = (at - this.y.low) / (this.y.high - this.y.low), wide = this.x.high - this.x.low, parts = [];
    this.over.replaceChildren(node("path", {class: "cross", d: `M${this.box.left} ${this.py(v).toFixed(1)}H${this.box.right}`}));
    for (const {path, name, found} of this.paths) {
      if (!name || path.style.display === "none" || !path.matches(".dots, .small, .glyph")) continue;
      const point = found.find(([, x, y]) => x !== undefined && Math.abs(y - v) < 0.4 / (this.y.high - this.y.low));
      if (!point) continue;
      const x = this.x.low + point[1] * wide;
      this.over.append(node("circle", {class: "hit", cx: this.px(point[1]), cy: this.py(point[2]), r: 5}));
      parts.push(`${name} ${short(this.x.log ? 10 ** x : x, 4)}`);
    }
    this.readout.textContent = [this.y.ticks.find(t => t[0] === at)[1], ...parts].join(" · ");
  }

  nextRow(by) {
    const places = this.y.ticks.map(t => t[0]).sort((a, b) => a - b), now = places.indexOf(this.row);
    this.readRow(places[now < 0 ? places.length - 1 : Math.max(0, Math.min(places.length - 1, now + by))]);
  }

  holds(found, u, v) {  // rectangles of four corners
    for (let i = 0; i + 3 < found.length; i += 5) {
      const us = [found[i][1], found[i + 1][1]], vs = [found[i + 1][2], found[i + 2][2]];
      if (u >= Math.min(...us) && u <= Math.max(...us) && v >= Math.min(...vs) && v <= Math.max(...vs)) return true;
    }
    return false;
  }

  place(event) {  // of a pointer, from 0 to 1 across the plot
    const r = this.svg.getBoundingClientRect(), k = this.box.width / r.width, [a, b, c, d] = this.view;
    const x = ((event.clientX - r.left) * k - this.box.left) / (this.box.right - this.box.left);
    const y = (this.box.bottom - (event.clientY - r.top) * k) / (this.box.bottom - this.box.top);
    return {u: a + x * (b - a), v: c + y * (d - c), inside: x >= 0 && x <= 1 && y >= 0 && y <= 1};
  }

  quiet() { this.over.replaceChildren(); this.readout.textContent = ""; }

  listen() {
    const plot = this.plot;
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", this.figure.querySelector("figcaption").textContent + ": arrow keys read values, plus and minus zoom, 0 goes back");
    let from = null;
    plot.addEventListener("pointerdown", e => { if (e.button === 0 && this.place(e).inside) from = this.place(e); });
    plot.addEventListener("pointermove", e => {
      const to = this.place(e);
      if (from === null) { to.inside ? this.read(to.u, to.v) : this.quiet(); return; }
      const [x0, x1, y0, y1] = this.chosen(from, to).map((w, i) => i < 2 ? this.px(w) : this.py(w));
      this.over.replaceChildren(node("rect", {class: "box", x: x0, y: y1, width: x1 - x0, height: y0 - y1}));
    });
    plot.addEventListener("pointerup", e => {
      const to = this.place(e), start = from;
      from = null;
      if (start === null) return;
      if (Math.abs(this.px(to.u) - this.px(start.u)) > 8) this.zoom(...this.chosen(start, to));
      else this.read(to.u, to.v);
    });
    plot.addEventListener("pointercancel", () => { from = null; this.quiet(); });
    plot.addEventListener("pointerleave", e => { if (e.pointerType === "mouse") { from = null; this.quiet(); } });
    plot.addEventListener("dblclick", () => this.zoom(0, 1, 0, 1));
    plot.addEventListener("blur", () => this.quiet());
    plot.addEventListener("keydown", e => {
      const [a, b] = this.view, step = (b - a) / 40, at = this.at === undefined || this.at < a || this.at > b ? (a + b) / 2 : this.at;
      const rows = this.rows ? {ArrowUp: () => this.nextRow(1), ArrowDown: () => this.nextRow(-1), ArrowLeft: () => this.nextRow(1), ArrowRight: () => this.nextRow(-1)} : {};
      const go = {ArrowLeft: () => this.read(Math.max(a, at - step)), ArrowRight: () => this.read(Math.min(b, at + step)), Home: () => this.read(a), End: () => this.read(b),
        "+": () => this.closer(.5), "=": () => this.closer(.5), "-": () => this.closer(2), "0": () => this.zoom(0, 1, 0, 1), Escape: () => { this.zoom(0, 1, 0, 1); this.quiet(); }, ...rows}[e.key];
      if (!go || e.ctrlKey || e.metaKey || e.altKey) return;
      go();
      e.preventDefault();
    });
  }

  chosen(p, q) {  // a narrow choice in height means: all heights
    const order = (i, j) => i < j ? [i, j] : [j, i], [, , c, d] = this.view;
    const tall = Math.abs(this.py(p.v) - this.py(q.v)) > 40;
    return [...order(p.u, q.u), ...(tall ? order(p.v, q.v) : [c, d])];
  }

  key() {  // names of series become switches
    for (const item of this.figure.querySelectorAll(".key li")) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.append(...item.childNodes);
      item.append(button);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        for (const {path, name} of this.paths) if (name === item.dataset.name) {
          for (const p of [path, path.nextElementSibling]) if (p && (p === path || p.classList.contains("core"))) p.style.display = on ? "" : "none";
        }
      });
    }
  }

  tools() {
    const row = document.createElement("div"), button = (text, label, go) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.setAttribute("aria-label", label);
      made.addEventListener("click", go);
      row.append(made);
      return made;
    };
    const title = this.figure.querySelector("figcaption").textContent;
    row.className = "tools";
    this.readout = document.createElement("p");
    this.readout.className = "readout";
    this.readout.setAttribute("aria-live", "polite");
    row.append(this.readout);
    this.back = button("Whole", `Whole figure again: ${title}`, () => this.zoom(0, 1, 0, 1));
    this.back.hidden = true;
    button("SVG", `Save as SVG: ${title}`, () => save(this.figure.dataset.name + ".svg", "image/svg+xml", this.file(title)));
    const table = this.figure.querySelector('script[type="text/csv"]');
    if (table) button("CSV", `Save the numbers as CSV: ${title}`, () => save(this.figure.dataset.name + ".csv", "text/csv", table.textContent.trim().replace(/&lt;/g, "<").replace(/&amp;/g, "&") + "\n"));
    this.plot.after(row);
  }

  file(title) {  // the drawing as it looks now, with its colours written out
    const copy = this.svg.cloneNode(true), from = this.svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
    const looks = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "font-size", "font-family", "display"];
    from.forEach((element, i) => {
      const style = getComputedStyle(element);
      for (const look of looks) if (!to[i].hasAttribute(look)) to[i].setAttribute(look, style.getPropertyValue(look));
    });
    copy.setAttribute("xmlns", SVG);
    copy.setAttribute("width", this.box.width);
    copy.setAttribute("height", this.box.height);
    const ground = getComputedStyle(document.body).backgroundColor;
    copy.prepend(node("title", {}, title), node("rect", {width: this.box.width, height: this.box.height, fill: ground}));
    return new XMLSerializer().serializeToString(copy);
  }
}

function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: type + ";charset=utf-8"}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Where the machine has no font for mathematics, subscripts hardly leave the line: they are lowered there.
function lower() {
  for (const sub of document.querySelectorAll("msub")) {
    const [base, below] = [...sub.children].map(e => e.getBoundingClientRect());
    if (!base.height || !below.height) continue;
    if (below.bottom - base.bottom < 0.12 * base.height) document.documentElement.classList.add("lower");
    return;
  }
}

// Drawings come to life at once; of many, when they are near the window, so that the page stays quick to open.
function start() {
  const figures = document.querySelectorAll("figure.chart");
  const wake = new IntersectionObserver(found => {
    for (const entry of found) if (entry.isIntersecting) { wake.unobserve(entry.target); entry.target.drawing = new Drawing(entry.target); }
  }, {rootMargin: "1200px"});
  lower();
  figures.forEach((figure, i) => { if (i < 24 && !figure.closest("details:not([open])")) figure.drawing = new Drawing(figure); else wake.observe(figure); });
}
if (document.querySelector("figure.chart[data-name]")) start();
return {node, ticks, frame, line, band, dots, short};
})();
