// The switch that opens and folds every code cell of the page. Its state lives in the page only.
(function () {
  const button = document.getElementById("show-code");
  const cells = document.querySelectorAll("details.code");
  button.hidden = false;
  button.addEventListener("click", function () {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    button.textContent = shown ? "Hide all code" : "Show all code";
    cells.forEach(function (cell) { cell.open = shown; });
  });
})();
