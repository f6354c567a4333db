// All tags of a track at once, darker where likelier: a taggram under the sound, or beside that of another track, and as a picture.
// Conventions: a column is a track as the chosen model hears it, or the difference of two; its cells run along the part that is shown.
(function () {
  "use strict";
  const page = window.mttStage, { find, make, audio, stage, scenes, timeline, hero } = page;
  const gram = find("gram"), pair = find("pair");
  const CELLS = 600;  // of a tag's row
  const LEFT = 160, WIDE = 900, ROW = 18, TALL = 80, GAP = 16, TOP = 44;  // CSS pixels of the picture

  // --- Columns ---
  function cellsOf(model, index, [from, to]) {
    const values = model.curves[index];
    if (!values) return new Float32Array(CELLS);
    let after = 0;
    return Float32Array.from({ length: CELLS }, (_, cell) => {
      const time = from + (cell + 0.5) * (to - from) / CELLS;
      while (after < model.times.length && model.times[after] < time) after++;
      if (!after || after === model.times.length) return values.at(after - !!after);
      const share = (time - model.times[after - 1]) / (model.times[after] - model.times[after - 1]);
      return (1 - share) * values[after - 1] + share * values[after];
    });
  }
  const style = name => getComputedStyle(document.documentElement).getPropertyValue(name);
  function colour(name) {  // of the style, as three numbers
    const probe = make("canvas", { width: 1, height: 1 }).getContext("2d");
    probe.fillStyle = style(name);
    probe.fillRect(0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data.slice(0, 3);
  }
  page.colour = colour;
  const difference = models => `${models[0].name} minus ${models.at(-1).name}`;
  function columnOf(scene, part, asked) {  // asked: a model's name, or a difference; a track that has no such shows its last model
    const { models } = scene, both = models.length > 1 && asked === difference(models), index = name => scene.tags.findIndex(tag => tag.name === name);
    const one = models.find(model => model.name === asked) || models.at(-1);
    const cells = name => {
      const values = cellsOf(one, index(name), part);
      return both ? cellsOf(models[0], index(name), part).map((value, cell) => value - values[cell]) : values;
    };
    const colours = [colour(both ? "--blue" : one.colour), colour("--vermillion")];
    return { scene, part, cells, colours, said: both ? asked : one.name, spans: name => scene.tags[index(name)]?.spans || [] };
  }
  function strip({ colours }, cells) {
    const canvas = make("canvas", { width: CELLS, height: 1, "aria-hidden": "true" }), brush = canvas.getContext("2d");
    const image = brush.createImageData(CELLS, 1);
    cells.forEach((value, cell) => image.data.set([...colours[value < 0 ? 1 : 0], Math.round(255 * Math.abs(value))], 4 * cell));
    brush.putImageData(image, 0, 0);
    return canvas;
  }

  // --- What is seen ---
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  const ORDERS = {
    "by peak": cells => -Math.max(...cells), "by mean": cells => -mean(cells), "by name": () => 0,
    "by this moment": cells => -cells[Math.round((CELLS - 1) * (audio.currentTime - page.part[0]) / (page.part[1] - page.part[0]))],
  };
  function offer(chosen, names) {  // the choices of a control, of which the one that was chosen stays so
    const was = names.includes(chosen.value) ? chosen.value : names[0];
    chosen.replaceChildren(...names.map(name => make("option", name === was ? { selected: "" } : {}, name)));
    chosen.parentElement.hidden = names.length < 2;
    return was;
  }
  const titles = () => scenes.map((each, place) => `${place + 1} · ${each.title}`);
  function seen() {  // one column or two, and the tags in order, each with its cells in the first
    const { models, tags } = page.scene, names = models.map(model => model.name).reverse();
    const asked = hero ? page.shownModels().at(-1)?.name : offer(find("gram-of"), models.length > 1 ? [...names, difference(models)] : names);
    const beside = hero ? -1 : titles().indexOf(offer(find("gram-beside"), ["nothing", ...titles().filter((_, place) => scenes[place] !== page.scene)]));
    const columns = [columnOf(page.scene, page.part, asked)];
    if (beside >= 0) columns.push(columnOf(scenes[beside], [0, scenes[beside].seconds], asked));
    const sought = hero ? "" : find("gram-find").value.trim().toLowerCase(), order = hero ? () => 0 : ORDERS[find("gram-order").value];
    const rows = tags.filter(tag => hero ? tag.shown : tag.name.toLowerCase().includes(sought)).map(tag => ({ tag, cells: columns[0].cells(tag.name) }));
    for (const row of rows) row.rank = order(row.cells);
    if (!hero) rows.sort((a, b) => a.rank - b.rank || (a.tag.name < b.tag.name ? -1 : 1));
    return { columns, rows };
  }
  function plotOf(column, { tag, cells }) {
    const [from, to] = column.part, plot = make("div", { class: "plot" }, strip(column, column.scene === page.scene ? cells : column.cells(tag.name)));
    if (!column.scene.tags.some(each => each.spans)) return plot;
    const bars = column.spans(tag.name).map(([start, end]) => make("rect", { x: start, y: 0, width: end - start, height: 1, class: "truth" }));
    plot.classList.add("timed");
    plot.append(make("svg", { viewBox: `${from} 0 ${to - from} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...bars));
    return plot;
  }
  function nameOf({ tag, cells }) {
    const peak = Math.round(100 * cells.reduce((top, value) => Math.abs(value) > Math.abs(top) ? value : top, 0));
    const said = make("span", { class: "unseen" }, ` peak ${peak} %`);
    if (hero) return make("div", { class: "name" }, make("b", {}, tag.name), make("span", { class: "mark" }, " " + tag.mark), said);
    const button = make("button", { type: "button", "aria-pressed": tag.shown, title: "as a curve" }, tag.name);
    button.addEventListener("click", () => { tag.shown = !tag.shown; page.buildSwitches(); page.buildLanes(); });
    return make("div", { class: "name" }, button, said);
  }
  function headOf({ columns: [own, other] }) {  // of two tracks
    const swap = make("button", { type: "button", title: "go to this track" }, other.scene.title);
    swap.addEventListener("click", () => exchange(0));
    const about = ({ scene, said }) => ` ${said}, ${page.clock(scene.seconds)}`;
    return make("div", { class: "lane two" }, make("div", { class: "name" }), make("div", {}, make("b", {}, own.scene.title), about(own)), make("div", {}, swap, about(other)));
  }
  function exchange(time) {  // the second track is opened at this moment, and the first one takes its place
    const was = scenes.indexOf(page.scene), next = titles().indexOf(find("gram-beside").value);
    find("gram-beside").append(make("option", { selected: "" }, titles()[was]));
    page.open(next);
    audio.addEventListener("loadedmetadata", () => timeline.seek(time), { once: true });
    pair.querySelector("button").focus();
  }
  function draw() {
    const on = hero || find("gram-on").getAttribute("aria-pressed") === "true";
    if (!hero) find("gram-controls").hidden = !on;
    gram.hidden = true;
    if (pair) pair.hidden = true;
    if (!on || !page.scene) return;
    const shown = seen(), two = shown.columns.length > 1, place = two ? pair : gram;
    const active = document.activeElement, name = place.contains(active) && active.textContent;
    const lanes = shown.rows.map(row => make("div", { class: "lane row" + (two ? " two" : "") }, nameOf(row), ...shown.columns.map(column => plotOf(column, row))));
    place.replaceChildren(...(two ? [headOf(shown), ...lanes] : lanes));
    place.hidden = false;
    if (name) [...place.querySelectorAll("button")].find(button => button.textContent === name)?.focus();
    if (!hero) find("gram-none").hidden = shown.rows.length > 0;
  }
  if (!hero) find("gram-order").append(...Object.keys(ORDERS).map(name => make("option", {}, name)));
  stage.addEventListener("lanes", draw);
  draw();
  if (hero) return;
  find("gram-on").addEventListener("click", event => {
    event.target.setAttribute("aria-pressed", event.target.getAttribute("aria-pressed") !== "true");
    draw();
  });
  find("gram-find").addEventListener("input", draw);
  for (const id of ["gram-order", "gram-of", "gram-beside"]) find(id).addEventListener("change", draw);
  audio.addEventListener("seeked", () => { if (find("gram-order").value === "by this moment") draw(); });
  pair.addEventListener("click", event => {
    const plot = event.target.closest(".plot"), own = plot && !plot.nextElementSibling, box = plot?.getBoundingClientRect();
    if (!plot) return;
    const share = (event.clientX - box.left) / box.width, [from, to] = page.part;
    if (own) exchange(share * scenes[titles().indexOf(find("gram-beside").value)].seconds); else timeline.seek(from + share * (to - from));
  });
  audio.addEventListener("timeupdate", () => pair.style.setProperty("--at", 100 * (audio.currentTime - page.part[0]) / (page.part[1] - page.part[0]) + "%"));

  // --- As a picture: the tags that are sought, attention under them, with title and axis ---
  function picture() {
    const { columns, rows } = seen(), looks = columns.map(column => page.attentionViews(column.scene)), wide = (WIDE - GAP * (columns.length - 1)) / columns.length;
    const top = Math.max(...looks.map(each => each.top));
    const under = TOP + ROW * rows.length, lanes = looks[0].views.length, bottom = under + lanes * (TALL + 6);
    const canvas = make("canvas", { width: 2 * (LEFT + WIDE + GAP), height: 2 * (bottom + 30) }), brush = canvas.getContext("2d");
    const write = (text, x, y, align, bold, name = "--ink") => {
      brush.font = `${bold ? "600 14px" : "12px"} system-ui, sans-serif`;
      [brush.fillStyle, brush.textAlign] = [style(name), align];
      brush.fillText(text, x, y, align === "right" ? LEFT - GAP : wide);
    };
    brush.scale(2, 2);
    brush.fillStyle = style("--paper");
    brush.fillRect(0, 0, canvas.width, canvas.height);
    rows.forEach(({ tag }, row) => write(tag.name, LEFT - 8, TOP + ROW * row + 12, "right"));
    looks[0].views.forEach(({ name }, lane) => write(`attention: ${name}`, LEFT - 8, under + lane * (TALL + 6) + 20, "right"));
    columns.forEach((column, place) => {
      const left = LEFT + place * (wide + GAP), [from, to] = column.part, x = time => left + (time - from) / (to - from) * wide;
      write(`${[column.scene.artist, column.scene.title].filter(Boolean).join(" – ")}: ${column.said}`, left, 24, "left", true);
      brush.save();
      brush.beginPath(); brush.rect(left, TOP, wide, bottom - TOP); brush.clip();
      rows.forEach(({ tag }, row) => {
        brush.drawImage(strip(column, column.cells(tag.name)), left, TOP + ROW * row, wide, ROW - 5);
        brush.fillStyle = style("--truth");
        for (const [start, end] of column.spans(tag.name)) brush.fillRect(x(start), TOP + ROW * (row + 1) - 5, x(end) - x(start), 3);
      });
      looks[place].views.forEach(({ found }, lane) => found.forEach(({ model, values }, which) => {
        const y = value => under + lane * (TALL + 6) + TALL * (1 - Math.min(value / top, 1));
        brush.strokeStyle = style("--muted");
        brush.strokeRect(left, y(1), wide, 0);
        brush.strokeStyle = style(model.colour);
        brush.beginPath();
        if (!lane) write(model.name, left + 4, under + 14 * (which + 1), "left", false, model.colour);
        values.forEach((value, point) => brush.lineTo(x(model.attention.times[point]), y(value)));
        brush.stroke();
      }));
      brush.restore();
      for (const [at, text] of page.ticks(from, to, wide).marks) {
        brush.fillStyle = style("--ink");
        brush.fillRect(x(at), bottom, 1, 4);
        write(text, x(at), bottom + 18, x(at) > left + 0.97 * wide ? "end" : at === from ? "left" : "center");
      }
    });
    return canvas;
  }
  find("png").addEventListener("click", () => picture().toBlob(blob => page.save(blob, ".png")));
})();
