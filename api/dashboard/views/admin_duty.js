/** Who is on duty and who is told of what: read only, as the roster and the plan file say it. */

import { h } from "../dom.js";
import { age, moment } from "../format.js";
import { message, panel } from "../parts.js";
import { drawResource, resource } from "../resource.js";
import { t } from "../words/admin.js";

/** @typedef {{ team: string, on_duty: string[], told: string[] }} Team */
/** @typedef {{ id: number, team: string, person: string, from: string, to: string, who: string, state: string }} Shift */

const AGAIN_MS = 120_000;

/** @returns {import("./admin.js").Part} */
export function dutyPart() {
  const now = panel("duty-now", t("duty_now")),
    roster = panel("roster", t("shifts")),
    plan = panel("plan", t("notice_plan"));
  const teams = resource("duty/now", draw, { every_ms: AGAIN_MS, shape: (answer) => /** @type {Team[]} */ (answer.teams) });
  const shifts = resource("duty?limit=100", draw, { every_ms: AGAIN_MS, shape: ({ items }) => /** @type {Shift[]} */ (items.filter((/** @type {Shift} */ each) => each.state !== "over")) });
  const told = resource("notices/plan", draw, { every_ms: AGAIN_MS });
  const element = h("div.duty", {}, now.element, roster.element, plan.element);

  function draw() {
    drawResource(now.body, teams, { what: t("duty_now"), key: JSON.stringify, empty: (all) => (all.length ? null : message(t("no_teams"))), content: teamsTable });
    drawResource(roster.body, shifts, { what: t("shifts"), key: JSON.stringify, empty: (all) => (all.length ? null : message(t("no_shifts"))), content: shiftsTable });
    drawResource(plan.body, told, { what: t("notice_plan"), key: JSON.stringify, empty: ({ routes, people }) => (routes.length || people.length ? null : message(t("no_plan"), t("no_plan_text"))), content: planTables });
  }
  return {
    element,
    update: draw,
    close() {
      for (const each of [teams, shifts, told]) each.close();
    },
  };
}

/** @param {string} label @param {string[]} heads @param {any[][]} rows */
const table = (label, heads, rows) =>
  h(
    "div.table-scroll",
    {},
    h(
      "table.compact",
      { "aria-label": label },
      h("thead", {}, h("tr", {}, heads.map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))),
    ),
  );

/** @param {Team[]} teams */
const teamsTable = (teams) =>
  table(
    t("duty_now"),
    [t("team"), t("on_duty"), t("told_now")],
    teams.map(({ team, on_duty, told }) => [
      h("b", {}, team),
      on_duty.join(", ") || h("span.t3", {}, t("nobody")),
      [told.join(", ") || h("span.t3", {}, t("nobody")), on_duty.length === 0 && told.length > 0 && [" ", h("span.tag", {}, t("fallback"))]],
    ]),
  );

/** @param {Shift[]} shifts */
const shiftsTable = (shifts) =>
  table(
    t("shifts"),
    [t("team"), t("person"), t("from"), t("to"), t("col_state"), t("written_by")],
    shifts.map(({ team, person, from, to, state, who }) => [
      team, h("b", {}, person), moment(from), moment(to), t(state === "standing" ? "shift_standing" : "shift_to_come"), h("span.t2", {}, who),
    ]),
  ); // prettier-ignore

/** @param {any} plan */
function planTables({ routes, people }) {
  const routeRows = routes.map((/** @type {any} */ route) => [
    h("b", {}, route.name),
    t(`sev${route.min_severity}`),
    [...route.kinds, ...route.districts, ...route.rules].join(", ") || "–",
    route.steps
      .map((/** @type {any} */ step) => t(step.after_s ? "step" : "at_once", { after: age(step.after_s * 1000), to: step.to.join(", ") }))
      .join("; "),
    route.quiet ? t("quiet", { from: route.quiet.from, to: route.quiet.until, sev: t(`sev${route.quiet.below_severity}`) }) : "–",
  ]);
  const peopleRows = people.map((/** @type {any} */ person) => [h("b", {}, person.name), person.channels.join(", ")]);
  return [
    h("p.t3.plan-text", {}, t("plan_text")),
    table(t("route"), [t("route"), t("from_severity"), t("kind"), t("steps"), t("severity")], routeRows),
    table(t("person"), [t("person"), t("channels")], peopleRows),
  ];
}
