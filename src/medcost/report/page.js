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
  // Headings stay in view where a table is not wider than its place; a wider one is scrolled.
  const fit = () => {
    const { height } = document.querySelector("header").getBoundingClientRect();
    root.style.setProperty("--top", height + "px");
    for (const wrap of all("section.on .wrap")) {
      wrap.classList.remove("fits");
      wrap.classList.toggle("fits", wrap.scrollWidth <= wrap.clientWidth + 1);
    }
  };
  addEventListener("hashchange", () => { show(); fit(); scrollTo(0, 0); });
  addEventListener("resize", fit);
  show();

  const language = document.getElementById("language");
  language.addEventListener("click", () => {
    root.lang = root.lang === "en" ? "zh-CN" : "en";
    document.title = root.dataset[root.lang === "en" ? "en" : "zh"];
    fit();
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

  // The matrix of one group of one unit: whole numbers of fen, so that totals are exact.
  const matrix = document.getElementById("matrix");
  const make = (name, parent, text = "", style = "") => {
    const made = parent.appendChild(document.createElement(name));
    if (typeof text === "string") made.textContent = text;
    else for (const [i, said] of text.entries()) make("span", made, said).lang = i ? "en" : "zh";
    if (style) made.className = style;
    return made;
  };
  const yuan = (fen) => {
    const digits = String(fen < 0n ? -fen : fen).padStart(3, "0");
    const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
    return (fen < 0n ? "-" : "") + whole + "." + digits.slice(-2);
  };
  // A quotient, halves away from zero.
  const over = (part, all) => {
    const [a, b] = all < 0n ? [-part, -all] : [part, all];
    return a < 0n ? -((-a * 2n + b) / (b * 2n)) : (a * 2n + b) / (b * 2n);
  };
  const percent = (part, all) => {
    if (!all) return "–";
    const tenths = over(part * 1000n, all);
    const [sign, size] = tenths < 0n ? ["-", -tenths] : ["", tenths];
    return sign + size / 10n + "." + size % 10n + "%";
  };
  const draw = (place, { elements, services, words, groups }, chosen, whose) => {
    const [, , mean, service, total, share, counted] = words;
    const [, label, cases, rows] = groups[chosen];
    const fen = rows.map(([of, ...costs]) => [services[of], costs.map(BigInt)]);
    const sum = (costs) => costs.reduce((a, b) => a + b, 0n);
    const columns = elements.map((_, i) => sum(fen.map(([, costs]) => costs[i])));
    const all = sum(columns);
    place.replaceChildren();
    const table = make("table", place);
    const head = make("tr", make("thead", table));
    make("th", head, service);
    for (const name of [...elements, total, share, mean]) make("th", head, name, "n");
    const body = make("tbody", table);
    const line = (name, costs, style) => {
      const row = make("tr", body, "", style);
      make("td", row, name, "t");
      for (const cost of costs) {
        const part = all > 0n && !style ? Number(over(cost * 100n, all)) : 0;
        make("td", row, yuan(cost), part >= 20 ? "n s3" : part >= 5 ? "n s2" : part >= 1 ? "n s1" : "n");
      }
      make("td", row, yuan(sum(costs)), "n");
      make("td", row, percent(sum(costs), all), "n");
      make("td", row, cases ? yuan(over(sum(costs), BigInt(cases))) : "–", "n");
    };
    for (const [name, costs] of fen) line(name, costs, "");
    line(total, columns, "t1");
    const means = make("tr", body);
    make("td", means, mean.map((said, i) => `${said} (${counted[i]} ${cases})`), "t");
    for (const cost of [...columns, all]) {
      make("td", means, cases ? yuan(over(cost, BigInt(cases))) : "–", "n");
    }
    make("td", means); make("td", means);
    make("caption", table, `${whose} · ${label}`);
  };
  if (matrix) {
    const found = JSON.parse(matrix.querySelector("script").textContent);
    const [group, of] = found.words;
    const bar = matrix.querySelector(".choose");
    const choice = (name) => {
      const label = make("label", bar);
      make("span", label, name);
      return make("select", label);
    };
    const whose = choice(of), which = choice(group);
    const known = [...new Set(found.groups.map(([one]) => one))].sort((a, b) => a - b);
    for (const one of known) {
      make("option", whose, unit.options[one + 1].text).value = one;
    }
    const redraw = () => {
      const name = whose.selectedOptions[0].text;
      draw(matrix.querySelector(".wrap"), found, Number(which.value), name);
    };
    const fill = () => {
      which.replaceChildren();
      found.groups.forEach(([one, label], i) => {
        if (one === Number(whose.value)) make("option", which, label).value = i;
      });
      redraw();
    };
    whose.addEventListener("change", fill);
    which.addEventListener("change", redraw);
    unit.addEventListener("change", () => {
      const wanted = unit.value === "" ? String(known[0]) : unit.value;
      if (known.map(String).includes(wanted)) { whose.value = wanted; fill(); }
    });
    fill();
  }
  fit();
})();
