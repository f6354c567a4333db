// The players of a page that are not ready yet; each output of a notebook brings this script along.
for (const player of document.querySelectorAll(".mtt-player:not([data-ready])")) {
  player.dataset.ready = "yes";
  const audio = player.querySelector("audio"), area = player.querySelector("[role=slider]");
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll(".mtt-player audio")) if (other !== audio) other.pause();
  });
  const frame = area.parentElement.parentElement;
  const timeline = mttTimeline(audio, area, area, time => {
    const middle = area.offsetLeft + area.firstElementChild.offsetLeft - frame.clientWidth / 2;
    if (!audio.paused) frame.scrollLeft = middle;  // where the figure is wider than the page
    return time.toFixed(1) + " seconds";
  });
  const { ArrowLeft, ArrowRight } = timeline.keys;
  area.addEventListener("keydown", event => timeline.press(event, { ArrowDown: ArrowLeft, ArrowUp: ArrowRight }));
  timeline.draw();
}
