// Tables sort by the heading that is pressed, and a field above a long one filters its rows.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  };
  headings.forEach((heading, column) => {
    heading.firstElementChild.addEventListener("click", () => {
      const numeric = typeof value(rows[0], column) === "number";
      const before = heading.getAttribute("aria-sort");
      // Names begin at A, numbers at the largest.
      const first = numeric ? "descending" : "ascending";
      const second = numeric ? "ascending" : "descending";
      const order = before === first ? second : first;
      const sign = order === "ascending" ? 1 : -1;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const sorted = [...rows].sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return sign * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
      });
      body.append(...sorted);
    });
  });
  const field = table.parentElement.previousElementSibling?.querySelector("input");
  field?.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    }
  });
}
