// What one does with a track beside playing it: repeat a part, change the speed, point at a moment or link to it, see all tags at once,
// take the numbers along.
(function () {
  "use strict";
  const page = window.mttStage, { find, make, audio, stage, scenes, timeline } = page;
  const gram = find("gram"), slider = find("slider"), framed = Boolean(window.frameElement);
  const CELLS = 600;  // of a tag's row

  // --- A part, repeated; speed ---
  const least = 0.2;  // seconds
  find("part-from").addEventListener("click", () => {
    const now = audio.currentTime, last = page.part[1];
    if (now < page.scene.seconds - least) page.show(now, last > now + least ? last : page.scene.seconds);
  });
  find("part-to").addEventListener("click", () => {
    const now = audio.currentTime, first = page.part[0];
    if (now > least) page.show(first < now - least ? first : 0, now);
  });
  find("part-all").addEventListener("click", () => page.show(0, page.scene.seconds));
  find("speed").addEventListener("change", event => { audio.defaultPlaybackRate = audio.playbackRate = Number(event.target.value); });

  // --- Pointing ---
  stage.addEventListener("pointermove", event => {
    const box = slider.getBoundingClientRect(), share = (event.clientX - box.left) / box.width, [from, to] = page.part;
    if (event.pointerType === "touch" || event.buttons || !audio.paused || share < 0) return;
    find("reading").textContent = "Pointed at " + page.heardAt(from + share * (to - from));
  });
  stage.addEventListener("pointerleave", timeline.draw);

  // --- All tags: a row each, darker where likelier ---
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  const ORDERS = {
    "by peak": (row) => -Math.max(...row.cells), "by mean": row => -mean(row.cells), "by name": () => 0,
    "by this moment": row => -row.cells[Math.round((CELLS - 1) * (audio.currentTime - page.part[0]) / (page.part[1] - page.part[0]))],
  };
  function cellsOf(model, index) {
    const [from, to] = page.part, values = model.curves[index];
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
  function colour(name) {  // of the style, as three numbers
    const probe = make("canvas", { width: 1, height: 1 }).getContext("2d");
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    probe.fillRect(0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data;
  }
  function rowOf(tag, cells, colours) {
    const canvas = make("canvas", { width: CELLS, height: 1, "aria-hidden": "true" }), brush = canvas.getContext("2d");
    const image = brush.createImageData(CELLS, 1);
    cells.forEach((value, cell) => image.data.set([...colours[value < 0 ? 1 : 0].slice(0, 3), Math.round(255 * Math.abs(value))], 4 * cell));
    brush.putImageData(image, 0, 0);
    const button = make("button", { type: "button", "aria-pressed": tag.shown, title: "as a curve" }, tag.name);
    button.addEventListener("click", () => { tag.shown = !tag.shown; page.buildSwitches(); page.buildLanes(); });
    const peak = Math.round(100 * cells.reduce((top, value) => Math.abs(value) > Math.abs(top) ? value : top, 0));
    return make("div", { class: "lane row" }, make("div", { class: "name" }, button, make("span", { class: "unseen" }, ` peak ${peak} %`)),
      make("div", { class: "plot" }, canvas));
  }
  function drawGram() {
    find("gram-controls").hidden = gram.hidden = find("gram-on").getAttribute("aria-pressed") !== "true";
    if (gram.hidden || !page.scene) return;
    const { models, tags } = page.scene, [first, last] = [models[0], models.at(-1)];
    const offered = [...models.map(model => model.name).reverse(), ...(first === last ? [] : [`${first.name} minus ${last.name}`])];
    const chosen = find("gram-of"), was = offered.includes(chosen.value) ? chosen.value : offered[0];
    chosen.replaceChildren(...offered.map(name => make("option", name === was ? { selected: "" } : {}, name)));
    chosen.parentElement.hidden = offered.length < 2;
    const one = models.find(model => model.name === was);
    const difference = index => { const other = cellsOf(last, index); return cellsOf(first, index).map((value, cell) => value - other[cell]); };
    const sought = find("gram-find").value.trim().toLowerCase(), order = ORDERS[find("gram-order").value];
    const colours = [colour(one ? one.colour : "--blue"), colour("--vermillion")];
    const rows = tags.map((tag, index) => ({ tag, index })).filter(({ tag }) => tag.name.toLowerCase().includes(sought));
    for (const row of rows) row.cells = one ? cellsOf(one, row.index) : difference(row.index);
    for (const row of rows) row.rank = order(row);
    rows.sort((a, b) => a.rank - b.rank || (a.tag.name < b.tag.name ? -1 : 1));
    const active = document.activeElement, name = gram.contains(active) && active.textContent;
    gram.replaceChildren(...rows.map(({ tag, cells }) => rowOf(tag, cells, colours)));
    if (name) [...gram.querySelectorAll("button")].find(button => button.textContent === name)?.focus();
    find("gram-none").hidden = rows.length > 0;
  }
  find("gram-order").append(...Object.keys(ORDERS).map(name => make("option", {}, name)));
  find("gram-on").addEventListener("click", event => {
    event.target.setAttribute("aria-pressed", event.target.getAttribute("aria-pressed") !== "true");
    drawGram();
  });
  find("gram-find").addEventListener("input", drawGram);
  for (const id of ["gram-order", "gram-of"]) find(id).addEventListener("change", drawGram);
  stage.addEventListener("lanes", drawGram);
  audio.addEventListener("seeked", () => { if (find("gram-order").value === "by this moment") drawGram(); });

  // --- What is seen, as numbers ---
  find("csv").addEventListener("click", () => {
    const [from, to] = page.part, quoted = text => `"${String(text).replaceAll('"', '""')}"`, lines = ["model,tag,seconds,probability"];
    for (const model of page.shownModels()) {
      page.scene.tags.forEach((tag, index) => {
        if (!tag.shown || !model.curves[index]) return;
        model.times.forEach((time, point) => {
          if (time >= from && time <= to) lines.push([quoted(model.name), quoted(tag.name), time.toFixed(3), model.curves[index][point].toFixed(4)].join());
        });
      });
    }
    const url = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    make("a", { href: url, download: page.scene.title.replace(/[^\p{L}\p{N} ._-]/gu, "_") + ".csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });

  // --- Links to a moment: #track=…&t=12.7&head=2/3 ---
  let noting = 0;
  function soon() { clearTimeout(noting); noting = setTimeout(note, 300); }  // browsers complain of an address that changes all the time
  function note() {
    if (framed || !page.scene) return;
    const [, layer, head] = /^layer (\d+), (?:head (\d+)|mean)$/.exec(page.view) || [];
    const place = layer ? `&head=${layer}${head ? "/" + head : ""}` : "";
    history.replaceState(null, "", `#track=${encodeURIComponent(page.scene.title)}&t=${audio.currentTime.toFixed(1)}${place}`);
  }
  function follow() {
    const asked = new URLSearchParams(location.hash.slice(1)), [, layer, head] = /^(\d+)(?:\/(\d+))?$/.exec(asked.get("head")) || [];
    const index = scenes.findIndex(each => each.title === asked.get("track"));
    if (asked.has("track") && index < 0) find("reading").textContent = `There is no track “${asked.get("track")}” on this page.`;
    if (index < 0 || framed) return;
    if (scenes[index] !== page.scene) page.open(index);
    if (layer) page.choose(`layer ${layer}, ${head ? "head " + head : "mean"}`);
    const go = () => timeline.seek(Number(asked.get("t")) || 0);
    if (audio.readyState) go(); else audio.addEventListener("loadedmetadata", go, { once: true });
  }
  follow();
  window.addEventListener("hashchange", follow);
  for (const name of ["seeked", "pause"]) audio.addEventListener(name, soon);
  stage.addEventListener("lanes", soon);
})();
