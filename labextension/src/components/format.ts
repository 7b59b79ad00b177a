const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

function locale(): string | undefined {
  return document.documentElement.lang || undefined;
}

/** `84 MB`, in the page's language; decimal units, as package indexes use. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(locale(), {
    style: 'unit',
    unit: UNITS[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0
  })
    .format(value)
    .replace(/ /g, '\u00a0');
}

export function formatNumber(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

/** A day, such as `Nov 22, 2026`. */
export function formatDate(iso: string): string {
  const date = new Date(iso);
  return isNaN(date.getTime()) ? iso : new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(date);
}

/** A day and time, such as `Nov 22, 2026, 7:04 PM`. */
export function formatMoment(iso: string): string {
  const date = new Date(iso);
  return isNaN(date.getTime())
    ? iso
    : new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(date);
}

/** How long ago, such as `3 days ago`. */
export function formatAgo(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  if (isNaN(seconds)) {
    return iso;
  }
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ['year', 31536000],
    ['month', 2592000],
    ['week', 604800],
    ['day', 86400],
    ['hour', 3600],
    ['minute', 60]
  ];
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) {
      return format.format(Math.round(seconds / length), unit);
    }
  }
  return format.format(0, 'second');
}

/** The last part of a channel's address: `https://hub.example.org/conda/acme` is `acme`. */
export function channelName(channel: string): string {
  return channel.replace(/\/+$/, '').split('/').slice(-1)[0];
}

/** `34 / 84 MB` for bytes, `9 / 14` for anything else. */
export function formatAmount(done: number, total: number, unit: string | null): string {
  return unit === 'bytes'
    ? `${formatBytes(done)} / ${formatBytes(total)}`
    : `${formatNumber(done)} / ${formatNumber(total)}`;
}
