/** Numbers and times as a person reads them. */

const PLAIN = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 4 });

/** 1234.5678 as 1,235; 0.0000123 as it is, 0.00000012 as 1.2e-7; nothing as a dash. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '–';
  }
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-6 || size >= 1e9) ? value.toExponential(2).replace(/\.?0+e/, 'e') : PLAIN.format(value);
}

const UNITS: [seconds: number, name: string, upTo: number][] = [
  [1, 's', 300],
  [60, 'min', 3 * 3600],
  [3600, 'h', 4 * 86400],
  [86400, 'days', Infinity]
];

/** The unit in which so long a time is told: seconds up to 5 min, minutes up to 3 h, hours, days. */
export function timeUnit(seconds: number): { seconds: number; name: string } {
  const found = UNITS.find(([, , upTo]) => seconds <= upTo) ?? UNITS[UNITS.length - 1]!;
  return { seconds: found[0], name: found[1] };
}

/** Steps between an axis' ticks: seconds and days go by 1, 2 and 5, minutes and hours by 6 and 12 as well. */
export function timeSteps(unitSeconds: number): number[] {
  const factors = unitSeconds === 60 || unitSeconds === 3600 ? [1, 2, 5, 10, 15, 30, 60, 120] : [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200];
  const hours = unitSeconds === 3600 ? [1, 2, 3, 6, 12, 24, 48] : factors;
  return hours.map(factor => factor * unitSeconds);
}
