"use strict";
/* A crosshair for the line charts: pointer or arrow keys. Without it the page loses nothing but exact readings. */
(() => {
  const svgNamespace = document.querySelector("svg")?.namespaceURI;
  const number = (value, range) => {
    if (value === 0) return "0";
    if (Math.abs(value) < 1e-3) return value.toExponential(2);
    const decimals = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(range || Math.abs(value)))));
    return value.toLocaleString("en", { maximumFractionDigits: decimals });
  };

  for (const figure of document.querySelectorAll("figure.chart")) {
    const svg = figure.querySelector("svg[data-x-low]");
    if (!svg) continue;
    const readout = figure.querySelector(".readout");
    const d = Object.fromEntries(Object.entries(svg.dataset).map(([key, text]) => [key, key === "yKind" ? text : Number(text)]));
    const toX = (px) => d.xLow + ((px - d.left) / (d.right - d.left)) * (d.xHigh - d.xLow);
    const toY = (px) => {
      const share = (d.bottom - px) / (d.bottom - d.top);
      if (d.yKind === "log") return Math.exp(Math.log(d.yLow) + share * (Math.log(d.yHigh) - Math.log(d.yLow)));
      return d.yLow + share * (d.yHigh - d.yLow);
    };
    const series = [...svg.querySelectorAll("g[data-label]")].map((group) => {
      const line = group.querySelector("polyline");
      const places = line
        ? line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number))
        : [...group.querySelectorAll("circle")].map((dot) => [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))]);
      return { label: group.dataset.label, places };
    });
    const stops = series.reduce((longest, one) => (one.places.length > longest.length ? one.places : longest), []);
    const rule = document.createElementNS(svgNamespace, "line");
    rule.setAttribute("class", "crosshair");
    rule.setAttribute("y1", d.top);
    rule.setAttribute("y2", d.bottom);
    let at = -1;

    const nearest = (places, px) => places.reduce((best, place) => (Math.abs(place[0] - px) < Math.abs(best[0] - px) ? place : best));
    const show = (index) => {
      at = Math.max(0, Math.min(stops.length - 1, index));
      const px = stops[at][0];
      rule.setAttribute("x1", px);
      rule.setAttribute("x2", px);
      svg.append(rule);
      const values = series
        .map((one) => ({ label: one.label, place: nearest(one.places, px) }))
        .filter(({ place }) => Math.abs(place[0] - px) < 8)
        .map(({ label, place }) => `${label} ${number(toY(place[1]), d.yKind === "log" ? 0 : d.yHigh - d.yLow)}`);
      readout.textContent = `step ${Math.round(toX(px)).toLocaleString("en")}: ${values.join(" · ")}`;
    };
    const hide = () => {
      at = -1;
      rule.remove();
      readout.textContent = "";
    };

    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const px = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      show(stops.indexOf(nearest(stops, px)));
    });
    svg.addEventListener("pointerleave", hide);
    figure.addEventListener("blur", hide);
    figure.addEventListener("keydown", (event) => {
      const stride = Math.max(1, Math.round(stops.length / 50));
      const moves = { ArrowRight: at + stride, ArrowLeft: at - stride, Home: 0, End: stops.length - 1 };
      if (event.key === "Escape") hide();
      if (!(event.key in moves)) return;
      event.preventDefault();
      show(moves[event.key]);
    });
  }
})();
