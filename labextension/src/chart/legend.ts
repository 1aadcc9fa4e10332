import { number } from './format';
import type { PanelSpec, Series } from './model';
import type { Theme } from './theme';
import { onTheme } from './theme';

/** A panel's heading: its name, and each series with a sample and its value. It stands above the data, never over it. */
export class Legend {
  constructor(parent: HTMLElement, spec: PanelSpec, theme: Theme) {
    const node = parent.appendChild(document.createElement('div'));
    node.className = 'lambdanb-legend';
    const name = node.appendChild(document.createElement('strong'));
    name.textContent = spec.name;
    const lines = spec.draw === 'lines' || spec.draw === 'steps';
    this.values = spec.series.map(series => {
      const item = node.appendChild(document.createElement('span'));
      item.appendChild(sample(series, lines, theme));
      item.append(series.name);
      const value = item.appendChild(document.createElement('output'));
      value.setAttribute('aria-live', 'off');
      return value;
    });
  }

  /** Show a value beside each series; a text as it is. */
  show(values: (number | string | null | undefined)[]): void {
    this.values.forEach((element, at) => {
      const value = values[at];
      const text = typeof value === 'string' ? value : number(value);
      if (element.textContent !== text) {
        element.textContent = text;
      }
    });
  }

  private readonly values: HTMLElement[];
}

/** A piece of the line, or of the area, as it is drawn. */
function sample(series: Series, line: boolean, theme: Theme): HTMLElement {
  const node = document.createElement('i');
  const color = onTheme(series.color, theme);
  node.setAttribute('aria-hidden', 'true');
  if (line) {
    const style = series.dashes.length === 0 ? 'solid' : (series.dashes[0] ?? 0) <= 2 ? 'dotted' : 'dashed';
    node.style.borderTop = `${Math.max(series.width, 1.5)}px ${style} ${color}`;
    node.className = 'lambdanb-line';
  } else {
    const stroke = theme.dark ? '#ffffff' : '#00263D';
    node.style.background = series.hatched
      ? `repeating-linear-gradient(135deg, ${stroke} 0 1px, ${color} 1px 4px)`
      : color;
    node.className = 'lambdanb-area';
  }
  return node;
}
