// The explorer: lanes over one time axis, under a cursor that follows the sound.
(function () {
  "use strict";
  const find = id => document.getElementById(id);
  const scenes = JSON.parse(find("scenes").textContent);
  const audio = find("sound"), play = find("play"), stage = find("stage"), slider = find("slider"), tracks = find("tracks");
  const hero = find("explorer").classList.contains("hero");  // one track, one model at a time, tags as rows
  const framed = Boolean(window.frameElement);  // in a notebook
  const hidden = new Set();  // names of models that are switched off
  let view = "rollout";  // of the attention lane
  let scene, numbers = new Map();  // what follows the sound beside the lane of a tag, a number for each model
  let from = 0, to = 1;  // seconds, between which the stage shows the track; played, that part is repeated where it is not all
  const HEAD = /^layer \d+, head \d+$/, SIDE = "heads side by side";  // views of attention
  const SHAPES = ["svg", "path", "rect"];
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];  // seconds between two ticks
  const PLAY = "M7 4v16l13-8z", PAUSE = "M6 4h4v16H6zM14 4h4v16h-4z";

  function make(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/" + (SHAPES.includes(name) ? "2000/svg" : "1999/xhtml"), name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  function bytes(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }
  function rows(all, length) { return Array.from({ length: all.length / length }, (_, row) => all.subarray(row * length, (row + 1) * length)); }
  for (const each of scenes) {
    each.picture = "data:image/jpeg;base64," + each.spectrogram;
    each.url = URL.createObjectURL(new Blob([bytes(each.sound)], { type: "audio/mpeg" }));
  }
  for (const model of scenes.flatMap(each => each.models)) {
    const codes = rows(bytes(model.probabilities), model.times.length), given = model.attention;
    model.curves = model.columns.map(column => codes[column] && Float32Array.from(codes[column], code => code / 255));
    if (!given) continue;
    given.codes = rows(bytes(given.rows), given.times.length);
    given.curves = given.codes.map((row, index) => Float32Array.from(row, code => code / 255 * given.largest[index]));
  }
  function clock(seconds) {
    const tenths = Math.floor(seconds * 10 + 1e-6);
    return Math.floor(tenths / 600) + ":" + (tenths % 600 / 10).toFixed(1).padStart(4, "0");
  }
  function valueAt(times, values, time) {  // between the two points around it
    const after = times.findIndex(moment => moment >= time);
    if (after <= 0) return values.at(after);  // before the first point, or after the last
    const share = (time - times[after - 1]) / (times[after] - times[after - 1]);
    return (1 - share) * values[after - 1] + share * values[after];
  }
  const shownModels = (of = scene) => of.models.filter(model => !hidden.has(model.name));
  const lastModel = () => scene.models[scene.models.length - 1];
  const attending = models => models.filter(model => model.attention);

  // --- Lanes ---
  function lane(kind, name, ...plot) {
    const made = make("div", { class: "plot " + kind }, ...plot);
    find("lanes").append(make("div", { class: "lane" }, make("div", { class: "name" }, ...name), made));
  }
  function chart(room, ...shapes) {  // y runs from 0 at the top to 1, with room below
    return make("svg", { viewBox: `${from} -.05 ${to - from} ${1.08 + room}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...shapes);
  }
  function curve(model, times, values, top) {  // level beyond the first and the last point; the last model is drawn solid
    const heights = Array.from(values, value => (1 - Math.min(value / top, 1)).toFixed(4));
    const path = `M0 ${heights[0]}` + times.map((time, point) => `L${time} ${heights[point]}`).join("") + `H${scene.seconds}`;
    const line = make("path", { d: path, class: "curve", style: `stroke: var(${model.colour})` });
    if (model !== lastModel()) { line.classList.add("dashed"); return [line]; }
    return [make("path", { d: path + "V1H0Z", class: "under", style: `fill: var(${model.colour})` }), line];
  }
  function label(text, bottom) { return make("span", { class: "label", style: `bottom: ${100 * bottom}%` }, text); }
  function spectrogramLane() {
    const wide = scene.seconds / (to - from), style = `max-width: none; width: ${100 * wide}%; margin-left: ${-100 * from / (to - from)}%`;
    const image = make("img", { alt: "", class: "map", draggable: "false", src: scene.picture, style });
    lane("spectrogram", [make("b", {}, "Spectrogram")], image, ...scene.ticks.map(([text, place]) => label(text, place)));
  }
  function tagLane(tag, index) {
    const models = shownModels().filter(model => model.curves[index]);
    const values = shownModels().map(model => make("span", { style: `color: var(${model.colour})` }));
    const mark = make("span", { class: "mark" }, tag.mark && " " + tag.mark), { times } = lastModel();
    const edges = make("path", { d: `M0-.05H${times[0]}V1H0ZM${times.at(-1)}-.05H${scene.seconds}V1H${times.at(-1)}Z`, class: "edge" });
    const curves = models.flatMap(model => curve(model, model.times, model.curves[index], 1));
    const bars = (tag.spans || []).map(([start, end]) => make("rect", { x: start, y: 1.06, width: end - start, height: 0.16, class: "truth" }));
    if (tag.spans) bars.unshift(make("rect", { x: 0, y: 1.03, width: scene.seconds, height: 0.25, class: "known" }));
    const name = make("div", {}, make("b", {}, tag.name), mark), beside = make("span", { class: "values", "aria-hidden": "true" }, ...values);
    lane("tag", [name, beside], chart(tag.spans ? 0.2 : 0, ...curves, edges, ...bars));
    numbers.set(index, values);
  }
  function attentionViews(of) {  // the chosen view, or each head, with the models' values, and the top of their one scale
    const models = attending(shownModels(of)), heads = models.length ? models.at(-1).attention.names.filter(name => HEAD.test(name)) : [];
    const views = (view === SIDE && models.length ? heads : [view]).map(name => ({
      name, found: models.map(model => ({ model, values: model.attention.curves[model.attention.names.indexOf(name)] })).filter(each => each.values),
    }));
    const usual = views.flatMap(({ found }) => found.map(({ values }) => values.slice().sort()[Math.floor(0.985 * values.length)]));
    return { views, top: Math.max(2, ...usual.map(value => 1.3 * value)) };  // a single peak, such as at the very start, does not flatten the rest
  }
  function attentionLanes() {
    const pick = chooser(), { views, top } = attentionViews(scene);
    views.forEach(({ name, found }, place) => {
      const uniform = make("path", { d: `M0 ${1 - 1 / top}H${scene.seconds}`, class: "uniform" });
      const curves = found.flatMap(({ model, values }) => curve(model, model.attention.times, values, top));
      const said = place ? [make("span", {}, name)] : [make("b", {}, "Attention"), pick, view === SIDE ? make("span", {}, name) : ""];
      lane("attention", said, chart(0, uniform, ...curves), label("1: uniform", 1 / top), label(top.toFixed(1), 0.8));
    });
  }
  function chooser() {
    const names = [...new Set(attending(scene.models).flatMap(model => model.attention.names)), SIDE];
    if (!names.includes(view)) view = names[0];
    const options = names.map(name => make("option", name === view ? { selected: "" } : {}, name));
    const choice = make("select", { "aria-label": "Which attention" }, ...options);
    choice.addEventListener("change", () => { choose(choice.value); find("lanes").querySelector("select").focus(); });
    return choice;
  }
  function buildLanes() {
    find("lanes").replaceChildren();
    numbers = new Map();
    spectrogramLane();
    scene.tags.forEach((tag, index) => { if (tag.shown && !hero) tagLane(tag, index); });
    if (attending(scene.models).length && !hero) attentionLanes();
    dispatch("lanes");
    timeline.draw();
  }
  function ticks(first, last, pixels) {  // of an axis: where it begins, how far they are apart, and what stands beside each
    const step = STEPS.find(each => each / (last - first) * pixels >= 62) || STEPS.at(-1), least = Math.ceil(first / step - 1e-9);
    const text = seconds => scene.seconds > 90 ? clock(seconds).slice(0, -2) : +seconds.toFixed(1) + " s";
    const marks = Array.from({ length: Math.floor(last / step + 1e-9) + 1 - least }, (_, count) => [(least + count) * step, text((least + count) * step)]);
    return { start: least * step, step, marks };
  }
  function drawAxis() {
    const { start, step, marks } = ticks(from, to, slider.clientWidth), share = seconds => 100 * (seconds - from) / (to - from);
    stage.style.setProperty("--tick", 100 * step / (to - from) + "%");
    stage.style.setProperty("--first-tick", share(start) / (1 - step / (to - from)) + "%");  // as backgrounds count
    find("axis").replaceChildren(...marks.map(([at, text]) => make("span", { style: `left: ${share(at)}%`, class: share(at) > 97 ? "end" : "" }, text)));
  }

  // --- Time ---
  function told(time) {
    if (time >= to && to < scene.seconds && !audio.paused) audio.currentTime = from;
    find("now").textContent = clock(Math.min(time, scene.seconds));
    return find("reading").textContent = "At " + heardAt(time, true);
  }
  function heardAt(time, beside) {  // beside: the numbers beside the lanes follow
    const said = shownModels().map((model, place) => {
      const heard = scene.tags.map(({ name, shown }, index) => {
        const value = shown && model.curves[index] ? valueAt(model.times, model.curves[index], time) : undefined;
        if (beside && numbers.has(index)) numbers.get(index)[place].textContent = value === undefined ? "–" : value.toFixed(2);
        return { name, value };
      }).filter(each => each.value !== undefined).sort((a, b) => b.value - a.value);
      const list = heard.slice(0, 4).map(each => each.name + " " + each.value.toFixed(2)).join(", ") || "no tag is switched on";
      return (scene.models.length > 1 ? model.name + ": " : "") + list;
    });
    const sounding = scene.tags.filter(tag => (tag.spans || []).some(([start, end]) => start <= time && time < end)).map(tag => tag.name);
    const truth = sounding.length ? "; really playing: " + sounding.join(", ") : "";
    const moment = scene.seconds > 90 ? clock(time) : time.toFixed(1) + " s";
    return `${moment}: ${said.join("; ") || "no model is switched on"}${truth}.`;
  }
  let speaking = 0;
  function speak() {  // what a screen reader says: only when nothing plays over it, and once things have settled
    clearTimeout(speaking);
    speaking = setTimeout(() => { if (audio.paused) find("spoken").textContent = find("reading").textContent; }, 250);
  }
  function showState() {
    play.querySelector("path").setAttribute("d", audio.paused ? PLAY : PAUSE);
    play.querySelector("span").textContent = audio.paused ? "Play" : "Pause";
  }

  // --- Scenes ---
  function open(index) {
    audio.pause();
    scene = scenes[index];
    audio.src = scene.url;
    [from, to] = [0, scene.seconds];
    [slider.dataset.from, slider.dataset.to] = [from, to];
    slider.setAttribute("aria-valuemax", scene.seconds.toFixed(1));
    const title = find("track-title");
    title.replaceChildren(scene.title, scene.artist && make("small", {}, " " + scene.artist));
    title.classList.toggle("unseen", !scene.artist && scene.title === document.querySelector("h1").textContent);  // said above
    find("fault").hidden = true;
    find("track-why").textContent = scene.note;
    find("length").textContent = clock(scene.seconds);
    [...tracks.children].forEach(({ firstChild: button }, other) => {  // one stop of Tab, so that Play is near; arrows go on from there
      button.setAttribute("aria-current", other === index);
      button.tabIndex = other === index ? 0 : -1;
    });
    tracks.children[index].scrollIntoView({ block: "nearest", inline: "center" });
    showState(); buildSwitches(); drawAxis(); buildLanes();
    if (!hero) explain();
    dispatch("opened");
  }
  function show(first, last) {  // a part of the track, which is repeated when played
    [from, to] = [first, last];
    [slider.dataset.from, slider.dataset.to] = [from, to];
    drawAxis(); buildLanes();
  }
  function switchOf(on, flip, ...content) {
    const button = make("button", { type: "button", "aria-pressed": on }, ...content);
    button.addEventListener("click", () => { button.setAttribute("aria-pressed", flip()); buildLanes(); speak(); });
    return button;
  }
  function buildSwitches() {
    find("switches").replaceChildren(...scene.models.map(model => {
      const key = make("i", { class: model === lastModel() ? "" : "dashed", style: `border-color: var(${model.colour})` });
      if (framed) return make("span", {}, key, model.name);  // they are switched beside the page
      return switchOf(!hidden.has(model.name), () => hero ? alone(model) : hidden.delete(model.name) || !hidden.add(model.name), key, model.name);
    }));
    if (hero) return;
    const order = [...scene.tags].sort((a, b) => b.shown - a.shown);
    find("tags").replaceChildren(...order.map(tag => {
      const made = switchOf(tag.shown, () => tag.shown = !tag.shown, tag.name);
      if (tag.mark) {
        made.append(make("span", { class: "mark" }, " " + tag.mark));
        made.setAttribute("aria-label", tag.name + ", " + tag.means);
      }
      return made;
    }));
  }
  function alone(model) {
    scene.models.forEach((each, place) => {
      if (each === model) hidden.delete(each.name); else hidden.add(each.name);
      find("switches").children[place].setAttribute("aria-pressed", each === model);
    });
    return true;
  }
  function explain() {
    const marks = new Set(scene.tags.filter(tag => tag.mark).map(tag => tag.mark + ": " + tag.means)), timed = scene.tags.some(tag => tag.spans);
    find("tags-key").textContent = ["switch them on and off", ...marks, ...(timed ? ["orange bar: it really sounds"] : [])].join(" · ");
    find("window").textContent = +lastModel().window.toFixed(1);
    find("solid").textContent = lastModel().name;
    find("about-truth").hidden = !timed;
    find("about-attention").hidden = !attending(scene.models).length;
  }
  function offer(each) {
    const kind = make("span", { class: "kind" }, each.note.split(/[:.]/)[0]);
    const button = make("button", { type: "button" }, make("b", {}, each.title), make("span", {}, each.artist), kind);
    button.addEventListener("click", () => open(scenes.indexOf(each)));
    tracks.append(make("li", {}, button));
  }
  function add(each) {  // a track that was not there when the page was made
    scenes.push(each);
    offer(each);
    find("explorer").classList.toggle("several", scenes.length > 1);
    tracks.parentElement.hidden = scenes.length < 2;
    find("explorer").hidden = false;
    open(scenes.length - 1);
  }
  function save(blob, ending) {  // as a file of the track's name
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: scene.title.replace(/[^\p{L}\p{N} ._-]/gu, "_") + ending }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
  function choose(name) {  // which attention
    view = name;
    buildLanes();
  }
  scenes.forEach(offer);

  // --- Hands ---
  const timeline = mttTimeline(audio, slider, stage, told);
  function step(by) {
    const next = scenes.indexOf(scene) + by;
    if (!scenes[next]) return;
    open(next);
    tracks.children[next].firstChild.focus();
    find("spoken").textContent = scene.title + (scene.artist ? ", " + scene.artist : "") + ". " + scene.note;
  }
  const { ArrowLeft, ArrowRight } = timeline.keys;
  slider.addEventListener("keydown", event => timeline.press(event, { ArrowDown: ArrowLeft, ArrowUp: ArrowRight }));
  tracks.addEventListener("keydown", event => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
  });
  play.addEventListener("click", timeline.toggle);
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, showState);
  for (const name of ["pause", "ended", "seeked"]) audio.addEventListener(name, speak);
  audio.addEventListener("error", () => { find("fault").hidden = false; });

  // --- In a notebook: a page that takes the place of another goes on where that one was, and its frame is as high as it is ---
  const last = framed && parent.mttExplorer, trackOf = each => each.artist + "\n" + each.title;
  if (last) view = last.view;
  if (last && last.track === trackOf(scenes[0])) {
    for (const tag of scenes[0].tags) tag.shown = last.shown.includes(tag.name);
    audio.addEventListener("loadedmetadata", () => timeline.seek(last.time), { once: true });
  }
  const dispatch = name => stage.dispatchEvent(new CustomEvent(name));
  window.mttStage = {  // what gram.js, tools.js and own.js build on
    find, make, clock, bytes, chart, add, open, show, choose, save, ticks, buildSwitches, buildLanes, heardAt, attentionViews, shownModels,
    scenes, timeline, audio, stage, hero, framed,
    get scene() { return scene; }, get part() { return [from, to]; }, get view() { return view; },
  };
  if (hero) scenes[0].models.forEach(({ name }, place) => { if (place !== Math.min(1, scenes[0].models.length - 1)) hidden.add(name); });
  if (scenes.length) {
    find("explorer").hidden = false;
    open(0);
  }
  if (framed) {
    window.addEventListener("pagehide", () => {
      const shown = scene.tags.filter(tag => tag.shown).map(tag => tag.name);
      parent.mttExplorer = { track: trackOf(scene), time: audio.currentTime, view, shown };
    });
    new ResizeObserver(() => { frameElement.style.height = document.documentElement.offsetHeight + "px"; }).observe(document.body);
  }
  new ResizeObserver(() => { if (scene) drawAxis(); }).observe(stage);
})();
