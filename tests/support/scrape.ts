/** What a scrape has brought, read as Prometheus reads it. */
export interface Scrape {
  readonly text: string;
  /** The type of each metric, by its name. */
  readonly types: ReadonlyMap<string, string>;
  readonly helps: ReadonlyMap<string, string>;
  /** The name of every series. */
  readonly series: ReadonlySet<string>;
  /** The sum of the values of a series whose labels are at least these. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
  /** The values of a label over all of a series. */
  labelValues(name: string, label: string): ReadonlySet<string>;
}

interface Value {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g;

/** Asks for metrics, and fails unless there are any. */
export async function scrape(url: string, key?: string): Promise<Scrape> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(url, { headers });
  if (response.status !== 200) throw new Error(`no metrics: status ${response.status}`);
  return readScrape(await response.text());
}

function readScrape(text: string): Scrape {
  const lines = text.split("\n").filter((line) => line !== "");
  const values = lines.filter((line) => !line.startsWith("#")).map(readLine);
  const commentsOf = (kind: string) =>
    new Map(
      lines
        .filter((line) => line.startsWith(`# ${kind} `))
        .map((line) => line.split(" "))
        .map(([, , name = "", ...rest]) => [name, rest.join(" ")]),
    );
  return {
    text,
    types: commentsOf("TYPE"),
    helps: commentsOf("HELP"),
    series: new Set(values.map(({ name }) => name)),
    sum: (wanted, labels = {}) =>
      values
        .filter((one) => one.name === wanted && hasLabels(one, labels))
        .reduce((sum, { value }) => sum + value, 0),
    labelValues: (wanted, label) =>
      new Set(
        values.filter(({ name }) => name === wanted).map(({ labels }) => labels[label] ?? ""),
      ),
  };
}

function readLine(line: string): Value {
  const [, name = "", labels = "", value = ""] = LINE.exec(line) ?? [];
  if (name === "") throw new Error(`no line of a scrape: ${line}`);
  const pairs = [...labels.matchAll(LABEL)].map(([, label = "", text = ""]) => [label, text]);
  return {
    name,
    labels: Object.fromEntries(pairs),
    value: Number(value.replace("Inf", "Infinity")),
  };
}

function hasLabels({ labels }: Value, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([label, value]) => labels[label] === value);
}
