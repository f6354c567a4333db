// What one does with a track beside playing it: repeat a part, change the speed, point at a moment or link to it, take the numbers along.
(function () {
  "use strict";
  const page = window.mttStage, { find, audio, stage, scenes, timeline, framed } = page;
  const slider = find("slider");

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
    page.save(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }), ".csv");
  });

  // --- Links to a moment: #track=…&t=12.7&head=2/3 ---
  let noting = 0;
  function soon() { clearTimeout(noting); noting = setTimeout(note, 300); }  // browsers complain of an address that changes all the time
  const nameOf = each => scenes.filter(other => other.title === each.title).length > 1 ? `${each.artist} – ${each.title}` : each.title;
  function note() {
    if (framed || !page.scene) return;
    const [, layer, head] = /^layer (\d+), (?:head (\d+)|mean)$/.exec(page.view) || [];
    const place = layer ? `&head=${layer}${head ? "/" + head : ""}` : "";
    history.replaceState(null, "", `#track=${encodeURIComponent(nameOf(page.scene))}&t=${audio.currentTime.toFixed(1)}${place}`);
  }
  function follow() {
    const asked = new URLSearchParams(location.hash.slice(1)), [, layer, head] = /^(\d+)(?:\/(\d+))?$/.exec(asked.get("head")) || [];
    const index = scenes.findIndex(each => nameOf(each) === asked.get("track"));
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
