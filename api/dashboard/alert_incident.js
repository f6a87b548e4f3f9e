/** What an incident stands for: how many devices, how many still, who, and why they are one. */

import { h } from "./dom.js";
import { moment, number, said } from "./format.js";
import { drawResource, resource } from "./resource.js";
import { t } from "./words/alerts.js";

const SHOWN = 5;

/** @typedef {{ devices: { ever: number, active: number, released: number }, group: { by: string, name: string } | null }} Incident */

export function alertIncident() {
  const place = h("div"),
    list = h("div");
  const element = h("div.sect.incident", { hidden: true }, h("h3", {}, t("incident")), place, list);
  let shown = "";
  /** @type {import("./resource.js").Resource<Incident>} */
  const incident = resource("", draw, { topics: ["counts"] });
  /** @type {import("./resource.js").Resource<{ items: import("./store.js").Alert[], next_cursor: string | null }>} */
  const members = resource("", draw, { topics: ["counts"] });

  function draw() {
    if (element.hidden) return;
    drawResource(place, incident, {
      what: t("incident"),
      lines: 1,
      key: ({ devices }) => JSON.stringify(devices),
      content: ({ devices }) =>
        h(
          "p.t2",
          {},
          t("incident_says", {
            ever: number(devices.ever),
            active: number(devices.active),
            released: number(devices.released),
          }),
        ),
    });
    drawResource(list, members, {
      what: t("members"),
      lines: 2,
      key: ({ items, next_cursor }) => `${items.map(({ id, version }) => `${id}.${version}`)} ${next_cursor}`,
      content: ({ items, next_cursor }) => [
        h(
          "ul.members",
          {},
          items.map((each) =>
            h(
              "li",
              {},
              h("a.link", { href: `/peringatan?id=${each.id}` }, said(each.title)),
              h(
                "span.t3.num.end",
                {},
                each.state === "cleared"
                  ? `${t("cleared")} ${each.cleared_at ? moment(each.cleared_at) : ""}`
                  : moment(each.raised_at),
              ),
            ),
          ),
        ),
        next_cursor && h("a.link.t2", { href: "/peringatan?tab=ditekan" }, t("all_members")),
      ],
    });
  }

  return {
    element,
    /** @param {import("./store.js").Alert} alert */
    show(alert) {
      const path = alert.members === null ? "" : `incidents/${alert.id}`;
      element.hidden = !path;
      if (path === shown) return;
      shown = path;
      incident.ask(path);
      members.ask(path && `${path}/members?limit=${SHOWN}`);
    },
    close() {
      incident.close();
      members.close();
    },
  };
}
