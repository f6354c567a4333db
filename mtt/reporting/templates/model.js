// The Music Tagging Transformer by hand, from samples to probabilities and attention maps: what mtt/models computes, for one recording at
// a time. It runs in a worker, with listening.js behind it.
// Conventions: samples are mono at the model's rate; a spectrum is { values, frames }, dB, band by band; tokens lie one after the other,
// ``width`` numbers each; images of the convolutions are planes of (rows + 2) × (columns + 2) with a border of zeros.
"use strict";
const FRAMES = 4;  // of a token
const CONTEXT = 4;  // tokens to each side that a token's numbers follow from
const PIECE = 64;  // tokens that the convolutions make at a time
const FLOOR = 1e-10;  // of power

// --- Weights ---
function opened(given) {  // of each tensor the step of each row, then counts of steps: mtt/reporting/explorer/portable.py
  const bytes = Uint8Array.from(atob(given.weights), letter => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer), model = { ...given, weights: null, tensors: {} };
  let at = 0;
  for (const [name, shape] of given.tensors) {
    const values = new Float32Array(shape.reduce((product, side) => product * side, 1)), rows = shape.length > 1 ? shape[0] : 1;
    const long = values.length / rows, counts = at + 4 * rows;
    for (let i = 0; i < values.length; i++) values[i] = view.getInt16(counts + 2 * i, true) * view.getFloat32(at + 4 * Math.floor(i / long), true);
    at = counts + 2 * values.length;
    model.tensors[name] = { values, shape };
  }
  return model;
}
const layerOf = (model, name) => ({ weight: model.tensors[name + ".weight"], bias: model.tensors[name + ".bias"] });

// --- Mel spectrum ---
const plans = {};
function planOf(size) {
  if (plans[size]) return plans[size];
  const angles = Float64Array.from({ length: size / 2 }, (_, k) => 2 * Math.PI * k / size), order = new Uint32Array(size);
  for (let i = 1; i < size; i++) order[i] = order[i >> 1] >> 1 | (i & 1 ? size >> 1 : 0);  // the bits of i from right to left
  const hann = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / size));
  return plans[size] = { cos: angles.map(Math.cos), sin: angles.map(Math.sin), order, hann };
}
function transform(re, im, { cos, sin }) {  // in place, of numbers that were put in the plan's order
  const size = re.length;
  for (let half = 1; half < size; half *= 2) {
    const stride = size / (2 * half);
    for (let start = 0; start < size; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const a = start + k, b = a + half, c = cos[k * stride], s = sin[k * stride];
        const x = re[b] * c + im[b] * s, y = im[b] * c - re[b] * s;
        re[b] = re[a] - x; im[b] = im[a] - y;
        re[a] += x; im[a] += y;
      }
    }
  }
}
function filtersOf(size, bands, rate) {  // triangles of the HTK scale, each with its first bin
  const mel = hertz => 2595 * Math.log10(1 + hertz / 700), corner = i => 700 * (10 ** (i * mel(rate / 2) / (bands + 1) / 2595) - 1);
  return Array.from({ length: bands }, (_, band) => {
    const [low, peak, high] = [band, band + 1, band + 2].map(corner), shares = [];
    let first = 0;
    for (let bin = 0; bin <= size / 2; bin++) {
      const hertz = bin * Math.floor(rate / 2) / (size / 2);
      const share = Math.min((hertz - low) / (peak - low), (high - hertz) / (high - peak));
      if (share > 0) { if (!shares.length) first = bin; shares.push(share); }
    }
    return { first, shares: Float64Array.from(shares) };
  });
}
function spectrumOf(wave, { n_fft: size, hop, n_mels: bands, sample_rate: rate }) {
  const length = Math.max(wave.length, (FRAMES - 1) * hop, size / 2 + 1), frames = 1 + Math.floor(length / hop);
  const plan = planOf(size), filters = filtersOf(size, bands, rate), values = new Float32Array(bands * frames);
  const re = new Float64Array(size), im = new Float64Array(size), power = [new Float64Array(size / 2 + 1), new Float64Array(size / 2 + 1)];
  function fill(target, frame) {  // reflected at both ends
    for (let i = 0; i < size; i++) {
      let place = Math.abs(frame * hop + i - size / 2);
      if (place >= length) place = 2 * length - 2 - place;
      target[plan.order[i]] = place < wave.length ? wave[place] * plan.hann[i] : 0;
    }
  }
  for (let frame = 0; frame < frames; frame += 2) {  // two real frames are one complex one
    fill(re, frame);
    if (frame + 1 < frames) fill(im, frame + 1); else im.fill(0);
    transform(re, im, plan);
    for (let k = 0; k <= size / 2; k++) {
      const m = (size - k) % size;
      power[0][k] = ((re[k] + re[m]) ** 2 + (im[k] - im[m]) ** 2) / 4;
      power[1][k] = ((im[k] + im[m]) ** 2 + (re[m] - re[k]) ** 2) / 4;
    }
    for (let which = 0; which < Math.min(2, frames - frame); which++) {
      filters.forEach(({ first, shares }, band) => {
        let sum = 0;
        for (let i = 0; i < shares.length; i++) sum += shares[i] * power[which][first + i];
        values[band * frames + frame + which] = 10 * Math.log10(Math.max(sum, FLOOR));
      });
    }
  }
  return { values, frames };
}

