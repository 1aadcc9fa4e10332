import type { AnyModel } from '@anywidget/types';
import type { ChartMessage, ChartState } from './model';

export type Column = (number | null)[];

/** What a panel has to draw. For boxes the columns are row, start, end (null: still there) and kind. */
export interface PanelData {
  columns: Column[];
  mark: number | null;
}

/**
 * The points of one chart, shared by all of its views.
 *
 * The kernel sends new points only; what came before a page was opened, it is asked for once.
 */
export class Store {
  constructor(model: AnyModel<ChartState>, signal: AbortSignal) {
    this.model = model;
    this.empty();
    const receive = (message: ChartMessage, buffers: DataView[]): void => {
      message.parts.forEach((part, at) => {
        const buffer = buffers[at];
        if (buffer !== undefined) {
          this.take(message.op, part, buffer);
        }
      });
      this.tell();
    };
    const restart = (): void => {
      this.empty();
      this.tell();
    };
    model.on('msg:custom', receive);
    model.on('change:panels', restart);
    signal.addEventListener('abort', () => {
      model.off('msg:custom', receive);
      model.off('change:panels', restart);
    });
    model.send({ type: 'history' });
  }

  /** The points of a panel. */
  panel(at: number): PanelData {
    return this.panels[at] ?? { columns: [], mark: null };
  }

  /** The newest time in any panel without an axis label of its own. */
  newest(): number {
    let newest = 0;
    this.model.get('panels').forEach((spec, at) => {
      if (spec.x === null) {
        const columns = this.panel(at).columns;
        const times = spec.draw === 'boxes' ? [] : columns[0];
        newest = Math.max(newest, times?.at(-1) ?? 0);
      }
    });
    return newest;
  }

  /** Call back after each change; returns how to end that. */
  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  private empty(): void {
    this.panels = this.model.get('panels').map(spec => ({
      columns: Array.from({ length: spec.draw === 'boxes' ? 4 : 1 + spec.series.length }, () => []),
      mark: null
    }));
    this.places.clear();
  }

  private tell(): void {
    this.watchers.forEach(changed => changed());
  }

  private take(op: ChartMessage['op'], part: ChartMessage['parts'][number], buffer: DataView): void {
    const spec = this.model.get('panels')[part.panel];
    const data = this.panels[part.panel];
    if (spec === undefined || data === undefined) {
      return;
    }
    const values = new Float64Array(
      buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) as ArrayBuffer
    );
    const row = (at: number): Float64Array => values.subarray(at * part.points, (at + 1) * part.points);
    data.mark = part.mark;
    if (op === 'replace') {
      data.columns.forEach(column => (column.length = 0));
      this.places.delete(part.panel);
    }
    if (spec.draw === 'boxes') {
      this.takeBoxes(part.panel, data, data.columns.map((_, at) => row(at)));
    } else {
      data.columns.forEach((column, at) => push(column, row(at)));
    }
    this.forget(part.panel, spec.draw === 'boxes' ? 2 : 0);
  }

  /** A box of the row, kind and start of one that is there takes its place: so a box grows. */
  private takeBoxes(panel: number, data: PanelData, rows: Float64Array[]): void {
    const places = this.places.get(panel) ?? new Map<string, number>();
    this.places.set(panel, places);
    const count = rows[0]?.length ?? 0;
    for (let n = 0; n < count; n++) {
      const box = rows.map(row => row[n] ?? NaN);
      const key = `${box[0]} ${box[1]} ${box[3]}`;
      const place = places.get(key) ?? data.columns[0]!.length;
      places.set(key, place);
      data.columns.forEach((column, at) => (column[place] = known(box[at]!)));
    }
  }

  /** Let go of what has left the window for good: when it is a good part, as it moves everything. */
  private forget(panel: number, timeColumn: number): void {
    const window = this.model.get('window_s');
    const data = this.panels[panel]!;
    const times = data.columns[timeColumn];
    if (window === null || times === undefined) {
      return;
    }
    const oldest = this.newest() - window;
    if (this.model.get('panels')[panel]!.draw === 'boxes') {
      const kept = times.flatMap((end, n) => (end === null || end >= oldest ? [n] : []));
      if (kept.length < 0.7 * times.length) {
        data.columns = data.columns.map(column => kept.map(n => column[n]!));
        const [rows, starts, , kinds] = data.columns as [Column, Column, Column, Column];
        this.places.set(panel, new Map(rows.map((row, n) => [`${row} ${starts[n]} ${kinds[n]}`, n])));
      }
      return;
    }
    const gone = times.findIndex(time => (time ?? 0) >= oldest) - 1;
    if (gone > 50) {
      data.columns.forEach(column => column.splice(0, gone));
    }
  }

  private readonly model: AnyModel<ChartState>;
  private readonly watchers = new Set<() => void>();
  private readonly places = new Map<number, Map<string, number>>();
  private panels: PanelData[] = [];
}

/** NaN is the kernel's word for nothing. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function push(column: Column, values: Float64Array): void {
  for (const value of values) {
    column.push(known(value));
  }
}
