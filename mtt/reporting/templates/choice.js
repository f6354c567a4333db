// Players that are shown one at a time: a button for each but the first, which is what all the others were made from. Another choice goes
// on at the same moment.
for (const box of document.querySelectorAll(".mtt-choice:not([data-ready])")) {
  box.dataset.ready = "yes";
  const [plain, ...others] = box.querySelectorAll(".mtt-player"), bar = box.querySelector(".bar");
  let chosen = others[0], shown = chosen;
  const name = player => player.getAttribute("aria-label");
  function button(text, act) {
    const made = bar.appendChild(document.createElement("button"));
    made.type = "button"; made.textContent = text; made.onclick = act;
    return made;
  }
  const choices = others.map(player => button(name(player), () => { chosen = player; show(player); }));
  const without = button(name(plain), () => show(shown === plain ? chosen : plain));
  function show(player) {
    const [from, to] = [shown, player].map(one => one.querySelector("audio")), playing = !from.paused;
    if (from !== to) { from.pause(); to.currentTime = from.currentTime; if (playing) to.play().catch(() => {}); }
    shown = player;
    for (const one of [plain, ...others]) one.hidden = one !== shown;
    choices.forEach((one, place) => one.setAttribute("aria-pressed", others[place] === chosen));
    without.setAttribute("aria-pressed", shown === plain);
  }
  show(chosen);
}