// --- Convolutions ---
function convolve(x, { weight, bias }, rows, columns) {  // 3 × 3, padding 1
  const [outputs, inputs] = weight.shape, w = weight.values, wide = columns + 2, plane = (rows + 2) * wide;
  const y = new Float32Array(outputs * plane);
  for (let output = 0; output < outputs; output++) {
    for (let row = 1; row <= rows; row++) {
      const to = output * plane + row * wide + 1;
      y.fill(bias.values[output], to, to + columns);
    }
    for (let input = 0; input < inputs; input++) {
      const k = 9 * (output * inputs + input);
      const w0 = w[k], w1 = w[k + 1], w2 = w[k + 2], w3 = w[k + 3], w4 = w[k + 4], w5 = w[k + 5], w6 = w[k + 6], w7 = w[k + 7], w8 = w[k + 8];
      for (let row = 1; row <= rows; row++) {
        const above = input * plane + (row - 1) * wide, here = above + wide, below = here + wide, to = output * plane + row * wide + 1;
        let a = x[above], b = x[above + 1], c = x[here], d = x[here + 1], e = x[below], f = x[below + 1];
        for (let i = 0; i < columns; i++) {  // along time, each number read once
          const p = x[above + i + 2], q = x[here + i + 2], r = x[below + i + 2];
          y[to + i] += w0 * a + w1 * b + w2 * p + (w3 * c + w4 * d + w5 * q) + (w6 * e + w7 * f + w8 * r);
          a = b; b = p; c = d; d = q; e = f; f = r;
        }
      }
    }
  }
  return y;
}
function rectified(x) { for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0; return x; }
function pooled(x, y, channels, rows, columns, across) {  // the largest of 2 × ``across`` sums, and none below 0
  const tall = rows >> 1, long = Math.floor(columns / across), pooled = new Float32Array(channels * (tall + 2) * (long + 2));
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < 2 * tall; row++) {
      const from = (channel * (rows + 2) + row + 1) * (columns + 2) + 1, to = (channel * (tall + 2) + (row >> 1) + 1) * (long + 2) + 1;
      for (let i = 0; i < long * across; i++) {
        const at = to + Math.floor(i / across), value = x[from + i] + y[from + i];
        if (value > pooled[at]) pooled[at] = value;
      }
    }
  }
  return pooled;
}
function tokensOf(model, { values, frames }, progress = () => {}) {  // in pieces whose joints cannot be seen
  const { n_mels, channels, width, gain, shift } = model, total = Math.floor(frames / FRAMES), tokens = new Float32Array(total * width);
  for (let first = 0; first < total; first += PIECE) {
    const before = Math.min(CONTEXT, first), last = Math.min(first + PIECE, total), begin = (first - before) * FRAMES;
    let rows = n_mels, columns = (last + CONTEXT < total ? (last + CONTEXT) * FRAMES : frames) - begin;
    let x = new Float32Array((rows + 2) * (columns + 2));
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < columns; i++) x[(row + 1) * (columns + 2) + 1 + i] = values[row * frames + begin + i] * gain + shift;
    }
    [2, 2, 1].forEach((across, block) => {
      const conv = place => layerOf(model, `blocks.${block}.conv_${place}`), skip = conv(3);
      const y = convolve(rectified(convolve(x, conv(1), rows, columns)), conv(2), rows, columns);
      x = pooled(y, skip.weight ? convolve(x, skip, rows, columns) : x, channels, rows, columns, across);
      rows >>= 1; columns = Math.floor(columns / across);
    });
    const features = new Float32Array((last - first) * channels * rows);
    let at = 0;
    for (let token = before; token < before + last - first; token++) {
      for (let channel = 0; channel < channels; channel++) {
        for (let row = 1; row <= rows; row++) features[at++] = x[(channel * (rows + 2) + row) * (columns + 2) + 1 + token];
      }
    }
    tokens.set(linear(features, layerOf(model, "to_token")), first * width);
    progress(last / total);
  }
  return tokens;
}

