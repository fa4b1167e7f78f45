// Making elements without a line of HTML, and the icons as SVG paths.

type Props = Record<string, string | number | EventListener>;

/** An element with attributes; a function is a listener. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") e.addEventListener(name, value);
    else e.setAttribute(name, String(value));
  }
  e.append(...children);
  return e;
}

const paths = {
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  close: "M6 9l6 6 6-6",
  fresh: "M12 5H5v14h14v-7M10 14l1-4 7-7 3 3-7 7z",
  down: "M12 5v14M6 13l6 6 6-6",
  alert: "M12 8v5m0 4v0M12 3a9 9 0 1 0 .1 0z",
  spark: "M12 2q1 9 10 10-9 1-10 10-1-9-10-10 9-1 10-10z",
};

export type Icon = keyof typeof paths;

const svgNamespace = "http://www.w3.org/2000/svg";

/** A decorative icon in the colour of its text. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS(svgNamespace, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "i-" + name);
  const path = document.createElementNS(svgNamespace, "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}
