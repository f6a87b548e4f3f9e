/**
 * The map: districts, all devices, what is wrong with them. No tiles and no request to anybody else. Whoever does not
 * see it or has no mouse finds the same devices in the list beside it.
 */

import { attribute, h, redraw, text } from "./dom.js";
import { mapFilters } from "./map_filters.js";
import { mapLegend } from "./map_legend.js";
import { canvasLayer, placer } from "./map_canvas.js";
import { drawDots, drawMarks, under } from "./map_draw.js";
import { placeDevices, stateDevices } from "./map_points.js";
import { failure, message, missing, skeleton } from "./parts.js";
import { onPreference } from "./prefs.js";
import { state } from "./store.js";
import { useScript, useStyles } from "./tags.js";
import { t } from "./words/map.js";

/** @typedef {import("./map_canvas.js").Target} Target */

const ROOM = 14;
const MOST_ZOOM = 18;

/** Leaflet, which is fetched only where there is a map. */
async function leaflet() {
  await Promise.all([useScript("/vendor/leaflet.js"), useStyles(["/vendor/leaflet.css"])]);
  return window.L;
}

export function mapPanel() {
  const plane = h("div.plane", { role: "group", "aria-label": t("map") });
  const note = h("div.map-note");
  const credit = h("div.credit");
  let points = placeDevices();
  const legend = mapLegend(() => points);
  const filters = mapFilters(changedFilter, async () => (await lists()).list.toggle());
  const element = h(
    "section.panel.map",
    { "aria-label": t("map") },
    plane,
    filters.element,
    legend.element,
    credit,
    note,
  );

  /** @type {{ list: ReturnType<import("./map_list.js").mapList>, card: ReturnType<import("./map_list.js").mapCard> } | null} */
  let listed = null;

  /** The map as a list and the card of what was picked, fetched when they are first asked for. */
  async function lists() {
    const { mapList, mapCard } = await import("./map_list.js");
    if (!listed) {
      listed = { list: mapList(() => points), card: mapCard(() => points) };
      element.append(listed.card.element, listed.list.element);
    }
    return listed;
  }

  function updateLists() {
    listed?.list.update();
    listed?.card.update();
  }

  /** @type {any} */

  let L = null;
  /** @type {any} */
  let map = null;
  /** @type {any} */
  let dots = null;
  /** @type {any} */
  let marks = null;
  /** @type {any} */
  let districts = null;
  /** @type {Target[]} */
  let targets = [];
  /** @type {import("./map_draw.js").Place[]} */
  let names = [];
  let placed = state.devices,
    drawn = "",
    closed = false,
    failed = false,
    moved = false;

  const observer = new ResizeObserver(() => {
    map?.invalidateSize({ pan: false });
    if (map && !moved) whole();
  });
  const stop = onPreference((what) => what === "theme" && redrawAll());

  async function start() {
    try {
      L = await leaflet();
    } catch {
      failed = true;
    }
    if (closed) return;
    if (L) open();
    update(new Set(["devices"]));
  }

  function open() {
    map = L.map(plane, {
      attributionControl: false,
      zoomControl: false,
      zoomSnap: 0.25,
      zoomDelta: 0.75,
      wheelPxPerZoomLevel: 90,
      minZoom: 7,
      maxZoom: MOST_ZOOM,
    });
    L.control
      .zoom({ position: "topright", zoomInTitle: t("zoom_in"), zoomOutTitle: t("zoom_out"), zoomOutText: "−" })
      .addTo(map);
    for (const [pane, z] of /** @type {const} */ ([
      ["dots", 410],
      ["marks", 420],
    ]))
      Object.assign(map.createPane(pane).style, { zIndex: z, pointerEvents: "none" });
    map.setView([0, 0], 10);
    dots = canvasLayer(
      L,
      "dots",
      () => points,
      (ctx, place, view) => drawDots(points, ctx, place, view),
    ).addTo(map);
    marks = canvasLayer(
      L,
      "marks",
      () => points,
      (ctx, place, view) => {
        const scale = 256 * 2 ** view.zoom,
          origin = map.getPixelOrigin();
        targets = drawMarks(
          points,
          names,
          ctx,
          place,
          view,
          ({ x, y }) => [x * scale - origin.x, y * scale - origin.y],
          covered(),
        );
      },
    ).addTo(map);
    map.on("click", (/** @type {any} */ event) => pick(event.layerPoint));
    map.on("mousemove", (/** @type {any} */ event) => {
      plane.classList.toggle("over", at(event.layerPoint).length > 0);
    });
    // Whoever has moved the map keeps their view; until then it fits its room.
    for (const type of ["wheel", "pointerdown", "keydown"])
      plane.addEventListener(
        type,
        () => {
          moved = true;
        },
        { passive: true },
      );
    observer.observe(plane);
  }

  /** @returns {[number, number, number, number][]} */
  function covered() {
    const corner = map.containerPointToLayerPoint([0, 0]);
    return [...filters.element.children, legend.element].map((over) => {
      const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = /** @type {HTMLElement} */ (over);
      const outer = over === legend.element ? { offsetLeft: 0, offsetTop: 0 } : filters.element;
      const x = corner.x + outer.offsetLeft + offsetLeft,
        y = corner.y + outer.offsetTop + offsetTop;
      return [x, y, x + offsetWidth, y + offsetHeight];
    });
  }

  /** @param {{ x: number, y: number }} point */
  const at = ({ x, y }) => under(points, targets, placer(map, points, map.getZoom()), map.getZoom(), x, y);

  /** @param {{ x: number, y: number }} point */
  function pick(point) {
    const found = at(point);
    const bounds = L.latLngBounds(found.map((i) => [points.devices[i].lat, points.devices[i].lon]));
    if (found.length > 1 && map.getZoom() < MOST_ZOOM && !bounds.getNorthEast().equals(bounds.getSouthWest(), 1e-5)) {
      moved = true;
      map.fitBounds(bounds, { padding: [60, 60], maxZoom: MOST_ZOOM });
    }
    lists().then(({ card }) => card.show(found));
  }

  function whole() {
    const chosen = state.boundaries?.features.find(
      (/** @type {any} */ f) => f.properties.kode === filters.value.district,
    );
    const bounds = chosen
      ? L.geoJSON(chosen).getBounds()
      : districts?.getBounds().isValid()
        ? districts.getBounds()
        : L.latLngBounds(points.devices.map((device) => [device.lat, device.lon]));
    // The filters lie over the upper edge.
    if (bounds.isValid())
      map.fitBounds(bounds, {
        paddingTopLeft: [ROOM, ROOM + filters.element.offsetHeight],
        paddingBottomRight: [ROOM, ROOM + 12],
        animate: false,
      });
  }

  function changedFilter(district = false) {
    stateDevices(points, filters.value);
    if (district) {
      moved = false;
      if (map) whole();
    }
    redrawAll();
  }

  function redrawAll() {
    dots?.draw();
    marks?.draw();
    updateLists();
    legend.update();
    filters.update(points);
  }

  function land() {
    if (!map || districts || !state.boundaries) return;
    districts = L.geoJSON(state.boundaries, { interactive: false, style: { className: "land", weight: 1 } }).addTo(map);
    names = state.boundaries.features.map(middle);
    text(credit, t("boundaries_by"));
    whole();
  }

  /** @param {Set<string>} topics */
  function update(topics) {
    const gone = missing(["kinds", "devices"]);
    redraw(
      note,
      `${gone?.is} ${gone?.topic} ${failed} ${gone && state.failures.get(gone.topic)?.retryAt} ${document.documentElement.lang}`,
      () =>
        failed
          ? message(t("cannot_load", { what: t("map") }), "/vendor/leaflet.js")
          : gone
            ? gone.is === "failed"
              ? failure(t("map"), gone.topic)
              : skeleton(3)
            : null,
    );
    note.hidden = !failed && gone === null;
    attribute(element, "aria-busy", (gone?.is === "loading" || (!L && !failed)) && "true");
    if (placed !== state.devices) {
      placed = state.devices;
      points = placeDevices();
      if (map && !moved && !districts) whole();
    }
    land();
    if (!["devices", "kinds", "latest", "alerts", "tick", "stream", "failures"].some((topic) => topics.has(topic)))
      return;
    stateDevices(points, filters.value);
    // Readings that change no dot and no mark change nothing that the texture shows.
    const now = `${state.stream} ${points.devices.length} ${checksum(points.dot)} ${checksum(points.shown)}`;
    if (now !== drawn) dots?.draw();
    drawn = now;
    marks?.draw();
    updateLists();
    legend.update();
    filters.update(points);
  }

  start();
  return {
    element,
    update,
    back: () => (listed?.list.close() || listed?.card.close()) ?? false,
    close() {
      closed = true;
      stop();
      observer.disconnect();
      map?.remove();
    },
  };
}

/** @param {Uint8Array} bytes */
function checksum(bytes) {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum = (sum * 31 + bytes[i]) | 0;
  return sum;
}

/**
 * The middle of a district's largest ring, on the world square.
 * @param {any} feature
 * @returns {import("./map_draw.js").Place}
 */
function middle({ properties, geometry }) {
  const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  const ring = polygons
    .map((/** @type {any} */ p) => p[0])
    .sort((/** @type {any} */ a, /** @type {any} */ b) => b.length - a.length)[0];
  let area = 0,
    lon = 0,
    lat = 0;
  for (let i = 0; i + 1 < ring.length; i++) {
    const cross = ring[i][0] * ring[i + 1][1] - ring[i + 1][0] * ring[i][1];
    area += cross;
    lon += (ring[i][0] + ring[i + 1][0]) * cross;
    lat += (ring[i][1] + ring[i + 1][1]) * cross;
  }
  const sine = Math.sin((lat / (3 * area) / 180) * Math.PI);
  return {
    name: properties.nama,
    x: lon / (3 * area) / 360 + 0.5,
    y: 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI),
  };
}
