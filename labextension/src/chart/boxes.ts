import uPlot from 'uplot';
import type { PanelSpec } from './model';
import { Panel } from './panel';
import type { Source } from './panel';
import type { Theme } from './theme';
import { hatched, onTheme } from './theme';

const LEAST_ROWS = 4;

/**
 * Execution environments over time, a row each: what each was doing is a box. The kinds are the panel's series; those
 * that come first are drawn first, so that an idle ground lies under what happened on it.
 */
export class Boxes extends Panel {
  constructor(parent: HTMLElement, spec: PanelSpec, theme: Theme, source: Source) {
    super(parent, spec, theme, source);
    const options = this.options();
    options.cursor = { show: false };
    options.series = [{}, { show: false }];
    options.scales!.y = { range: () => [0, this.rows()] };
    options.axes![1]!.incrs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
    options.hooks!.draw = [plot => this.paint(plot), ...(options.hooks!.draw as ((plot: uPlot) => void)[])];
    this.plot = new uPlot(options, [[0], [0]], this.box);
  }

  override draw(): void {
    const [rows = []] = this.source.data().columns;
    const [low, high] = this.range(0, Math.max(this.source.newest(), 1));
    // A point at each end sets the axis; the boxes are painted by themselves.
    this.plot.setData([
      [low, high],
      [null, null]
    ]);
    this.node.dataset.points = String(rows.length);
    const now = this.doingNow();
    this.legend.show(now.map(count => `${count}`));
    this.describe(this.spec.series.map(({ name }, kind) => `${now[kind]} ${name}`).join(', '));
  }

  protected override pointed(): void {
    // The cursor is off here.
  }

  /** Rows that are shown: those of the boxes in sight. */
  private rows(): number {
    let most = LEAST_ROWS;
    const [rows = []] = this.source.data().columns;
    for (const row of rows) {
      most = Math.max(most, (row ?? 0) + 1);
    }
    return most;
  }

  /** How many rows are at each kind now: a row is at the last kind that lasts, or ends only now. */
  private doingNow(): number[] {
    const now = this.source.newest();
    const [rows = [], , ends = [], kinds = []] = this.source.data().columns;
    const at = new Map<number, number>();
    rows.forEach((row, n) => {
      if ((ends[n] ?? now) >= now && (kinds[n] ?? 0) >= (at.get(row ?? 0) ?? 0)) {
        at.set(row ?? 0, kinds[n] ?? 0);
      }
    });
    const counts = this.spec.series.map(() => 0);
    for (const kind of at.values()) {
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  private paint(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const [rows = [], starts = [], ends = [], kinds = []] = this.source.data().columns;
    const now = this.source.newest();
    const left = (time: number): number => plot.valToPos(time, 'x', true);
    const high = bbox.height / this.rows();
    const gap = high > 8 * devicePixelRatio ? 2 * devicePixelRatio : high > 3 * devicePixelRatio ? 1 : 0;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.spec.series.forEach((series, kind) => {
      const color = onTheme(series.color, this.theme);
      ctx.fillStyle = series.hatched ? hatched(ctx, color, this.theme) : color;
      for (let n = 0; n < rows.length; n++) {
        if (kinds[n] !== kind) {
          continue;
        }
        const from = Math.max(left(starts[n] ?? 0), bbox.left);
        const to = left(ends[n] ?? now);
        if (to < bbox.left) {
          continue;
        }
        const top = bbox.top + bbox.height - ((rows[n] ?? 0) + 1) * high;
        ctx.fillRect(from, top + gap / 2, Math.max(to - from, devicePixelRatio), high - gap);
      }
    });
    ctx.restore();
  }

  protected override readonly plot: uPlot;
}
