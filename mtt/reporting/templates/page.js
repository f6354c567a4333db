// What is wider than its box can be scrolled with the keyboard; what is not is no stop on the way.
const boxes = new ResizeObserver(entries => {
  for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
});
for (const box of document.querySelectorAll("main :is(figure, pre, .block, .output, .table-box)")) boxes.observe(box);
