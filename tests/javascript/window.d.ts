// What the libraries leave on the window.
import type * as Leaflet from "leaflet";
import type UPlot from "uplot";

declare global {
  interface Window {
    L: typeof Leaflet;
    uPlot: typeof UPlot;
  }
}
