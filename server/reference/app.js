"use strict";
// Renders /openapi.json. Every text goes in as a text node: nothing in a description can become markup.
(() => {
  const el = (tag, attrs = {}, ...kids) => {
    const n = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs)) n.setAttribute(k, v);
    n.append(...kids.filter((k) => k !== null && k !== undefined));
    return n;
  };
  let doc;
  const resolve = (s) => (s && s.$ref ? { ...doc.components.schemas[s.$ref.split("/").pop()], name: s.$ref.split("/").pop() } : s || {});

  const typeOf = (s) => {
    const r = resolve(s);
    if (r.oneOf) return r.oneOf.map(typeOf).join(" or ");
    const t = Array.isArray(r.type) ? r.type.join(" or ") : r.type || "any";
    if (t.startsWith("array")) return "list of " + typeOf(r.items);
    return r.enum ? r.enum.join(" | ") : r.name || t;
  };

  const limits = (s) => {
    const names = { minimum: "at least #", maximum: "at most #", minLength: "at least # characters", maxLength: "at most # characters", maxItems: "at most # items", default: "default #" };
    const out = Object.entries(names).filter(([k]) => s[k] !== undefined).map(([k, label]) => label.replace("#", s[k]));
    return out.length ? ` (${out.join(", ")})` : "";
  };

  const tree = (schema, seen = []) => {
    const s = resolve(schema);
    if (s.type === "array") return tree(s.items, seen);
    const props = Object.entries(s.properties || {});
    if (!props.length || seen.includes(s.name)) return null;
    const box = el("div", { class: "tree" });
    for (const [name, p] of props) {
      const required = (s.required || []).includes(name);
      box.append(el("div", {}, el("code", {}, name), " ", el("span", { class: "dim" }, typeOf(p)), required ? el("span", { class: "req" }, " required") : null,
        el("span", { class: "dim" }, p.description ? " — " + p.description : "", limits(p))));
      const kids = tree(p, [...seen, s.name]);
      if (kids) box.append(kids);
    }
    return box;
  };

  const example = (schema, depth = 0) => {
    const s = resolve(schema);
    if (s.example !== undefined) return s.example;
    if (s.enum) return s.enum[0];
    if (s.oneOf) return example(s.oneOf[0], depth);
    const t = Array.isArray(s.type) ? s.type[0] : s.type;
    if (t === "object" && s.properties) {
      const out = {};
      for (const [k, v] of Object.entries(s.properties)) if ((s.required || []).includes(k) && depth < 4) out[k] = example(v, depth + 1);
      return out;
    }
    return { array: s.items && depth < 3 ? [example(s.items, depth + 1)] : [], string: "…", integer: 1, number: 1, boolean: true, object: {} }[t] ?? null;
  };

  const curl = (method, path, op) => {
    const key = (op.security || []).some((x) => x.admin) ? "$CLAWLESS_ADMIN_KEY" : "$CLAWLESS_API_KEY";
    const lines = [`curl ${location.origin}${path}`];
    if (method !== "GET") lines[0] += ` -X ${method}`;
    if ((op.security || []).length) lines.push(`-H "Authorization: Bearer ${key}"`);
    const body = op.requestBody && op.requestBody.content["application/json"];
    if (body) lines.push(`-H "Content-Type: application/json"`, `-d '${JSON.stringify(example(body.schema))}'`);
    return lines.join(" \\\n  ");
  };

  const operation = (method, path, op) => {
    const box = el("section", { class: "op", id: op.operationId });
    box.append(el("h3", {}, op.summary || op.operationId), el("div", { class: "route" }, el("span", { class: "m " + method }, method), " ", path));
    if (op.description) box.append(el("p", {}, op.description));
    const who = (op.security || []).map((x) => Object.keys(x)[0]);
    box.append(el("p", { class: "dim" }, who.length ? "Callers: " + who.join(", ") : "No key needed"));
    if ((op.parameters || []).length) {
      const rows = op.parameters.map((p) => el("tr", {}, el("td", {}, el("code", {}, p.name)), el("td", {}, p.in), el("td", {}, (p.description || "") + limits(p.schema || {}))));
      box.append(el("table", {}, el("tr", {}, el("th", {}, "Parameter"), el("th", {}, "In"), el("th", {}, "")), ...rows));
    }
    const body = op.requestBody && op.requestBody.content["application/json"];
    if (body) box.append(el("details", { open: "" }, el("summary", {}, "Body"), tree(body.schema)));
    for (const [code, r] of Object.entries(op.responses || {})) {
      for (const [media, c] of Object.entries(r.content || {})) {
        const schema = c.schema && c.schema["x-sse-event"] ? { $ref: "#/components/schemas/" + c.schema["x-sse-event"] } : c.schema;
        const kids = tree(schema);
        if (kids) box.append(el("details", {}, el("summary", {}, `Answer ${code} `, el("span", { class: "dim" }, media)), kids));
      }
    }
    box.append(el("details", {}, el("summary", {}, "curl"), el("pre", {}, curl(method, path, op))));
    return box;
  };

  const show = () => {
    document.getElementById("intro").append(el("h1", {}, doc.info.title + " API"), el("p", {}, doc.info.description || ""),
      el("p", { class: "dim" }, "The description itself: ", el("a", { href: "/openapi.yaml" }, "openapi.yaml"), ", ", el("a", { href: "/openapi.json" }, "openapi.json")));
    const groups = new Map();
    for (const [path, item] of Object.entries(doc.paths))
      for (const [m, op] of Object.entries(item)) {
        if (!op.operationId) continue;
        const tag = (op.tags || ["other"])[0];
        groups.set(tag, [...(groups.get(tag) || []), [m.toUpperCase(), path, op]]);
      }
    const order = ["chat", "sessions", "runs", "models", "keys", "usage", "widgets", "tenants", "audit"];
    const at = (t) => (order.indexOf(t) + 1 || 99);
    const out = document.getElementById("operations");
    const toc = document.getElementById("toc");
    out.replaceChildren();
    for (const tag of [...groups.keys()].sort((a, b) => at(a) - at(b))) {
      const part = el("div", { class: "part" }, el("h2", {}, tag));
      for (const [m, path, op] of groups.get(tag)) {
        part.append(el("a", { class: "op", href: "#" + op.operationId, "data-text": `${m} ${path} ${op.summary}`.toLowerCase() }, el("span", { class: "m " + m }, m), el("span", {}, op.summary)));
        out.append(operation(m, path, op));
      }
      toc.append(part);
    }
    document.getElementById("filter").addEventListener("input", (e) => {
      const word = e.target.value.toLowerCase();
      for (const a of toc.querySelectorAll("a.op")) a.hidden = !a.dataset.text.includes(word);
      for (const p of toc.querySelectorAll(".part")) p.hidden = ![...p.querySelectorAll("a.op")].some((a) => !a.hidden);
    });
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  };

  fetch("/openapi.json").then((r) => r.json()).then((d) => { doc = d; show(); }, () => {
    document.getElementById("operations").replaceChildren(el("p", {}, "The description could not be loaded; it is at /openapi.json."));
  });
})();