// --- Transformer ---
function linear(x, { weight, bias }) {
  const [outputs, inputs] = weight.shape, w = weight.values, count = x.length / inputs, y = new Float32Array(count * outputs);
  for (let row = 0; row < count; row++) {
    for (let output = 0; output < outputs; output++) {
      const from = row * inputs, by = output * inputs, even = inputs - inputs % 4;
      let a = bias ? bias.values[output] : 0, b = 0, c = 0, d = 0;
      for (let i = 0; i < even; i += 4) {  // four sums, that none waits for the other
        a += x[from + i] * w[by + i]; b += x[from + i + 1] * w[by + i + 1];
        c += x[from + i + 2] * w[by + i + 2]; d += x[from + i + 3] * w[by + i + 3];
      }
      for (let i = even; i < inputs; i++) a += x[from + i] * w[by + i];
      y[row * outputs + output] = a + b + (c + d);
    }
  }
  return y;
}
function normed(x, { weight, bias }) {
  const width = weight.values.length, y = new Float32Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    let mean = 0, square = 0;
    for (let i = 0; i < width; i++) mean += x[from + i] / width;
    for (let i = 0; i < width; i++) square += (x[from + i] - mean) ** 2 / width;
    const by = 1 / Math.sqrt(square + 1e-5);
    for (let i = 0; i < width; i++) y[from + i] = (x[from + i] - mean) * by * weight.values[i] + bias.values[i];
  }
  return y;
}
function gelu(x) {  // the error function by Abramowitz and Stegun 7.1.26, right to 1.5e-7
  for (let i = 0; i < x.length; i++) {
    const z = Math.abs(x[i]) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
    const rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-z * z);
    x[i] *= x[i] < 0 ? rest / 2 : 1 - rest / 2;
  }
  return x;
}
function add(x, y) { for (let i = 0; i < x.length; i++) x[i] += y[i]; }
function attended(qkv, width, heads) {  // what attention mixes, and its map (heads, n, n)
  const n = qkv.length / (3 * width), part = width / heads, map = new Float32Array(heads * n * n), mixed = new Float32Array(n * width);
  for (let head = 0; head < heads; head++) {
    for (let query = 0; query < n; query++) {
      const row = map.subarray((head * n + query) * n, (head * n + query + 1) * n), from = query * 3 * width + head * part;
      let largest = -Infinity, sum = 0;
      for (let key = 0; key < n; key++) {
        let dot = 0;
        for (let i = 0, at = (3 * key + 1) * width + head * part; i < part; i++) dot += qkv[from + i] * qkv[at + i];
        row[key] = dot / Math.sqrt(part);
        largest = Math.max(largest, row[key]);
      }
      for (let key = 0; key < n; key++) sum += row[key] = Math.exp(row[key] - largest);
      for (let key = 0; key < n; key++) {
        const share = row[key] /= sum;
        for (let i = 0, at = (3 * key + 2) * width + head * part; i < part; i++) mixed[query * width + head * part + i] += share * qkv[at + i];
      }
    }
  }
  return { map, mixed };
}
function encoded(model, tokens) {  // of at most max_positions tokens: probabilities, and each layer's map
  const { width, heads, layers, tensors } = model, x = new Float32Array(width + tokens.length), maps = [];
  x.set(tensors.cls_token.values);
  x.set(tokens, width);
  add(x, tensors.positions.values);
  for (let index = 0; index < layers; index++) {
    const layer = name => layerOf(model, `layers.${index}.${name}`);
    const { map, mixed } = attended(linear(normed(x, layer("attention_norm")), layer("to_qkv")), width, heads);
    add(x, linear(mixed, layer("to_out")));
    add(x, linear(gelu(linear(normed(x, layer("mlp_norm")), layer("mlp.0"))), layer("mlp.3")));
    maps.push(map);
  }
  const logits = linear(normed(x.subarray(0, width), layerOf(model, "head.0")), layerOf(model, "head.1"));
  return { probabilities: logits.map(logit => 1 / (1 + Math.exp(-logit))), maps };
}
function scored(model, tokens) {  // long input in the fewest windows that fit, as equal as can be; the mean probability
  const { width, max_positions: most } = model, total = tokens.length / width, windows = Math.ceil(total / most), mean = new Float32Array(model.tags.length);
  if (windows === 1) return encoded(model, tokens);
  for (let window = 0, first = 0; window < windows; window++) {
    const last = first + Math.floor(total / windows) + (window < total % windows);
    encoded(model, tokens.subarray(first * width, last * width)).probabilities.forEach((value, tag) => { mean[tag] += value / windows; });
    first = last;
  }
  return { probabilities: mean, maps: null };
}
