// One's own song, and changes to any song, heard by the models that the page carries. They run in a worker (model.js, listening.js), so that the page
// answers meanwhile. Samples are mono at RATE; what ``own-data`` holds is told in mtt/reporting/explorer/page.py.
(function () {
  "use strict";
  const { find, make, clock, bytes, add, timeline, audio, stage } = window.mttStage, page = window.mttStage;
  const given = JSON.parse(find("own-data").textContent), RATE = given.picture.sample_rate;
  const SHOWN = 6;  // tags at first
  const TOLD = 10;  // tags in a table

  // --- The worker ---
  let worker = null, count = 0;
  const waiting = new Map();
  function start() {
    worker = new Worker(URL.createObjectURL(new Blob([find("model-code").textContent], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => {
      const asked = waiting.get(data.id);
      if (!asked) return;
      if (data.progress !== undefined) return asked.progress && asked.progress(data.progress);
      waiting.delete(data.id);
      if (data.error) asked.failed(new Error(data.error)); else asked.done(data.result);
    };
    worker.postMessage({ task: "open", given: given.models });
  }
  function ask(task, content, progress) {
    if (!worker) start();
    return new Promise((done, failed) => {
      waiting.set(++count, { done, failed, progress });
      worker.postMessage({ id: count, task, ...content });
    });
  }
  function stop() {
    if (worker) worker.terminate();
    worker = null;
    const left = [...waiting.values()];
    waiting.clear();
    for (const asked of left) asked.failed(new Error("stopped"));
  }

  // --- Sound ---
  function rateOf(data) {  // Hz, as WAV, FLAC, Ogg Vorbis and MP3 tell it; 0 where a file does not
    const all = new Uint8Array(data), word = (at, text) => [...text].every((letter, i) => all[at + i] === letter.charCodeAt(0));
    const number = at => all[at] | all[at + 1] << 8 | all[at + 2] << 16;
    if (word(8, "WAVE")) {
      for (let at = 12; at + 16 < all.length; at += 8 + number(at + 4)) if (word(at, "fmt ")) return number(at + 12);
    }
    if (word(0, "fLaC")) return all[18] << 12 | all[19] << 4 | all[20] >> 4;
    if (word(29, "vorbis")) return number(40);
    const at = word(0, "ID3") ? 10 + (all[6] << 21 | all[7] << 14 | all[8] << 7 | all[9]) : 0, kind = all[at + 1] >> 3 & 3;
    return all[at] === 255 && all[at + 1] >= 224 && kind !== 1 ? [44100, 48000, 32000, 0][all[at + 2] >> 2 & 3] / [4, 1, 2, 1][kind] : 0;
  }
  async function samplesOf(data) {  // the mean of the channels, as the program reads a file
    const rate = rateOf(data), low = rate && rate <= RATE;  // else decoded at twice the rate and halved: a browser's own filter is a coarse one
    const sound = await new OfflineAudioContext(1, 1, low ? RATE : 2 * RATE).decodeAudioData(data), wave = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      sound.getChannelData(channel).forEach((value, i) => { wave[i] += value / sound.numberOfChannels; });
    }
    return low ? wave : ask("halve", { wave });
  }
  async function waveOf(scene) { return scene.wave ??= await samplesOf(bytes(scene.sound).buffer); }
  function wavOf(wave) {  // a file of 16 bits a sample
    const view = new DataView(new ArrayBuffer(44 + 2 * wave.length)), text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    text(0, "RIFF"); text(8, "WAVEfmt "); text(36, "data");
    for (const [at, value] of [[4, view.byteLength - 8], [16, 16], [24, RATE], [28, 2 * RATE], [40, 2 * wave.length]]) view.setUint32(at, value, true);
    for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) view.setUint16(at, value, true);
    wave.forEach((value, i) => view.setInt16(44 + 2 * i, 32767 * Math.min(1, Math.max(-1, value)), true));
    return URL.createObjectURL(new Blob([view.buffer], { type: "audio/wav" }));
  }
  async function pictureOf(wave) {  // the spectrogram, loud is white
    const { range, columns, n_mels: bands } = given.picture, { values, frames } = await ask("picture", { wave, settings: given.picture });
    const joined = Math.ceil(frames / columns), wide = Math.ceil(frames / joined), canvas = make("canvas", { width: wide, height: bands });
    const brush = canvas.getContext("2d"), image = brush.createImageData(wide, bands), loudest = values.reduce((top, value) => Math.max(top, value), -100);
    for (let band = 0; band < bands; band++) {
      for (let column = 0; column < wide; column++) {
        const part = values.subarray(band * frames + column * joined, band * frames + Math.min((column + 1) * joined, frames));
        const grey = 255 * Math.max(0, 1 + (Math.max(...part) - loudest) / range);
        image.data.set([grey, grey, grey, 255], 4 * ((bands - 1 - band) * wide + column));
      }
    }
    brush.putImageData(image, 0, 0);
    return canvas.toDataURL();
  }

  // --- A song ---
  function say(text, wrong) {
    find("own-said").textContent = text;
    find("own-said").classList.toggle("fault", Boolean(wrong));
  }
  function busy(on) {
    find("own-work").hidden = !on;
    find("own-choose").disabled = find("own-record").disabled = on;
    find("own-progress").value = 0;
    if (!on) soon();
  }
  function doubts(wave) {  // as ``python -m mtt tag`` says them
    const level = 10 * Math.log10(wave.reduce((sum, value) => sum + value * value, 0) / wave.length + 1e-20);
    return (wave.length < RATE ? " It is very short; tags of less than 1 s say little." : "") + (level < -60 ? " It is silent; its tags say nothing." : "");
  }
  async function hear(file, url) {
    let wave;
    busy(true);
    say(`Reading ${file.name} …`);
    try {
      wave = await samplesOf(await file.arrayBuffer());
      if (!wave.length) throw new Error("empty");
    } catch {
      busy(false);
      return say(`${file.name}: this browser finds no sound in it; give a file that it can play, such as WAV, MP3, OGG or FLAC.`, true);
    }
    try {
      const began = performance.now(), many = given.models.length, heard = [];
      say(`Listening to ${file.name}, ${clock(wave.length / RATE)} …`);
      for (const [place, model] of given.models.entries()) {
        const progress = share => { find("own-progress").value = (place + share) / many; };
        heard.push(await ask("hear", { place, wave, window: model.clip_seconds }, progress));
      }
      const took = (performance.now() - began) / 1000;
      add(sceneOf(file.name, wave, heard, url || URL.createObjectURL(file), await pictureOf(wave)));
      say(`${file.name} was heard in ${took.toFixed(1)} s.${doubts(wave)}`);
      find("track-title").scrollIntoView({ block: "nearest" });
    } catch (error) {
      const stopped = error.message === "stopped";
      say(stopped ? `Stopped; ${file.name} was not heard to its end.` : `${file.name}: ${error.message}; try a shorter file.`, !stopped);
    }
    busy(false);
  }
  function sceneOf(title, wave, heard, url, picture) {
    const peaks = new Map();
    heard.forEach(({ curves }, place) => given.models[place].tags.forEach((tag, column) => {
      peaks.set(tag, curves[column].reduce((top, value) => Math.max(top, value), peaks.get(tag) || 0));
    }));
    const names = [...peaks.keys()].sort((a, b) => peaks.get(b) - peaks.get(a) || (a < b ? -1 : 1));
    const models = heard.map(({ tags, times, curves, attention }, place) => {
      const { name, colour, clip_seconds: clip, tags: own } = given.models[place], columns = names.map(tag => own.indexOf(tag));
      const window = Math.min(clip, 2 * times[0]);
      return { name, colour, window, times, curves: columns.map(column => curves[column]), attention, whole: columns.map(column => tags[column]) };
    });
    const tags = names.map((name, place) => ({ name, mark: "", means: "", spans: null, shown: place < SHOWN }));
    return { title, artist: "", note: "Your own song: heard in this page.", seconds: wave.length / RATE, url, picture, ticks: given.ticks, tags, models, wave };
  }
  const barred = value => make("td", { class: "num", style: `--share: ${Math.round(100 * value)}%` }, value.toFixed(3));
  const row = (name, ...cells) => make("tr", {}, make("th", { scope: "row" }, name), ...cells);
  const head = names => names.map(name => make("th", { scope: "col", ...(name === "Tag" ? {} : { class: "num" }) }, name));
  function tell() {  // the tags of the whole song
    const models = page.scene.models, of = models.at(-1).whole;
    find("whole").hidden = !of;
    if (!of) return;
    const likeliest = [...of.keys()].sort((a, b) => (of[b] ?? 0) - (of[a] ?? 0)).slice(0, TOLD);
    find("whole-head").replaceChildren(...head(["Tag", ...models.map(model => model.name)]));
    const cells = place => models.map(({ whole }) => whole[place] === undefined ? make("td", { class: "num" }, "–") : barred(whole[place]));
    find("whole-rows").replaceChildren(...likeliest.map(place => row(page.scene.tags[place].name, ...cells(place))));
  }
  async function hearAll(files) { for (const file of files) await hear(file); }
  find("own-choose").addEventListener("click", () => find("own-file").click());
  find("own-file").addEventListener("change", async ({ target }) => { await hearAll([...target.files]); target.value = ""; });
  find("own-stop").addEventListener("click", stop);
  document.addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("dropping"); });
  document.addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  document.addEventListener("drop", event => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const files = [...event.dataTransfer.files];
    if (!files.length) say("What was dropped is no file: save the sound to a file, and drop that.", true);
    else if (find("own-work").hidden) hearAll(files);
  });
  let recorder = null;
  find("own-record").addEventListener("click", async () => {
    if (recorder) return recorder.stop();
    try {
      if (!navigator.mediaDevices) throw new Error("this browser gives no microphone to a page like this");
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
      const parts = [], name = `Recording ${new Date().toLocaleTimeString()}`;
      recorder = new MediaRecorder(stream);
      recorder.ondataavailable = ({ data }) => parts.push(data);
      recorder.onstop = async () => {
        stream.getTracks().forEach(track => track.stop());
        recorder = null;
        find("own-record").textContent = "Record";
        const file = new File(parts, name), wave = await file.arrayBuffer().then(samplesOf).catch(() => null);
        hear(file, wave && wavOf(wave));  // what was recorded has no length that a player could seek in
      };
      recorder.start();
      find("own-record").textContent = "Stop recording";
      say("Recording …");
    } catch (error) {
      say(`No recording: ${error.message}; allow the microphone in the browser, or choose a file.`, true);
    }
  });
  stage.addEventListener("opened", () => { tell(); refresh(); });

  // --- The moment: what is taken away, added, filtered ---
  const BELOW = [0, 100, 200, 400, 800, 1600, 3200], ABOVE = [0, 8000, 4000, 2000, 1000, 500, 250];  // Hz; 0 is off
  const hertz = list => place => list[place] ? `${list[place]} Hz` : "off", QUIETEST = -45;
  const KNOBS = {  // label, least, most, step, first value, how it is told
    window: ["Window", 1, 10, 0.5, given.models.at(-1).clip_seconds, value => `${value.toFixed(1)} s`],
    share: ["Taken away", 5, 80, 5, 20, value => `${value} %`],
    noise: ["Noise", QUIETEST, 10, 5, QUIETEST, value => value === QUIETEST ? "off" : `${value} dB`],
    below: ["Nothing below", 0, BELOW.length - 1, 1, 0, hertz(BELOW)],
    above: ["Nothing above", 0, ABOVE.length - 1, 1, 0, hertz(ABOVE)],
    gain: ["Gain", -40, 20, 5, 0, value => `${value} dB`],
  };
  const knob = {}, trial = find("trial"), taken = find("taken"), sample = new Audio();
  const chosen = () => given.models[find("trial-model").value];
  let noise = null, parts = {}, running = false, again = false, timer = 0;
  for (const [name, [label, min, max, step, value, said]] of Object.entries(KNOBS)) {
    const input = make("input", { type: "range", min, max, step, value }), output = make("output");
    const show = () => { knob[name] = Number(input.value); output.textContent = said(knob[name]); input.setAttribute("aria-valuetext", output.textContent); };
    input.addEventListener("input", () => { show(); soon(); });
    find("knobs").append(make("label", {}, make("span", {}, label), input, output));
    show();
  }
  find("trial-model").append(...given.models.map(({ name }, value) => make("option", { value }, name)));
  find("trial-model").value = given.models.length - 1;
  find("trial-model").parentElement.hidden = given.models.length < 2;
  const changed = () => knob.noise !== QUIETEST || knob.below || knob.above || knob.gain;
  async function altered(wave) {  // by the browser's own filters
    const level = Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / wave.length) * 10 ** (knob.noise / 20);
    noise ??= Float32Array.from({ length: 12 * RATE }, () => 3.46 * (Math.random() - 0.5));  // of power 1, the same each time
    const context = new OfflineAudioContext(1, wave.length, RATE), source = context.createBufferSource(), chain = [source];
    source.buffer = context.createBuffer(1, wave.length, RATE);
    source.buffer.copyToChannel(knob.noise === QUIETEST ? wave : wave.map((value, i) => value + level * noise[i]), 0);
    if (knob.below) chain.push(new BiquadFilterNode(context, { type: "highpass", frequency: BELOW[knob.below] }));
    if (knob.above) chain.push(new BiquadFilterNode(context, { type: "lowpass", frequency: ABOVE[knob.above] }));
    chain.push(new GainNode(context, { gain: 10 ** (knob.gain / 20) }), context.destination);
    chain.reduce((before, after) => before.connect(after));
    source.start();
    return (await context.startRendering()).getChannelData(0);
  }
  function without(wave, mask, token) {  // silence where a spectrum was taken away
    const kept = wave.slice(), fade = 100, half = chosen().hop / 2;
    for (const place of mask) {
      const first = Math.round(place * token * RATE - half), last = Math.round((place + 1) * token * RATE - half);
      for (let i = Math.max(0, first); i < Math.min(last, wave.length); i++) kept[i] *= Math.max(0, 1 - Math.min(i - first, last - 1 - i) / fade);
    }
    return kept;
  }
  async function compare() {
    const scene = page.scene, place = Number(find("trial-model").value), model = chosen(), whole = await waveOf(scene);
    const length = Math.min(Math.round(knob.window * RATE), whole.length);
    const start = Math.min(Math.max(0, Math.round(audio.currentTime * RATE - length / 2)), whole.length - length);
    const wave = whole.slice(start, start + length), other = changed() ? await altered(wave) : wave;
    const was = changed() ? await ask("score", { place, wave }) : null;
    const { before, attended, random, masks, maps, token } = await ask("delete", { place, wave: other, share: knob.share / 100 });
    if (scene !== page.scene) return;
    const asIs = was || before, order = [...asIs.keys()].sort((a, b) => asIs[b] - asIs[a]).slice(0, TOLD), top = order[0];
    const columns = { "as it is": asIs, ...(was && { changed: before }), ...(attended && { "without the attended": attended, "without others at random": random }) };
    find("trial-head").replaceChildren(...head(["Tag", ...Object.keys(columns)]));
    find("trial-rows").replaceChildren(...order.map(tag => row(model.tags[tag], ...Object.values(columns).map(values => barred(values[tag])))));
    parts = { changed: other, ...(attended && { attended: without(other, masks[0], token), random: without(other, masks[1], token) }) };
    const drop = values => (before[top] - values[top] >= 0 ? "falls by " : "rises by ") + Math.abs(before[top] - values[top]).toFixed(3);
    find("trial-said").textContent = `${(start / RATE).toFixed(1)} to ${((start + length) / RATE).toFixed(1)} s. ` + (attended
      ? `Without what the model attends to, ${model.tags[top]} ${drop(attended)}; without as much at random, it ${drop(random)}.`
      : "The window is too short, or longer than the model sees at once: nothing can be taken away.");
    for (const name of ["attended", "random"]) find("hear-" + name).disabled = !attended;
    find("maps").parentElement.hidden = !maps;
    if (maps) drawMaps(model, maps, start / RATE, token);
    const bar = (mask, y, kind) => mask.map(at => make("rect", { x: start / RATE + at * token, width: token, y, height: 0.45, class: kind }));
    const frame = make("rect", { x: start / RATE, width: length / RATE, y: -0.05, height: 1.1, class: "frame" });
    taken.querySelector(".plot").replaceChildren(page.chart(0, frame, ...(attended ? [...bar(masks[0], 0, "attended"), ...bar(masks[1], 0.55, "random")] : [])));
  }
  function drawMaps({ heads }, maps, start, token) {  // rows look at columns, CLS first; that of the cursor's moment is framed, and told
    const n = Math.sqrt(maps[0].length / heads), top = maps.reduce((most, map) => map.reduce((top, value) => Math.max(top, value), most), 0);
    const ink = page.colour("--ink"), now = Math.min(Math.max(1, 1 + Math.floor((audio.currentTime - start) / token)), n - 1);
    const moment = column => column ? `${(start + (column - 0.5) * token).toFixed(1)} s` : "CLS", share = value => `${Math.round(100 * value)} %`;
    find("maps-said").textContent = `At ${moment(now)}:`;
    find("maps").replaceChildren(...maps.flatMap((map, layer) => Array.from({ length: heads }, (_, head) => {
      const canvas = make("canvas", { width: n, height: n, "aria-hidden": "true" }), brush = canvas.getContext("2d"), image = brush.createImageData(n, n);
      const own = map.subarray(head * n * n, (head + 1) * n * n), looks = own.subarray(now * n, (now + 1) * n);
      const order = [...looks.keys()].sort((a, b) => looks[b] - looks[a]).slice(0, 2).map(column => `${moment(column)} (${share(looks[column])})`);
      own.forEach((value, i) => image.data.set([...ink, 255 * value / top], 4 * i));
      brush.putImageData(image, 0, 0);
      canvas.addEventListener("click", event => {
        const column = Math.floor(event.offsetX / canvas.clientWidth * n);
        if (column) timeline.seek(start + (column - 0.5) * token);
      });
      const frame = make("i", { style: `top: ${100 * now / n}%; height: ${100 / n}%` });
      const said = `${layer + 1}/${head + 1}: looks most at ${order.join(" and ")}; CLS keeps ${share(own[0])}`;
      return make("figure", {}, make("div", {}, canvas, frame), make("figcaption", {}, said));
    })));
  }
  async function refresh() {
    clearTimeout(timer);
    taken.hidden = !trial.open;
    if (!trial.open || !page.scene || !find("own-work").hidden) return;
    if (running) { again = true; return; }
    running = true;
    do {
      again = false;
      try { await compare(); } catch (error) { find("trial-said").textContent = `This could not be computed: ${error.message}.`; }
    } while (again);
    running = false;
  }
  function soon() { clearTimeout(timer); timer = setTimeout(refresh, 120); }
  for (const [id, name] of [["hear-changed", "changed"], ["hear-attended", "attended"], ["hear-random", "random"]]) {
    find(id).addEventListener("click", () => {
      audio.pause();
      URL.revokeObjectURL(sample.src);
      sample.src = wavOf(parts[name]);
      sample.play().catch(() => {});
    });
  }
  audio.addEventListener("play", () => sample.pause());
  trial.addEventListener("toggle", refresh);
  find("trial-model").addEventListener("change", refresh);
  for (const name of ["seeked", "pause", "timeupdate"]) audio.addEventListener(name, soon);
  stage.addEventListener("lanes", soon);
  if (page.scene) tell();
})();
