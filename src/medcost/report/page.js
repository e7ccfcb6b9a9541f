"use strict";
(() => {
  const root = document.documentElement;
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const sections = all("main > section");
  const links = all("nav a");
  root.classList.add("js");

  // Tabs: the address names the section, so that a link or the back button leads to it.
  const show = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const chosen = sections.find((one) => one.id === id) || sections[0];
    for (const one of sections) one.classList.toggle("on", one === chosen);
    for (const link of links) {
      if (link.hash === "#" + chosen.id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("hashchange", () => { show(); scrollTo(0, 0); });
  show();

  const language = document.getElementById("language");
  language.addEventListener("click", () => {
    root.lang = root.lang === "en" ? "zh-CN" : "en";
    document.title = root.dataset[root.lang === "en" ? "en" : "zh"];
  });

  document.getElementById("print").addEventListener("click", () => print());

  // One unit: its own lines and pictures stay, and those that are of no unit. Pictures of a
  // single unit are shown only where it is chosen.
  const unit = document.getElementById("unit");
  const choose = () => {
    const only = unit.value;
    for (const one of all("tbody[data-u], tr[data-u]")) {
      one.hidden = only !== "" && one.dataset.u !== only;
    }
    for (const one of all("figure[data-u]")) one.hidden = one.dataset.u !== only;
  };
  unit.addEventListener("change", choose);
  choose();

  // Sorting: within each block of rows, so that totals stay below what they add up.
  const number = (text) => {
    const value = Number(text.replace(/[,%<> ]/g, ""));
    return text.trim() === "" || Number.isNaN(value) ? -Infinity : value;
  };
  const read = (row, column, part) => {
    const cell = row.cells[column];
    const parts = all("i, b", cell);
    return (parts.length ? parts[part < 0 ? parts.length - 1 : part] : cell).textContent;
  };
  const sort = (head) => {
    const table = head.closest("table");
    const column = head.cellIndex;
    const numeric = head.classList.contains("n");
    const was = head.getAttribute("aria-sort");
    const now = numeric
      ? { null: "descending", descending: "ascending" }[was]
      : { null: "ascending", ascending: "descending" }[was];
    for (const other of all("th", table)) other.removeAttribute("aria-sort");
    if (now) head.setAttribute("aria-sort", now);
    const part = Number(head.dataset.part || 0);
    for (const body of all("tbody.rows", table)) {
      const rows = [...body.rows];
      rows.forEach((row, i) => { if (!row.dataset.i) row.dataset.i = i; });
      if (!now) rows.sort((a, b) => a.dataset.i - b.dataset.i);
      else {
        const sign = now === "ascending" ? 1 : -1;
        const keyed = rows.map((row) => [read(row, column, part), row]);
        keyed.sort(([a, x], [b, y]) => (numeric
          ? sign * (number(a) - number(b) || 0)
          : sign * a.localeCompare(b, undefined, { numeric: true }))
          || x.dataset.i - y.dataset.i);
        keyed.forEach(([, row], i) => { rows[i] = row; });
      }
      body.append(...rows);
    }
  };
  for (const head of all("th[data-sort]")) {
    head.addEventListener("click", () => sort(head));
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(head); }
    });
  }
})();
