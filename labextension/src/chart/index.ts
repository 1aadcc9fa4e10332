/**
 * The live chart of lambdanb's dashboards: named panels over uPlot, fed with new points alone.
 *
 * An anywidget module: `initialize` once for a chart, `render` once for each place in which it is shown.
 */

import 'uplot/dist/uPlot.min.css';
import './chart.css';

import type { AnyModel, InitializeProps, RenderProps } from '@anywidget/types';
import { Boxes } from './boxes';
import { Lines } from './lines';
import type { ChartState } from './model';
import type { Panel } from './panel';
import { Store } from './store';
import { onThemeChange, themeOf } from './theme';

const stores = new WeakMap<AnyModel<ChartState>, Store>();

function storeOf(model: AnyModel<ChartState>, signal: AbortSignal): Store {
  const store = stores.get(model) ?? new Store(model, signal);
  stores.set(model, store);
  return store;
}

function initialize({ model, signal }: InitializeProps<ChartState>): void {
  storeOf(model, signal);
}

function render({ model, el, signal }: RenderProps<ChartState>): () => void {
  const store = storeOf(model, signal);
  el.classList.add('lambdanb-chart');
  el.setAttribute('role', 'group');
  let panels: Panel[] = [];
  let seen = true;
  let asked = 0;
  let built = '';

  /** Draw at the page's next frame, once however many points came; not at all where nobody looks. */
  const draw = (): void => {
    if (asked === 0 && seen && !document.hidden) {
      asked = requestAnimationFrame(() => {
        asked = 0;
        panels.forEach(panel => panel.draw());
      });
    }
  };
  const build = (): void => {
    sizes.disconnect();
    panels.forEach(panel => panel.destroy());
    el.setAttribute('aria-label', model.get('label'));
    const theme = themeOf(el);
    built = JSON.stringify(theme);
    panels = model.get('panels').map((spec, at) => {
      const source = { data: () => store.panel(at), newest: () => store.newest(), window: () => model.get('window_s') };
      return spec.draw === 'boxes' ? new Boxes(el, spec, theme, source) : new Lines(el, spec, theme, source);
    });
    // A panel's first size is told too, be the page hidden or at work on its theme now.
    panels.forEach(panel => sizes.observe(panel.node));
    draw();
  };
  const sizes = new ResizeObserver(() => {
    // Inside of another widget it is built before the page has it: only now does it see what is behind it.
    if (JSON.stringify(themeOf(el)) !== built) {
      build();
    }
    panels.forEach(panel => panel.resize());
    draw();
  });

  model.on('change:panels', build);
  model.on('change:label', build);
  model.on('change:window_s', draw);
  const ends = [
    store.watch(draw),
    onThemeChange(build),
    () => model.off('change:panels', build),
    () => model.off('change:label', build),
    () => model.off('change:window_s', draw)
  ];
  const looks = new IntersectionObserver(entries => {
    seen = entries.at(-1)?.isIntersecting ?? true;
    draw();
  });
  document.addEventListener('visibilitychange', draw);
  build();
  looks.observe(el);
  return () => {
    ends.forEach(end => end());
    looks.disconnect();
    sizes.disconnect();
    document.removeEventListener('visibilitychange', draw);
    cancelAnimationFrame(asked);
    panels.forEach(panel => panel.destroy());
  };
}

export default { initialize, render };
