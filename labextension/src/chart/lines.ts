import uPlot from 'uplot';
import { number, timeUnit } from './format';
import type { PanelSpec } from './model';
import { Panel } from './panel';
import type { Source } from './panel';
import type { Column } from './store';
import type { Theme } from './theme';
import { hatched, onTheme } from './theme';

/** A panel of lines, steps, bars, or a stack of areas. */
export class Lines extends Panel {
  constructor(parent: HTMLElement, spec: PanelSpec, theme: Theme, source: Source) {
    super(parent, spec, theme, source);
    this.plot = new uPlot(this.settings(), [[]], this.box);
    this.node.addEventListener('keydown', event => this.key(event));
  }

  override draw(): void {
    const { columns } = this.source.data();
    this.plot.setData((this.spec.draw === 'stack' ? stacked(columns) : columns) as uPlot.AlignedData);
    this.pointed();
    const count = columns[0]?.length ?? 0;
    this.node.dataset.points = String(count);
    this.describe(count === 0 ? 'Nothing yet.' : `${count} points; ${this.told(this.resting())}`);
  }

  /** The point that is told when none is pointed at: the last up to the mark, or the last of all. */
  private resting(): number {
    const { columns, mark } = this.source.data();
    const x = columns[0] ?? [];
    const past = mark === null ? -1 : x.findIndex(at => at !== null && at > mark * (1 + 1e-9));
    return past < 0 ? x.length - 1 : Math.max(past - 1, 0);
  }

  protected override pointed(): void {
    const { columns } = this.source.data();
    const at = this.plot?.cursor.idx ?? this.resting();
    this.legend.show(columns.slice(1).map(column => column[at]));
  }

  /** Left and right go from point to point, and what is there is said. */
  private key(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { columns } = this.source.data();
    const times = columns[0] ?? [];
    if (step === undefined || times.length === 0) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const from = this.plot.cursor.idx ?? times.length;
    const at = Math.min(Math.max(from + step, 0), times.length - 1);
    this.plot.setCursor({ left: this.plot.valToPos(times[at] ?? 0, 'x'), top: 0 });
    this.said.textContent = this.told(at);
  }

  private told(at: number): string {
    const { columns } = this.source.data();
    const x = columns[0]?.[at] ?? 0;
    const unit = timeUnit(x);
    const where = this.spec.x === null ? `${number(x / unit.seconds)} ${unit.name}` : `${this.spec.x} ${number(x)}`;
    const values = this.spec.series.map(({ name }, n) => `${name} ${number(columns[n + 1]?.[at])}`);
    return `at ${where}: ${values.join(', ')}`;
  }

  private settings(): uPlot.Options {
    const { spec, theme } = this;
    const options = this.options();
    const steps = uPlot.paths.stepped!({ align: 1 });
    const bars = uPlot.paths.bars!({ size: [0.8, 24], align: 1 });
    const areas = spec.draw === 'stack' || spec.draw === 'bars';
    options.series = [{}];
    for (const series of spec.series) {
      const color = onTheme(series.color, theme);
      const one: uPlot.Series = {
        stroke: color,
        width: areas ? 0 : series.width,
        spanGaps: false,
        ...(series.dashes.length > 0 ? { dash: series.dashes } : {}),
        ...(areas ? { fill: (plot: uPlot) => (series.hatched ? hatched(plot.ctx, color, theme) : color) } : {})
      };
      if (spec.draw === 'steps' || spec.draw === 'stack') {
        one.paths = steps;
      } else if (spec.draw === 'bars') {
        one.paths = bars;
      }
      if (areas || spec.draw === 'steps') {
        one.points = { show: false };
      }
      options.series.push(one);
    }
    if (spec.draw === 'stack') {
      // Painted from the whole stack down to its lowest layer, each over the one before.
      options.series = [{}, ...options.series.slice(1).reverse()];
    }
    options.scales!.y = spec.log_y
      ? { distr: 3, range: (_, low, high) => logRange(low, high) }
      : { range: (_, low, high) => [Math.min(low ?? 0, 0), high !== null && high > 0 ? 1.08 * high : 1] };
    return options;
  }

  protected override readonly plot: uPlot;
}

/** Layers as sums from the lowest on, the whole first. */
function stacked(columns: Column[]): Column[] {
  const [x = [], ...layers] = columns;
  const below: number[] = new Array<number>(x.length).fill(0);
  const sums = layers.map(layer => layer.map((value, n) => (below[n] = (below[n] ?? 0) + (value ?? 0))));
  return [x, ...sums.reverse()];
}

/** From a tick of 1, 2 or 5 times a power of ten to another, at least half a decade apart. */
function logRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || low <= 0) {
    return [1, 1000];
  }
  const tick = (value: number, round: (value: number) => number): number => {
    const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
    const steps = [1, 2, 5, 10].map(step => step * power);
    return round === Math.floor ? steps.filter(step => step <= value * 1.0001).at(-1)! : steps.find(step => step >= value * 0.9999)!;
  };
  const bottom = tick(low, Math.floor);
  return [bottom, Math.max(tick(high, Math.ceil), 5 * bottom)];
}
