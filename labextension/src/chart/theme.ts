/** Colours of the page that the chart is on: JupyterLab's variables where there are any, else what is inherited. */

export interface Theme {
  dark: boolean;
  ink: string;
  faint: string;
  grid: string;
}

/** The house's colours are chosen for white paper. On a dark page these three give way; the others keep 3:1. */
const ON_DARK: Record<string, string> = {
  '#000000': '#f5f5f5',
  '#d0d0d0': '#6a6a6a',
  '#0072b2': '#3d9bd8'
};

export function themeOf(element: HTMLElement): Theme {
  const style = getComputedStyle(element);
  const said = document.body.dataset.jpThemeLight;
  const dark = said === undefined ? brightness(background(element)) < 128 : said === 'false';
  const ink = style.getPropertyValue('--jp-content-font-color1').trim() || style.color;
  return {
    dark,
    ink: dark ? '#e8e8e8' : solid(ink),
    faint: dark ? '#b0b0b0' : '#595959',
    grid: dark ? 'rgba(255, 255, 255, 0.12)' : 'rgba(0, 0, 0, 0.09)'
  };
}

export function onTheme(color: string, theme: Theme): string {
  return theme.dark ? (ON_DARK[color.toLowerCase()] ?? color) : color;
}

/** Call back when the page's theme changes; returns how to end that. */
export function onThemeChange(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-jp-theme-name', 'data-jp-theme-light', 'data-theme']
  });
  const media = matchMedia('(prefers-color-scheme: dark)');
  media.addEventListener('change', changed);
  return () => {
    observer.disconnect();
    media.removeEventListener('change', changed);
  };
}

/** A fill with the house's hatch over it, so that it is told from its neighbours in grey too. */
export function hatched(context: CanvasRenderingContext2D, color: string, theme: Theme): CanvasPattern | string {
  const size = 6 * devicePixelRatio;
  const tile = document.createElement('canvas');
  tile.width = tile.height = size;
  const brush = tile.getContext('2d');
  if (brush === null) {
    return color;
  }
  brush.fillStyle = color;
  brush.fillRect(0, 0, size, size);
  brush.strokeStyle = theme.dark ? '#ffffff' : '#00263D';
  brush.globalAlpha = 0.75;
  brush.lineWidth = devicePixelRatio;
  for (const shift of [-size, 0, size]) {
    brush.moveTo(shift, size);
    brush.lineTo(shift + size, 0);
  }
  brush.stroke();
  return context.createPattern(tile, 'repeat') ?? color;
}

/** The first colour behind an element that isn't transparent; white where there is none. */
function background(element: HTMLElement): string {
  for (let at: HTMLElement | null = element; at !== null; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (color !== '' && color !== 'transparent' && !/,\s*0\)$/.test(color)) {
      return color;
    }
  }
  return 'rgb(255, 255, 255)';
}

function brightness(color: string): number {
  const [red = 255, green = 255, blue = 255] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** JupyterLab's ink is black at 87 %: as text over a grid it is drawn without the alpha. */
function solid(color: string): string {
  return /^rgba\(0, 0, 0/.test(color) ? '#212121' : color;
}
