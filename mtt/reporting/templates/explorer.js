// The explorer: one audio element, one stage of canvases over the same time axis, and a cursor that follows the sound.
(function () {
  "use strict";
  const find = id => document.getElementById(id);
  const scenes = JSON.parse(find("scenes").textContent);
  const app = find("explorer"), stage = find("stage"), slider = find("slider"), cursor = find("cursor"), play = find("play"), audio = find("sound");
  const hidden = new Set();  // names of models that are switched off
  let view = "rollout";  // of the attention lane
  let scene, place = 0, lanes = [], soundUrl = "";
  const PLAY = "M7 4v16l13-8z", PAUSE = "M6 4h4v16H6zM14 4h4v16h-4z";

  function make(name, properties, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) {
      if (key in made) made[key] = value; else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }
  function bytes(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function clock(seconds) {
    const tenths = Math.floor(seconds * 10 + 1e-6);
    return Math.floor(tenths / 600) + ":" + (tenths % 600 / 10).toFixed(1).padStart(4, "0");
  }
  function line(index, count, name) {  // the key to a model's curve; the last model is drawn solid
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 26 10"); svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M0 5h26"); path.style.stroke = "var(" + name + ")";
    if (index < count - 1) path.setAttribute("stroke-dasharray", "5 3");
    svg.append(path);
    return svg;
  }

  // --- Numbers ---
  function decode(raw) {  // once a scene, when it is first shown
    if (raw.ready) return;
    for (const model of raw.models) {
      model.values = bytes(model.probabilities);
      const given = model.attention;
      if (!given) continue;
      const frames = given.times.length, codes = bytes(given.rows);
      given.curves = given.largest.map((top, row) => Float32Array.from(codes.subarray(row * frames, (row + 1) * frames), x => x / 255 * top));
    }
    raw.ready = true;
  }
  function probability(model, tag, point) { return model.values[model.columns[tag] * model.times.length + point] / 255; }
  function valueAt(model, tag, time) {
    const times = model.times;
    let after = times.findIndex(moment => moment >= time);
    if (after < 0) after = times.length - 1;
    const before = Math.max(after - 1, 0), width = times[after] - times[before];
    const share = width > 0 ? Math.min(Math.max((time - times[before]) / width, 0), 1) : 1;
    return (1 - share) * probability(model, tag, before) + share * probability(model, tag, after);
  }
  function meanOf(curves) {
    const mean = new Float32Array(curves[0].length);
    for (const curve of curves) curve.forEach((x, frame) => { mean[frame] += x / curves.length; });
    return mean;
  }
  function attended(given, chosen) {  // null where a model has no such layer or head
    if (chosen === "rollout") return given.curves[given.curves.length - 1];
    if (chosen === "mean") return meanOf(given.curves.slice(0, -1));
    const [layer, head] = chosen.split("/").map(Number);
    if (layer >= given.layers || head >= given.heads) return null;
    const own = given.curves.slice(layer * given.heads, (layer + 1) * given.heads);
    return Number.isNaN(head) ? meanOf(own) : own[head];
  }
  const shownModels = () => scene.models.filter(model => !hidden.has(model.name));

  // --- Drawing ---
  function canvasOf(lane) {
    const ratio = window.devicePixelRatio || 1, width = lane.canvas.clientWidth, height = lane.canvas.clientHeight;
    lane.canvas.width = Math.round(width * ratio); lane.canvas.height = Math.round(height * ratio);
    const pen = lane.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return { pen, width, height, x: seconds => seconds / scene.seconds * width };
  }
  function background(area) {
    area.pen.fillStyle = colour("--panel");
    area.pen.fillRect(0, 0, area.width, area.height);
    area.pen.fillStyle = colour("--line");
    for (const second of ticks(area.width)) area.pen.fillRect(Math.round(area.x(second)), 0, 1, area.height);
  }
  function ticks(width) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];
    const step = steps.find(each => each / scene.seconds * width >= 62) || 600;
    const found = [];
    for (let count = 0; count * step <= scene.seconds + 1e-9; count += 1) found.push(count * step);
    return found;
  }
  function trace(area, times, y) {  // through the points, and level beyond the first and the last
    area.pen.beginPath();
    area.pen.moveTo(0, y(0));
    times.forEach((time, point) => area.pen.lineTo(area.x(time), y(point)));
    area.pen.lineTo(area.width, y(times.length - 1));
  }
  function strokeModel(area, model, times, y, floor) {
    const last = model === scene.models[scene.models.length - 1], ink = colour(model.colour);
    if (last) {
      trace(area, times, y);
      area.pen.lineTo(area.width, floor); area.pen.lineTo(0, floor);
      area.pen.globalAlpha = 0.2; area.pen.fillStyle = ink; area.pen.fill(); area.pen.globalAlpha = 1;
    }
    trace(area, times, y);
    area.pen.setLineDash(last ? [] : [5, 3]);
    area.pen.strokeStyle = ink; area.pen.lineWidth = 1.8; area.pen.lineJoin = "round"; area.pen.stroke();
    area.pen.setLineDash([]);
  }
  function drawTag(lane) {
    const area = canvasOf(lane), tag = scene.tags[lane.tag], bar = tag.spans ? 8 : 0;
    background(area);
    const floor = area.height - bar - 1, top = 3;
    for (const model of shownModels()) {
      if (model.columns[lane.tag] < 0) continue;
      strokeModel(area, model, model.times, point => floor - (floor - top) * probability(model, lane.tag, point), floor);
    }
    if (!bar) return;
    area.pen.fillStyle = colour("--paper");
    area.pen.fillRect(0, area.height - bar, area.width, bar);
    area.pen.fillStyle = colour("--line");
    area.pen.fillRect(0, area.height - 4, area.width, 1);
    area.pen.fillStyle = colour("--truth");
    for (const [start, end] of tag.spans) area.pen.fillRect(area.x(start), area.height - bar + 2, Math.max(area.x(end) - area.x(start), 1), bar - 2);
  }
  function drawAttention(lane) {
    const area = canvasOf(lane);
    background(area);
    if (view === "all") return drawHeads(area);
    const curves = shownModels().filter(model => model.attention)
      .map(model => ({ model, values: attended(model.attention, view) })).filter(found => found.values);
    const most = Math.max(0, ...curves.map(found => found.values.reduce((a, b) => Math.max(a, b), 0)));
    const usual = Math.max(0, ...curves.map(found => Float32Array.from(found.values).sort()[Math.floor(0.985 * found.values.length)] || 0));
    const top = Math.max(2, Math.min(most, 1.3 * usual));  // a single peak, such as at the very start, does not flatten the rest
    const y = value => area.height - 1 - (area.height - 4) * Math.min(value / top, 1);
    area.pen.strokeStyle = colour("--muted"); area.pen.lineWidth = 1; area.pen.setLineDash([2, 3]);
    area.pen.beginPath(); area.pen.moveTo(0, y(1)); area.pen.lineTo(area.width, y(1)); area.pen.stroke(); area.pen.setLineDash([]);
    for (const { model, values } of curves) strokeModel(area, model, model.attention.times, point => y(values[point]), area.height);
    written(area, [["1: uniform", y(1) - 4], [top.toFixed(1) + (most > top ? " and more" : ""), 12]]);
  }
  function drawHeads(area) {  // a row for each layer and head, the first layer on top, model under model
    const models = shownModels().filter(model => model.attention);
    const rows = models.flatMap(model => model.attention.curves.slice(0, -1).map((values, row) => ({ model, values, row })));
    const map = palette(), height = area.height / Math.max(rows.length, 1);
    rows.forEach(({ model, values, row }, index) => {
      const top = model.attention.largest[row], times = model.attention.times;
      times.forEach((time, frame) => {
        const half = (times[Math.min(frame + 1, times.length - 1)] - times[Math.max(frame - 1, 0)]) / 4 || scene.seconds / 2;
        const [r, g, b] = map[Math.round(255 * Math.min(values[frame] / top, 1))];
        area.pen.fillStyle = "rgb(" + r + "," + g + "," + b + ")";
        area.pen.fillRect(area.x(time - half), index * height, area.x(2 * half) + 0.5, height - (height > 5 ? 1 : 0));
      });
    });
    area.pen.fillStyle = colour("--paper");
    models.slice(1).reduce((above, model, index) => {
      const next = above + models[index].attention.layers * models[index].attention.heads;
      area.pen.fillRect(0, next * height - 2, area.width, 3);
      return next;
    }, 0);
  }
  function palette() {
    const stops = [0, 1, 2, 3, 4].map(stop => colour("--map-" + stop).split(",").map(Number));
    return Array.from({ length: 256 }, (_, code) => {
      const at = code / 255 * 4, stop = Math.min(Math.floor(at), 3);
      return stops[stop].map((from, channel) => Math.round(from + (at - stop) * (stops[stop + 1][channel] - from)));
    });
  }
  function drawSpectrogram(lane) {
    const area = canvasOf(lane), image = lane.image;
    background(area);
    if (!image.complete || !image.naturalWidth) return;
    const grey = make("canvas", { width: image.naturalWidth, height: image.naturalHeight }), pen = grey.getContext("2d");
    pen.drawImage(image, 0, 0);
    const pixels = pen.getImageData(0, 0, grey.width, grey.height), map = palette();
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(map[pixels.data[at]], at);
    pen.putImageData(pixels, 0, 0);
    area.pen.imageSmoothingQuality = "high";
    area.pen.drawImage(grey, 0, 0, area.width, area.height);
    written(area, scene.ticks.map(([text, share]) => [text, area.height * (1 - share) + 4]));
  }
  function drawAxis(lane) {
    const area = canvasOf(lane);
    area.pen.fillStyle = colour("--muted"); area.pen.font = "12px " + colour("--sans"); area.pen.textBaseline = "top";
    for (const second of ticks(area.width)) {
      const text = scene.seconds > 90 ? Math.floor(second / 60) + ":" + String(Math.round(second % 60)).padStart(2, "0") : +second.toFixed(1) + " s";
      const width = area.pen.measureText(text).width, x = area.x(second);
      area.pen.fillRect(Math.min(Math.round(x), area.width - 1), 0, 1, 4);
      area.pen.fillText(text, Math.min(Math.max(x - width / 2, 0), area.width - width), 6);
    }
  }
  function written(area, lines) {
    area.pen.font = "11px " + colour("--sans"); area.pen.textBaseline = "alphabetic";
    area.pen.lineWidth = 3; area.pen.strokeStyle = colour("--paper"); area.pen.fillStyle = colour("--ink"); area.pen.lineJoin = "round";
    for (const [text, y] of lines) { area.pen.strokeText(text, 4, y); area.pen.fillText(text, 4, y); }
  }
  function draw() { for (const lane of lanes) lane.draw(lane); follow(); }

  // --- Lanes ---
  function lane(name, height, drawing, more) {
    const canvas = make("canvas", { "aria-hidden": "true" });
    canvas.style.setProperty("--height", height + "px");
    const made = { canvas, draw: drawing, ...more };
    made.element = make("div", { className: "lane" }, make("div", { className: "name" }, ...name), canvas);
    find("lanes").append(made.element);
    lanes.push(made);
    return made;
  }
  function buildLanes() {
    find("lanes").replaceChildren();
    lanes = [];
    const image = new Image();
    const top = lane([make("b", { textContent: "Spectrogram" })], 110, drawSpectrogram, { image });
    image.onload = () => top.draw(top);
    image.src = "data:image/jpeg;base64," + scene.spectrogram;
    scene.tags.forEach((tag, index) => {
      if (!tag.shown) return;
      const values = make("span", { className: "values", "aria-hidden": "true" });
      for (const model of shownModels()) {
        const value = make("span");
        value.style.color = "var(" + model.colour + ")";
        values.append(value);
      }
      const mark = markOf(tag);
      lane([make("div", {}, make("b", { textContent: tag.name }), mark ? make("span", { className: "mark", textContent: " " + mark.text }) : ""), values],
        44, drawTag, { tag: index, values });
    });
    if (scene.models.some(model => model.attention)) lane([make("b", { textContent: "Attention" }), chooser()], view === "all" ? heads() : 72, drawAttention);
    lane([], 22, drawAxis);
    draw();
  }
  function heads() {
    const rows = shownModels().reduce((sum, model) => sum + (model.attention ? model.attention.layers * model.attention.heads : 0), 0);
    return Math.min(Math.max(72, 9 * rows), 300);
  }
  function chooser() {
    const given = scene.models.map(model => model.attention).filter(Boolean);
    const layers = Math.max(...given.map(each => each.layers)), most = Math.max(...given.map(each => each.heads));
    const option = (value, text) => make("option", { value, textContent: text });
    const choice = make("select", { "aria-label": "Which attention" },
      option("rollout", "rollout"), option("mean", "mean of all heads"), option("all", "map of all heads"));
    for (let layer = 0; layer < layers; layer += 1) {
      const group = make("optgroup", { label: "layer " + (layer + 1) });
      group.append(option(layer + "/mean", "layer " + (layer + 1) + ", mean"));
      for (let head = 0; head < most; head += 1) group.append(option(layer + "/" + head, "layer " + (layer + 1) + ", head " + (head + 1)));
      choice.append(group);
    }
    choice.value = view;
    if (choice.value !== view) choice.value = view = "rollout";
    choice.addEventListener("change", () => {
      view = choice.value;
      buildLanes();
      find("lanes").querySelector("select").focus();
    });
    return choice;
  }
  function markOf(tag) {
    if (!tag.true) return scene.knowsTruth && tag.labelled ? { text: "✗", words: "wrongly in the labels" } : null;
    if (!scene.knowsTruth || tag.labelled) return { text: "✓", words: "in the labels" };
    return { text: "✓ no label", words: "there, but missing from the labels" };
  }

  // --- Time ---
  function follow() {
    const time = Math.min(audio.currentTime, scene.seconds);
    cursor.style.left = 100 * time / scene.seconds + "%";
    find("now").textContent = clock(time);
    const models = shownModels();
    for (const each of lanes) {
      if (each.values) models.forEach((model, index) => {
        each.values.children[index].textContent = model.columns[each.tag] < 0 ? "–" : valueAt(model, each.tag, time).toFixed(2);
      });
    }
    const words = reading(time);
    find("reading").textContent = words;
    slider.setAttribute("aria-valuenow", time.toFixed(1));
    slider.setAttribute("aria-valuetext", words);
  }
  function reading(time) {
    const said = shownModels().map(model => {
      const values = scene.tags.map((tag, index) => ({ tag, index })).filter(({ tag, index }) => tag.shown && model.columns[index] >= 0)
        .map(({ tag, index }) => ({ name: tag.name, value: valueAt(model, index, time) })).sort((a, b) => b.value - a.value);
      const list = values.slice(0, 4).map(each => each.name + " " + each.value.toFixed(2)).join(", ") || "no tag is switched on";
      return (scene.models.length > 1 ? model.name + ": " : "") + list;
    });
    const sounding = scene.tags.filter(tag => tag.spans && tag.spans.some(([start, end]) => start <= time && time < end)).map(tag => tag.name);
    const truth = sounding.length ? "; really playing: " + sounding.join(", ") : "";
    return "At " + (scene.seconds > 90 ? clock(time) : time.toFixed(1) + " s") + ": " + (said.join("; ") || "no model is switched on") + truth + ".";
  }
  let speaking = 0;
  function speak() {  // what a screen reader says: only when nothing plays over it, and once things have settled
    clearTimeout(speaking);
    speaking = setTimeout(() => { if (audio.paused) find("spoken").textContent = find("reading").textContent; }, 250);
  }
  function run() { follow(); if (!audio.paused) requestAnimationFrame(run); }
  function seek(time) {
    audio.currentTime = Math.min(Math.max(time, 0), scene.seconds);
    follow(); speak();
  }
  function toggle() { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); }
  function shownState() {
    const playing = !audio.paused;
    play.querySelector("path").setAttribute("d", playing ? PAUSE : PLAY);
    play.querySelector("span").textContent = playing ? "Pause" : "Play";
  }

  // --- Scenes ---
  function open(index) {
    audio.pause();
    place = index; scene = scenes[index];
    decode(scene);
    const before = soundUrl;
    soundUrl = URL.createObjectURL(new Blob([bytes(scene.sound)], { type: "audio/mpeg" }));
    audio.src = soundUrl;
    if (before) URL.revokeObjectURL(before);
    find("fault").hidden = true;
    const by = scene.artist ? make("small", { textContent: " " + scene.artist }) : "";
    find("track-title").replaceChildren(scene.title, by);
    find("track-title").classList.toggle("unseen", !by && scene.title === document.querySelector("h1").textContent);  // said above
    find("track-why").textContent = scene.note;
    find("length").textContent = clock(scene.seconds);
    slider.setAttribute("aria-valuemax", scene.seconds.toFixed(1));
    [...find("tracks").children].forEach((item, other) => {
      if (other === index) item.firstChild.setAttribute("aria-current", "true"); else item.firstChild.removeAttribute("aria-current");
    });
    const strip = find("tracks"), button = strip.children[index];
    if (strip.scrollWidth > strip.clientWidth) strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.offsetWidth) / 2;
    shownState(); buildModels(); buildTags(); explainMarks(); buildLanes();
  }
  function pressed(button, on) { button.setAttribute("aria-pressed", String(on)); }
  function buildModels() {
    const group = find("models");
    group.replaceChildren();
    scene.models.forEach((model, index) => {
      const button = make("button", { type: "button" }, line(index, scene.models.length, model.colour), model.name);
      pressed(button, !hidden.has(model.name));
      button.addEventListener("click", () => {
        if (!hidden.delete(model.name)) hidden.add(model.name);
        pressed(button, !hidden.has(model.name));
        buildLanes(); speak();
      });
      group.append(button);
    });
  }
  function buildTags() {
    const group = find("tags");
    group.replaceChildren();
    const order = [...scene.tags.filter(tag => tag.shown), ...scene.tags.filter(tag => !tag.shown)];
    for (const tag of order) {
      const mark = markOf(tag);
      const button = make("button", { type: "button" }, tag.name);
      if (mark) {
        button.append(make("span", { className: "mark", textContent: " " + mark.text }));
        button.setAttribute("aria-label", tag.name + ", " + mark.words);
      }
      pressed(button, tag.shown);
      button.addEventListener("click", () => {
        tag.shown = !tag.shown;
        pressed(button, tag.shown);
        buildLanes(); speak();
      });
      group.append(button);
    }
  }
  function explainMarks() {
    const marks = scene.tags.map(markOf).filter(Boolean).map(mark => mark.text);
    const key = [["✓", scene.knowsTruth ? "true, and in the labels" : "in the labels"], ["✓ no label", "true, but missing from the labels"],
      ["✗", "in the labels, but not true"]].filter(([text]) => marks.includes(text)).map(([text, words]) => text + ": " + words);
    if (scene.tags.some(tag => tag.spans)) key.push("orange bar: it really sounds");
    find("tags-key").textContent = ["switch them on and off", ...key].join(" · ");
    const window = scene.models[scene.models.length - 1].window, several = scene.models.length > 1;
    find("meaning").textContent = "A curve is the probability of a tag, from 0 at the bottom of its lane to 1 at the top; each point is what the model says of the "
      + +window.toFixed(1) + " s of sound around it" + (several ? "; solid is the " + scene.models[scene.models.length - 1].name : "") + ". "
      + (scene.tags.some(tag => tag.spans) ? "Orange bars show when an instrument really sounds; tags without a bar, such as genres, have no such moment. " : "")
      + (scene.models.some(model => model.attention) ? "Attention is where the model takes its information from, relative to looking everywhere alike (1); it is the same for all tags and does not say what it is used for." : "");
  }
  scenes.forEach((each, index) => {
    const words = [make("b", { textContent: each.title })];
    if (each.artist) words.push(make("span", { textContent: each.artist }));
    if (each.note) words.push(make("span", { className: "kind", textContent: each.note.split(/[:.]/)[0] }));
    const button = make("button", { type: "button" }, ...words);
    button.addEventListener("click", () => open(index));
    find("tracks").append(make("li", {}, button));
  });

  // --- Hands ---
  const timeOf = event => { const box = slider.getBoundingClientRect(); return (event.clientX - box.left) / box.width * scene.seconds; };
  let grip = null;
  stage.addEventListener("pointerdown", event => {
    if (event.button !== 0 || event.target.closest("select") || event.clientX < slider.getBoundingClientRect().left) return;
    grip = { x: event.clientX, moved: event.pointerType !== "touch" };  // a touch may be the start of a scroll
    stage.setPointerCapture(event.pointerId);
    if (grip.moved) seek(timeOf(event));
  });
  stage.addEventListener("pointermove", event => {
    if (!grip) return;
    grip.moved = grip.moved || Math.abs(event.clientX - grip.x) > 8;
    if (grip.moved) seek(timeOf(event));
  });
  stage.addEventListener("pointerup", event => { if (grip) seek(timeOf(event)); grip = null; });
  stage.addEventListener("pointercancel", () => { grip = null; });
  play.addEventListener("click", toggle);
  function step(by) {
    const next = place + by;
    if (next < 0 || next >= scenes.length) return;
    const within = find("tracks").contains(document.activeElement);
    open(next);
    if (within) find("tracks").children[next].firstChild.focus();
    find("spoken").textContent = scene.title + (scene.artist ? ", " + scene.artist : "") + ". " + scene.note;
  }
  const keys = {
    " ": toggle, ArrowLeft: () => seek(audio.currentTime - 1), ArrowRight: () => seek(audio.currentTime + 1),
    Home: () => seek(0), End: () => seek(scene.seconds), ArrowUp: () => step(-1), ArrowDown: () => step(1),
  };
  document.addEventListener("keydown", event => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const target = event.target.closest("select, button, summary, a, input, textarea");
    if (target && (target.matches("select, input, textarea") || event.key === " ")) return;  // theirs
    if ((event.key === "ArrowUp" || event.key === "ArrowDown") && scenes.length < 2) return;
    event.preventDefault();
    keys[event.key]();
  });
  audio.addEventListener("play", () => { shownState(); run(); });
  for (const name of ["pause", "ended"]) audio.addEventListener(name, () => { shownState(); follow(); speak(); });
  for (const name of ["timeupdate", "seeked", "loadedmetadata"]) audio.addEventListener(name, follow);
  audio.addEventListener("error", () => {
    find("fault").hidden = false;
    find("fault").textContent = "This browser cannot play the sound (MP3). Everything else works.";
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // --- In a notebook: a page that takes the place of another goes on where that one was, and its frame is as high as it is ---
  const key = document.documentElement.dataset.kept;
  function keep() {
    const shown = scene.tags.filter(tag => tag.shown).map(tag => tag.name);
    (parent.mttExplorers = parent.mttExplorers || {})[key] = {
      track: scene.artist + "\n" + scene.title, time: audio.currentTime, playing: !audio.paused, view, hidden: [...hidden], shown,
    };
  }
  function resume(last) {
    view = last.view;
    for (const name of last.hidden) hidden.add(name);
    if (last.track !== scenes[0].artist + "\n" + scenes[0].title) return;
    for (const tag of scenes[0].tags) tag.shown = last.shown.includes(tag.name);
    audio.addEventListener("loadedmetadata", () => seek(last.time), { once: true });
    if (last.playing) audio.addEventListener("seeked", toggle, { once: true });  // where the browser lets it
  }

  app.hidden = false;
  if (key && parent.mttExplorers && parent.mttExplorers[key]) resume(parent.mttExplorers[key]);
  open(0);
  if (key) {
    for (const name of ["click", "change", "keyup"]) document.addEventListener(name, keep);
    for (const name of ["timeupdate", "seeked", "play", "pause"]) audio.addEventListener(name, keep);
    new ResizeObserver(() => { frameElement.style.height = document.documentElement.offsetHeight + "px"; }).observe(document.body);
  }
  let width = stage.clientWidth;
  new ResizeObserver(() => { if (stage.clientWidth !== width) { width = stage.clientWidth; draw(); } }).observe(stage);
})();
