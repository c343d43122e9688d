// The board's columns sort by a click on their heads; without this script the table stays as it came, best first.
for (const table of document.querySelectorAll("table.sorts")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, k) => row.cells[k].dataset.value ?? row.cells[k].textContent;
  const compare = (a, b) => {
    const [x, y] = [a, b].map(Number);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort"), isUp = now === null ? k < 2 : now === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      const rows = [...body.rows], known = rows.filter((row) => value(row, k) !== "none");
      known.sort((a, b) => (isUp ? 1 : -1) * compare(value(a, k), value(b, k)));
      body.append(...known, ...rows.filter((row) => value(row, k) === "none")); // those without a number stay last
    });
  });
}
