import uPlot from 'uplot';
import { number, timeSteps, timeUnit } from './format';
import { Legend } from './legend';
import type { PanelSpec } from './model';
import type { PanelData } from './store';
import type { Theme } from './theme';
import { onTheme } from './theme';

const HEIGHT = 170;
const FONT = '11px system-ui, sans-serif';

/** Where a panel gets what it draws. */
export interface Source {
  data(): PanelData;
  newest(): number;
  window(): number | null;
}

/** One set of axes with its heading: what lines and boxes have in common. */
export abstract class Panel {
  constructor(parent: HTMLElement, spec: PanelSpec, theme: Theme, source: Source) {
    this.spec = spec;
    this.theme = theme;
    this.source = source;
    this.node = parent.appendChild(document.createElement('div'));
    this.node.className = 'lambdanb-panel';
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'img');
    this.legend = new Legend(this.node, spec, theme);
    this.box = this.node.appendChild(document.createElement('div'));
    this.said = this.node.appendChild(document.createElement('div'));
    this.said.className = 'lambdanb-said';
    this.said.setAttribute('aria-live', 'polite');
  }

  /** Draw what there is now. */
  abstract draw(): void;

  /** Fit the width that the page gives. */
  resize(): void {
    const width = Math.floor(this.box.clientWidth);
    if (width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: HEIGHT });
    }
  }

  destroy(): void {
    this.plot.destroy();
    this.node.remove();
  }

  /** What a screen reader says of the panel. */
  protected describe(values: string): void {
    this.node.setAttribute('aria-label', `${this.spec.name}, ${this.spec.y}. ${values}`);
  }

  /** Of the horizontal axis: the moving window up to the newest time, or all there is. */
  protected range(low: number | null, high: number | null): [number, number] {
    const window = this.source.window();
    if (this.spec.x === null && window !== null) {
      const newest = this.source.newest();
      return [Math.max(newest - window, 0), Math.max(newest, window)];
    }
    if (low === null || high === null) {
      return this.spec.log_x ? [1, 10] : [0, 1];
    }
    return low === high ? [this.spec.log_x ? low / 2 : low - 0.5, this.spec.log_x ? high * 2 : high + 0.5] : [low, high];
  }

  protected options(): uPlot.Options {
    const { spec } = this;
    const axis = {
      stroke: this.theme.faint,
      font: FONT,
      labelFont: FONT,
      grid: { stroke: this.theme.grid, width: 1 },
      ticks: { stroke: this.theme.grid, width: 1, size: 4 },
      labelGap: 2
    };
    const plain = (_: uPlot, splits: (number | null)[]): string[] => splits.map(at => (at === null ? '' : number(at)));
    const unit = (plot: uPlot): ReturnType<typeof timeUnit> => {
      const { min, max } = plot.scales.x!;
      return timeUnit((max ?? 0) - (min ?? 0));
    };
    const decades = { filter: logTicks, grid: { ...axis.grid, filter: logTicks }, ticks: { ...axis.ticks, filter: logTicks } };
    const time: Partial<uPlot.Axis> = {
      incrs: plot => timeSteps(unit(plot).seconds),
      values: (plot, splits) => {
        const { seconds, name } = unit(plot);
        return splits.map((at, n) => (n === splits.length - 1 ? `${number(at / seconds)} ${name}` : number(at / seconds)));
      }
    };
    const written: Partial<uPlot.Axis> = {
      splits: (plot, _axis, low, high) => apart(plot, spec.ticks_x.filter(([at]) => low <= at && at <= high)),
      values: (_, splits) => splits.map(split => spec.ticks_x.find(([at]) => at === split)?.[1] ?? ''),
      filter: (_, splits) => splits
    };
    return {
      width: Math.max(Math.floor(this.box.clientWidth), 200),
      height: HEIGHT,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: false, distr: spec.log_x ? 3 : 1, range: (_, low, high) => this.range(low, high) } },
      axes: [
        { ...axis, size: 22, space: 60, ...(spec.log_x ? decades : {}), ...(spec.x === null ? time : { values: plain, label: spec.x, labelSize: 16 }), ...(spec.ticks_x.length > 0 ? written : {}) },
        {
          ...axis,
          ...(spec.log_y ? decades : {}),
          values: plain,
          space: 26,
          size: (_, values) => 12 + 6.4 * Math.max(3, ...(values ?? []).map(value => value.length)),
          label: spec.y,
          labelSize: 16
        }
      ],
      series: [{}],
      hooks: { draw: [plot => this.drawMark(plot)], setCursor: [() => this.pointed()] }
    };
  }

  /** The cursor has moved. */
  protected abstract pointed(): void;

  /** A dashed line where the kernel marks a place, such as what a slider says. */
  private drawMark(plot: uPlot): void {
    const { mark } = this.source.data();
    if (mark === null) {
      return;
    }
    const at = Math.round(plot.valToPos(mark, 'x', true));
    const { left, top, width, height } = plot.bbox;
    if (at < left || at > left + width) {
      return;
    }
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = onTheme('#D55E00', this.theme);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(at, top);
    ctx.lineTo(at, top + height);
    ctx.stroke();
    ctx.restore();
  }

  readonly node: HTMLElement;
  protected readonly spec: PanelSpec;
  protected readonly theme: Theme;
  protected readonly source: Source;
  protected readonly legend: Legend;
  protected readonly box: HTMLElement;
  protected readonly said: HTMLElement;
  protected abstract readonly plot: uPlot;
}

/** The places of ticks, without those whose text would touch that of the one before. */
function apart(plot: uPlot, ticks: [at: number, text: string][]): number[] {
  const kept: number[] = [];
  let free = -Infinity;
  for (const [at, text] of ticks) {
    const middle = plot.valToPos(at, 'x');
    const half = 3.2 * text.length + 3;
    if (!(middle - half < free)) {
      kept.push(at);
      free = middle + half;
    }
  }
  return kept;
}

/** Of a log axis' splits those at 1, 2 and 5 times a power of ten; over three decades, at the powers alone. */
function logTicks(_: uPlot, splits: number[]): (number | null)[] {
  const decades = Math.log10((splits.at(-1) ?? 1) / (splits[0] ?? 1));
  const kept = decades > 3 ? [1] : [1, 2, 5];
  return splits.map(split => {
    const power = 10 ** Math.floor(Math.log10(split) + 1e-9);
    return kept.some(step => Math.abs(split / power - step) < 1e-6) ? split : null;
  });
}
