/** Most label combinations of one metric: labels must come from closed sets, and this is where a mistake stops. */
const MAX_SERIES = 1_000;
const NAME = /^[a-z][a-z0-9_]*$/;

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** @param by not negative; default 1 */
  add(labels?: Labels, by?: number): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Metrics of one process in the Prometheus text format, version 0.0.4. Names carry their unit: `…_seconds`, `…_bytes`, `…_total`. */
export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  /** @param buckets upper bounds, rising; `+Inf` is added */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** Everything, for `text/plain; version=0.0.4`. */
  render(): string;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      if (!NAME.test(name)) throw new TypeError("label names are lower-case words");
      return `${name}="${escapeLabel(value)}"`;
    });
  return pairs.join(",");
}

function line(name: string, labels: string, value: number): string {
  const text = value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
  return `${name}${labels === "" ? "" : `{${labels}}`} ${text}\n`;
}

/** Values by label combination, bounded: what comes after the bound is dropped. */
class Series<V> {
  readonly #values: Map<string, V> = new Map();
  readonly #make: () => V;

  constructor(make: () => V) {
    this.#make = make;
  }

  change(labels: Labels, change: (value: V) => V): void {
    const key = labelText(labels);
    const value = this.#values.get(key);
    if (value === undefined && this.#values.size >= MAX_SERIES) return;
    this.#values.set(key, change(value ?? this.#make()));
  }

  render(write: (labels: string, value: V) => string): string {
    return [...this.#values].map(([labels, value]) => write(labels, value)).join("");
  }
}

interface Observed {
  readonly counts: number[];
  sum: number;
  count: number;
}

function histogramLines(
  name: string,
  buckets: readonly number[],
  labels: string,
  seen: Observed,
): string {
  const prefix = labels === "" ? "" : `${labels},`;
  const bucketLines = buckets.map((bound, i) =>
    line(`${name}_bucket`, `${prefix}le="${bound}"`, seen.counts[i] ?? 0),
  );
  return [
    ...bucketLines,
    line(`${name}_bucket`, `${prefix}le="+Inf"`, seen.count),
    line(`${name}_sum`, labels, seen.sum),
    line(`${name}_count`, labels, seen.count),
  ].join("");
}

/** An empty registry. A name is registered once; a second time is a bug and throws. */
export function createMetrics(): Metrics {
  const renderers: Map<string, () => string> = new Map();
  const register = (name: string, help: string, type: string, render: () => string): void => {
    if (!NAME.test(name) || renderers.has(name))
      throw new TypeError(`${name} is no fresh metric name`);
    const words = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
    renderers.set(name, () => `# HELP ${name} ${words}\n# TYPE ${name} ${type}\n${render()}`);
  };
  const numbers = (name: string, help: string, type: string): Series<number> => {
    const series = new Series(() => 0);
    register(name, help, type, () => series.render((labels, value) => line(name, labels, value)));
    return series;
  };
  return {
    counter: (name, help) => {
      const series = numbers(name, help, "counter");
      return {
        add: (labels = {}, by = 1) => series.change(labels, (value) => value + Math.max(0, by)),
      };
    },
    gauge: (name, help) => {
      const series = numbers(name, help, "gauge");
      return { set: (value, labels = {}) => series.change(labels, () => value) };
    },
    histogram: (name, help, buckets) => {
      const series = new Series<Observed>(() => ({
        counts: buckets.map(() => 0),
        sum: 0,
        count: 0,
      }));
      register(name, help, "histogram", () =>
        series.render((labels, seen) => histogramLines(name, buckets, labels, seen)),
      );
      return {
        observe: (value, labels = {}) =>
          series.change(labels, ({ counts, sum, count }) => ({
            counts: counts.map((seen, i) => seen + (value <= (buckets[i] ?? 0) ? 1 : 0)),
            sum: sum + value,
            count: count + 1,
          })),
      };
    },
    render: () => [...renderers.values()].map((render) => render()).join(""),
  };
}
