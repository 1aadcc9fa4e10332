/** What the kernel tells the chart: see lambdanb/notebook/chart.py, the other end. */

/** One line, layer of a stack, row of bars, or kind of box. */
export interface Series {
  name: string;
  color: string;
  dashes: number[];
  width: number;
  hatched: boolean;
}

/** One set of axes. `x` is the axis' label; without one it is the time since the start, in seconds. */
export interface PanelSpec {
  name: string;
  y: string;
  x: string | null;
  draw: 'lines' | 'steps' | 'bars' | 'stack' | 'boxes';
  series: Series[];
  /** Places on the horizontal axis with what is written there; none: numbers. */
  ticks_x: [at: number, text: string][];
  log_x: boolean;
  log_y: boolean;
}

export interface ChartState {
  label: string;
  panels: PanelSpec[];
  /** The seconds that are shown, up to the newest; null for everything. */
  window_s: number | null;
}

/** New points (`append`) or all there are (`replace`), for some panels; a buffer of float64 for each, row by row. */
export interface ChartMessage {
  op: 'append' | 'replace';
  parts: { panel: number; points: number; mark: number | null }[];
}
