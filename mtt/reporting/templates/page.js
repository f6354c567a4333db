{ // The switch that opens and folds every code cell of the page. Its state lives in the page only.
  const button = document.getElementById("show-code");
  if (button) button.hidden = false;
  button?.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", shown);
    button.textContent = shown ? "Hide all code" : "Show all code";
    for (const cell of document.querySelectorAll("details.code")) cell.open = shown;
  });
}
{ // What is wider than its box can be scrolled with the keyboard; what is not is no stop on the way.
  const boxes = new ResizeObserver(entries => {
    for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
  });
  for (const box of document.querySelectorAll("main :is(figure, pre, .formula, .output, .table-box)")) boxes.observe(box);
}
