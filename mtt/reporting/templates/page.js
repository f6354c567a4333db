// The switch that opens and folds every code cell of the page. Its state lives in the page only.
(function () {
  const button = document.getElementById("show-code");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", function () {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    button.textContent = shown ? "Hide all code" : "Show all code";
    document.querySelectorAll("details.code").forEach(function (cell) { cell.open = shown; });
  });
})();
// What is wider than its box can be scrolled with the keyboard; what is not is no stop on the way.
(function () {
  const boxes = new ResizeObserver(function (entries) {
    entries.forEach(function (entry) { entry.target.tabIndex = entry.target.scrollWidth > entry.target.clientWidth ? 0 : -1; });
  });
  document.querySelectorAll("main :is(figure, pre, .formula, .output, .table-box)").forEach(function (box) { boxes.observe(box); });
})();
