// Sound under a cursor, and the hands and keys that move it: what the players of a page and the explorer share.
// area: the element over the time axis, from data-from to data-to in seconds, whose first child is the cursor; surface: where a pointer
// seeks; told(seconds): draws what else follows the sound and returns what a screen reader says of the moment.
window.mttTimeline = function (audio, area, surface, told) {
  const edge = name => Number(area.dataset[name]), length = () => edge("to") - edge("from");
  function draw() {
    const time = audio.currentTime, place = (time - edge("from")) / length();
    area.firstElementChild.style.left = 100 * place + "%";
    area.firstElementChild.style.visibility = place < 0 || place > 1.001 ? "hidden" : "visible";
    area.setAttribute("aria-valuenow", time.toFixed(1));
    area.setAttribute("aria-valuetext", told(time));
  }
  function follow() { draw(); if (!audio.paused) requestAnimationFrame(follow); }
  function seek(time) { audio.currentTime = Math.min(Math.max(time, 0), audio.duration || edge("to")); draw(); }
  function toggle() { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); }

  let grip = null;
  function point(event) {
    const box = area.getBoundingClientRect();
    seek(edge("from") + (event.clientX - box.left) / box.width * length());
  }
  surface.addEventListener("pointerdown", event => {
    if (event.button !== 0 || event.target.closest("select, input, button") || event.clientX < area.getBoundingClientRect().left) return;
    grip = { x: event.clientX, moved: event.pointerType !== "touch" };  // a touch may be the start of a scroll
    surface.setPointerCapture(event.pointerId);
    if (grip.moved) point(event);
  });
  surface.addEventListener("pointermove", event => {
    if (!grip) return;
    const ours = getComputedStyle(surface).touchAction === "pan-y";  // else a finger that moves along scrolls
    grip.moved = grip.moved || ours && Math.abs(event.clientX - grip.x) > 8;
    if (grip.moved) point(event);
  });
  surface.addEventListener("pointerup", event => {
    if (grip) { point(event); area.focus({ preventScroll: true }); }  // keys go on where the hand was
    grip = null;
  });
  surface.addEventListener("pointercancel", () => { grip = null; });
  for (const name of ["timeupdate", "seeking", "seeked", "loadedmetadata", "pause"]) audio.addEventListener(name, draw);
  audio.addEventListener("play", follow);
  audio.addEventListener("waiting", () => setTimeout(() => {  // after quick seeks Chromium's decoder can stop for good; seeking wakes it
    if (!audio.paused && !audio.seeking && audio.readyState < 3) audio.currentTime = audio.currentTime;
  }, 1000));
  const keys = {
    " ": toggle, ArrowLeft: () => seek(audio.currentTime - 1), ArrowRight: () => seek(audio.currentTime + 1),
    Home: () => seek(0), End: () => seek(audio.duration || edge("to")),
  };
  function press(event, more) {  // runs what the key stands for; more: keys besides those that every timeline has
    const run = (more || {})[event.key] || keys[event.key];
    if (!run || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault(); event.stopPropagation();
    run();
  }
  return { draw, seek, toggle, keys, press };
};
