// What a page asks of its models: tags, curves and attention of a song as mtt/explain gives them, and the deletion test of one window.
// It runs in a worker, behind model.js, whose conventions it shares; own.js asks (``tasks``, at the end).
const even = value => { const near = Math.round(value); return near - value === 0.5 && near % 2 ? near - 1 : near; };  // as numpy rounds
const seconds = (model, tokens) => tokens * FRAMES * model.hop / model.sample_rate;
function clsRow(map, n, head) { return map.subarray(head * n * n + 1, head * n * n + n); }
function mean(rows) { return rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length); }
function rollout(maps, n, heads) {
  let row = new Float32Array(n);
  row[0] = 1;
  for (const map of [...maps].reverse()) {
    const next = row.map(value => value / 2);
    for (let i = 0; i < map.length; i++) next[i % n] += row[Math.floor(i / n) % n] * map[i] / (2 * heads);
    row = next;
  }
  return row.subarray(1);
}
function tagsOf(model, wave, progress) {  // the mean over evenly spaced clips, as ``python -m mtt tag`` gives it
  const length = Math.round(model.clip_seconds * model.sample_rate), found = [];
  for (let clip = 0, past = -1; clip < model.clips; clip++) {
    const start = even(Math.max(0, wave.length / model.sample_rate - model.clip_seconds) * clip / (model.clips - 1) * model.sample_rate);
    const part = new Float32Array(length);
    part.set(wave.subarray(start, start + length));
    found.push(start === past ? found[clip - 1] : scored(model, tokensOf(model, spectrumOf(part, model))).probabilities);
    past = start;
    progress((clip + 1) / model.clips);
  }
  return mean(found);
}
function curvesOf(model, wave, window, progress) {  // tags and attention over time, as mtt.tag_curves and mtt.attention_curves give them
  const { width, heads, layers, step } = model, tokens = tokensOf(model, spectrumOf(wave, model), share => progress(0.7 * share));
  const total = tokens.length / width, clip = Math.floor((1 + Math.floor(Math.round(window * model.sample_rate) / model.hop)) / FRAMES);
  const length = Math.min(Math.max(1, clip), total), n = length + 1, sums = Array.from({ length: 1 + layers * heads }, () => new Float64Array(total));
  const count = new Uint32Array(total), times = [], points = [], moment = token => seconds(model, token) - model.hop / model.sample_rate / 2;
  const moments = Array.from({ length: Math.floor(wave.length / model.sample_rate / step) + 2 }, (_, i) => i * step);
  const starts = [...new Set(moments.map(time => even(time / seconds(model, 1))))].filter(start => start <= total - length);
  for (const [place, first] of starts.entries()) {
    const { probabilities, maps } = scored(model, tokens.subarray(first * width, (first + length) * width));
    times.push(moment(first + length / 2));
    points.push(probabilities);
    const rows = maps ? [rollout(maps, n, heads), ...maps.flatMap(map => Array.from({ length: heads }, (_, head) => clsRow(map, n, head)))] : [];
    rows.forEach((row, which) => row.forEach((value, i) => { sums[which][first + i] += length * value; }));
    for (let i = 0; i < length && maps; i++) count[first + i]++;
    if (place % 20 === 0) progress(0.7 + 0.3 * place / starts.length);
  }
  const held = [...count.keys()].filter(token => count[token]), relative = sums.map(sum => Float32Array.from(held, token => sum[token] / count[token]));
  const curves = model.tags.map((_, tag) => Float32Array.from(points, point => point[tag]));
  if (!held.length) return { times, curves, attention: null };
  const names = ["rollout", "mean of all heads"], rows = [relative[0], mean(relative.slice(1))];
  for (let layer = 0; layer < layers; layer++) {
    const own = relative.slice(1 + layer * heads, 1 + (layer + 1) * heads);
    names.push(`layer ${layer + 1}, mean`, ...own.map((_, head) => `layer ${layer + 1}, head ${head + 1}`));
    rows.push(mean(own), ...own);
  }
  return { times, curves, attention: { times: held.map(token => moment(token + 0.5)), names, curves: rows } };
}
function deleted(model, wave, share) {  // one window with and without what CLS attends to, and without as much at random: mtt.explain.deletion
  const spectrum = spectrumOf(wave, model), { values, frames } = spectrum, before = scored(model, tokensOf(model, spectrum));
  const total = Math.floor(frames / FRAMES), n = total + 1, bands = Array.from({ length: model.n_mels }, (_, band) => values.subarray(band * frames, (band + 1) * frames));
  const means = bands.map(band => band.reduce((sum, value) => sum + value, 0) / frames), map = before.maps && before.maps.at(-1);
  if (!map || total < 2) return { before: before.probabilities, masks: [] };
  const heads = mean(Array.from({ length: model.heads }, (_, head) => clsRow(map, n, head)));
  const order = [...heads.keys()].sort((a, b) => heads[b] - heads[a]), many = Math.min(Math.max(1, Math.round(share * total)), total - 1);
  let seed = 1;  // the same draws each time, so that nothing moves but what was changed
  const draw = () => { seed = Math.imul(seed ^ seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0; return ((seed ^ seed >>> 13) >>> 0) / 2 ** 32; };
  const random = () => order.map(token => [draw(), token]).sort((a, b) => a[0] - b[0]).slice(0, many).map(([, token]) => token);
  const masks = [order.slice(0, many), ...Array.from({ length: model.draws }, random)];
  const after = masks.map(mask => {
    const without = values.slice();
    for (const token of mask) means.forEach((mean, band) => without.fill(mean, band * frames + token * FRAMES, band * frames + (token + 1) * FRAMES));
    return scored(model, tokensOf(model, { values: without, frames })).probabilities;
  });
  return { before: before.probabilities, attended: after[0], random: mean(after.slice(1)), masks: masks.slice(0, 2), maps: before.maps, token: seconds(model, 1) };
}
function halved(wave) {  // samples at half the rate, through a filter with the band of the program's (soxr's: 91 to 100 % of what is left)
  const reach = 180, edge = 0.9565 / 4, half = new Float64Array(reach + 1), y = new Float32Array(Math.ceil(wave.length / 2));
  const bessel = x => { let sum = 1; for (let k = 1, term = 1; k < 60; k++) { term *= (x / (2 * k)) ** 2; sum += term; } return sum; };
  for (let k = 0; k <= reach; k++) {
    const sinc = k ? Math.sin(2 * Math.PI * edge * k) / (Math.PI * k) : 2 * edge;
    half[k] = sinc * bessel(12 * Math.sqrt(1 - (k / reach) ** 2)) / bessel(12);  // Kaiser's window
  }
  const padded = new Float32Array(wave.length + 2 * reach + 1);
  padded.set(wave, reach);
  for (let i = 0; i < y.length; i++) {
    const middle = 2 * i + reach;
    let sum = half[0] * padded[middle];
    for (let k = 1; k <= reach; k++) sum += half[k] * (padded[middle - k] + padded[middle + k]);
    y[i] = sum;
  }
  return y;
}
let models = [];
const tasks = {
  open: ({ given }) => { models = given.map(opened); },
  hear: ({ place, wave, window }, progress) => {
    const tags = tagsOf(models[place], wave, share => progress(share / 2));
    return { tags, ...curvesOf(models[place], wave, window, share => progress((1 + share) / 2)) };
  },
  halve: ({ wave }) => halved(wave),
  picture: ({ wave, settings }) => spectrumOf(wave, settings),
  score: ({ place, wave }) => scored(models[place], tokensOf(models[place], spectrumOf(wave, models[place]))).probabilities,
  delete: ({ place, wave, share }) => deleted(models[place], wave, share),
};
globalThis.onmessage = ({ data }) => {
  try {
    postMessage({ id: data.id, result: tasks[data.task](data, progress => postMessage({ id: data.id, progress })) });
  } catch (error) {
    postMessage({ id: data.id, error: String(error) });
  }
};
